package mailbox

import (
	"bytes"
	"fmt"
	"io"
	"sort"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/picture"
)

// block is how much of a file is read at a time.
const block = 32 << 10

// Body is an open message, read with CRLF line ends whatever its file has. It
// is used by one goroutine at a time. Reading forward is cheapest.
type Body struct {
	fd     int
	bytes  int64 // of the file
	size   int64 // with CRLF line ends
	header int64 // with its empty line; -1: not looked for

	starts []start // of the file's blocks, as far as they were read
	at     int     // which block out holds; -1: none
	blocks
	store *Store // takes the blocks back
}

// blocks are a block of a file, and what the message has of it.
type blocks struct{ in, out []byte }

// start is where a block of the file begins in the message.
type start struct {
	off int64
	cr  bool // the byte in front of it is a CR
}

// counter counts the line ends that CRLF makes longer.
type counter struct {
	bare int64 // LF without CR
	cr   bool  // the last byte was a CR
}

func (c *counter) count(p []byte) {
	if len(p) == 0 {
		return
	}
	c.bare += int64(bytes.Count(p, []byte{'\n'}))
	if c.cr && p[0] == '\n' {
		c.bare--
	}
	c.cr = p[len(p)-1] == '\r'
	for rest := p; ; {
		i := bytes.IndexByte(rest, '\r') + 1
		if i == 0 || i == len(rest) {
			return
		}
		if rest = rest[i:]; rest[0] == '\n' {
			c.bare--
		}
	}
}

// Open opens message seq for reading. It stays readable until it is closed,
// whatever others do to the message. The caller closes it. Errors: ErrExpunged.
func (v *View) Open(seq int) (*Body, error) {
	f := v.folder
	f.mu.Lock()
	uid := v.uid(seq)
	f.mu.Unlock()
	b, err := f.openBody(uid)
	if gone(err) {
		return nil, ErrExpunged
	}
	if err != nil {
		return nil, fmt.Errorf("opening message: %w", err)
	}
	return b, nil
}

// openBody opens the message uid. The sizes in its name are believed only
// after the file was read once.
func (f *folder) openBody(uid uint32) (*Body, error) {
	b, known, err := f.openFound(uid)
	if err != nil || known {
		return b, err
	}
	if err := b.measure(); err != nil { // the folder is not locked: this can take long
		b.Close()
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.Find(uid); r != nil {
		f.noteSizes(r, picture.Small(b.bytes), picture.Small(b.size))
	}
	return b, nil
}

// noteSizes takes in the true sizes of a file. What its name says otherwise is
// corrected by the next session that may write.
func (f *folder) noteSizes(r *picture.Record, size, vsize uint32) {
	if r.Size != picture.Unknown && r.Size != size || r.VSize != picture.Unknown && r.VSize != vsize {
		r.State |= picture.Lying
		f.lies = true
	}
	r.State |= picture.Counted
	f.SetSizes(r, size, vsize)
}

// openFound opens the file of the message uid, and looks for it once more when
// it has another name by now. known says that the Body's size is known.
func (f *folder) openFound(uid uint32) (b *Body, known bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fd, err := f.openFile(uid)
	if gone(err) {
		f.dirty = true
		if err := f.refreshFor(nil); err != nil {
			return nil, false, err
		}
		fd, err = f.openFile(uid)
	}
	if err != nil {
		return nil, false, err
	}
	var st unix.Stat_t
	err = retry(func() error { return unix.Fstat(fd, &st) })
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = fmt.Errorf("message %d: not a regular file", uid)
	}
	if err != nil {
		unix.Close(fd)
		return nil, false, err
	}
	b = &Body{fd: fd, bytes: st.Size, header: -1, at: -1, starts: []start{{}}, store: f.store}
	if used, ok := f.store.blocks.Get().(*blocks); ok {
		b.blocks = *used
	}
	r := f.Find(uid)
	f.SetDate(r, time.Unix(st.Mtim.Unix()))
	known = r.State&picture.Counted != 0 && r.VSize != picture.Unknown && int64(r.Size) == st.Size
	if known {
		b.size = int64(r.VSize)
	}
	return b, known, nil
}

// openFile opens a message's file under the name that we know.
func (f *folder) openFile(uid uint32) (fd int, err error) {
	if err := f.need(); err != nil {
		return -1, err
	}
	r := f.Find(uid)
	if r == nil {
		return -1, ErrExpunged
	}
	return openIn(f.where(r.State), f.File(r))
}

// measure reads the whole file and notes where its blocks begin.
func (b *Body) measure() error {
	var c counter
	read := int64(0)
	for b.starts = b.starts[:0]; read < b.bytes; {
		b.starts = append(b.starts, start{read + c.bare, c.cr})
		n, err := b.fill(read)
		if err != nil {
			return err
		}
		if n == 0 {
			break // shorter than a moment ago: what is there is served
		}
		c.count(b.in)
		read += int64(n)
	}
	b.bytes, b.size = read, read+c.bare
	if len(b.starts) == 0 {
		b.starts = append(b.starts, start{})
	}
	if len(b.starts) == 1 && read > 0 {
		b.convert(0) // a small message is in memory now
	}
	return nil
}

// fill reads the block of the file at off into b.in.
func (b *Body) fill(off int64) (int, error) {
	want := int(min(block, b.bytes-off))
	if want <= 0 {
		return 0, nil
	}
	if cap(b.in) < want {
		b.in = make([]byte, want)
	}
	b.in = b.in[:want]
	for n := 0; n < want; {
		var m int
		err := retry(func() (err error) {
			m, err = unix.Pread(b.fd, b.in[n:], off+int64(n))
			return err
		})
		if err != nil {
			return 0, err
		}
		if m == 0 {
			b.in = b.in[:n]
			break
		}
		n += m
	}
	return len(b.in), nil
}

// convert makes b.out of the block i that is in b.in, and notes where the next
// one begins.
func (b *Body) convert(i int) {
	s := b.starts[i]
	if b.out == nil {
		b.out = make([]byte, 0, min(b.size, block+block/16))
	}
	var cr bool
	b.out, cr = appendCRLF(b.out[:0], b.in, s.cr)
	b.at = i
	if len(b.starts) == i+1 {
		b.starts = append(b.starts, start{s.off + int64(len(b.out)), cr})
	}
}

// appendCRLF appends octets of a file to out, with CRLF line ends. cr says whether a CR
// stands in front of them, and then whether one is the last of them.
func appendCRLF(out, in []byte, cr bool) ([]byte, bool) {
	for {
		nl := bytes.IndexByte(in, '\n')
		if nl < 0 {
			break
		}
		out = append(out, in[:nl]...)
		if nl > 0 {
			cr = in[nl-1] == '\r'
		}
		if !cr {
			out = append(out, '\r')
		}
		out = append(out, '\n')
		in, cr = in[nl+1:], false
	}
	if len(in) > 0 {
		cr = in[len(in)-1] == '\r'
	}
	return append(out, in...), cr
}

// Size returns the message's size in octets, exactly what ReadAt gives.
func (b *Body) Size() int64 { return b.size }

// HeaderSize returns the size of the header with the empty line that ends it.
func (b *Body) HeaderSize() (int64, error) {
	if b.header >= 0 {
		return b.header, nil
	}
	buf := make([]byte, 4096)
	last := []byte{'\r', '\n'} // an empty line at the very front ends the header too
	for off := int64(0); off < b.size; {
		n, err := b.ReadAt(buf[:min(int64(len(buf)), b.size-off)], off)
		if err != nil && err != io.EOF {
			return 0, err
		}
		window := append(last, buf[:n]...)
		if i := bytes.Index(window, []byte("\r\n\r\n")); i >= 0 {
			b.header = off - int64(len(last)) + int64(i) + 4
			return b.header, nil
		}
		off += int64(n)
		last = append([]byte(nil), window[max(0, len(window)-3):]...)
	}
	b.header = b.size
	return b.header, nil
}

// ReadAt implements io.ReaderAt over the message with CRLF line ends. A file
// that became shorter after it was opened is io.ErrUnexpectedEOF.
func (b *Body) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("reading message at %d", off)
	}
	for n < len(p) {
		if off >= b.size {
			return n, io.EOF
		}
		if err := b.load(off); err != nil {
			return n, err
		}
		s := b.starts[b.at].off
		m := copy(p[n:], b.out[off-s:min(int64(len(b.out)), b.size-s)])
		if m == 0 {
			return n, io.ErrUnexpectedEOF
		}
		n, off = n+m, off+int64(m)
	}
	return n, nil
}

// load makes b.out the block in which off lies.
func (b *Body) load(off int64) error {
	if b.holds(off) {
		return nil
	}
	i := sort.Search(len(b.starts), func(i int) bool { return b.starts[i].off > off }) - 1
	for ; ; i++ {
		n, err := b.fill(int64(i) * block)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		b.convert(i)
		if b.holds(off) {
			return nil
		}
	}
}

// All returns the message if all of it is in memory, or small enough, valid until
// Close; else nil. It is not to be changed.
func (b *Body) All() []byte {
	if b.bytes > block || b.size == 0 || b.load(0) != nil || int64(len(b.out)) < b.size {
		return nil
	}
	return b.out[:b.size]
}

func (b *Body) holds(off int64) bool {
	if b.at < 0 {
		return false
	}
	s := b.starts[b.at].off
	return off >= s && off < s+int64(len(b.out))
}

// Close closes the file.
func (b *Body) Close() error {
	if b.fd < 0 {
		return nil
	}
	fd := b.fd
	b.fd = -1
	if b.in != nil {
		b.store.blocks.Put(&blocks{b.in, b.out})
	}
	b.blocks = blocks{}
	return unix.Close(fd)
}
