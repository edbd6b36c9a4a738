package kills

import (
	"fmt"
	"maps"
	"slices"
)

// mailbox is what a client knows of a mailbox that only it changes.
type mailbox struct {
	name     string
	validity string
	owner    map[uint32]int // UIDs that were ever seen or announced, to the letter
	mails    map[int]*mail  // by the letter's number
}

// mail is one message of it. What was answered is certain; what was asked and
// not answered may have happened or not.
type mail struct {
	uid     uint32 // 0: not announced
	flags   map[string]bool
	perhaps map[string]bool // flags of lost answers
	unsure  bool            // it may be there or not
}

func newMailbox(name string) *mailbox {
	return &mailbox{name: name, owner: map[uint32]int{}, mails: map[int]*mail{}}
}

// arrive notes a message that was announced with its UID, or, where the answer
// was lost, may have arrived.
func (b *mailbox) arrive(number int, uid uint32, flags map[string]bool, certain bool) error {
	b.mails[number] = &mail{uid: uid, flags: maps.Clone(flags), perhaps: map[string]bool{}, unsure: !certain}
	if uid == 0 {
		return nil
	}
	return b.own(uid, number)
}

// own notes whose a UID is, for ever.
func (b *mailbox) own(uid uint32, number int) error {
	if other, ok := b.owner[uid]; ok && other != number {
		return fmt.Errorf("%s: UID %d of letter %d was that of letter %d", b.name, uid, number, other)
	}
	b.owner[uid] = number
	return nil
}

// flagged notes that a flag was set, or may have been.
func (m *mail) flagged(name string, certain bool) {
	if certain {
		m.flags[name] = true
		return
	}
	m.perhaps[name] = true
}

// left notes that a message is gone, or may be.
func (b *mailbox) left(number int, certain bool) {
	if certain {
		delete(b.mails, number)
		return
	}
	b.mails[number].unsure = true
}

// certain lists the numbers of messages that are there.
func (b *mailbox) certain() []int {
	var all []int
	for n, m := range b.mails {
		if !m.unsure {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// compare wants what a session lists to be what is known, and takes over from
// it what was not.
func (b *mailbox) compare(validity string, listed []found) (faults []string) {
	fault := func(format string, args ...any) {
		faults = append(faults, b.name+": "+fmt.Sprintf(format, args...))
	}
	if b.validity == "" {
		b.validity = validity
	}
	if validity != b.validity {
		fault("got UIDVALIDITY %s, want %s", validity, b.validity)
	}
	seen := map[int]bool{}
	for _, f := range listed {
		if seen[f.number] {
			fault("letter %d is listed twice", f.number)
		}
		seen[f.number] = true
		if err := b.own(f.uid, f.number); err != nil {
			faults = append(faults, err.Error())
		}
		m := b.mails[f.number]
		if m == nil {
			fault("letter %d, UID %d, is there and was not or no more", f.number, f.uid)
			continue
		}
		for _, text := range m.compare(f) {
			fault("letter %d: %s", f.number, text)
		}
	}
	for n, m := range b.mails {
		if !seen[n] && !m.unsure {
			fault("LOST: letter %d, UID %d", n, m.uid)
		}
		if !seen[n] {
			delete(b.mails, n)
		}
	}
	return faults
}

func (m *mail) compare(f found) (faults []string) {
	if m.uid != 0 && m.uid != f.uid {
		faults = append(faults, fmt.Sprintf("got UID %d, want %d", f.uid, m.uid))
	}
	for name := range m.flags {
		if !f.flags[name] {
			faults = append(faults, fmt.Sprintf("flag %s of UID %d is lost", name, f.uid))
		}
	}
	for name := range f.flags {
		if !m.flags[name] && !m.perhaps[name] {
			faults = append(faults, fmt.Sprintf("UID %d has the flag %s, which nobody set", f.uid, name))
		}
	}
	m.uid, m.flags, m.perhaps, m.unsure = f.uid, f.flags, map[string]bool{}, false
	return faults
}
