package schedule

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/id"
	"posthorn/internal/spool"
)

var t0 = time.UnixMicro(1_800_000_000_000_000)

func fixed(d time.Duration) func(int) time.Duration {
	return func(n int) time.Duration { return d * time.Duration(n) }
}

// messages returns a function that returns another message of a spool each
// time, n times.
func messages(t *testing.T, n int) func() spool.Entry {
	t.Helper()
	dir := t.TempDir()
	if err := spool.Prepare(dir, &durable.Disk{}, spool.Owner{UID: os.Geteuid(), GID: os.Getegid(), Incoming: os.Getegid()}); err != nil {
		t.Fatal(err)
	}
	s, err := spool.Open(dir, &durable.Disk{}, evlog.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	bucket := filepath.Join(dir, "queue", "b")
	if err := os.Mkdir(bucket, 0o700); err != nil {
		t.Fatal(err)
	}
	for range n {
		msg := id.New()
		text := fmt.Sprintf("proto=%s\nid=%s\ntime=%d\nsize=0000000000000000\norigin=smtp\nfrom=\nauth=\nclient=\nhelo=\nbody=7bit\nutf8=no\nrcpt=a@b.example\n\n",
			spool.Proto, msg, t0.UnixMicro())
		if err := os.WriteFile(filepath.Join(bucket, msg), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all := make([]spool.Entry, 0, n)
	examine := func(ref spool.Ref) {
		if e, ok := s.Examine(ref); ok {
			all = append(all, e)
		}
	}
	if err := s.Scan(examine); err != nil || len(all) != n {
		t.Fatalf("got %d messages, %v, want %d", len(all), err, n)
	}
	return func() spool.Entry {
		e := all[0]
		all = all[1:]
		return e
	}
}

// take takes an item that must be due.
func take(t *testing.T, s *Schedule, now time.Time) *Item {
	t.Helper()
	it, wait := s.Take(now)
	if it == nil {
		t.Fatalf("at +%v: nothing due, quiet for %v", now.Sub(t0), wait)
	}
	return it
}

func idle(t *testing.T, s *Schedule, now time.Time) time.Duration {
	t.Helper()
	it, wait := s.Take(now)
	if it != nil {
		t.Fatalf("at +%v: got %s, want nothing due", now.Sub(t0), it.Ref().ID())
	}
	return wait
}

func TestDueInOrder(t *testing.T) {
	entry := messages(t, 10)
	s := New(10)
	var want []string
	for range 5 { // of equal time: in the order in which they were added
		e := entry()
		s.Find(e)
		want = append(want, e.Ref.ID())
	}
	late := entry()
	late.Next = t0.Add(time.Minute)
	s.Find(late)
	for i, w := range want {
		if got := take(t, s, t0).Ref().ID(); got != w {
			t.Errorf("item %d: got %s, want %s", i, got, w)
		}
	}
	if got := idle(t, s, t0); got != time.Minute {
		t.Errorf("quiet: got %v, want a minute", got)
	}
	if got := take(t, s, late.Next).Ref().ID(); got != late.Ref.ID() {
		t.Errorf("late: got %s", got)
	}
}

func TestNoMoreActiveThanAllowed(t *testing.T) {
	entry := messages(t, 10)
	s := New(1)
	s.Find(entry())
	s.Find(entry())
	first := take(t, s, t0)
	idle(t, s, t0)
	s.Drop(first)
	take(t, s, t0)
	it, ok := s.Reserve(id.New())
	if !ok {
		t.Fatal("a new id is known")
	}
	s.Place(it, entry(), false)
	if s.Start(it, t0) {
		t.Error("got a third item active, want it to rest")
	}
}

func TestKnownFromTheFirstMoment(t *testing.T) {
	entry := messages(t, 10)
	s := New(1)
	e := entry()
	it, _ := s.Reserve(e.Ref.ID())
	if _, ok := s.Reserve(e.Ref.ID()); ok {
		t.Error("reserved twice")
	}
	if ref, ok := s.Known(e.Ref.ID()); !ok || ref.Placed() {
		t.Errorf("arriving: got %v, %v, want known without a place", ref, ok)
	}
	s.Place(it, e, false)
	if got, ok := s.Arriving(e.Ref.ID()); !ok || got != it {
		t.Error("placed: not found as arriving")
	}
	if !s.Start(it, t0) {
		t.Error("not started")
	}
	s.Drop(it)
	if _, ok := s.Known(e.Ref.ID()); ok {
		t.Error("dropped and still known")
	}
	s.Reserve(e.Ref.ID())
	s.Cancel(e.Ref.ID())
	if s.Len() != 0 {
		t.Errorf("cancelled: got %d items", s.Len())
	}
}

func TestHoldGrabAndFlush(t *testing.T) {
	entry := messages(t, 10)
	s := New(100)
	e := entry()
	e.Next = t0.Add(time.Hour)
	s.Find(e)
	msg := e.Ref.ID()
	it, grabbed, ok := s.Grab(msg)
	if !grabbed || !ok {
		t.Fatal("not grabbed")
	}
	if _, grabbed, ok := s.Grab(msg); grabbed || !ok {
		t.Error("grabbed twice")
	}
	s.Hold(it, true)
	s.Rest(it, 0, s.Next(it))
	idle(t, s, t0.Add(48*time.Hour))
	if i, _ := s.Lookup(msg); i.State != "held" {
		t.Errorf("got %+v, want it held", i)
	}
	if s.FlushAll() != 0 {
		t.Error("a held item was flushed")
	}
	it, _, _ = s.Grab(msg)
	s.Hold(it, false)
	s.Rest(it, 0, t0.Add(time.Hour))
	idle(t, s, t0)
	if !s.Flush(msg) {
		t.Error("not flushed")
	}
	take(t, s, t0)
}

func TestListPages(t *testing.T) {
	entry := messages(t, 10)
	s := New(100)
	var want []string
	for range 5 {
		e := entry()
		s.Find(e)
		want = append(want, e.Ref.ID())
	}
	var got []string
	after := ""
	for more := true; more; {
		var page []Info
		page, more = s.List(after, 2)
		for _, i := range page {
			got = append(got, i.Ref.ID())
			after = i.Ref.ID()
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMemoryOfAMessage(t *testing.T) {
	const n = 2_000
	entry := messages(t, n)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one put into pools is gone
	runtime.ReadMemStats(&before)
	s := New(1)
	for range n {
		s.Find(entry())
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%d bytes a message", each)
	if each > 110 {
		t.Errorf("got %d bytes a message, want at most 110", each)
	}
	runtime.KeepAlive(s)
	runtime.KeepAlive(entry) // what it holds was there before
}

// TestPostponedIsNotDueAtOnce: what could not be removed is not tried again and
// again.
func TestPostponedIsNotDueAtOnce(t *testing.T) {
	entry := messages(t, 1)
	s := New(100)
	s.Find(entry())
	it := take(t, s, t0)
	s.Doom(it)
	s.Postpone(it, 0, t0.Add(time.Minute))
	idle(t, s, t0)
	if got := take(t, s, t0.Add(time.Minute)); got != it {
		t.Error("another item")
	}
	s.Rest(it, 0, t0.Add(time.Hour)) // who worked on it did not know
	if got := take(t, s, t0); got != it {
		t.Error("what is to be removed waits")
	}
}

func TestDetainedWaitsForStart(t *testing.T) {
	entry := messages(t, 2)
	s := New(100)
	first, second := entry(), entry()
	s.Found(first.Ref)
	s.Detain(first)
	s.Find(first) // it stays as it is
	s.Find(second)
	it := take(t, s, t0)
	if it.Ref() != second.Ref {
		t.Error("what was detained is due")
	}
	s.Detain(second) // somebody works on it
	s.Drop(it)
	idle(t, s, t0)
	it, ok := s.Arriving(first.Ref.ID())
	if !ok || !s.Start(it, t0) || !it.Found() {
		t.Errorf("got %v, %v, want it started, and known as found", it, ok)
	}
}

// TestFoundByNameOnly: what was not read yet is known and listed, and neither
// tried nor flushed nor started.
func TestFoundByNameOnly(t *testing.T) {
	entry := messages(t, 3)
	s := New(100)
	all := []spool.Entry{entry(), entry(), entry()}
	for _, e := range all {
		s.Found(e.Ref)
	}
	if n := s.FlushAll(); n != 0 {
		t.Errorf("FlushAll: got %d, want 0", n)
	}
	idle(t, s, t0)
	msg := all[0].Ref.ID()
	if _, ok := s.Reserve(msg); ok {
		t.Error("its id is given again")
	}
	if ref, known := s.Adopt(msg); !known || !ref.Placed() {
		t.Errorf("got %v, %v, want it known", ref, known)
	}
	if _, ok := s.Arriving(msg); ok {
		t.Error("it waits for Start")
	}
	if page, _ := s.List("", 10); len(page) != 3 || page[0].State != "deferred" || !page[0].Next.IsZero() || page[0].Arrived.IsZero() {
		t.Errorf("got %+v, want three, deferred until nobody knows when", page)
	}
	first := s.Unread("", 1)
	if rest := s.Unread(msg, 5); len(first) != 1 || first[0] != all[0].Ref || len(rest) != 2 {
		t.Errorf("got %v and %v unread, want one and two", first, rest)
	}
	s.Find(all[0])
	s.Cancel(all[1].Ref.ID()) // it was none
	if it := take(t, s, t0); it.Ref() != all[0].Ref || !it.Found() {
		t.Error("what was read is not due, or not known as found")
	}
	if left := s.Unread("", 5); len(left) != 1 || left[0] != all[2].Ref || s.Len() != 2 {
		t.Errorf("got %v unread of %d, want one of 2", left, s.Len())
	}
}
