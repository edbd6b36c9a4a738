package main

import (
	"errors"
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

// setMetadata answers SETMETADATA (RFC 5464 section 4.3): all values are set, or
// none.
func (s *Session) setMetadata(c *wire.Command) (string, error) {
	name, err := folderArg(c)
	if err != nil {
		return "", err
	}
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	var set []annotation
	err = c.Args.List(query.MaxEntries, func() error {
		a, err := entryValue(c.Args)
		set = append(set, a)
		return err
	})
	if err == nil && set == nil {
		err = &wire.SyntaxError{Text: "no entries"}
	}
	if err == nil {
		err = c.Args.End()
	}
	if err != nil {
		return "", err
	}
	return "SETMETADATA completed", s.annotate(name, set)
}

func entryValue(args *wire.Scanner) (a annotation, err error) {
	if a.entry, err = args.AString(); err != nil {
		return a, err
	}
	if err := query.CheckEntry(a.entry); err != nil {
		return a, err
	}
	if err := args.Space(); err != nil {
		return a, err
	}
	a.value, a.ok, err = args.Value()
	return a, err
}

// annotate sets annotations of a mailbox, or with "" of the account.
func (s *Session) annotate(name string, set []annotation) error {
	for _, a := range set {
		if len(a.value) > maxValue {
			return no(fmt.Sprintf("[METADATA MAXSIZE %d] value too long", maxValue))
		}
	}
	if err := s.annotateUses(name, set); err != nil {
		return err
	}
	kind, p := statefile.Account, realm.Place{Box: s.realm.Box, Folder: "INBOX"}
	shared := slices.ContainsFunc(set, func(a annotation) bool { return !isPrivate(a.entry) })
	if name == "" && shared {
		return no("[NOPERM] the server's shared entries are its administrator's")
	}
	if name != "" {
		kind = statefile.Metadata
		need := acl.Rights(0)
		if shared {
			need = acl.Write // what others see is not a mere reader's to change
		}
		var err error
		if p, err = s.annotated(name, need); err != nil {
			return err
		}
	}
	state, err := p.Box.State(p.Folder)
	if err != nil {
		return err
	}
	defer state.Close()
	err = state.Update(func(c *statefile.Changes) error { return write(c, kind, p.Private, set) })
	if errors.Is(err, statefile.ErrFull) {
		return no("[METADATA TOOMANY] too many annotations")
	}
	return err
}

// write has an Update set annotations.
func write(c *statefile.Changes, kind statefile.Kind, private string, set []annotation) error {
	before := count(c.All(kind), private)
	for _, a := range set {
		if key := entryKey(a.entry, private); a.ok {
			c.Set(kind, key, a.value)
		} else {
			c.Drop(kind, key)
		}
	}
	now := count(c.All(kind), private)
	if now.owner > max(query.MaxEntries, before.owner) || now.guest > max(maxGuest, before.guest) || now.guests > max(query.MaxEntries, before.guests) {
		return no("[METADATA TOOMANY] too many annotations")
	}
	return nil
}

// tally is how many annotations a mailbox has. Others than the owner have bounds of
// their own, so that they cannot leave him, or each other, no room.
type tally struct {
	owner  int // his private ones, and those that all share
	guests int // private ones of all others
	guest  int // and of the one who asks
}

// count counts annotations by their keys; private is of the user who asks.
func count(all map[string]string, private string) (n tally) {
	for key := range all {
		switch {
		case strings.HasPrefix(key, "/"):
			n.owner++
			continue
		case strings.HasPrefix(key, private+"/"):
			n.guest++
		}
		n.guests++
	}
	return n
}

// copyAnnotations gives a mailbox those of INBOX, which was renamed to it and
// keeps them (RFC 5464 section 4.1).
func (s *Session) copyAnnotations(to string) error {
	return copyFacts(realm.Place{Box: s.realm.Box, Folder: "INBOX"}, realm.Place{Box: s.realm.Box, Folder: to}, statefile.Metadata)
}

// copyFacts gives a mailbox the facts of a kind that another has.
func copyFacts(from, to realm.Place, kind statefile.Kind) error {
	old, err := from.Box.State(from.Folder)
	if err != nil {
		return err
	}
	defer old.Close()
	all := old.All(kind)
	if len(all) == 0 {
		return nil
	}
	state, err := to.Box.State(to.Folder)
	if err != nil {
		return err
	}
	defer state.Close()
	return state.Update(func(c *statefile.Changes) error {
		for _, key := range slices.Sorted(maps.Keys(all)) {
			c.Set(kind, key, all[key])
		}
		return nil
	})
}
