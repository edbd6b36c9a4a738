package seek

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/durable"
	"posthorn/internal/mailbox"
)

// newView returns a folder with these messages, of which those that say "seen" are
// \Seen.
func newView(t *testing.T, bodies ...string) *mailbox.View {
	t.Helper()
	store := mailbox.New(mailbox.Options{Disk: &durable.Disk{}, Node: "test"})
	box, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i, body := range bodies {
		text := fmt.Sprintf("Subject: message %d\r\n\r\n%s\r\n", i+1, body)
		m := mailbox.Incoming{Reader: strings.NewReader(text), Size: int64(len(text))}
		if strings.Contains(body, "seen") {
			m.Flags.System = mailbox.Seen
		}
		if _, _, err := box.Append("INBOX", m); err != nil {
			t.Fatal(err)
		}
	}
	view, err := box.Select("INBOX", false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		view.Close()
		box.Close()
		store.Close()
	})
	return view
}

// key parses what SEARCH asks for.
func key(t *testing.T, v *mailbox.View, search string) query.Key {
	t.Helper()
	q, err := query.ParseSearch(wire.NewScanner([]byte(search)))
	if err != nil {
		t.Fatal(err)
	}
	return Prepare(q.Key, v, wire.Set{{Lo: 2, Hi: 2}})
}

func TestBatches(t *testing.T) {
	v := newView(t, "one", "two seen", "three", "four seen", "five one")
	tests := []struct {
		search           string
		seq, step, limit int
		want             []int
	}{
		{"ALL", 1, 1, 0, []int{1, 2, 3, 4, 5}},
		{"ALL", 5, -1, 2, []int{5, 4}},
		{"SEEN", 1, 1, 0, []int{2, 4}},
		{"UNSEEN BODY one", 1, 1, 0, []int{1, 5}},
		{"BODY one", 5, -1, 1, []int{5}},
		{"BODY one", 2, 1, 0, []int{5}},
		{"$", 1, 1, 0, []int{2}},
		{"*", 1, 1, 0, []int{5}},
		{"UID 4:*", 1, 1, 0, []int{4, 5}},
		{"7:9", 1, 1, 0, nil},
		{`OR SUBJECT "message 3" SEEN`, 1, 1, 0, []int{2, 3, 4}},
	}
	for _, tt := range tests {
		for _, others := range []int{0, 2} {
			s := New(v, wire.NewPool(), key(t, v, tt.search))
			var got []int
			looked := 0
			for b, err := range s.Batches(NewHands(others), tt.seq, tt.step, tt.limit) {
				if err != nil || b.Gone {
					t.Errorf("%s: got %v, gone=%v", tt.search, err, b.Gone)
				}
				looked += b.N
				for _, h := range b.Hits {
					got = append(got, h.Seq)
				}
			}
			if want := 5 - (tt.seq-1)*max(tt.step, 0); !slices.Equal(got, tt.want) || looked != want {
				t.Errorf("%s from %d by %d: got %v of %d, want %v of %d", tt.search, tt.seq, tt.step, got, looked, tt.want, want)
			}
		}
	}
}

// TestKeeps: a search has the index keep what it looks at, and of a header nothing
// besides.
func TestKeeps(t *testing.T) {
	tests := []struct {
		search string
		want   []mailbox.Column
	}{
		{"SEEN", nil},
		{"SUBJECT x", []mailbox.Column{mailbox.Search}},
		{"FROM x", []mailbox.Column{mailbox.Search}},
		{"SENTON 1-Jan-2020", []mailbox.Column{mailbox.Search}},
		{"HEADER List-Id x", []mailbox.Column{mailbox.Envelope, mailbox.Head, mailbox.Search}},
		{"BODY x", []mailbox.Column{mailbox.Structure}},
	}
	for _, tt := range tests {
		v := newView(t, "one")
		if _, err := New(v, wire.NewPool(), key(t, v, tt.search)).Look(1); err != nil {
			t.Errorf("%s: %v", tt.search, err)
		}
		var got []mailbox.Column
		for c := mailbox.Envelope; c <= mailbox.Structure; c++ {
			if _, ok := v.Kept(1, c, nil); ok {
				got = append(got, c)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got the columns %v, want %v", tt.search, got, tt.want)
		}
	}
}

// TestPrepare: what costs little is asked first.
func TestPrepare(t *testing.T) {
	v := newView(t, "one")
	k := key(t, v, "BODY a LARGER 1 OR TEXT b SEEN UNANSWERED SUBJECT c")
	for i := range len(k.Sub) - 1 {
		if a, b := cost(k.Sub[i]), cost(k.Sub[i+1]); a > b {
			t.Errorf("got the cost %d in front of %d", a, b)
		}
	}
}

func TestLook(t *testing.T) {
	v := newView(t, "one", "two")
	s := New(v, wire.NewPool(), key(t, v, "FUZZY BODY two"))
	for seq, want := range []bool{1: false, 2: true} {
		if seq == 0 {
			continue
		}
		if found, err := s.Look(seq); found != want || err != nil {
			t.Errorf("message %d: got %v, %v, want %v", seq, found, err, want)
		}
	}
	if _, err := v.Store([]int{2}, mailbox.Add, mailbox.Flags{System: mailbox.Deleted}); err != nil {
		t.Fatal(err)
	}
	if err := v.Expunge(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Look(2); !errors.Is(err, mailbox.ErrExpunged) {
		t.Errorf("removed: got %v, want ErrExpunged", err)
	}
}
