package mailbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"posthorn/internal/dovecot"
)

// many is more messages than lines of a uidlist are kept without their files.
const many = 3 * maxFresh

// fillMany returns a box with many messages in INBOX.
func fillMany(t *testing.T, s *Store) (b *Box, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "Maildir")
	for n := range many {
		deliver(t, path, fmt.Sprintf("1700000000.%05d.x", n), "one of many")
	}
	return openBox(t, s, path), path
}

// TestCopyMany: the UIDs that a COPY was told stand, however many they are, and
// whatever the folder knew of itself before.
func TestCopyMany(t *testing.T) {
	s := newStore(t, Options{})
	b, path := fillMany(t, s)
	if err := b.Create("Archive"); err != nil {
		t.Fatal(err)
	}
	appendText(t, b, "Archive", "before", Flags{})
	other := sel(t, b, "Archive", false) // has an index made
	syncView(t, other, true)
	other.Close()
	b = openBox(t, newStore(t, Options{}), path) // as after a restart
	from := sel(t, b, "INBOX", false)
	all := make([]int, from.Len())
	for i := range all {
		all[i] = i + 1
	}
	_, _, told, err := from.Copy(all, "Archive")
	if err != nil {
		t.Fatal(err)
	}
	for _, fresh := range []bool{false, true} {
		if fresh {
			b = openBox(t, newStore(t, Options{}), path)
		}
		if got := uidsOf(sel(t, b, "Archive", true)); !slices.Equal(got[1:], told) {
			t.Errorf("a process of its own %v: got %d UIDs from %d to %d, told were %d from %d to %d",
				fresh, len(got)-1, got[1], got[len(got)-1], len(told), told[0], told[len(told)-1])
		}
	}
}

// TestManyBesideAssign: another process files many messages while this one waits for
// the lock to give one its UID.
func TestManyBesideAssign(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Maildir")
	deliver(t, path, "1700000000.a.x", "first")
	b := openBox(t, newStore(t, Options{}), path)
	v := sel(t, b, "INBOX", false)
	root, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	dir := dovecot.Dir{Disk: b.root.Disk, FD: int(root.Fd()), Path: path}
	locker, err := dovecot.NewLocker()
	if err != nil {
		t.Fatal(err)
	}
	lock, err := locker.Lock(dir, dovecot.UidlistLock)
	if err != nil {
		t.Fatal(err)
	}
	deliver(t, path, "1700000001.b.x", "second")
	done := make(chan error)
	go func() {
		_, err := v.Sync(true)
		done <- err
	}()
	time.Sleep(300 * time.Millisecond) // it waits for the lock by now
	l := dovecot.NewUidlist(dir, 1000)
	defer l.Close()
	if err := l.Load(func() {}, func(dovecot.Record) {}); err != nil {
		t.Fatal(err)
	}
	recs := make([]dovecot.Record, many)
	for n := range recs {
		recs[n].Name = fmt.Appendf(nil, "1700000002.%05d.x", n)
		if err := os.WriteFile(filepath.Join(path, "cur", string(recs[n].Name)+":2,S"), []byte("Subject: x\n\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Reserve(many); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(recs); err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	syncView(t, v, true)
	given := map[string]uint32{}
	for _, r := range recs {
		given[string(r.Name)] = r.UID
	}
	wrong := 0
	f := v.folder
	f.mu.Lock()
	if err := f.need(); err != nil { // it may have lain down
		t.Error(err)
	}
	for i := range f.Records {
		r := &f.Records[i]
		if uid := given[string(f.Base(r))]; uid != 0 && uid != r.UID {
			wrong++
		}
	}
	n := len(f.Records)
	f.mu.Unlock()
	if n != many+2 || wrong > 0 {
		t.Errorf("%d messages, %d of them with another UID than the line that was there", n, wrong)
	}
}
