package mailbox

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/evlog"
)

// bell returns a channel that is sent to when the view is told of a change.
func bell(v *View) <-chan struct{} {
	c := make(chan struct{}, 1)
	v.Notify(func() {
		select {
		case c <- struct{}{}:
		default:
		}
	})
	return c
}

// until syncs whenever the view is told of a change, until a sync finds one.
func until(t *testing.T, v *View, told <-chan struct{}) Changes {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case <-told:
		case <-late:
			t.Fatal("got no word of the change")
		}
		if c := syncView(t, v, true); !c.Empty() {
			return c
		}
	}
}

func TestWaitForOthers(t *testing.T) {
	for _, unwatched := range []bool{false, true} {
		path := t.TempDir()
		s := newStore(t, Options{})
		if unwatched {
			s.watchOnce.Do(func() { s.watchErr = unix.EMFILE })
			s.poller.Every = time.Millisecond
		}
		v := sel(t, openBox(t, s, path), "INBOX", false)
		told := bell(v)
		deliver(t, path, "1.a.x", "one")
		if c := until(t, v, told); c.Exists != 1 {
			t.Errorf("unwatched %v: got %+v, want a message", unwatched, c)
		}
		if err := os.Rename(path+"/cur/1.a.x:2,", path+"/cur/1.a.x:2,S"); err != nil {
			t.Fatal(err)
		}
		if c := until(t, v, told); !slices.Equal(c.Flags, []int{1}) || v.At(1).Flags.System != Seen {
			t.Errorf("unwatched %v: got %+v, want flags", unwatched, c)
		}
		if err := os.Remove(path + "/cur/1.a.x:2,S"); err != nil {
			t.Fatal(err)
		}
		if c := until(t, v, told); !slices.Equal(c.Expunged, []int{1}) {
			t.Errorf("unwatched %v: got %+v, want an expunge", unwatched, c)
		}
	}
}

// TestPollAgain: where two changes may have one time a folder is looked at again when
// the next would have another.
func TestPollAgain(t *testing.T) {
	path := t.TempDir()
	s := newStore(t, Options{})
	s.watchOnce.Do(func() { s.watchErr = unix.EMFILE })
	s.poller.Every = time.Millisecond
	b := openBox(t, s, path)
	f, _, err := b.enter("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	defer s.leave(f)
	f.fine = false // as with older kernels
	soon := time.Now().Add(500 * time.Millisecond)
	if err := os.Chtimes(path+"/new", soon, soon); err != nil {
		t.Fatal(err)
	}
	select {
	case <-bell(sel(t, b, "INBOX", true)):
	case <-time.After(20 * time.Second):
		t.Error("got no word")
	}
}

// TestNotify: who does not listen any more is not called.
func TestNotify(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	quiet, other := sel(t, b, "INBOX", false), sel(t, b, "INBOX", false)
	quiet.Notify(func() { t.Error("got a call after Notify(nil)") })
	quiet.Notify(nil)
	told := bell(other)
	deliver(t, path, "1.a.x", "one")
	if c := until(t, other, told); c.Exists != 1 {
		t.Errorf("got %+v, want a message", c)
	}
}

// TestForeignChangeInsideABatch: the folder's time was taken after it, so only
// the watch can tell.
func TestForeignChangeInsideABatch(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	appendText(t, b, "INBOX", "a", Flags{System: Seen})
	putFile(t, path, "1.z.x:2,", text("b"))
	v := sel(t, b, "INBOX", false)
	other := sel(t, b, "INBOX", true)
	told := bell(other)
	f := v.folder
	f.mu.Lock()
	err := f.batch(func() error { return os.Rename(path+"/cur/1.z.x:2,", path+"/cur/1.z.x:2,F") })
	dirty := f.dirty
	f.mu.Unlock()
	if err != nil || dirty {
		t.Fatalf("got %v, dirty %v, want the change masked", err, dirty)
	}
	if c := until(t, other, told); len(c.Flags) != 1 {
		t.Errorf("got %+v, want the foreign change", c)
	}
}

// TestStoreOfWhatAnotherTookAway: a flag that another program has just removed is
// not taken for one that is there.
func TestStoreOfWhatAnotherTookAway(t *testing.T) {
	path := t.TempDir()
	putFile(t, path, "1.z.x:2,S", text("a"))
	b := openBox(t, newStore(t, Options{}), path)
	v, other := sel(t, b, "INBOX", false), sel(t, b, "INBOX", true)
	if err := os.Rename(path+"/cur/1.z.x:2,S", path+"/cur/1.z.x:2,F"); err != nil {
		t.Fatal(err)
	}
	changed, err := v.Store([]int{1}, Add, Flags{System: Seen})
	if err != nil || !slices.Equal(changed, []int{1}) {
		t.Fatalf("got %v, %v, want 1 changed", changed, err)
	}
	if _, err := os.Stat(path + "/cur/1.z.x:2,FS"); err != nil {
		t.Error(err)
	}
	for _, v := range []*View{v, other} {
		if c := syncView(t, v, true); len(c.Flags) != 1 {
			t.Errorf("got %+v, want to be told of the flag that the other program set", c)
		}
	}
}

// TestOwnChangesCostNoScan: after own renames the folder is not read again.
func TestOwnChangesCostNoScan(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for range 3 {
		appendText(t, b, "INBOX", "a", Flags{System: Seen})
	}
	v := sel(t, b, "INBOX", false)
	f := v.folder
	f.fine = true // on an older kernel too: nobody else is here
	syncView(t, v, true)
	v.Store([]int{1, 2}, Add, Flags{System: Flagged})
	v.Remove([]uint32{3})
	f.mu.Lock()
	now, err := f.now()
	known := !f.dirty && now == f.times
	f.mu.Unlock()
	if !known || err != nil {
		t.Errorf("got %v, times known %v, want no scan needed", err, known)
	}
}

// TestPictureIsDropped: a folder that nobody uses is closed.
func TestPictureIsDropped(t *testing.T) {
	s := newStore(t, Options{})
	b := openBox(t, s, t.TempDir())
	sel(t, b, "INBOX", false).Close()
	s.mu.Lock()
	n, idle := len(s.folders), s.idle
	for _, f := range s.folders {
		s.drop(f)
	}
	left := s.idle
	s.mu.Unlock()
	if n != 1 || idle != 1 || left != 0 {
		t.Errorf("got %d folders, %d idle, %d after the drop, want 1 1 0", n, idle, left)
	}
	if v := sel(t, b, "INBOX", true); v.UIDValidity() == 0 {
		t.Error("got no UIDVALIDITY from the folder opened again")
	}
}

// instances counts the inotify instances of this process.
func instances(t *testing.T) (n int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.Contains(to, "inotify") {
			n++
		}
	}
	return n
}

// TestTwoInstances: the kernel gives a user few instances, so however many
// folders and sessions there are, two are all that is taken.
func TestTwoInstances(t *testing.T) {
	before := instances(t)
	s := newStore(t, Options{})
	for range 20 {
		b := openBox(t, s, t.TempDir())
		sel(t, b, "INBOX", false)
		sel(t, b, "INBOX", true)
	}
	if got := instances(t) - before; got != 2 {
		t.Errorf("got %d instances, want 2", got)
	}
}

// TestUnwatchedIsLogged: once, with the reason.
func TestUnwatchedIsLogged(t *testing.T) {
	var log strings.Builder
	s := newStore(t, Options{Log: evlog.New(&log)})
	s.watchOnce.Do(func() { s.watchErr = unix.EMFILE })
	paths := []string{t.TempDir(), t.TempDir()}
	for _, path := range paths {
		sel(t, openBox(t, s, path), "INBOX", false)
	}
	want := "folder-unwatched folder=" + paths[0] + " err=\"too many open files\"\n"
	if got := log.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLateUID: mail that got no UID when it came is told of when it gets one, though
// nothing more happens to it.
func TestLateUID(t *testing.T) {
	path := t.TempDir()
	var log strings.Builder
	s := newStore(t, Options{Log: evlog.New(&log)})
	v := sel(t, openBox(t, s, path), "INBOX", false)
	told := bell(v)
	lock := path + "/dovecot-uidlist.lock"
	if err := os.Mkdir(lock, 0o700); err != nil { // no lock that anybody could hold
		t.Fatal(err)
	}
	deliver(t, path, "1.a.x", "one")
	for range 2 {
		<-told
		if c := syncView(t, v, true); !c.Empty() {
			t.Fatalf("without a lock: got %+v, want nothing", c)
		}
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	if c := until(t, v, told); c.Exists != 1 {
		t.Errorf("got %+v, want a message", c)
	}
	if got := strings.Count(log.String(), "uids-delayed"); got != 1 {
		t.Errorf("got %d events, want one for all tries:\n%s", got, log.String())
	}
}
