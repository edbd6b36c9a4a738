package kills

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"posthorn/test/suite"
)

// drained waits until the queue holds nothing and says what is left.
func (f *fleet) drained(limit time.Duration) {
	f.t.Helper()
	f.drainedWhile(limit, func() {})
}

// drainedWhile is drained, and calls meanwhile at each look.
func (f *fleet) drainedWhile(limit time.Duration, meanwhile func()) {
	f.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		left := f.left("spool/queue", "spool/incoming")
		meanwhile()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("%d files left in the queue after %v, such as %s:\n%s", len(left), limit, left[0], f.journey(filepath.Base(left[0])))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// left lists the files below folders of the instance.
func (f *fleet) left(dirs ...string) []string {
	var all []string
	for _, dir := range dirs {
		filepath.WalkDir(filepath.Join(f.i.Dir, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				all = append(all, path)
			}
			return nil // what vanishes meanwhile is not left
		})
	}
	return all
}

// verdict is what became of a run as a whole.
type verdict struct {
	f       *fleet
	arrived *arrived
	told    int                  // faults so far
	doubles map[string]int       // duplicates by window of doc/spool.md
	cut     map[cut]int          // duplicates by what made them
	ended   map[string]time.Time // when a message had left the queue, by its id
}

// cut is a kill that made duplicates of a window.
type cut struct {
	window string
	kill   kill
}

// check wants every acknowledged letter in each of its places, once but for the
// windows of doc/spool.md, and nothing left over.
func check(t *testing.T, f *fleet, l *load, r *reader) *verdict {
	t.Helper()
	f.drained(2 * suite.Limit)
	r.stop()
	f.checkLives()
	a, err := lookEverywhere(f, r)
	if err != nil {
		t.Fatal(err)
	}
	v := &verdict{f: f, arrived: a, doubles: map[string]int{}, cut: map[cut]int{}}
	v.readEnds()
	for _, fault := range a.faults {
		v.fault(fault)
	}
	for step, err := range l.wrong {
		v.fault(fmt.Sprintf("a letter was refused for ever at %s: %v", step, err))
	}
	for _, m := range l.letters {
		v.letter(m)
	}
	for s, copies := range a.doubled() {
		v.doubled(s, copies)
	}
	v.unsure(l)
	v.leftovers()
	return v
}

// fault fails the test, with the journey of the first few messages.
func (v *verdict) fault(what string, ids ...string) {
	v.f.t.Helper()
	v.told++
	switch {
	case v.told > 20:
		v.f.t.Fail()
	case len(ids) == 0 || v.told > 5:
		v.f.t.Error(what)
	default:
		v.f.t.Errorf("%s:\n%s", what, v.f.journey(append(ids, " killed name=")...))
	}
}

// letter wants what was acknowledged in all its places.
func (v *verdict) letter(m *letter) {
	for _, id := range m.acknowledged {
		for _, place := range m.places {
			if len(v.arrived.copies[spot{place, id}]) == 0 {
				v.fault(fmt.Sprintf("LOST: letter %d, acknowledged as %s, is not at %s", m.number, id, place), id)
			}
		}
	}
}

// readEnds reads in the log which messages have left the queue, each once, and
// wants no copy of one behind that.
func (v *verdict) readEnds() {
	v.ended = map[string]time.Time{}
	for at, id := range v.f.logged("queued: finished id=") {
		if _, twice := v.ended[id]; twice {
			v.fault("a message left the queue twice", id)
		}
		v.ended[id] = at
	}
	if len(v.ended) == 0 {
		v.fault("the log tells of no message that left the queue")
	}
	for s, copies := range v.arrived.copies {
		for _, c := range copies {
			if end, ok := v.ended[s.id]; ok && s.place != returned && c.at.After(end) {
				v.fault(fmt.Sprintf("%s came to %s at %v, when the message had left the queue", s.id, s.place, c.at), s.id)
			}
		}
	}
}

// How many messages one death can cut short: what deliver works on at a time
// (deliver-concurrency), and what is sent to a host (destination-concurrency),
// for a queued that died and for the next.
const (
	boxesAtATime = 64
	hostAtATime  = 2 * 10
)

// doubled counts one message that is in a place more than once, which a window
// must explain.
func (v *verdict) doubled(s spot, copies []copyOf) {
	slices.SortFunc(copies, func(a, b copyOf) int { return a.at.Compare(b.at) })
	for n := range copies[1:] {
		if !v.explain(s, copies[n], copies[n+1]) {
			v.fault(fmt.Sprintf("%d copies of %s at %s, which no window explains: %s at %v, %s at %v", len(copies), s.id, s.place,
				copies[n].file, copies[n].at, copies[n+1].file, copies[n+1].at), s.id)
		}
	}
}

// explain puts the second of two copies down to a kill: abroad to that of who
// sent it, for the host may have the whole message and store it behind that; in
// a box to that of queued or deliver, where a reader took the first one.
func (v *verdict) explain(s spot, first, second copyOf) bool {
	window, most := "W2", boxesAtATime
	k, ok := v.f.cutShort(first.at, second.at, "queued", "deliver")
	if s.place == abroad {
		window, most = "W3", hostAtATime
		k, ok = v.f.cutShort(first.at, second.at, "queue-remote")
	} else if !first.taken {
		return false
	}
	if !ok && s.place != abroad && v.f.fullMeanwhile(first.at, second.at) {
		v.doubles[window+", disk full"]++
		return true
	}
	if !ok {
		return false
	}
	v.doubles[window]++
	c := cut{window, k}
	if v.cut[c]++; v.cut[c] == most+1 {
		v.fault(fmt.Sprintf("%s: more than %d messages came twice for one death of %s at %v", window, most, k.name, k.before), s.id)
	}
	return true
}

// most is how many messages came twice for one kill.
func (v *verdict) most() (most int) {
	for _, n := range v.cut {
		most = max(most, n)
	}
	return most
}

// unsure counts the copies whose sender was told nothing or 451 (W1): no more
// than there were such attempts, and where the letter goes.
func (v *verdict) unsure(l *load) {
	ids := make([]map[string]bool, len(l.letters))
	for s, copies := range v.arrived.copies {
		m := l.letters[copies[0].number]
		if !slices.Contains(m.places, s.place) {
			v.fault(fmt.Sprintf("letter %d as %s is at %s, which is none of its places", m.number, s.id, s.place), s.id)
		}
		if slices.Contains(m.acknowledged, s.id) {
			continue
		}
		if ids[m.number] == nil {
			ids[m.number] = map[string]bool{}
		}
		ids[m.number][s.id] = true
	}
	for n, extra := range ids {
		if len(extra) > l.letters[n].unsure {
			v.fault(fmt.Sprintf("letter %d arrived as %d messages that were not acknowledged, of %d attempts", n, len(extra), l.letters[n].unsure))
		}
		if len(l.letters[n].acknowledged) > 0 || len(extra) > 1 {
			v.doubles["W1"] += len(extra) // the sender tried again, so it is there twice
		}
	}
}

// leftovers wants nothing in the spool, and in the boxes' tmp only what killed
// deliveries left.
func (v *verdict) leftovers() {
	for _, file := range v.f.left("spool/odd", "spool/incoming", "spool/queue") {
		v.fault("left in the spool: "+file, filepath.Base(file))
	}
	tmp, _ := filepath.Glob(filepath.Join(v.f.i.Dir, "mail/*/*/Maildir/tmp/*"))
	if len(tmp) > 0 && v.f.killed()["deliver"] == 0 {
		v.fault(fmt.Sprintf("left in tmp though deliver was never killed: %q", tmp))
	}
	v.doubles["left in tmp"] = len(tmp)
}
