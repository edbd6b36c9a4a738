package wire

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// errShort is a body that ends before its announced size.
var errShort = errors.New("message shorter than its size")

// Writer assembles responses in one buffer of a Pool and writes it out when it
// is full or flushed. The first error stays and makes all further calls do
// nothing; Flush reports it.
type Writer struct {
	UTF8 bool // the client reads UTF-8 in quoted strings (RFC 9755 section 3)
	dst  io.Writer
	pool *Pool
	buf  []byte // lent by the pool; nil while nothing is to be written
	err  error
}

// NewWriter returns a writer to dst.
func NewWriter(dst io.Writer, pool *Pool) *Writer { return &Writer{dst: dst, pool: pool} }

// Raw writes the strings as they are.
func (w *Writer) Raw(parts ...string) {
	for _, s := range parts {
		w.Put(s)
	}
}

// Put is Raw of one string. Behind an interface each call of Raw would make a list of
// its own.
func (w *Writer) Put(s string) {
	for len(s) > 0 {
		n := copy(w.room(), s)
		w.buf = w.buf[:len(w.buf)+n]
		s = s[n:]
	}
}

// Num writes a number.
func (w *Writer) Num(n uint64) {
	if cap(w.buf)-len(w.buf) < 20 {
		w.send()
		w.room()
	}
	w.buf = appendUint(w.buf, n)
}

// Bytes writes b as it is.
func (w *Writer) Bytes(b []byte) {
	for len(b) > 0 {
		n := copy(w.room(), b)
		w.buf = w.buf[:len(w.buf)+n]
		b = b[n:]
	}
}

// AString writes s as a string: quoted if that can hold it, else as a literal.
// An atom would do for some, but clients expect names quoted.
func (w *Writer) AString(s string) {
	if !w.quotable(s) {
		w.Literal(int64(len(s)))
		w.Raw(s)
		return
	}
	w.Raw(`"`)
	for {
		i := 0
		for i < len(s) && s[i] != '"' && s[i] != '\\' {
			i++
		}
		if w.Raw(s[:i]); i == len(s) {
			break
		}
		w.Raw(`\`, s[i:i+1])
		s = s[i+1:]
	}
	w.Raw(`"`)
}

// NString writes s as a string, "" as NIL.
func (w *Writer) NString(s string) {
	if s == "" {
		w.Raw("NIL")
		return
	}
	w.AString(s)
}

// Literal announces a literal of n bytes, which the caller writes next.
func (w *Writer) Literal(n int64) {
	w.Raw("{")
	w.Num(uint64(n))
	w.Raw("}\r\n")
}

// Time writes t as a quoted date-time, in t's zone.
func (w *Writer) Time(t time.Time) {
	w.Raw(`"`, t.Format(dateTime), `"`)
}

// Copy writes the n bytes of src that start at off, as the content of a literal:
// that may not hold NUL (RFC 3501 section 9, CHAR8), so 0x80 stands in its place
// as it does with Dovecot. If they cannot be read the response cannot be
// completed: the error stays and Flush returns it.
func (w *Writer) Copy(src io.ReaderAt, off, n int64) {
	for n > 0 && w.err == nil {
		room := w.room()
		k, err := src.ReadAt(room[:min(int64(len(room)), n)], off)
		NoNUL(room[:k])
		w.buf = w.buf[:len(w.buf)+k]
		off, n = off+int64(k), n-int64(k)
		if k == 0 && w.err == nil {
			w.err = errShort
			if err != nil && err != io.EOF {
				w.err = err
			}
		}
	}
}

// CopyN writes the next n bytes of r as they are, as the content of a literal. If
// they cannot be read the error stays, as with Copy.
func (w *Writer) CopyN(r io.Reader, n int64) {
	for n > 0 && w.err == nil {
		room := w.room()
		k, err := r.Read(room[:min(int64(len(room)), n)])
		w.buf = w.buf[:len(w.buf)+k]
		n -= int64(k)
		if n > 0 && err == io.EOF {
			err = errShort
		}
		if n > 0 && err != nil && w.err == nil {
			w.err = err
		}
	}
}

// NoNUL puts 0x80 in the place of each NUL, as Copy does.
func NoNUL(b []byte) {
	for i := bytes.IndexByte(b, 0); i >= 0; i = bytes.IndexByte(b, 0) {
		b[i] = 0x80
		b = b[i+1:]
	}
}

// Flush writes out what is buffered and gives the buffer back. It returns the
// first error since the writer was made.
func (w *Writer) Flush() error {
	w.send()
	if w.buf != nil {
		w.pool.put(w.buf)
		w.buf = nil
	}
	return w.err
}

// Err returns the first error since the writer was made.
func (w *Writer) Err() error { return w.err }

// room returns the free part of the buffer, never empty.
func (w *Writer) room() []byte {
	if w.buf == nil {
		w.buf = w.pool.get()[:0]
	}
	if len(w.buf) == cap(w.buf) {
		w.send()
	}
	return w.buf[len(w.buf):cap(w.buf)]
}

func (w *Writer) send() {
	if len(w.buf) > 0 && w.err == nil {
		_, w.err = w.dst.Write(w.buf)
	}
	w.buf = w.buf[:0]
}

// quotable reports whether s may stand in a quoted string: 7 bits, or UTF-8 if the
// client reads that, no line ends, no NUL, and short enough for clients with small
// line buffers.
func (w *Writer) quotable(s string) bool {
	if len(s) > 1000 {
		return false
	}
	high := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\r' || c == '\n' || c == 0 {
			return false
		}
		high = high || c >= utf8.RuneSelf
	}
	return !high || w.UTF8 && utf8.ValidString(s)
}

func appendUint(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }
