package mailbox

import (
	"strings"
	"unicode/utf8"

	"posthorn/internal/utf7"
)

// inbox is the folder that every box has: the Maildir's root itself.
const inbox = "INBOX"

// maxFolderName is the longest name of a folder on the disk, with its dot.
const maxFolderName = 255

// Canonical returns name with its first level in capitals when that is INBOX in
// any case (RFC 3501 5.1): what stands below INBOX would otherwise seem to be
// below another folder.
func Canonical(name string) string {
	if len(name) >= len(inbox) && strings.EqualFold(name[:len(inbox)], inbox) && (len(name) == len(inbox) || name[len(inbox)] == '.') {
		return inbox + name[len(inbox):]
	}
	return name
}

// diskName returns the directory of a folder below the Maildir's root: "." for
// INBOX, which has no case (RFC 3501 5.1), `.Work.2024` for any other.
func diskName(name string) (string, error) {
	name = Canonical(name)
	if name == inbox {
		return ".", nil
	}
	if !validFolder(name) {
		return "", ErrBadName
	}
	disk := "." + utf7.Encode(name)
	if len(disk) > maxFolderName {
		return "", ErrBadName
	}
	return disk, nil
}

// validFolder reports whether name can be a folder: valid UTF-8 without
// control characters, no empty level, nothing that leads elsewhere.
func validFolder(name string) bool {
	if name == "" || len(name) > 4*maxFolderName || name[0] == '~' || !utf8.ValidString(name) {
		return false
	}
	for level := range strings.SplitSeq(name, ".") {
		if level == "" {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' })
}

// validName reports whether name can be subscribed to: a folder, or with slashes
// between its levels another user's.
func validName(name string) bool { return validFolder(strings.ReplaceAll(name, "/", ".")) }

// folderName is diskName the other way; ok is false for a directory that is no
// folder, or that our own name for it would not find again.
func folderName(disk string) (name string, ok bool) {
	encoded, ok := strings.CutPrefix(disk, ".")
	if !ok {
		return "", false
	}
	name, err := utf7.Decode(encoded)
	if err != nil || strings.EqualFold(name, inbox) {
		return "", false
	}
	back, err := diskName(name)
	return name, err == nil && back == disk
}
