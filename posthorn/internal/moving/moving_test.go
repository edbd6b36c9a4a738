package moving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/id"
	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
	"posthorn/internal/utf7"
)

func TestPlaceFor(t *testing.T) {
	for _, tt := range []struct {
		levels     []string
		into, want string
	}{
		{[]string{"inbox"}, "", "INBOX"},
		{[]string{"INBOX"}, "Old", "Old"},
		{[]string{"Inbox", "x"}, "", "INBOX.x"},
		{[]string{"Work", "2024"}, "Old", "Old.Work.2024"},
		{[]string{"v1.2", "a/b"}, "", "v1_2.a_b"},
		{[]string{"..", "..", "etc"}, "", "__.__.etc"},
		{[]string{"", "x", ""}, "", "_.x._"},
		{[]string{"a\x00\x1b[2J\r\nb"}, "", "a__[2J__b"},
		{[]string{"~root"}, "", "_root"},
		{[]string{"100%*"}, "", "100__"},
		{[]string{"台北"}, "", "台北"},
		{[]string{"bad\xff"}, "", "bad_"},
		{[]string{}, "", "_"},
	} {
		if got := placeFor(tt.levels, tt.into); got != tt.want {
			t.Errorf("%q into %q: got %q, want %q", tt.levels, tt.into, got, tt.want)
		}
	}
}

func FuzzPlace(f *testing.F) {
	for _, seed := range []string{"INBOX", "a\nb", "../etc", strings.Repeat("台", 300), "~\n~", "\xff", strings.Repeat("x", 254) + "\ny"} {
		f.Add(seed, "")
	}
	box := open(f, f.TempDir(), conf.Quota{})
	f.Fuzz(func(t *testing.T, name, into string) {
		place := placeFor(strings.Split(name, "\n"), "")
		if _, err := box.Exists(place); err != nil || len(utf7.Encode(place)) > maxDisk {
			t.Errorf("%q became %q: %v", name, place, err)
		}
	})
}

func TestSpans(t *testing.T) {
	items := []Item{{Number: 1}, {Number: 2}, {Number: 7}, {Number: 0}, {Number: 9}, {Number: 10}}
	s := doneSpans(items, []bool{true, true, true, true, false, true})
	if got := s.text(100); got != "1:2,7,10" {
		t.Errorf("got %s", got)
	}
	for text, want := range map[string]string{"1:7,10": "1:7,10", "": "", "5,4": "5", "5:4": "", "1,x,9": "1", "1:4294967296": "", "0": ""} {
		if got := parseSpans(text).text(100); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	s = parseSpans("2:3,5,7:9")
	for n, want := range map[uint32]bool{0: false, 1: false, 2: true, 3: true, 4: false, 5: true, 6: false, 9: true, 10: false} {
		if got := s.has(n); got != want {
			t.Errorf("%d: got %v, want %v", n, got, want)
		}
	}
	if got := s.text(5); got != "2:3,5" {
		t.Errorf("got %s", got)
	}
}

func TestID(t *testing.T) {
	seen := map[string]bool{}
	for _, one := range []string{ID(0), ID(0, ""), ID(0, "a", "b"), ID(0, "ab"), ID(1, "ab"), ID(2, "ab"), ID(2, "ac")} {
		if seen[one] || !id.Valid(one) {
			t.Errorf("got %s", one)
		}
		seen[one] = true
	}
	if ID(2, "zz") > ID(3, "aa") {
		t.Error("ids do not rise with their numbers")
	}
}

// open opens a new box.
func open(t testing.TB, path string, q conf.Quota) *mailbox.Box {
	t.Helper()
	store := mailbox.New(mailbox.Options{Node: "test"})
	box, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	box.Limit(q)
	t.Cleanup(func() {
		box.Close()
		store.Close()
	})
	return box
}

// fake is a source of messages by their numbers. fail says what goes wrong with one.
type fake struct {
	folders  []Folder
	validity uint32
	numbers  []uint32
	size     int
	fail     func(number uint32) error
	listErr  []error
	fetched  []uint32
}

func (s *fake) Name() string               { return "fake" }
func (s *fake) Close() error               { return nil }
func (s *fake) Folders() ([]Folder, error) { return s.folders, nil }

func (s *fake) List(f Folder) (*Listing, error) {
	if len(s.listErr) > 0 {
		err := s.listErr[0]
		s.listErr = s.listErr[1:]
		return nil, err
	}
	l := &Listing{UIDValidity: s.validity, UIDNext: 1000, Token: fmt.Sprint(s.validity)}
	for _, n := range s.numbers {
		flags := mailbox.Flags{System: mailbox.Seen, Keywords: []string{"Work", "b\"ad"}}
		l.Items = append(l.Items, Item{Number: n, ID: ID(0, f.Raw, fmt.Sprint(n)), Size: int64(s.size), Date: time.Unix(int64(n), 0), Flags: flags})
	}
	return l, nil
}

func (s *fake) Fetch(items []Item) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		for _, item := range slices.Backward(items) {
			var err error
			if s.fail != nil {
				err = s.fail(item.Number)
			}
			s.fetched = append(s.fetched, item.Number)
			var body io.Reader = strings.NewReader(strings.Repeat("x", s.size))
			if errors.Is(err, ErrLost) { // in the middle
				body, err = io.MultiReader(strings.NewReader("x"), failing{err}), nil
			}
			if !yield(Letter{item, body}, err) {
				return
			}
		}
	}
}

// said collects what is reported.
type said struct{ lines []string }

func (r *said) Folder(from, to string, total, left int) {
	r.lines = append(r.lines, fmt.Sprintf("%s -> %s: %d, %d", from, to, total, left))
}
func (r *said) Filed(int, int64)    {}
func (r *said) Problem(text string) { r.lines = append(r.lines, text) }

func (r *said) has(t *testing.T, words string, times int) {
	t.Helper()
	n := 0
	for _, line := range r.lines {
		if strings.Contains(line, words) {
			n++
		}
	}
	if n != times {
		t.Errorf("got %q, want %q %d times", r.lines, words, times)
	}
}

func one(levels ...string) Folder { return Folder{Levels: levels, Raw: strings.Join(levels, "/")} }

func (r *said) run(t *testing.T, box *mailbox.Box, s *fake, o Options) (Counts, error) {
	t.Helper()
	o.Report, o.Pause = r, func(time.Duration) {}
	return Run(context.Background(), box, s, o)
}

func TestTroubles(t *testing.T) {
	lost := fmt.Errorf("%w: cable", ErrLost)
	for _, tt := range []struct {
		name   string
		source fake
		quota  conf.Quota
		max    int64
		want   Counts
		err    string
		says   string
	}{
		{"none", fake{}, conf.Quota{}, 0, Counts{Folders: 1, Filed: 5, Octets: 50, Kept: 1}, "", "the keyword \"b\\\"ad\" cannot be here"},
		{"a message cannot be read", fake{fail: func(n uint32) error { return map[uint32]error{4: errors.New("bad block\x1b")}[n] }}, conf.Quota{}, 0,
			Counts{Folders: 1, Filed: 4, Octets: 40, Failed: 1, Kept: 1}, "1 messages were not brought", "Work: message 4: bad block?"},
		{"the source is lost with one", fake{fail: func(n uint32) error { return map[uint32]error{4: lost}[n] }}, conf.Quota{}, 0,
			Counts{Folders: 1, Filed: 4, Octets: 40, Failed: 1, Kept: 1}, "1 messages were not brought", "Work: message 4: lost the source: cable"},
		{"the source is away", fake{listErr: []error{fmt.Errorf("%w: no route", ErrAway), lost}}, conf.Quota{}, 0,
			Counts{Folders: 1, Filed: 5, Octets: 50, Kept: 1}, "", "no route; trying again"},
		{"the source stays away", fake{listErr: []error{ErrAway, ErrAway, ErrAway, ErrAway, ErrAway}}, conf.Quota{}, 0, Counts{}, "cannot reach the source", "trying again"},
		{"a folder cannot be read", fake{listErr: []error{errors.New("denied")}}, conf.Quota{}, 0, Counts{Failed: 1}, "were not brought", "Work: denied"},
		{"too large", fake{size: 11}, conf.Quota{}, 10, Counts{Folders: 1, Failed: 5, Kept: 1}, "5 messages", "Work: message 9: larger than message-size"},
		{"no room", fake{}, conf.Quota{Messages: 3}, 0, Counts{Folders: 1, Filed: 3, Octets: 30, Failed: 2}, "2 messages", "Work: message 9: mailbox has no room"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.source
			s.folders, s.validity, s.numbers = []Folder{one("Work")}, 77, []uint32{1, 2, 4, 8, 9}
			if s.size == 0 {
				s.size = 10
			}
			r := &said{}
			got, err := r.run(t, open(t, t.TempDir(), tt.quota), &s, Options{MaxSize: tt.max})
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %+v, %v, want %+v, %s; said %q", got, err, tt.want, tt.err, r.lines)
			}
			if !slices.ContainsFunc(r.lines, func(line string) bool { return strings.Contains(line, tt.says) }) {
				t.Errorf("got %q, want %s", r.lines, tt.says)
			}
		})
	}
}

// TestAgain brings only what is new, and what failed; not what was removed here.
func TestAgain(t *testing.T) {
	path := t.TempDir()
	box, r := open(t, path, conf.Quota{}), &said{}
	s := &fake{folders: []Folder{one("Work")}, validity: 77, numbers: []uint32{1, 2, 4}, size: 5,
		fail: func(n uint32) error { return map[uint32]error{2: errors.New("later")}[n] }}
	if got, err := r.run(t, box, s, Options{}); err == nil || got.Filed != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	v, err := box.Select("Work", false)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.At(2).UID; got != 4 || v.UIDValidity() != 77 {
		t.Errorf("got UID %d of %d, want 4 of 77", got, v.UIDValidity())
	}
	v.Remove([]uint32{1})
	v.Close()
	s.fail, s.numbers, s.fetched = nil, []uint32{1, 2, 4, 5}, nil
	got, err := r.run(t, box, s, Options{})
	if want := (Counts{Folders: 1, Filed: 2, Octets: 10, Already: 2}); got != want || err != nil || len(s.fetched) != 2 {
		t.Errorf("got %+v, %v, fetched %d, want %+v", got, err, s.fetched, want)
	}
	// Without the notes, names tell.
	os.Remove(path + "/.Work/posthorn-state")
	if got, err := r.run(t, box, s, Options{}); err != nil || got.Filed != 1 || got.Already != 3 {
		t.Errorf("without notes: got %+v, %v, want the removed one", got, err)
	}
	// With another UIDVALIDITY there, the numbers mean nothing.
	s.validity = 78
	if got, err := r.run(t, box, s, Options{}); err != nil || got.Already != 4 {
		t.Errorf("another UIDVALIDITY: got %+v, %v", got, err)
	}
}

// TestUIDsAreTakenOverOnce: not by a folder that had mail, nor by one that was
// removed and made again.
func TestUIDsAreTakenOverOnce(t *testing.T) {
	box, r := open(t, t.TempDir(), conf.Quota{}), &said{}
	s := &fake{folders: []Folder{one("INBOX"), one("Work")}, validity: 77, numbers: []uint32{3, 5}, size: 5}
	box.Append("INBOX", mailbox.Incoming{Reader: strings.NewReader("ours"), Size: -1})
	if got, err := r.run(t, box, s, Options{}); err != nil || got.Kept != 1 {
		t.Errorf("got %+v, %v, want one folder", got, err)
	}
	if err := box.Delete("Work"); err != nil {
		t.Fatal(err)
	}
	if got, err := r.run(t, box, s, Options{}); err != nil || got.Kept != 0 || got.Filed != 2 {
		t.Errorf("made again: got %+v, %v", got, err)
	}
	if st, err := box.Status("Work"); err != nil || st.UIDValidity == 77 || st.Messages != 2 {
		t.Errorf("got %+v, %v, want a UIDVALIDITY of its own", st, err)
	}
}

func TestFoldersAndUses(t *testing.T) {
	box, r := open(t, t.TempDir(), conf.Quota{}), &said{}
	sent, top, trash := one("Gesendet"), one("Top"), one("Trash")
	sent.Uses, sent.Subscribed = []string{`\Sent`, `\HasNoChildren`}, true
	trash.Uses = []string{`\Trash`}
	top.Missing, top.Subscribed = true, true
	s := &fake{folders: []Folder{one("INBOX"), sent, top, trash, one("Skip")}, numbers: []uint32{1}, size: 5}
	o := Options{Into: "Old", Skip: []string{"Skip", "None"}, Uses: map[string][]string{"Old.Trash": {`\Trash`}}}
	if _, err := r.run(t, nil, s, o); err != nil {
		t.Fatal(err)
	}
	if names, _ := box.Folders(); len(names) != 1 {
		t.Errorf("a dry run made %q", names)
	}
	r.has(t, `found no folder "None" there`, 1)
	if _, err := r.run(t, box, s, o); err != nil {
		t.Fatal(err)
	}
	if names, _ := box.Folders(); fmt.Sprint(names) != "[INBOX Old Old.Gesendet Old.Trash]" {
		t.Errorf("got %q", names)
	}
	if names, _ := box.Subscriptions(); fmt.Sprint(names) != "[Old.Gesendet Old.Top]" {
		t.Errorf("got subscriptions %q", names)
	}
	for name, want := range map[string]string{"Old.Gesendet": `\Sent`, "Old.Trash": "", "Old": ""} {
		state, err := box.State(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := state.Get(statefile.Metadata, statefile.UseEntry); got != want {
			t.Errorf("%s: got use %q, want %q", name, got, want)
		}
		state.Close()
	}
}

func TestInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	r := &said{}
	s := &fake{folders: []Folder{one("Work")}, validity: 77, size: 5}
	for n := range uint32(3 * batchMessages) {
		s.numbers = append(s.numbers, n+1)
	}
	s.fail = func(n uint32) error {
		if n == batchMessages+1 {
			stop()
		}
		return nil
	}
	box := open(t, t.TempDir(), conf.Quota{})
	got, err := Run(ctx, box, s, Options{Report: r})
	if !errors.Is(err, context.Canceled) || got.Filed != 2*batchMessages {
		t.Errorf("got %+v, %v, want two batches", got, err)
	}
	s.fail = nil
	if got, err := r.run(t, box, s, Options{}); err != nil || got.Filed != batchMessages || got.Already != 2*batchMessages || got.Kept != 1 {
		t.Errorf("again: got %+v, %v", got, err)
	}
}
