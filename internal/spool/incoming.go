package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"posthorn/internal/durable"
)

// tmpPrefix begins the name of a draft on a file system without unnamed files.
const tmpPrefix = "tmp."

// draftBuffer is how much of a message a draft collects before it writes. It has
// room for a small one from the beginning.
const (
	draftBuffer = 32 << 10
	smallDraft  = 8 << 10
)

// Incoming is the folder in which smtpd makes messages.
type Incoming struct {
	Dir  string
	Disk *durable.Disk

	folder *os.File // what Dir leads through, unless that is a path of the disk's
}

// Through returns the same folder reached by a descriptor of it that another
// process opened. The kernel links a file within one mount only: what queued
// shall name has to be made through its own, which differs where the two have
// mount namespaces of their own. The descriptor is closed when nobody uses the
// result or a draft of it any more.
func (in Incoming) Through(folder *os.File) (Incoming, error) {
	here, err := os.Stat(in.Dir)
	if err != nil {
		return in, err
	}
	there, err := folder.Stat()
	if err != nil {
		return in, err
	}
	if !os.SameFile(here, there) {
		return in, fmt.Errorf("%w: expected the folder %s", ErrDescriptor, in.Dir)
	}
	in.Dir, in.folder = fmt.Sprintf("/proc/self/fd/%d", fdOf(folder)), folder
	return in, nil
}

// Draft is a message being written. It is an io.Writer for the message behind
// the envelope, with CRLF line ends, and is not safe for concurrent use.
type Draft struct {
	env    Envelope
	in     Incoming
	file   *os.File
	tmp    string // its name where there are no unnamed files
	buf    []byte
	sizeAt int64
	end    int64 // what has been written to the file
	offset int64 // where the message begins
	err    error // the first that a write met: the draft is good for nothing more
}

// New begins a message. The file has no name, or a temporary one where the
// file system has no unnamed files, and mode 0660 under a umask of 007, which
// lets queued give it its name. The caller closes the draft.
func (in Incoming) New(env Envelope) (*Draft, error) {
	env.Size = 0
	text, sizeAt, err := env.encode(make([]byte, 0, smallDraft))
	if err != nil {
		return nil, err
	}
	f, tmp, err := in.create(tmpPrefix + env.ID)
	if err != nil {
		return nil, fmt.Errorf("begin message: %w", err)
	}
	return &Draft{env: env, in: in, file: f, tmp: tmp, buf: text, sizeAt: sizeAt, offset: int64(len(text))}, nil
}

// create makes the file, unnamed where that is possible.
func (in Incoming) create(name string) (f *os.File, tmp string, err error) {
	defer runtime.KeepAlive(in.folder) // in.Dir may be its number
	f, err = in.Disk.Unnamed(in.Dir, 0o660)
	if !errors.Is(err, durable.ErrNoUnnamed) {
		return f, "", err
	}
	tmp = filepath.Join(in.Dir, name)
	f, err = in.Disk.Create(tmp, 0o660)
	if err != nil {
		return nil, "", err
	}
	return f, tmp, nil
}

// Empty makes a file as New does, with nothing in it, for the probe of the
// door. The caller calls the second result when it is done.
func (in Incoming) Empty(name string) (*os.File, func(), error) {
	f, tmp, err := in.create(tmpPrefix + name)
	if err != nil {
		return nil, nil, fmt.Errorf("make probe: %w", err)
	}
	return f, func() {
		f.Close()
		if tmp != "" {
			in.Disk.Remove(tmp) // what stays is removed as a leftover
		}
	}, nil
}

// Envelope returns the envelope; its Size is right after Finish.
func (d *Draft) Envelope() Envelope { return d.env }

// File returns the message's file. It stays the draft's.
func (d *Draft) File() *os.File { return d.file }

// Write adds to the message.
func (d *Draft) Write(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	d.env.Size += int64(len(p))
	if len(d.buf)+len(p) > draftBuffer {
		d.flush()
	}
	if len(p) >= draftBuffer {
		d.put(p)
	} else {
		d.buf = append(d.buf, p...)
	}
	if d.err != nil {
		return 0, d.err
	}
	return len(p), nil
}

func (d *Draft) flush() {
	d.put(d.buf)
	d.buf = d.buf[:0]
}

func (d *Draft) put(p []byte) {
	if d.err != nil || len(p) == 0 {
		return
	}
	n, err := d.in.Disk.WriteAt(d.file, p, d.end)
	d.end += int64(n)
	if err != nil {
		d.err = fmt.Errorf("write message: %w", err)
	}
}

// Finish ends the message and fixes its size in the envelope. It may be called
// more than once.
func (d *Draft) Finish() error {
	size := []byte(formatSize(d.env.Size))
	if d.end == 0 && d.err == nil { // nothing is in the file yet
		copy(d.buf[d.sizeAt:], size)
		d.flush()
	} else {
		d.flush()
		d.fix(size)
	}
	d.buf = nil
	return d.err
}

// fix writes the size into the envelope.
func (d *Draft) fix(size []byte) {
	if d.err != nil {
		return
	}
	if _, err := d.in.Disk.WriteAt(d.file, size, d.sizeAt); err != nil {
		d.err = fmt.Errorf("write size: %w", err)
	}
}

// Keep makes the message durable in the incoming folder under its id, for
// queued to collect: what smtpd does when queued does not answer. When queued
// had taken the very file meanwhile, the message is in the queue, or was and
// has reached its end, and Keep is content.
func (d *Draft) Keep() error {
	if err := d.Finish(); err != nil {
		return err
	}
	if err := d.in.Disk.Sync(d.file); err != nil {
		return fmt.Errorf("keep message: %w", err)
	}
	if err := d.name(filepath.Join(d.in.Dir, d.env.ID)); err != nil {
		return fmt.Errorf("keep message: %w", err)
	}
	if err := d.in.Disk.SyncDir(d.in.Dir); err != nil {
		return d.takeBack(err)
	}
	return nil
}

// takeBack removes the name of a message that could not be made durable under
// it: its client is told that it was not taken and sends it again. When queued
// has collected it meanwhile it is durable all the same.
func (d *Draft) takeBack(why error) error {
	err := d.in.Disk.Remove(filepath.Join(d.in.Dir, d.env.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("keep message: %w", errors.Join(why, err))
}

func (d *Draft) name(path string) error {
	if d.tmp != "" {
		err := d.in.Disk.RenameNew(d.tmp, path)
		if err == nil {
			d.tmp = ""
		}
		return err
	}
	err := d.in.Disk.LinkFile(d.file, path)
	if !errors.Is(err, fs.ErrNotExist) || !departed(d.file, d.in.Dir) {
		return err
	}
	m, rerr := read(d.file)
	if rerr != nil {
		return errors.Join(err, rerr)
	}
	if m.Aborted {
		return errAborted
	}
	return nil
}

// departed reports that the unnamed file f had a name and lost it. The kernel
// links a file without a name once only: a second time it says ENOENT, which it
// says too where the folder or /proc is missing, and of a file that was made
// with a temporary name which somebody removed: that one is nowhere.
func departed(f *os.File, dir string) bool {
	folder, err := os.Stat(dir)
	if err != nil || links(folder) == 0 { // it may be reached though it was removed
		return false
	}
	made, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fdOf(f)))
	if err != nil || strings.HasPrefix(filepath.Base(made), tmpPrefix) {
		return false
	}
	info, err := f.Stat()
	return err == nil && links(info) == 0
}

// links returns the number of names of a file.
func links(info fs.FileInfo) uint64 {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(st.Nlink)
}

// fdOf returns f's number without making it blocking.
func fdOf(f *os.File) uintptr {
	var n uintptr
	raw, err := f.SyscallConn()
	if err != nil {
		return ^uintptr(0)
	}
	raw.Control(func(fd uintptr) { n = fd }) // fails on a closed file only, which Stat shows
	return n
}

// Close gives the file up. A message that nobody named is gone.
func (d *Draft) Close() error {
	if d.tmp != "" {
		d.in.Disk.Remove(d.tmp) // what stays is removed as a leftover
		d.tmp = ""
	}
	return d.file.Close()
}
