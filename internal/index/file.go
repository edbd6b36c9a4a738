package index

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// Name is the file of the header and the records.
const Name = "posthorn.index"

// perm is the mode of the index's files: the owner's alone, as the mail is.
const perm = 0o600

var (
	// ErrNone means that there is no index that can be used.
	ErrNone = errors.New("no index")
	// ErrStale means that another process has written since.
	ErrStale = errors.New("another process has written the index")
	// ErrBusy means that another process has the lock and does not give it back.
	ErrBusy = errors.New("index is locked")
)

// Dir is where a folder's index stands. It is a value; who opened the
// descriptors closes them.
type Dir struct {
	Disk *durable.Disk
	FD   int    // the folder of the files
	Lock int    // a folder that stands for the mail folder in all processes
	Path string // for errors
}

// Locked runs f while no other process reads or writes the index. Errors: ErrBusy
// and those of f.
func (d Dir) Locked(f func() error) error {
	for try := 0; ; try++ {
		err := retry(func() error { return unix.Flock(d.Lock, unix.LOCK_EX|unix.LOCK_NB) })
		if err == nil {
			break
		}
		if err != unix.EWOULDBLOCK {
			return fmt.Errorf("locking %s: %w", d.Path, err)
		}
		if try == lockTries {
			return ErrBusy
		}
		time.Sleep(lockPause)
	}
	defer unix.Flock(d.Lock, unix.LOCK_UN) // cannot fail for a lock that is held
	return f()
}

// Nobody holds the lock for longer than a large index takes to be written. Who
// is stopped with it must not stop the others: they do without an index.
const (
	lockPause = time.Millisecond
	lockTries = 500
)

// open opens a file of the index, never through a symbolic link.
func (d Dir) open(name string) (*os.File, error) {
	var fd int
	err := retry(func() (err error) {
		fd, err = unix.Openat(d.FD, name, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: d.Path + "/" + name, Err: err}
	}
	f := os.NewFile(uintptr(fd), d.Path+"/"+name)
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, cmp.Or(err, fmt.Errorf("%s/%s: not a regular file", d.Path, name))
	}
	return f, nil
}

// replace gives name a new content and returns it open. It is not synced.
func (d Dir) replace(name string, write func(io.Writer) error) (_ *os.File, err error) {
	tmp := name + ".tmp"
	if err := d.Disk.RemoveAt(d.FD, tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := d.Disk.CreateAt(d.FD, tmp, perm)
	if err != nil {
		return nil, err
	}
	if err = write(d.Disk.Writer(f)); err == nil {
		err = d.Disk.RenameAt(d.FD, tmp, d.FD, name)
	}
	if err != nil {
		f.Close()
		d.Disk.RemoveAt(d.FD, tmp) // else the next one removes it
		return nil, err
	}
	return f, nil
}

// File is an open index.
type File struct {
	dir  Dir
	file *os.File
	head Header
}

// Open opens the index of a folder. The caller holds the lock, and closes the
// file. Errors: ErrNone.
func Open(d Dir) (*File, error) {
	f, err := d.open(Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	x := &File{dir: d, file: f}
	if x.head, err = x.read(); err != nil {
		f.Close()
		return nil, err
	}
	return x, nil
}

// read reads the header.
func (x *File) read() (Header, error) {
	buf := make([]byte, headerSize)
	if _, err := x.file.ReadAt(buf, 0); err != nil {
		return Header{}, fmt.Errorf("%w: %w", ErrNone, err)
	}
	h, ok := decodeHeader(buf)
	if !ok {
		return Header{}, fmt.Errorf("%w: %s is damaged, or of another version", ErrNone, x.file.Name())
	}
	return h, nil
}

// Header returns the header as it was last read or written here.
func (x *File) Header() Header { return x.head }

// Close closes the file.
func (x *File) Close() error { return x.file.Close() }

// Current reports whether nobody else has written since x was read. Without the lock
// it is so at the moment only, and who is just writing may count or not.
func (x *File) Current() bool {
	var byName, open unix.Stat_t
	err := retry(func() error { return unix.Fstatat(x.dir.FD, Name, &byName, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil || unix.Fstat(int(x.file.Fd()), &open) != nil || byName.Ino != open.Ino || byName.Dev != open.Dev {
		return false
	}
	h, err := x.read()
	return err == nil && h.generation == x.head.generation
}

// block is how many records are read at a time.
const block = 4096

// Load returns all records that can be read, in the order of their UIDs, those
// of messages that are gone too. whole is false when some cannot be read; current
// is false when another process has written since the header was read. The caller
// holds the lock.
func (x *File) Load() (recs []Record, whole, current bool) {
	st, err := x.file.Stat()
	if err != nil {
		return nil, false, false
	}
	there := (st.Size() - headerSize) / recordSize
	recs = make([]Record, 0, min(int64(x.head.Slots), max(there, 0)))
	buf := make([]byte, min(block, x.head.Slots)*recordSize)
	last, whole := uint32(0), true
	for at := uint32(0); at < x.head.Slots; at += block {
		want := int(min(block, x.head.Slots-at)) * recordSize
		n, err := x.file.ReadAt(buf[:want], headerSize+int64(at)*recordSize)
		for b := buf[:n]; len(b) >= recordSize; b = b[recordSize:] {
			r, ok := decodeRecord(b[:recordSize])
			if !ok || r.UID <= last {
				whole = false
				continue
			}
			last, recs = r.UID, append(recs, r)
		}
		if err != nil || n < want {
			return recs, false, x.Current()
		}
	}
	return recs, whole, x.Current()
}

// Change is a record that is new or other than before, and its place.
type Change struct {
	Slot uint32
	Record
}

// Write writes changes, in the order of their slots, and the header. Errors:
// ErrStale. The caller holds the lock.
func (x *File) Write(h Header, changes []Change) error {
	if !x.Current() {
		return ErrStale
	}
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && n < block && changes[n].Slot == changes[0].Slot+uint32(n) {
			n++
		}
		var b []byte
		for i := range n {
			b = changes[i].append(b)
		}
		if _, err := x.dir.Disk.WriteAt(x.file, b, headerSize+int64(changes[0].Slot)*recordSize); err != nil {
			return err
		}
		changes = changes[n:]
	}
	h.generation = x.head.generation + 1
	if _, err := x.dir.Disk.WriteAt(x.file, h.encode(), 0); err != nil {
		return err
	}
	x.head = h
	return nil
}

// Create makes an index of h and records, h.Slots of them, in place of any that
// is there. The caller holds the lock, and closes the file.
func Create(d Dir, h Header, records iter.Seq[Record]) (*File, error) {
	h.generation = random()
	f, err := d.replace(Name, func(w io.Writer) error {
		b := h.encode()
		for r := range records {
			if b = r.append(b); len(b) < block*recordSize {
				continue
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		_, err := w.Write(b)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("writing index: %w", err)
	}
	return &File{dir: d, file: f, head: h}, nil
}

// Remove removes the index of a folder and its columns. The caller holds the lock, or
// leaves it to the others to find out.
func Remove(d Dir) error {
	names := []string{Name}
	for i := range Columns {
		names = append(names, columnName(i))
	}
	for _, name := range names {
		if err := d.Disk.RemoveAt(d.FD, name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing index: %w", err)
		}
	}
	return nil
}

// random returns a number that no other file has.
func random() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand.Read)
	return binary.LittleEndian.Uint64(b[:])
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
