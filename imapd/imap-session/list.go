package main

import (
	"errors"
	"slices"
	"strings"

	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// list answers LIST (RFC 3501 section 6.3.8, RFC 5258, 5819 and 6154).
func (s *Session) list(c *wire.Command) (string, error) {
	l, err := query.ParseList(c.Args)
	if err != nil {
		return "", err
	}
	if len(l.Patterns) == 0 && !l.Extended {
		// A question for the separator and the root (RFC 3501 section 6.3.8).
		root, sep := s.realm.RootOf(l.Reference)
		s.w.Raw("* LIST (\\Noselect) \"", sep, "\" \"", root, "\"\r\n")
		return "LIST completed", nil
	}
	a := lister{Session: s, List: l}
	if err := a.look(); err != nil {
		return "", err
	}
	return "LIST completed", a.answer()
}

// lister is one LIST at work.
type lister struct {
	*Session
	query.List
	folders    tree
	meant      tree     // what the selection options mean
	subscribed []string // sorted
	uses       map[string][]string
	oldName    string // what the client called it; "" is left out
}

// look finds out what there is.
func (a *lister) look() (err error) {
	folders, err := a.realm.Box.Folders()
	if err != nil {
		return err
	}
	if a.foreignMatters() {
		others, err := a.realm.Visible()
		if err != nil { // his own are there all the same
			a.log.IMAPFailed(a.conn.SID, a.conn.User, "LIST", err)
		}
		folders = append(folders, others...)
	}
	if a.Subscription {
		if a.subscribed, err = a.realm.Box.Subscriptions(); err != nil {
			return err
		}
	}
	if a.uses, err = a.Session.uses(); err != nil {
		return err
	}
	a.folders = newTree(folders)
	a.meant = a.folders
	if a.Selects() {
		a.meant = newTree(a.selection(folders))
	}
	return nil
}

// reached reports whether a name, in the encoding of the wire, matches one of
// the patterns.
func reached(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchName(p, name) })
}

// foreignMatters reports whether a pattern can match names of others' mailboxes.
func (a *lister) foreignMatters() bool {
	return a.Patterns == nil || slices.ContainsFunc(a.Patterns, func(p string) bool {
		literal := p
		if i := strings.IndexAny(p, "*%"); i >= 0 {
			literal = p[:i]
		}
		begins := func(prefix string) bool {
			return strings.HasPrefix(prefix, literal) || strings.HasPrefix(literal, prefix)
		}
		return begins(realm.SharedPrefix) || begins(realm.PublicPrefix)
	})
}

// separator is what LIST tells to stand between the levels of a name: the tops of
// others' mailboxes have it without showing it.
func (a *lister) separator(name string) string {
	top := name+"/" == realm.SharedPrefix || name+"/" == realm.PublicPrefix
	own := func(other string) bool { return strings.HasPrefix(other, name+".") }
	if !top || a.realm.Shares == nil || a.folders.exists[name] || slices.ContainsFunc(a.folders.names, own) {
		return realm.Levels(name)
	}
	return "/"
}

// selection returns the names that meet the selection options.
func (a *lister) selection(folders []string) []string {
	names := folders
	if a.OnlySubscribed {
		names = slices.Clone(a.subscribed) // they need not exist
	}
	if a.OnlySpecial {
		names = slices.DeleteFunc(names, func(name string) bool { return !a.folders.exists[name] || len(a.uses[name]) == 0 })
	}
	return names
}

// answer tells of each name that matches.
func (a *lister) answer() error {
	hidden := a.hidden()
	for _, name := range a.meant.names {
		if !reached(a.Patterns, a.encode(name)) {
			continue
		}
		if a.meant.exists[name] || !a.Extended || hidden[name] {
			a.name(name)
		}
		if err := a.w.Err(); err != nil {
			return broken{err}
		}
	}
	return nil
}

// hidden returns the levels above names that are meant and that no pattern
// reaches. An extended LIST tells of them where they match (RFC 5258 sections 3
// and 3.5), with selection options only if it is asked to.
func (a *lister) hidden() map[string]bool {
	above := map[string]bool{}
	if !a.Extended || a.Selects() && !a.Recursive {
		return above
	}
	for name := range a.meant.exists {
		if !reached(a.Patterns, a.encode(name)) {
			markAbove(above, name)
		}
	}
	return above
}

// name tells of one name.
func (a *lister) name(name string) {
	exists := a.folders.exists[name]
	var status *counts
	if a.Items != nil && exists && a.meant.exists[name] {
		status, exists = a.statusOf(name)
	}
	a.w.Raw("* LIST (", a.attributes(name, exists), ") \"", a.separator(name), "\" ")
	a.w.AString(a.encode(name))
	if a.Recursive && a.meant.parents[name] {
		a.w.Raw(" (\"CHILDINFO\" (", a.Criteria(), "))")
	}
	if a.oldName != "" {
		a.w.Raw(" (\"OLDNAME\" (")
		a.w.AString(a.oldName)
		a.w.Raw("))")
	}
	a.w.Raw("\r\n")
	if status != nil {
		a.writeStatus(name, a.Items, *status)
	}
	if a.Rights && exists && a.meant.exists[name] {
		a.rightsOf(name)
	}
	if a.Metadata.Entries != nil && exists && a.meant.exists[name] {
		a.annotationsOf(name)
	}
}

// rightsOf tells of the rights in a mailbox, if they can be looked up (RFC 8440
// section 3).
func (a *lister) rightsOf(name string) {
	p, err := a.realm.Find(name, 0)
	if err == nil {
		a.writeMyRights(p)
	} else if refusalText(err) == "" {
		a.log.IMAPFailed(a.conn.SID, a.conn.User, "LIST", err)
	}
}

// annotationsOf tells of a mailbox's annotations, if it has none of these at hand
// of nothing (RFC 9590 section 3).
func (a *lister) annotationsOf(name string) {
	_, err := a.writeMetadata(name, a.Metadata)
	if err != nil && refusalText(err) == "" {
		a.log.IMAPFailed(a.conn.SID, a.conn.User, "LIST", err)
	}
}

// statusOf counts a folder. One that is gone by now is not selectable; of one
// that cannot be counted for another reason nothing is told (RFC 5819 section 2).
func (a *lister) statusOf(name string) (_ *counts, exists bool) {
	status, err := a.count(name, a.Items)
	if errors.Is(err, mailbox.ErrNoFolder) {
		return nil, false
	}
	if err != nil {
		if refusalText(err) == "" {
			a.log.IMAPFailed(a.conn.SID, a.conn.User, "LIST", err)
		}
		return nil, true
	}
	return &status, true
}

// attributes returns what LIST says of a name.
func (a *lister) attributes(name string, exists bool) string {
	attributes := []string{`\HasNoChildren`}
	if a.folders.parents[name] {
		attributes[0] = `\HasChildren` // RFC 3348 section 3
	}
	switch {
	case exists:
		attributes = append(attributes, a.uses[name]...)
	case a.Extended || a.rev2:
		attributes = append([]string{`\NonExistent`}, attributes...)
	default:
		attributes = append([]string{`\Noselect`}, attributes...)
	}
	if _, ok := slices.BinarySearch(a.subscribed, name); ok {
		attributes = append(attributes, `\Subscribed`)
	}
	return strings.Join(attributes, " ")
}

// lsub answers LSUB (RFC 3501 section 6.3.9).
func (s *Session) lsub(c *wire.Command) (string, error) {
	l, err := query.ParseLSub(c.Args)
	switch {
	case err != nil:
		return "", err
	case len(l.Patterns) == 0:
		s.w.Raw("* LSUB (\\Noselect) \".\" \"\"\r\n")
		return "LSUB completed", nil
	}
	names, err := s.realm.Box.Subscriptions()
	if err != nil {
		return "", err
	}
	var deeper []string
	for _, name := range names {
		if reached(l.Patterns, s.encode(name)) {
			s.writeName("LSUB", "", name)
		} else if strings.HasSuffix(l.Patterns[0], "%") {
			deeper = append(deeper, name)
		}
	}
	// Of subscribed names that "%" does not reach, the level that it does reach
	// (RFC 3501 section 6.3.9).
	for _, name := range newTree(deeper).names {
		if _, ok := slices.BinarySearch(names, name); !ok && reached(l.Patterns, s.encode(name)) {
			s.writeName("LSUB", `\Noselect`, name)
		}
	}
	return "LSUB completed", nil
}

func (s *Session) writeName(response, attributes, name string) {
	s.w.Raw("* ", response, " (", attributes, ") \"", realm.Levels(name), "\" ")
	s.w.AString(s.encode(name))
	s.w.Raw("\r\n")
}
