package dovecot

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// gonePID returns the pid of a process that has ended.
func gonePID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

func newLocker(t *testing.T) *Locker {
	t.Helper()
	k, err := NewLocker()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestLockContent(t *testing.T) {
	d, path := testDir(t)
	k := newLocker(t)
	l, err := k.Lock(d, UidlistLock)
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	if got, want := get(t, path+"/dovecot-uidlist.lock"), fmt.Sprintf("%d:%s", os.Getpid(), host); got != want {
		t.Errorf("got content %q, want %q", got, want)
	}
	if _, err := k.try(d, UidlistLock); !errors.Is(err, os.ErrExist) {
		t.Errorf("got %v for a second lock, want ErrExist", err)
	}
	if broken, err := k.breakStale(d, UidlistLock); broken || err != nil {
		t.Errorf("got broken %v, %v for a held lock, want false", broken, err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "/dovecot-uidlist.lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v after release, want no lock file", err)
	}
}

func TestLockStale(t *testing.T) {
	host, _ := os.Hostname()
	gone := gonePID(t)
	for _, tt := range []struct {
		name, content string
		age           time.Duration
		want          bool
	}{
		{"process gone", fmt.Sprintf("%d:%s", gone, host), 0, true},
		{"process alive", fmt.Sprintf("%d:%s", os.Getppid(), host), 0, false},
		{"other host", fmt.Sprintf("%d:elsewhere", gone), time.Minute, false},
		{"other host, old", fmt.Sprintf("%d:elsewhere", gone), 121 * time.Second, true},
		{"being written", "", 0, false},
		{"never written", "", 3 * time.Second, true},
		{"garbled", "x:y:z", time.Minute, false},
		{"garbled and old", "x:y:z", 121 * time.Second, true},
		{"own pid before a restart", fmt.Sprintf("%d:%s", os.Getpid(), host), time.Minute, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, path := testDir(t)
			file := path + "/" + UidlistLock
			put(t, file, tt.content)
			made := time.Now().Add(-tt.age)
			if err := os.Chtimes(file, made, made); err != nil {
				t.Fatal(err)
			}
			broken, err := newLocker(t).breakStale(d, UidlistLock)
			_, serr := os.Stat(file)
			if broken != tt.want || err != nil || errors.Is(serr, os.ErrNotExist) != tt.want {
				t.Errorf("got broken %v, %v, file %v, want broken %v", broken, err, serr, tt.want)
			}
		})
	}
}

// TestUnreadableLock: a lock that cannot be read is waited for while its maker, root,
// may be about to give it away, and is an error then.
func TestUnreadableLock(t *testing.T) {
	d, path := testDir(t)
	file := path + "/" + UidlistLock
	put(t, file, "1:elsewhere")
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	as := func(uid int) { // root reads all
		t.Helper()
		if err := unix.Setfsuid(uid); err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer as(os.Geteuid())
	k := newLocker(t)
	as(nobody)
	if broken, err := k.breakStale(d, UidlistLock); broken || err != nil {
		t.Errorf("just made: got broken %v, %v, want false", broken, err)
	}
	as(os.Geteuid())
	old := time.Now().Add(-3 * time.Second)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	as(nobody)
	if broken, err := k.breakStale(d, UidlistLock); broken || !errors.Is(err, os.ErrPermission) {
		t.Errorf("old: got broken %v, %v, want ErrPermission", broken, err)
	}
}

// nobody is no user who owns any file of a test.
const nobody = 65534

func TestLockExcludes(t *testing.T) {
	d, path := testDir(t)
	put(t, path+"/"+UidlistLock, fmt.Sprintf("%d:%s", gonePID(t), newLocker(t).host)) // all find it stale at once
	var wg sync.WaitGroup
	var inside sync.Mutex
	for range 8 {
		k := newLocker(t)
		wg.Go(func() {
			for range 20 {
				l, err := k.Lock(d, UidlistLock)
				if err != nil {
					t.Error(err)
					return
				}
				if !inside.TryLock() {
					t.Error("got two holders of one lock")
				} else {
					inside.Unlock()
				}
				if err := l.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestReleaseOfTakenLock(t *testing.T) {
	d, path := testDir(t)
	k := newLocker(t)
	l, err := k.Lock(d, UidlistLock)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"/"+UidlistLock, path+"/aside"); err != nil {
		t.Fatal(err)
	}
	put(t, path+"/"+UidlistLock, "1:other")
	if err := l.Release(); err == nil {
		t.Error("got nil for a lock that another took")
	}
	if got := get(t, path+"/"+UidlistLock); got != "1:other" {
		t.Errorf("got %q, want the other's lock untouched", got)
	}
}

// TestReleaseTriesTwice: a lock that is left keeps all others waiting.
func TestReleaseTriesTwice(t *testing.T) {
	d, path := testDir(t)
	l, err := newLocker(t).Lock(d, UidlistLock)
	if err != nil {
		t.Fatal(err)
	}
	failed := false
	d.Disk.Hook = func(durable.Op) error {
		if failed {
			return nil
		}
		failed = true
		return unix.EIO
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path + "/" + UidlistLock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want no lock file", err)
	}
}

// TestLeft: the times of files are behind the clock, so that a lock made at the
// very start of a process looks older than the process.
func TestLeft(t *testing.T) {
	k := newLocker(t)
	file := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for before, want := range map[time.Duration]bool{0: false, 10 * time.Millisecond: false, time.Second: true} {
		if got := k.left(f, k.started.Add(-before)); got != want {
			t.Errorf("made %v before the process: got left %v, want %v", before, got, want)
		}
	}
}
