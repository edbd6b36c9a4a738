package maildir

import (
	"bytes"
	"fmt"
	"io"
)

// chunk is how much of a message is in memory at a time.
const chunk = 64 << 10

// written is what went into a file.
type written struct {
	size  int64 // bytes
	lines int64 // line feeds, of which each counts twice with CRLF line ends
}

func (w written) virtual() int64 { return w.size + w.lines }

func (w *written) write(f io.Writer, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	w.size += int64(len(p))
	w.lines += int64(bytes.Count(p, []byte{'\n'}))
	_, err := f.Write(p)
	return err
}

// copyMessage writes the header and then the body with LF for CRLF; a CR
// without LF stays.
func copyMessage(f io.Writer, m Message) (written, error) {
	var w written
	buf := make([]byte, len(m.Header)+1+int(min(m.Size, chunk)))
	kept := copy(buf, m.Header) // in front of what is read next: the header, later a CR
	for off := int64(0); off < m.Size; {
		want := min(m.Size-off, chunk)
		n, err := m.Body.ReadAt(buf[kept:kept+int(want)], off)
		if int64(n) < want {
			return w, fmt.Errorf("read message at %d of %d: %w", off+int64(n), m.Size, unexpected(err))
		}
		off += want
		out, rest := toLF(buf[:kept+n], off == m.Size)
		if err := w.write(f, out); err != nil {
			return w, err
		}
		kept = copy(buf, rest)
	}
	return w, w.write(f, buf[:kept]) // the header of an empty message
}

// unexpected makes the end of a file an error of its own kind: the message is
// shorter than its envelope says.
func unexpected(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// toLF turns CRLF into LF within p. A CR at its end comes back as rest unless
// this is the last block, for its LF may follow.
func toLF(p []byte, last bool) (out, rest []byte) {
	if !last && len(p) > 0 && p[len(p)-1] == '\r' {
		p, rest = p[:len(p)-1], p[len(p)-1:]
	}
	first := bytes.Index(p, []byte("\r\n"))
	if first < 0 {
		return p, rest
	}
	out, in := p[:first], p[first+1:]
	for {
		i := bytes.Index(in, []byte("\r\n"))
		if i < 0 {
			return append(out, in...), rest
		}
		out = append(out, in[:i]...)
		in = in[i+1:]
	}
}
