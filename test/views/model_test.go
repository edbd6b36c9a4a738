package views

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// flags are a message's, sorted, with a space between; \Recent is left out.
type flags string

func flagsOf(names ...string) flags {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == `\Recent` })
	slices.Sort(names)
	return flags(strings.Join(slices.Compact(names), " "))
}

func (f flags) names() []string      { return strings.Fields(string(f)) }
func (f flags) has(name string) bool { return slices.Contains(f.names(), name) }

// apply returns the flags after a STORE: '+', '-', or 0 to replace them.
func (f flags) apply(op byte, names ...string) flags {
	switch op {
	case '+':
		return flagsOf(append(f.names(), names...)...)
	case '-':
		return flagsOf(slices.DeleteFunc(f.names(), func(n string) bool { return slices.Contains(names, n) })...)
	}
	return flagsOf(names...)
}

// mail is a message of the model.
type mail struct {
	letter   int
	uid      uint32  // 0: nobody has given it one yet
	numbered bool    // the list has it
	base     string  // of its file's name
	text     string  // with CRLF
	was      []flags // its flags; the last are those of now
	gone     bool
	perhaps  bool    // what was just done may have removed it
	either   []flags // what was just done may have given it any of these
	back     bool    // its file was there before: it may get its old UID, or a new one
}

func (m *mail) String() string { return fmt.Sprintf("letter %d (UID %d)", m.letter, m.uid) }

func (m *mail) now() flags { return m.was[len(m.was)-1] }

// set changes the flags.
func (m *mail) set(f flags) {
	if f != m.now() {
		m.was = append(m.was, f)
	}
}

// coming is a message that must appear in a mailbox.
type coming struct {
	letter int
	uid    uint32  // 0: not announced
	flags  []flags // any of these
	mixed  bool    // or some of each
	back   bool
}

// may reports whether the message may have these flags.
func (c coming) may(f flags) bool {
	if slices.Contains(c.flags, f) || !c.mixed {
		return slices.Contains(c.flags, f)
	}
	for _, g := range c.flags {
		for _, name := range append(g.names(), f.names()...) {
			has := func(g flags) bool { return g.has(name) }
			if f.has(name) && !slices.ContainsFunc(c.flags, has) || !f.has(name) && !slices.ContainsFunc(c.flags, func(g flags) bool { return !has(g) }) {
				return false
			}
		}
	}
	return true
}

// box is a mailbox of the model.
type box struct {
	name     string
	validity string  // "": not heard of yet
	next     uint32  // no message that comes may have a lower UID
	mails    []*mail // by UID; those without one last
	coming   []coming
}

func (b *box) expect(letter int, uid uint32, f ...flags) {
	b.coming = append(b.coming, coming{letter: letter, uid: uid, flags: f})
}

// live returns the messages that are there.
func (b *box) live() (all []*mail) {
	for _, m := range b.mails {
		if !m.gone {
			all = append(all, m)
		}
	}
	return all
}

// count returns how many have a flag.
func (b *box) count(flag string) (n int) {
	for _, m := range b.live() {
		if m.now().has(flag) {
			n++
		}
	}
	return n
}

// announce takes note of a UIDNEXT.
func (b *box) announce(next uint32) error {
	if next < b.next {
		return fmt.Errorf("%s: got UIDNEXT %d, want at least %d", b.name, next, b.next)
	}
	b.next = next
	return nil
}

// call notes the UIDVALIDITY that a session heard.
func (b *box) call(validity string) error {
	if b.validity == "" {
		b.validity = validity
	}
	if b.validity != validity {
		return fmt.Errorf("%s: got UIDVALIDITY %s, want %s", b.name, validity, b.validity)
	}
	return nil
}

// meet compares the messages with the files and the uidlist, and takes over what
// is left to the server: UIDs, and which files new messages have.
func (b *box) meet(d disk) (wrong []string) {
	fault := func(format string, args ...any) {
		wrong = append(wrong, b.name+": "+fmt.Sprintf(format, args...))
	}
	left := slices.Clone(d.files)
	take := func(fits func(file) bool) (f file, ok bool) {
		i := slices.IndexFunc(left, fits)
		if i < 0 {
			return f, false
		}
		f = left[i]
		left = slices.Delete(left, i, i+1)
		return f, true
	}
	for _, m := range b.live() {
		same := func(f file) bool { return f.base == m.base && f.letter == m.letter }
		f, ok := take(func(f file) bool { return same(f) && (f.flags == m.now() || slices.Contains(m.either, f.flags)) })
		if ok {
			m.set(f.flags)
		}
		if !ok {
			f, ok = take(same)
		}
		switch {
		case !ok && m.perhaps:
			m.gone = true
		case !ok:
			fault("LOST: %v", m)
			m.gone = true
		case f.flags != m.now():
			fault("%v has the flags %q in its file, want %q", m, f.flags, m.now())
		case f.text != m.text:
			fault("%v has other bytes", m)
		}
		m.perhaps, m.either = false, nil
	}
	for _, c := range b.coming {
		f, ok := take(func(f file) bool {
			uid := d.uids[f.base] // of several copies that come at once each has its own
			return f.letter == c.letter && c.may(f.flags) && (uid == 0 || c.uid == 0 || c.back || uid == c.uid)
		})
		if !ok {
			fault("LOST: letter %d with %q is not there", c.letter, c.flags)
			continue
		}
		b.mails = append(b.mails, &mail{letter: c.letter, uid: c.uid, base: f.base, text: f.text, was: []flags{f.flags}, back: c.back})
	}
	b.coming = nil
	for _, f := range left {
		fault("phantom: letter %d, %s%s with %q", f.letter, f.base, f.info, f.flags)
	}
	return append(wrong, b.number(d.uids)...)
}

// number gives the messages the UIDs of the list.
func (b *box) number(uids map[string]uint32) (wrong []string) {
	fault := func(format string, args ...any) {
		wrong = append(wrong, b.name+": "+fmt.Sprintf(format, args...))
	}
	least := b.next
	for _, m := range b.live() {
		uid := uids[m.base]
		switch {
		case uid == m.uid && (m.numbered || uid == 0):
			continue
		case m.back && uid > m.uid: // its old one, or a new one
		case m.uid != 0 && uid != m.uid:
			fault("%v has the UID %d in the list", m, uid)
			continue
		case uid < least:
			fault("letter %d got the UID %d, want at least %d", m.letter, uid, least)
		}
		m.uid, m.numbered = uid, true
		b.next = max(b.next, uid+1)
	}
	slices.SortStableFunc(b.mails, func(x, y *mail) int { return cmp.Compare(x.uid-1, y.uid-1) }) // 0 comes last
	for i := 1; i < len(b.mails); i++ {
		if x, y := b.mails[i-1], b.mails[i]; x.uid != 0 && x.uid == y.uid && x.letter != y.letter {
			fault("%v and %v have one UID", x, y)
		}
	}
	return wrong
}
