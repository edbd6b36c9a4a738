package realm

import (
	"strings"

	"posthorn/internal/mailbox"
)

// What the names of others' mailboxes begin with (RFC 2342). Names of a user's own
// have no slash.
const (
	SharedPrefix = "Shared/"
	PublicPrefix = "Public/"
)

// RootOf returns the root of a reference, and what stands between its levels.
func (r *Realm) RootOf(reference string) (root, sep string) {
	for _, prefix := range []string{SharedPrefix, PublicPrefix} {
		if r.Shares != nil && strings.HasPrefix(reference, prefix) {
			return prefix, "/"
		}
	}
	return "", "."
}

// Locate finds out whose mailbox a name means. Errors: mailbox.ErrNoFolder,
// mailbox.ErrBadName.
func (r *Realm) Locate(name string) (Place, error) {
	if !strings.Contains(name, "/") {
		return Place{Name: name, Box: r.Box, Folder: name, Owner: r.User, Own: true}, nil
	}
	if !strings.HasPrefix(name, SharedPrefix) && !strings.HasPrefix(name, PublicPrefix) {
		return Place{}, mailbox.ErrBadName
	}
	owner, folder := r.split(name)
	if r.Shares == nil || owner == "" || owner == r.User || folder == "" || strings.Contains(folder, ".") {
		return Place{}, mailbox.ErrNoFolder
	}
	box, err := r.boxOf(owner)
	if err != nil {
		return Place{}, err
	}
	folder = mailbox.Canonical(strings.ReplaceAll(folder, "/", "."))
	return Place{Name: r.foreignName(owner, folder), Box: box, Folder: folder, Owner: owner, Private: r.User}, nil
}

// split takes the name of another's mailbox apart.
func (r *Realm) split(name string) (owner, folder string) {
	if rest, ok := strings.CutPrefix(name, PublicPrefix); ok {
		return r.Public, rest
	}
	if rest, ok := strings.CutPrefix(name, SharedPrefix); ok {
		owner, folder, _ = strings.Cut(rest, "/")
		if owner = strings.ToLower(owner); owner == r.Public {
			return "", "" // his have one name only
		}
	}
	return owner, folder
}

// foreignName is the name of another's folder.
func (r *Realm) foreignName(owner, folder string) string {
	folder = strings.ReplaceAll(folder, ".", "/")
	if owner == r.Public {
		return PublicPrefix + folder
	}
	return SharedPrefix + owner + "/" + folder
}
