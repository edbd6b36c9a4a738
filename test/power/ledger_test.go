package power

import (
	"encoding/json"
	"slices"
	"strings"

	"posthorn/test/power/disk"
)

// ledger is what clients know of a user's mailbox at one place of a record:
// what they were told, and what they have on its way.
type ledger struct {
	shelves  []*shelf
	names    map[string]*past // subscriptions: "on" or absent
	told     map[uint32]map[uint32]string
	next     map[uint32]uint32 // UIDNEXT, by UIDVALIDITY
	moves    map[string]*fact  // on their way, by client
	covering map[*disk.Step]map[*past]int
}

// shelf is a folder.
type shelf struct {
	name, to string // to: a new name that is on its way
	is       *past  // "on" or absent
	validity uint32
	held     map[string]*past // messages by token: their flags or absent
}

// past is what something was, from what surely reached the disk up to the last
// that was answered, and what it may be when what is on its way arrives.
type past struct {
	was     []string
	dropped int // how many older ones are not in was
	coming  []string
	letter  bool // came by SMTP: it may come again (W2)
}

const (
	absent = "absent"
	on     = "on"
)

func newPast(now string) *past { return &past{was: []string{now}} }

func (p *past) now() string { return p.was[len(p.was)-1] }

// may reports whether what was found can be after a power cut.
func (p *past) may(found string) bool {
	all := slices.Concat(p.was, p.coming)
	return slices.Contains(all, found) || p.letter && found == "" && slices.Contains(all, absent)
}

// answered takes in what has come: at once durable, or in a while.
func (p *past) answered(now string, durable bool) {
	if n := slices.Index(p.coming, now); n >= 0 {
		p.coming = slices.Delete(p.coming, n, n+1)
	}
	if durable {
		p.dropped += len(p.was)
		p.was = nil
	}
	p.was = append(p.was, now)
}

func newLedger() *ledger {
	l := &ledger{names: map[string]*past{}, told: map[uint32]map[uint32]string{}, next: map[uint32]uint32{},
		moves: map[string]*fact{}, covering: map[*disk.Step]map[*past]int{}}
	l.shelves = []*shelf{{name: "INBOX", is: newPast(on), held: map[string]*past{}}}
	return l
}

// shelf returns the folder of a name.
func (l *ledger) shelf(name string) *shelf {
	for _, s := range l.shelves {
		if s.name == name && (s.is.now() == on || slices.Contains(s.is.coming, on)) {
			return s
		}
	}
	s := &shelf{name: name, is: newPast(absent), held: map[string]*past{}}
	l.shelves = append(l.shelves, s)
	return s
}

// holds returns a message's place on the shelf.
func (s *shelf) holds(token string) *past {
	if s.held[token] == nil {
		s.held[token] = newPast(absent)
	}
	return s.held[token]
}

// below returns a folder and those under it.
func (l *ledger) below(name string) (all []*shelf) {
	for _, s := range l.shelves {
		if s.is.now() == on && (s.name == name || strings.HasPrefix(s.name, name+".")) {
			all = append(all, s)
		}
	}
	return all
}

// apply takes in the next event of the record.
func (l *ledger) apply(e disk.Event) error {
	switch {
	case e.Do == disk.Note && e.Who == byStore:
		var f fact
		if err := json.Unmarshal([]byte(e.Path), &f); err != nil {
			return err
		}
		if f.Began {
			l.begin(f)
		} else {
			l.answer(f)
		}
	case e.Do == disk.Note && e.Who == "client":
		l.arrived(e.Path)
	case e.Do == "syncdir" && !e.End:
		l.covering[e.Step] = l.standing(e.Path)
	case e.Do == "syncdir" && !e.Failed():
		for p, n := range l.covering[e.Step] {
			if cut := n - 1 - p.dropped; cut > 0 {
				p.was, p.dropped = p.was[cut:], n-1
			}
		}
	}
	return nil
}

// standing returns how much had become of the messages of the folder whose cur/
// is synced.
func (l *ledger) standing(path string) map[*past]int {
	_, path, ok := strings.Cut(path, "/ann/Maildir/")
	path, cur := strings.CutSuffix(path, "cur")
	if !ok || !cur {
		return nil
	}
	name := strings.Trim(path, "./")
	if name == "" {
		name = "INBOX"
	}
	all := map[*past]int{}
	for _, s := range l.shelves {
		if s.name == name || s.to == name {
			for _, p := range s.held {
				all[p] = p.dropped + len(p.was)
			}
		}
	}
	return all
}

// arrived takes in that the client of a letter has its answer.
func (l *ledger) arrived(token string) {
	p := l.shelf("INBOX").holds(token)
	p.letter, p.coming = true, nil
	if p.was[0] == absent && p.dropped == 0 {
		p.was[0] = ""
	}
}

// begin takes in a command on its way.
func (l *ledger) begin(f fact) {
	s := l.shelf(f.Folder)
	come := func(p *past, now string) { p.coming = append(p.coming, now) }
	for _, m := range f.Messages {
		switch f.Do {
		case "letter":
			s.holds(m.Token).letter = true
			come(s.holds(m.Token), m.Flags)
		case "append", "flags":
			come(s.holds(m.Token), m.Flags)
		case "expunge":
			come(s.holds(m.Token), absent)
		case "copy", "move":
			come(l.shelf(f.To).holds(m.Token), m.Flags)
			if f.Do == "move" {
				come(s.holds(m.Token), absent)
			}
		}
	}
	switch f.Do {
	case "move":
		l.moves[f.Client] = &f
	case "create":
		come(s.is, on)
	case "delete":
		come(s.is, absent)
	case "rename":
		for _, s := range l.below(f.Folder) {
			s.to = f.To + strings.TrimPrefix(s.name, f.Folder)
		}
	case "subscribe", "unsubscribe":
		come(l.subscription(f.Folder), subscribed(f.Do))
	}
}

func subscribed(do string) string {
	if do == "subscribe" {
		return on
	}
	return absent
}

func (l *ledger) subscription(name string) *past {
	if l.names[name] == nil {
		l.names[name] = newPast(absent)
	}
	return l.names[name]
}

// answer takes in a command that was answered.
func (l *ledger) answer(f fact) {
	s := l.shelf(f.Folder)
	for _, m := range f.Messages {
		switch f.Do {
		case "append":
			s.holds(m.Token).answered(m.Flags, true)
			l.tell(f.Validity, m)
		case "flags":
			s.holds(m.Token).answered(m.Flags, false)
		case "expunge":
			s.holds(m.Token).answered(absent, false)
		case "copy", "move":
			l.shelf(f.To).holds(m.Token).answered(m.Flags, true)
			l.tell(f.Validity, m)
			if f.Do == "move" {
				s.holds(m.Token).answered(absent, false)
				delete(l.moves, f.Client)
			}
		case "view":
			l.tell(f.Validity, m)
		}
	}
	switch f.Do {
	case "view":
		s.validity = f.Validity
		l.next[f.Validity] = max(l.next[f.Validity], f.Next)
	case "create":
		s.is.answered(on, true)
	case "delete":
		s.is.answered(absent, true)
	case "rename":
		for _, s := range l.below(f.Folder) {
			s.name, s.to = s.to, ""
		}
	case "subscribe", "unsubscribe":
		l.subscription(f.Folder).answered(subscribed(f.Do), true)
	}
}

// tell takes in that a client knows the UID of a message.
func (l *ledger) tell(validity uint32, m filed) {
	if l.told[validity] == nil {
		l.told[validity] = map[uint32]string{}
	}
	l.told[validity][m.UID] = m.Token
}
