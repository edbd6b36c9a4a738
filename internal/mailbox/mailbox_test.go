package mailbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// newStore returns a Store that lives as long as the test.
func newStore(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Node == "" {
		o.Node = "test"
	}
	s := New(o)
	t.Cleanup(func() { s.Close() })
	return s
}

// openBox opens the box at path.
func openBox(t testing.TB, s *Store, path string) *Box {
	t.Helper()
	b, err := s.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func sel(t testing.TB, b *Box, name string, readOnly bool) *View {
	t.Helper()
	v, err := b.Select(name, readOnly)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func text(subject string) string {
	return "From: a@example.org\r\nSubject: " + subject + "\r\n\r\nText of " + subject + "\r\n"
}

func appendText(t testing.TB, b *Box, folder, subject string, f Flags) uint32 {
	t.Helper()
	m := text(subject)
	_, uid, err := b.Append(folder, Incoming{Reader: strings.NewReader(m), Size: int64(len(m)), Flags: f})
	if err != nil {
		t.Fatal(err)
	}
	return uid
}

// deliver puts a message into new/ as another program would.
func deliver(t testing.TB, path, name, subject string) {
	t.Helper()
	m := strings.ReplaceAll(text(subject), "\r\n", "\n")
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(path, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	tmp := filepath.Join(path, "tmp", name)
	if err := os.WriteFile(tmp, []byte(m), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(path, "new", name)); err != nil {
		t.Fatal(err)
	}
}

func syncView(t testing.TB, v *View, expunge bool) Changes {
	t.Helper()
	c, err := v.Sync(expunge)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// content reads message seq.
func content(t testing.TB, v *View, seq int) string {
	t.Helper()
	b, err := v.Open(seq)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// uidsOf returns the UIDs of a view's messages.
func uidsOf(v *View) (uids []uint32) {
	for seq := 1; seq <= v.Len(); seq++ {
		uids = append(uids, v.At(seq).UID)
	}
	return uids
}

// list returns `uid:flags` of all messages.
func list(v *View) string {
	var out []string
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.At(seq)
		s := fmt.Sprint(m.UID, ":", flagNames(m.Flags))
		if m.Recent {
			s += "+"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func flagNames(f Flags) string {
	var s string
	for i, c := range []byte("ATDFS") { // in the order of the constants
		if f.System&(1<<i) != 0 {
			s += string(c)
		}
	}
	return s + strings.Join(f.Keywords, ",")
}

func TestAppendAndRead(t *testing.T) {
	path := t.TempDir() + "/no/such/Maildir"
	b := openBox(t, newStore(t, Options{}), path)
	date := time.Unix(1700000000, 0)
	m := text("one")
	v1, uid, err := b.Append("inbox", Incoming{Reader: strings.NewReader(m), Size: int64(len(m)), Date: date,
		Flags: Flags{System: Seen | Flagged, Keywords: []string{"$Junk", "foo"}}})
	if err != nil || uid != 1 {
		t.Fatalf("got UID %d, %v, want 1", uid, err)
	}
	if second := appendText(t, b, "INBOX", "two", Flags{}); second != 2 {
		t.Errorf("got UID %d, want 2", second)
	}
	v := sel(t, b, "INBOX", false)
	if got, want := list(v), "1:FS$Junk,foo+ 2:+"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if v.UIDValidity() != v1 || v1 == 0 || v.UIDNext() != 3 || v.Recent() != 2 {
		t.Errorf("got V %d next %d recent %d, want %d 3 2", v.UIDValidity(), v.UIDNext(), v.Recent(), v1)
	}
	full, err := v.Measure(1)
	if err != nil || !full.Date.Equal(date) || full.Size != int64(len(m)) {
		t.Errorf("got %v %d, %v, want %v %d", full.Date, full.Size, err, date, len(m))
	}
	if got := content(t, v, 1); got != m {
		t.Errorf("got %q, want %q", got, m)
	}
	names, _ := filepath.Glob(path + "/cur/*")
	if len(names) != 2 || !strings.HasSuffix(names[0], fmt.Sprintf(",S=%d,W=%d:2,FSab", len(m)-4, len(m))) {
		t.Errorf("got files %q", names)
	}
	if left, _ := filepath.Glob(path + "/tmp/*"); len(left) != 0 {
		t.Errorf("got %q left in tmp", left)
	}
}

func TestAppendShort(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	_, _, err := b.Append("INBOX", Incoming{Reader: strings.NewReader("abc"), Size: 4})
	if !errors.Is(err, ErrShort) {
		t.Errorf("got %v, want ErrShort", err)
	}
	if left, _ := filepath.Glob(path + "/*/*.test*"); len(left) != 0 {
		t.Errorf("got files %q, want none", left)
	}
}

func TestDeliveriesAndRecent(t *testing.T) {
	path := t.TempDir()
	s := newStore(t, Options{})
	b := openBox(t, s, path)
	deliver(t, path, "1700000002.b.x", "second")
	deliver(t, path, "1700000001.a.x", "first")
	ro := sel(t, b, "INBOX", true)
	if got := list(ro); got != "1:+ 2:+" {
		t.Errorf("read-only: got %q, want both recent in order of arrival", got)
	}
	if st, err := b.Status("INBOX"); err != nil || st.Recent != 2 || st.Messages != 2 || st.Unseen != 2 {
		t.Errorf("got %+v, %v, want all recent after a read-only select", st, err)
	}
	rw := sel(t, b, "INBOX", false)
	again := sel(t, b, "INBOX", false)
	if rw.Recent() != 2 || again.Recent() != 0 {
		t.Errorf("got recent %d and %d, want 2 for the first session only", rw.Recent(), again.Recent())
	}
	if !strings.Contains(content(t, rw, 1), "first") || !strings.Contains(content(t, ro, 2), "second") {
		t.Error("got the messages in another order")
	}
	deliver(t, path, "1700000003.c.x", "third")
	if c := syncView(t, again, false); c.Exists != 3 || c.Recent != 1 {
		t.Errorf("got %+v, want 3 messages, 1 recent", c)
	}
	if c := syncView(t, rw, false); c.Exists != 3 || c.Recent != 2 {
		t.Errorf("got %+v, want the new message not recent here", c)
	}
}

// forget closes the folders that nobody uses, as time does.
func (s *Store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.folders {
		if f.users == 0 {
			s.drop(f)
		}
	}
}

// TestFiledWithFlagsIsRecent: what is filed with flags is recent as well (RFC
// 3501 6.3.11), once, whether or not the folder was in memory meanwhile.
func TestFiledWithFlagsIsRecent(t *testing.T) {
	s := newStore(t, Options{})
	b := openBox(t, s, t.TempDir())
	want := func(when string, recent int) {
		t.Helper()
		if st, err := b.Status("INBOX"); err != nil || st.Recent != recent {
			t.Errorf("%s: got %+v, %v, want %d recent", when, st, err, recent)
		}
	}
	appendText(t, b, "INBOX", "one", Flags{System: Seen})
	want("filed", 1)
	s.forget()
	want("opened again", 1)
	sel(t, b, "INBOX", true).Close()
	want("looked at", 1)
	v := sel(t, b, "INBOX", false)
	if got := list(v); got != "1:S+" {
		t.Errorf("got %q, want it recent", got)
	}
	v.Close()
	want("selected", 0)
	s.forget()
	want("opened after that", 0)
	appendText(t, b, "INBOX", "two", Flags{System: Seen})
	appendText(t, b, "INBOX", "three", Flags{})
	want("filed two", 2)
	s.forget()
	if got := list(sel(t, b, "INBOX", false)); got != "1:S 2:S+ 3:+" {
		t.Errorf("got %q, want the new ones recent", got)
	}
}

func TestStoreAndChanges(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for _, subject := range []string{"a", "b", "c"} {
		appendText(t, b, "INBOX", subject, Flags{})
	}
	v, w := sel(t, b, "INBOX", false), sel(t, b, "INBOX", true)
	told := bell(w)
	changed, err := v.Store([]int{1, 3}, Add, Flags{System: Seen, Keywords: []string{"Todo"}})
	if err != nil || !slices.Equal(changed, []int{1, 3}) {
		t.Errorf("got %v, %v, want 1 and 3", changed, err)
	}
	select {
	case <-told:
	default:
		t.Error("got no sign of the change in the other session")
	}
	c := syncView(t, w, true)
	if !slices.Equal(c.Flags, []int{1, 3}) || !c.KeywordsChanged || c.Exists >= 0 {
		t.Errorf("got %+v, want flags of 1 and 3 and a new keyword", c)
	}
	if c := syncView(t, v, true); len(c.Flags) != 0 {
		t.Errorf("got %+v, want own changes not told", c)
	}
	v.Store([]int{1}, Remove, Flags{Keywords: []string{"todo", "unheard"}})
	v.Store([]int{3}, Replace, Flags{System: Deleted | Draft | Answered})
	if got, want := list(w), "1:S 2: 3:ATD"; got != want {
		t.Errorf("got %q, want %q", strings.ReplaceAll(got, "+", ""), want)
	}
	if _, err := w.Store([]int{1}, Add, Flags{System: Seen}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("got %v, want ErrReadOnly", err)
	}
	if _, err := v.Store([]int{1}, Add, Flags{Keywords: []string{"a b"}}); !errors.Is(err, ErrBadKeyword) {
		t.Errorf("got %v, want ErrBadKeyword", err)
	}
}

func TestExpunge(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for i := range 5 {
		appendText(t, b, "INBOX", fmt.Sprint(i), Flags{})
	}
	v, w := sel(t, b, "INBOX", false), sel(t, b, "INBOX", false)
	v.Store([]int{2, 4}, Add, Flags{System: Deleted})
	syncView(t, w, true)
	open, err := w.Open(2)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := v.Expunge(nil); err != nil {
		t.Fatal(err)
	}
	if c := syncView(t, w, false); len(c.Expunged) != 0 || w.Len() != 5 {
		t.Errorf("got %+v, want the numbers kept", c)
	}
	if got := w.At(2); got.UID != 2 || !got.Gone {
		t.Errorf("got %+v at a hidden expunge, want UID 2, gone", got)
	}
	if _, err := w.Open(4); !errors.Is(err, ErrExpunged) {
		t.Errorf("got %v, want ErrExpunged", err)
	}
	if got, err := io.ReadAll(io.NewSectionReader(open, 0, open.Size())); err != nil || string(got) != text("1") {
		t.Errorf("got %q, %v from a body opened before", got, err)
	}
	for _, view := range []*View{v, w} {
		if c := syncView(t, view, true); !slices.Equal(c.Expunged, []int{4, 2}) || view.Len() != 3 {
			t.Errorf("got %+v, want 4 and 2", c)
		}
	}
	if err := v.Remove([]uint32{5, 99}); err != nil {
		t.Fatal(err)
	}
	if got := syncView(t, v, true).Expunged; !slices.Equal(got, []int{3}) {
		t.Errorf("got %v, want 3", got)
	}
	if uid := appendText(t, b, "INBOX", "new", Flags{}); uid != 6 {
		t.Errorf("got UID %d, want one never used", uid)
	}
}

// TestCopyIsSavedNow: a copy is saved when it is made (RFC 8514 section 3), and
// its name survives a correction of sizes with its id.
func TestCopyIsSavedNow(t *testing.T) {
	path := t.TempDir()
	deliver(t, path, "1700000001.x.h,S=3", "lies")
	b := openBox(t, newStore(t, Options{}), path)
	v := sel(t, b, "INBOX", false)
	id, err := v.EmailID(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := v.Copy([]int{1}, "INBOX"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		syncView(t, v, true)
		content(t, v, 1) // finds out about the lie, so that it is corrected
		content(t, v, 2)
		for seq, want := range []bool{false, true} {
			at, err := v.Saved(seq + 1)
			if got, err2 := v.EmailID(seq + 1); got != id || err != nil || err2 != nil || time.Since(at) < time.Hour != want {
				t.Errorf("message %d: got %s saved %v, %v %v, want %s", seq+1, got, at, err, err2, id)
			}
		}
	}
	if _, err := v.EmailID(9); !errors.Is(err, ErrExpunged) {
		t.Errorf("got %v, want ErrExpunged", err)
	}
}

func TestCopy(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	appendText(t, b, "INBOX", "zero", Flags{Keywords: []string{"other", "mine"}})
	appendText(t, b, "INBOX", "one", Flags{System: Seen, Keywords: []string{"mine"}})
	appendText(t, b, "INBOX", "two", Flags{})
	if err := b.Create("Archive"); err != nil {
		t.Fatal(err)
	}
	appendText(t, b, "Archive", "before", Flags{Keywords: []string{"there"}})
	v := sel(t, b, "INBOX", false)
	uidvalidity, src, dst, err := v.Copy([]int{2, 3, 9}, "Archive")
	if err != nil || !slices.Equal(src, []uint32{2, 3}) || !slices.Equal(dst, []uint32{2, 3}) {
		t.Fatalf("got %v %v, %v", src, dst, err)
	}
	a := sel(t, b, "Archive", true)
	if a.UIDValidity() != uidvalidity {
		t.Errorf("got UIDVALIDITY %d, want %d", uidvalidity, a.UIDValidity())
	}
	if got, want := list(a), "1:there+ 2:Smine+ 3:+"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := content(t, a, 2); got != text("one") {
		t.Errorf("got %q", got)
	}
	if _, _, dst, err = v.Copy([]int{1}, "INBOX"); err != nil || !slices.Equal(dst, []uint32{4}) {
		t.Errorf("got %v, %v for a copy in its own folder", dst, err)
	}
	if _, _, _, err := v.Copy([]int{1}, "Nowhere"); !errors.Is(err, ErrNoFolder) {
		t.Errorf("got %v, want ErrNoFolder", err)
	}
}
