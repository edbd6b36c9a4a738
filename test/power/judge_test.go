package power

import (
	"fmt"
	"slices"
	"strings"
)

// seen is what a new IMAP session finds on a state, and the UIDs that
// messages get which it files then.
type seen struct {
	folders map[string]*shown
	names   []string // subscriptions
	given   map[string]filed
	kept    map[string]string // what was removed: texts by token
	odd     []string
	log     string
	err     error
}

// windows count what posthorn-store(5) says that a power cut may undo.
type windows struct {
	flags   int // flags are as they were before
	back    int // an expunged message is there again
	both    int // a moved message is in the old folder too
	renewed int // a message has another UID
}

func (w *windows) String() string {
	return fmt.Sprintf("flags undone in %d states, a removed message back in %d, a moved one in both folders in %d, another UID in %d",
		w.flags, w.back, w.both, w.renewed)
}

func (w *windows) add(one windows) {
	w.flags += min(one.flags, 1)
	w.back += min(one.back, 1)
	w.both += min(one.both, 1)
	w.renewed += min(one.renewed, 1)
}

// judge holds what was found to what clients know.
type judge struct {
	*ledger
	seen    *seen
	letters []*letter
	keeps   bool // what is removed is kept
	in      windows
	wrong   []string
}

func (j *judge) say(format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

// all judges everything.
func (j *judge) all() {
	taken := map[string]bool{}
	at := map[*shelf]*shown{}
	for _, s := range j.shelves {
		if at[s] = j.place(s, taken); at[s] != nil {
			j.contents(s, at[s])
		}
	}
	for name := range j.seen.folders {
		if !taken[name] {
			j.say("the folder %s is nobody's", name)
		}
	}
	for _, f := range j.moves {
		j.moved(f, at)
	}
	if j.keeps {
		j.kept()
	}
	for name, p := range j.names {
		if is := presence(slices.Contains(j.seen.names, name)); !p.may(is) {
			j.say("%s is %s in the subscriptions, want %v or %v", name, is, p.was, p.coming)
		}
	}
}

func presence(is bool) string {
	if is {
		return on
	}
	return absent
}

// place finds a folder under one of the names that it can have.
func (j *judge) place(s *shelf, taken map[string]bool) *shown {
	found := j.seen.folders[s.name]
	name := s.name
	if s.to != "" && j.seen.folders[s.to] != nil {
		if found != nil {
			j.say("%s is there, and %s, which it was to become", s.name, s.to)
		}
		name, found = s.to, j.seen.folders[s.to]
	}
	if taken[name] || found != nil && !s.is.may(on) {
		found = nil // another folder has this name now
	}
	if found == nil && !s.is.may(absent) {
		j.say("the folder %s is lost", s.name)
	}
	taken[name] = taken[name] || found != nil
	return found
}

// contents judges the messages of a folder.
func (j *judge) contents(s *shelf, found *shown) {
	if s.validity != 0 && found.validity != s.validity {
		j.say("%s has UIDVALIDITY %d, was %d", s.name, found.validity, s.validity)
	}
	count := map[string]int{}
	for n, m := range found.messages {
		if count[m.Token]++; count[m.Token] > 1 {
			j.say("%s has %s %d times", s.name, m.Token, count[m.Token])
		}
		if !j.whole(m.Token, found.texts[n]) {
			j.say("%s has a torn message %s: %.100q", s.name, m.Token, found.texts[n])
		}
		j.message(s, found, m)
	}
	for token, p := range s.held {
		if count[token] == 0 && !p.may(absent) {
			j.say("%s (%q) is lost from %s", token, p.was, s.name)
		}
	}
	if g, ok := j.seen.given[s.name]; ok {
		j.given(s, found, g)
	}
}

// kept judges that whatever was ever answered is in a folder or among what was
// removed.
func (j *judge) kept() {
	for token, text := range j.seen.kept {
		if !j.whole(token, text) {
			j.say("kept is a torn message %s: %.100q", token, text)
		}
	}
	there := map[string]bool{}
	for _, found := range j.seen.folders {
		for _, m := range found.messages {
			there[m.Token] = true
		}
	}
	for _, s := range j.shelves {
		for token, p := range s.held {
			known := p.dropped > 0 || slices.ContainsFunc(p.was, func(is string) bool { return is != absent })
			if _, kept := j.seen.kept[token]; known && !kept && !there[token] {
				j.say("%s, which was in %s, is nowhere", token, s.name)
			}
		}
	}
}

// whole reports whether a text is the message of the token.
func (j *judge) whole(token, text string) bool {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return text == textOf(token) || whole(j.letters, []byte(text))
}

// message judges one that is there.
func (j *judge) message(s *shelf, found *shown, m filed) {
	p := s.held[m.Token]
	switch {
	case p == nil:
		j.say("%s has %s, which nobody put there", s.name, m.Token)
		return
	case !p.may(m.Flags):
		j.say("%s has %s with the flags %q, want one of %q or %q", s.name, m.Token, m.Flags, p.was, p.coming)
	case len(p.coming) > 0 || p.now() == m.Flags:
	case p.now() == absent:
		j.in.back++
	default:
		j.in.flags++
	}
	told := j.told[found.validity]
	switch token, ok := told[m.UID]; {
	case ok && token != m.Token:
		j.say("%s has %s as UID %d, which was announced for %s", s.name, m.Token, m.UID, token)
	case !ok && m.UID < j.next[found.validity]:
		j.say("%s has %s as UID %d, which is new below the UIDNEXT %d that was announced", s.name, m.Token, m.UID, j.next[found.validity])
	case !ok && slices.Contains(values(told), m.Token):
		j.in.renewed++
	}
}

func values(m map[uint32]string) (all []string) {
	for _, v := range m {
		all = append(all, v)
	}
	return all
}

// given judges the UID that a folder gives next.
func (j *judge) given(s *shelf, found *shown, g filed) {
	highest := max(j.next[found.validity], 1) - 1
	for uid := range j.told[found.validity] {
		highest = max(highest, uid)
	}
	if g.UID <= highest {
		j.say("%s gives UID %d, and %d was announced", s.name, g.UID, highest)
	}
}

// moved judges a MOVE on its way: the message is in one of both folders.
func (j *judge) moved(f *fact, at map[*shelf]*shown) {
	from, to := j.ledger.shelf(f.Folder), j.ledger.shelf(f.To)
	for _, m := range f.Messages {
		has := func(s *shelf) bool {
			return at[s] != nil && slices.ContainsFunc(at[s].messages, func(o filed) bool { return o.Token == m.Token })
		}
		switch {
		case has(from) && has(to):
			j.in.both++
		case !has(from) && !has(to) && !slices.Contains(from.held[m.Token].was, absent):
			j.say("%s was to move from %s to %s and is in neither", m.Token, f.Folder, f.To)
		}
	}
}
