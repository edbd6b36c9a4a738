package mailbox

import (
	"slices"
	"testing"

	"posthorn/internal/index"
	"posthorn/internal/picture"
)

// TestMeeting: whose modseq a message keeps.
func TestMeeting(t *testing.T) {
	m := meeting{known: 20, written: 30}
	for _, tt := range []struct {
		name  string
		mod   uint64
		flags picture.Bits
		x     index.Record
		want  uint64
	}{
		{"both long since", 10, 1, index.Record{ModSeq: 10, Flags: 1}, 10},
		{"the other's change", 40, 1, index.Record{ModSeq: 25, Flags: 1}, 25},
		{"a change that was told here", 15, 1, index.Record{ModSeq: 25, Flags: 1}, 25},
		{"a change of before what was told here", 40, 1, index.Record{ModSeq: 15, Flags: 1}, 40},
		{"our change", 31, 2, index.Record{ModSeq: 10, Flags: 1}, 31},
		{"our change, and the other has told higher ones", 29, 2, index.Record{ModSeq: 10, Flags: 1}, 0},
		{"there again", 29, 0, index.Record{ModSeq: 25, State: index.Gone}, 0},
		{"not known here", 0, 1, index.Record{ModSeq: 25, Flags: 1}, 25},
	} {
		if got := m.of(&picture.Record{Mod: tt.mod, Flags: tt.flags}, &tt.x); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestOneModSeq: a change has one modseq in all processes, or whoever was told of it by
// one is told again by the other, and may not change what he knows (RFC 7162 3.1.3).
func TestOneModSeq(t *testing.T) {
	path := t.TempDir()
	a := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	for range 2 {
		appendText(t, a.box, "INBOX", "x", Flags{System: Seen})
	}
	syncView(t, a, true)
	b := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	is := func(name string, v *View, seq int, want uint64) {
		t.Helper()
		if got := v.At(seq).ModSeq; got != want {
			t.Errorf("%s: got the modseq %d of message %d, want %d", name, got, seq, want)
		}
	}
	store := func(v *View, seq int, flag SystemFlag) uint64 {
		t.Helper()
		if _, err := v.Store([]int{seq}, Replace, Flags{System: flag}); err != nil {
			t.Fatal(err)
		}
		return v.At(seq).ModSeq
	}
	hears := func(v *View, want ...int) {
		t.Helper()
		if c := syncView(t, v, true); !slices.Equal(c.Flags, want) {
			t.Errorf("got %v told, want %v", c.Flags, want)
		}
	}
	seen(b)
	first := store(a, 1, Flagged)
	hears(b, 1) // finds the file, and an index that another wrote
	is("found", b, 1, first)
	second := store(b, 2, Flagged)
	third := store(a, 1, Deleted) // does not know that the other has written
	hears(a, 1, 2)                // its own, too: it did not hear of the other before
	is("own, not written at once", a, 1, third)
	is("found meanwhile", a, 2, second)
	hears(b, 1)
	is("found again", b, 1, third)
	is("own", b, 2, second)
	for range 2 {
		hears(a)
		hears(b)
	}
	b.folder.mu.Lock()
	b.folder.rest.whole = true
	b.folder.save() // no file changes with that
	b.folder.mu.Unlock()
	third = store(a, 1, Answered)
	hears(b, 1)
	is("behind an index of another", b, 1, third)
	syncView(t, a, true)
	is("in the end", a, 1, third)
	is("in the end", a, 2, second)
}
