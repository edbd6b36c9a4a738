package wire

import (
	"bytes"
	"errors"
	"io"
)

// ErrLineTooLong is a line without an end within the limit. The stream cannot
// be followed any further.
var ErrLineTooLong = errors.New("line too long")

// Input buffers what a client sends. It holds a buffer only while something is
// buffered or being read.
type Input struct {
	src  io.Reader
	pool *Pool
	max  int    // bytes of one line
	buf  []byte // lent by the pool; nil while nothing is buffered
	pos  int
	end  int
}

// NewInput returns an input on src whose lines, their ends included, have at
// most max bytes.
func NewInput(src io.Reader, pool *Pool, max int) *Input {
	return &Input{src: src, pool: pool, max: max}
}

// Buffered returns how many bytes have been read and not been used.
func (in *Input) Buffered() int { return in.end - in.pos }

// Take returns what has been read and not been used, and forgets it: it is of
// another layer.
func (in *Input) Take() []byte {
	rest := bytes.Clone(in.buf[in.pos:in.end])
	in.release()
	return rest
}

// Wait blocks until at least one byte can be read. It is where a connection
// rests between two commands.
func (in *Input) Wait() error {
	if in.Buffered() > 0 {
		return nil
	}
	return in.fill()
}

// ReadLine returns the next line without its end, which is LF with or without
// a CR before it (RFC 3501 section 2.2 wants it, people at a terminal leave it
// out). io.EOF means that the stream ended before the line.
func (in *Input) ReadLine() (string, error) {
	var long []byte
	for {
		if err := in.Wait(); err != nil {
			if len(long) > 0 {
				err = within(err)
			}
			return "", err
		}
		chunk := in.buf[in.pos:in.end]
		i := bytes.IndexByte(chunk, '\n') + 1
		if i > 0 {
			chunk = chunk[:i]
		}
		if len(long)+len(chunk) > in.max {
			return "", ErrLineTooLong
		}
		if i > 0 && long == nil {
			line := string(trimEnd(chunk))
			in.advance(len(chunk))
			return line, nil
		}
		long = append(long, chunk...)
		in.advance(len(chunk))
		if i > 0 {
			return string(trimEnd(long)), nil
		}
	}
}

// ReadFull fills p. A stream that ends before is io.ErrUnexpectedEOF.
func (in *Input) ReadFull(p []byte) error {
	for len(p) > 0 {
		if err := in.Wait(); err != nil {
			return within(err)
		}
		n := copy(p, in.buf[in.pos:in.end])
		in.advance(n)
		p = p[n:]
	}
	return nil
}

// within turns the end of a stream into one that came too early.
func within(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (in *Input) fill() error {
	if in.buf == nil {
		in.buf = in.pool.get()
	}
	for range 100 {
		n, err := in.src.Read(in.buf)
		if n > 0 {
			in.pos, in.end = 0, n
			return nil
		}
		if err != nil {
			in.release()
			return err
		}
	}
	return io.ErrNoProgress
}

func (in *Input) advance(n int) {
	if in.pos += n; in.pos == in.end {
		in.release()
	}
}

func (in *Input) release() {
	if in.buf != nil {
		in.pool.put(in.buf)
	}
	in.buf, in.pos, in.end = nil, 0, 0
}

func trimEnd(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}
