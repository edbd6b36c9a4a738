package login

import (
	"bytes"
	"errors"
	"io"
)

// bufferSize is what can be read ahead. The bytes that remain at the hand-over go
// as base64 into one attribute line, which has room for them.
const bufferSize = 4096

// maxLine is the longest line with its end, a multiple of bufferSize: the ID of
// IMAP may have 30 names of 30 octets with values of 1,024 (RFC 2971 section
// 3.3).
const maxLine = 40 << 10

// ErrLineTooLong ends a connection whose line does not fit.
var ErrLineTooLong = errors.New("line too long")

// reader cuts lines and counted bytes out of a stream.
type reader struct {
	src  io.Reader
	buf  []byte // made by the first read
	r, w int    // unread bytes are buf[r:w]
}

// line returns the next line without CRLF or LF. It is valid until the next
// read.
func (b *reader) line() ([]byte, error) {
	for seen := 0; ; {
		if i := bytes.IndexByte(b.buf[b.r+seen:b.w], '\n'); i >= 0 {
			line := b.buf[b.r : b.r+seen+i]
			b.r += seen + i + 1
			return bytes.TrimSuffix(line, []byte("\r")), nil
		}
		seen = b.w - b.r
		if err := b.fill(); err != nil {
			return nil, err
		}
	}
}

// full reads exactly len(p) bytes.
func (b *reader) full(p []byte) error {
	n := copy(p, b.buf[b.r:b.w])
	b.r += n
	_, err := io.ReadFull(b.src, p[n:])
	if err == io.EOF && len(p) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// fill reads more behind what is unread, bufferSize at most. The buffer grows
// with a line and becomes small again behind it.
func (b *reader) fill() error {
	rest := b.buf[b.r:b.w]
	if b.buf == nil || b.r > 0 && len(b.buf) > bufferSize {
		b.buf = make([]byte, bufferSize)
	}
	b.r, b.w = 0, copy(b.buf, rest)
	if b.w == maxLine {
		return ErrLineTooLong
	}
	if b.w == len(b.buf) {
		b.buf = append(b.buf, make([]byte, bufferSize)...)
	}
	n, err := b.src.Read(b.buf[b.w:])
	b.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// rest gives an empty buffer up.
func (b *reader) rest() {
	if b.r == b.w {
		b.buf, b.r, b.w = nil, 0, 0
	}
}

// put has b begin with what was read already, at most bufferSize.
func (b *reader) put(read []byte) {
	b.buf = make([]byte, bufferSize)
	b.r, b.w = 0, copy(b.buf, read)
}

// buffered returns the bytes read ahead.
func (b *reader) buffered() []byte { return b.buf[b.r:b.w] }

// hasLine tells whether line would not have to wait.
func (b *reader) hasLine() bool { return bytes.IndexByte(b.buf[b.r:b.w], '\n') >= 0 }

// reset drops what was read ahead and goes on with src.
func (b *reader) reset(src io.Reader) { *b = reader{src: src, buf: b.buf} }
