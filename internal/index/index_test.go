package index

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// folder makes an empty mail folder.
func folder(t testing.TB) Dir {
	t.Helper()
	path := t.TempDir()
	if err := os.Mkdir(path+"/cur", 0o700); err != nil {
		t.Fatal(err)
	}
	d := Dir{Disk: new(durable.Disk), Path: path}
	for _, open := range []struct {
		fd   *int
		path string
	}{{&d.FD, path}, {&d.Lock, path + "/cur"}} {
		fd, err := unix.Open(open.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		*open.fd = fd
		t.Cleanup(func() { unix.Close(fd) })
	}
	return d
}

func records(n int) []Record {
	recs := make([]Record, n)
	for i := range recs {
		recs[i] = Record{UID: uint32(2*i + 1), Flags: uint32(i), Size: 7, Virtual: 8, Date: -1, ModSeq: uint64(i) << 40, Name: 9, NameLen: 10, State: 3, Entries: [Columns]uint32{1, uint32(i)}}
	}
	return recs
}

// made returns an index with records; it is closed with the test.
func made(t testing.TB, d Dir, recs []Record) *File {
	t.Helper()
	h := Header{Boot: 1, UIDValidity: 2, UIDNext: 3, Slots: uint32(len(recs)), Exists: uint32(len(recs)), Size: -1, ModSeq: 5, List: Stamp{6, 7, 8}, Columns: [Columns]uint64{9, 10}}
	x, err := Create(d, h, slices.Values(recs))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func reopened(t testing.TB, d Dir) *File {
	t.Helper()
	x, err := Open(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for _, n := range []int{0, 1, block, block + 1, 3*block + 7} {
		d, recs := folder(t), records(n)
		x := made(t, d, recs)
		y := reopened(t, d)
		if y.Header() != x.Header() || !y.Header().Same(x.Header()) {
			t.Errorf("%d: got %+v, want %+v", n, y.Header(), x.Header())
		}
		got, whole, current := y.Load()
		if !whole || !current || !slices.Equal(got, recs) {
			t.Errorf("%d: got %d records, whole %v, current %v", n, len(got), whole, current)
		}
	}
}

func TestWriteInPlace(t *testing.T) {
	d, recs := folder(t), records(10)
	x := made(t, d, recs)
	var changes []Change
	for _, slot := range []uint32{2, 3, 7, 10, 11} { // two of them are new
		r := Record{UID: 2*slot + 1, ModSeq: 99}
		changes = append(changes, Change{slot, r})
		if int(slot) < len(recs) {
			recs[slot] = r
		} else {
			recs = append(recs, r)
		}
	}
	h := x.Header()
	h.Slots, h.UIDNext = 12, 77
	if err := d.Locked(func() error { return x.Write(h, changes) }); err != nil {
		t.Fatal(err)
	}
	y := reopened(t, d)
	got, whole, _ := y.Load()
	if !whole || !slices.Equal(got, recs) || y.Header().UIDNext != 77 {
		t.Errorf("got %+v, whole %v, want %+v", got, whole, recs)
	}
}

// TestAnotherWroteSince: who does not know what stands there does not write.
func TestAnotherWroteSince(t *testing.T) {
	d := folder(t)
	x := made(t, d, records(3))
	y := reopened(t, d)
	if err := y.Write(y.Header(), nil); err != nil {
		t.Fatal(err)
	}
	if err := x.Write(x.Header(), nil); !errors.Is(err, ErrStale) {
		t.Errorf("after a write: got %v, want ErrStale", err)
	}
	if _, whole, current := x.Load(); !whole || current {
		t.Errorf("after a write: got whole %v, current %v, want true, false", whole, current)
	}
	made(t, d, records(4))
	if err := y.Write(y.Header(), nil); !errors.Is(err, ErrStale) {
		t.Errorf("replaced: got %v, want ErrStale", err)
	}
	if recs, whole, current := y.Load(); len(recs) != 3 || !whole || current {
		t.Errorf("replaced: got %d records, whole %v, current %v, want what was there", len(recs), whole, current)
	}
	if err := os.Remove(filepath.Join(d.Path, Name)); err != nil {
		t.Fatal(err)
	}
	if err := y.Write(y.Header(), nil); !errors.Is(err, ErrStale) {
		t.Errorf("removed: got %v, want ErrStale", err)
	}
}

// TestLocked: one at a time, also between two opens of the folder.
func TestLocked(t *testing.T) {
	d := folder(t)
	other := d
	fd, err := unix.Open(d.Path+"/cur", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	other.Lock = fd
	err = d.Locked(func() error { return other.Locked(func() error { return nil }) })
	if !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	if err := other.Locked(func() error { return nil }); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestDamage: whatever is done to the file, what is read is what was written or
// is not there.
func TestDamage(t *testing.T) {
	d, recs := folder(t), records(40)
	made(t, d, recs)
	path := filepath.Join(d.Path, Name)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := reopened(t, d).Header()
	for n := range 3000 {
		r := rand.New(rand.NewPCG(1, uint64(n)))
		b := bytes.Clone(good)
		switch at := r.IntN(len(b)); n % 3 {
		case 0:
			b[at] ^= byte(1 + r.IntN(255))
		case 1:
			b = b[:at]
		case 2:
			b = slices.Insert(b, at, byte(r.IntN(256)))
		}
		put(t, path, b)
		x, err := Open(d)
		if err != nil {
			if !errors.Is(err, ErrNone) {
				t.Fatalf("%d: %v", n, err)
			}
			continue
		}
		got, whole, _ := x.Load()
		x.Close()
		if x.Header() != head || whole && !slices.Equal(got, recs) {
			t.Fatalf("%d: got another index than was written", n)
		}
		for _, r := range got {
			if !slices.Contains(recs, r) {
				t.Fatalf("%d: got a record that nobody wrote: %+v", n, r)
			}
		}
	}
}

// put makes a file anew: some file systems write one that is cut at once.
func put(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNoIndex(t *testing.T) {
	d := folder(t)
	for _, make := range []func() error{
		func() error { return nil },
		func() error { return os.Mkdir(d.Path+"/"+Name, 0o700) },
		func() error { return os.Symlink("/etc/passwd", d.Path+"/"+Name) },
		func() error { return unix.Mkfifo(d.Path+"/"+Name, 0o600) },
	} {
		os.RemoveAll(d.Path + "/" + Name)
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(d); !errors.Is(err, ErrNone) {
			t.Errorf("got %v, want ErrNone", err)
		}
	}
}

func FuzzIndex(f *testing.F) {
	d := folder(f)
	made(f, d, records(3))
	good, err := os.ReadFile(filepath.Join(d.Path, Name))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:headerSize])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= headerSize { // else nothing behind the checksum would be reached
			seal(b[:headerSize])
		}
		for at := headerSize; at+recordSize <= len(b); at += recordSize {
			seal(b[at : at+recordSize])
		}
		put(t, filepath.Join(d.Path, Name), b)
		x, err := Open(d)
		if err != nil {
			return
		}
		defer x.Close()
		recs, _, _ := x.Load()
		last := uint32(0)
		for _, r := range recs {
			if r.UID <= last {
				t.Fatalf("UID %d behind %d", r.UID, last)
			}
			last = r.UID
		}
		if len(recs)*recordSize > len(b) {
			t.Fatalf("%d records in %d bytes", len(recs), len(b))
		}
	})
}
