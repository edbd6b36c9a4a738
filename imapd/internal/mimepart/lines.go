package mimepart

import (
	"bytes"
	"io"
)

// bufferSize is what a pass reads at once. Lines longer than that come in
// fragments.
const bufferSize = 16 << 10

// lines reads a message line by line.
type lines struct {
	src  io.ReaderAt
	size int64  // of the message
	buf  []byte // window on the message
	off  int64  // offset of buf
	pos  int    // in buf

	frag  []byte // the present fragment with its line end; valid until next
	start int64  // its offset
	fresh bool   // it starts a line
	eol   bool   // it ends a line
	feeds int64  // line ends up to its end
	err   error  // the read error that ended it
}

// whole is a message that may be in memory as a whole: what All returns then, else
// nil, is not changed.
type whole interface{ All() []byte }

func newLines(src io.ReaderAt, from, size int64) *lines {
	l := &lines{src: src, size: size, off: from, start: from, eol: true}
	if m, ok := src.(whole); ok {
		if all := m.All(); int64(len(all)) >= size && from < size {
			l.buf = all[from:size:size]
		}
	}
	return l
}

// next moves to the next fragment; false at the end or on an error.
func (l *lines) next() bool {
	rest := l.buf[l.pos:]
	i := bytes.IndexByte(rest, '\n')
	if i < 0 && !l.fill() {
		return false
	}
	if i < 0 {
		rest = l.buf[l.pos:]
		i = bytes.IndexByte(rest, '\n')
	}
	l.fresh, l.start = l.eol, l.off+int64(l.pos)
	if l.eol = i >= 0; l.eol {
		rest = rest[:i+1]
		l.feeds++
	}
	l.frag = rest
	l.pos += len(rest)
	return len(rest) > 0
}

// hop passes over the lines of the window, as next does, up to one that may be a
// delimiter.
func (l *lines) hop() {
	rest := l.buf[l.pos:]
	if !l.eol || bytes.HasPrefix(rest, []byte("--")) {
		return
	}
	n := bytes.Index(rest, []byte("\n--")) + 1
	if n == 0 {
		n = bytes.LastIndexByte(rest, '\n') + 1
	}
	if n == 0 {
		return
	}
	l.frag = rest[bytes.LastIndexByte(rest[:n-1], '\n')+1 : n]
	l.feeds += int64(bytes.Count(rest[:n], []byte{'\n'}))
	l.pos += n
	l.start, l.fresh = l.off+int64(l.pos-len(l.frag)), true
}

// fill moves what is left to the front of the window and reads on.
func (l *lines) fill() bool {
	if l.off+int64(len(l.buf)) == l.size { // the window may be all of the message, in the memory of another
		return l.pos < len(l.buf)
	}
	if l.buf == nil {
		l.buf = make([]byte, 0, min(bufferSize, max(l.size-l.off, 1)))
	}
	l.off += int64(l.pos)
	l.buf = l.buf[:copy(l.buf[:cap(l.buf)], l.buf[l.pos:])]
	l.pos = 0
	free := l.buf[len(l.buf):cap(l.buf)]
	want := min(int64(len(free)), l.size-l.off-int64(len(l.buf)))
	if want <= 0 {
		return true // the window is full
	}
	n, err := l.src.ReadAt(free[:want], l.off+int64(len(l.buf)))
	l.buf = l.buf[:len(l.buf)+n]
	if int64(n) < want {
		if l.err = err; err == nil || err == io.EOF {
			l.err = io.ErrUnexpectedEOF
		}
		return false
	}
	return true
}

// end returns the offset behind the present fragment.
func (l *lines) end() int64 { return l.start + int64(len(l.frag)) }

// chomp returns a line without its end: a CR before that is the line's.
func chomp(line []byte) []byte {
	line, _ = bytes.CutSuffix(line, []byte("\n"))
	line, _ = bytes.CutSuffix(line, []byte("\r"))
	return line
}
