package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/statefile"
)

// Bounds of annotations.
const (
	maxGuest = 25 // private ones of a user in another's mailbox
	maxValue = 32 << 10
)

// adminEntry says how to reach the server's administrator; clients cannot change
// it (RFC 5464 section 6.2.2).
const adminEntry = "/shared/admin"

// getMetadata answers GETMETADATA (RFC 5464 section 4.2). The options stand in
// front of the mailbox name in the syntax, and behind it in the examples.
func (s *Session) getMetadata(c *wire.Command) (string, error) {
	w := query.Metadata{MaxSize: -1}
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	if c.Args.Peek() == '(' {
		if err := w.Take(c.Args, true); err != nil {
			return "", err
		}
		if err := c.Args.Space(); err != nil {
			return "", err
		}
	}
	name, err := folderName(c.Args)
	if err != nil {
		return "", err
	}
	for w.Entries == nil {
		if err := c.Args.Space(); err != nil {
			return "", err
		}
		if err := w.Take(c.Args, false); err != nil {
			return "", err
		}
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	longest, err := s.writeMetadata(name, w)
	if err != nil {
		return "", err
	}
	if longest > 0 {
		return fmt.Sprintf("[METADATA LONGENTRIES %d] GETMETADATA completed", longest), nil
	}
	return "GETMETADATA completed", nil
}

// annotation is an entry with its value.
type annotation struct {
	entry, value string
	ok           bool // it has one
}

// writeMetadata writes the METADATA response of a mailbox, or with "" of the
// account, and returns the size of the longest value that was too long.
func (s *Session) writeMetadata(name string, w query.Metadata) (longest int, err error) {
	all, private, err := s.annotations(name)
	if err != nil {
		return 0, err
	}
	sep := " ("
	for _, a := range pick(w, all, private) {
		if w.MaxSize >= 0 && len(a.value) > w.MaxSize {
			longest = max(longest, len(a.value))
			continue
		}
		if sep == " (" {
			s.w.Raw("* METADATA ")
			s.w.AString(s.encode(name))
		}
		s.w.Raw(sep)
		s.w.AString(a.entry)
		s.w.Raw(" ")
		s.writeValue(a)
		sep = " "
	}
	if sep == " " {
		s.w.Raw(")\r\n")
	}
	return longest, nil
}

// writeValue writes a value: what a literal cannot hold as a literal8.
func (s *Session) writeValue(a annotation) {
	switch {
	case !a.ok:
		s.w.Raw("NIL")
	case strings.IndexByte(a.value, 0) >= 0:
		s.w.Raw("~")
		s.w.Literal(int64(len(a.value)))
		s.w.Raw(a.value)
	default:
		s.w.AString(a.value)
	}
}

// annotations returns the annotations of a mailbox by their keys, and what stands
// in front of the private ones of this user.
func (s *Session) annotations(name string) (all map[string]string, private string, err error) {
	if name == "" {
		state, err := s.realm.Box.State("INBOX")
		if err != nil {
			return nil, "", err
		}
		defer state.Close()
		if all = state.All(statefile.Account); all == nil {
			all = map[string]string{}
		}
		all[adminEntry] = "mailto:" + s.limits.postmaster
		return all, "", nil
	}
	p, err := s.annotated(name, 0)
	if err != nil {
		return nil, "", err
	}
	state, err := p.Box.State(p.Folder)
	if err != nil {
		return nil, "", err
	}
	defer state.Close()
	if all = state.All(statefile.Metadata); all == nil {
		all = map[string]string{}
	}
	if p.Private == "" {
		err = s.tellUses(name, all)
	}
	return all, p.Private, err
}

// pick returns the annotations that are wanted: of an entry that is named, NIL if
// it has none.
func pick(w query.Metadata, all map[string]string, private string) (out []annotation) {
	for _, entry := range w.Entries {
		key := entryKey(entry, private)
		value, ok := all[key]
		if ok || w.Depth == 0 {
			out = append(out, annotation{entry, value, ok})
		}
		if w.Depth == 0 {
			continue
		}
		for _, other := range slices.Sorted(maps.Keys(all)) {
			below, ok := strings.CutPrefix(other, key+"/")
			if ok && (w.Depth < 0 || !strings.Contains(below, "/")) {
				out = append(out, annotation{strings.TrimPrefix(other, private), all[other], true})
			}
		}
	}
	return out
}

// entryKey is the key under which an entry is kept: names have no case (RFC 5464
// section 3.1), and private ones of others than the owner their user in front.
func entryKey(entry, private string) string {
	if isPrivate(entry) {
		return private + strings.ToLower(entry)
	}
	return strings.ToLower(entry)
}

func isPrivate(entry string) bool { return strings.HasPrefix(strings.ToLower(entry), "/private/") }

// annotated finds a mailbox whose annotations this user may see, and has the
// rights need as well (RFC 5464 section 3.3).
func (s *Session) annotated(name string, need acl.Rights) (realm.Place, error) {
	p, err := s.realm.Find(name, acl.Lookup|need)
	if err == nil && !p.Rights.Any(acl.Read|acl.Seen|acl.Write|acl.Insert|acl.Post) {
		err = realm.ErrNoRight
	}
	return p, err
}
