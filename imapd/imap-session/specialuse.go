package main

import (
	"errors"
	"slices"
	"strings"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
)

// maxUses bounds the attributes of one mailbox.
const maxUses = 16

// createArgs takes the arguments of CREATE (RFC 4466 section 2.2); uses is nil
// without USE.
func createArgs(c *wire.Command) (name string, uses []string, err error) {
	if name, err = folderArg(c); err != nil || c.Args.End() == nil {
		return name, nil, err
	}
	if !c.Args.Accept(' ') {
		return "", nil, c.Args.End()
	}
	err = c.Args.List(maxUses, func() error {
		if c.Args.Word() != "USE" {
			return &wire.SyntaxError{Text: "unknown parameter of CREATE"}
		}
		if err := c.Args.Space(); err != nil {
			return err
		}
		uses, err = c.Args.Flags()
		return err
	})
	if err == nil {
		err = c.Args.End()
	}
	if err != nil {
		return "", nil, err
	}
	uses, err = checkUses(uses)
	return name, uses, err
}

// checkUses returns attributes in their usual spelling, each once.
func checkUses(names []string) ([]string, error) {
	if len(names) > maxUses {
		return nil, &wire.SyntaxError{Text: "list too long"}
	}
	var uses []string
	for _, name := range names {
		i := slices.IndexFunc(statefile.Uses(), func(use string) bool { return strings.EqualFold(use, name) })
		if i < 0 {
			return nil, no("[USEATTR] special use not supported") // RFC 6154 section 3
		}
		if use := statefile.Uses()[i]; !slices.Contains(uses, use) {
			uses = append(uses, use)
		}
	}
	return uses, nil
}

// setUses notes what a mailbox that was just made is for. Where that cannot be done
// there is none (RFC 6154 section 3).
func (s *Session) setUses(name string, uses []string) error {
	if uses == nil {
		return nil
	}
	set := []annotation{{entry: statefile.UseEntry, value: strings.Join(uses, " "), ok: true}}
	if err := s.annotate(name, set); err != nil {
		return errors.Join(err, s.realm.Box.Delete(name))
	}
	return nil
}

// annotateUses makes an annotation that says what a mailbox is for fit to be set: no
// value takes away what the configuration says of the name, too.
func (s *Session) annotateUses(name string, set []annotation) error {
	for i, a := range set {
		if name == "" || !strings.EqualFold(a.entry, statefile.UseEntry) {
			continue
		}
		uses, err := checkUses(strings.Fields(a.value))
		if err != nil {
			return err
		}
		set[i].value, set[i].ok = strings.Join(uses, " "), a.ok || s.limits.specialUse[name] != nil
		if err := s.keepUses(); err != nil {
			return err
		}
	}
	return nil
}

// keepUses notes that LIST has to look for what mailboxes are for.
func (s *Session) keepUses() error {
	state, err := s.realm.Box.State("INBOX")
	if err != nil {
		return err
	}
	defer state.Close()
	return state.Update(func(c *statefile.Changes) error {
		c.Set(statefile.Account, statefile.UsesKept, "yes")
		return nil
	})
}

// uses returns what the mailboxes of the user are for, by name: what their
// annotations say, else the configuration, unless a mailbox was given that use.
func (s *Session) uses() (map[string][]string, error) {
	given, err := s.givenUses()
	if err != nil || len(given) == 0 {
		return s.limits.specialUse, err
	}
	all := map[string][]string{}
	for name, uses := range s.limits.specialUse {
		all[name] = slices.DeleteFunc(slices.Clone(uses), func(use string) bool {
			for _, others := range given {
				if slices.Contains(others, use) {
					return true
				}
			}
			return false
		})
	}
	for name, uses := range given {
		all[name] = uses
	}
	return all, nil
}

// givenUses returns what annotations say.
func (s *Session) givenUses() (map[string][]string, error) {
	if kept, err := s.fact("INBOX", statefile.Account, statefile.UsesKept); err != nil || kept == nil {
		return nil, err
	}
	folders, err := s.realm.Box.Folders()
	if err != nil {
		return nil, err
	}
	given := map[string][]string{}
	for _, name := range folders {
		value, err := s.fact(name, statefile.Metadata, statefile.UseEntry)
		if errors.Is(err, mailbox.ErrNoFolder) { // by now
			continue
		}
		if err != nil {
			return nil, err
		}
		if value != nil {
			given[name] = strings.Fields(*value)
		}
	}
	return given, nil
}

// fact returns what is kept of a mailbox of the user, nil if nothing is.
func (s *Session) fact(name string, kind statefile.Kind, key string) (*string, error) {
	state, err := s.realm.Box.State(name)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	value, ok := state.Get(kind, key)
	if !ok {
		return nil, nil
	}
	return &value, nil
}

// tellUses has the annotations of a mailbox of the user say what it is for.
func (s *Session) tellUses(name string, all map[string]string) error {
	uses, err := s.uses()
	if err != nil {
		return err
	}
	delete(all, statefile.UseEntry)
	if value := strings.Join(uses[name], " "); value != "" {
		all[statefile.UseEntry] = value
	}
	return nil
}
