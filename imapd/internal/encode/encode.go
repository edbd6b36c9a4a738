// Package encode makes base64 of the binary parts of a message (RFC 2045 section
// 6): files of a Maildir have lines, which binary content has not, and IMAP says
// of no part that it is binary (RFC 3516 section 6). All else stays byte for byte.
//
// A message is read once, in small pieces; what is nested too deep or has a header
// too long is left as it is from there on.
package encode

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"posthorn/imapd/internal/mimepart"
)

// Bounds of what is looked into.
const (
	maxHeader = 256 << 10 // of one part
	maxDepth  = 100
)

// NewReader returns the message of r, which has CRLF line ends outside of its
// binary parts. Errors are those of r. It is used by one goroutine.
func NewReader(r io.Reader) io.Reader {
	return &walker{in: bufio.NewReader(r), start: true}
}

// state is what a walker is in.
type state int

const (
	header state = iota
	encoded
	plain // a part that stays, or what is around parts
)

// walker goes through a message line by line, or by pieces of long ones.
type walker struct {
	in    *bufio.Reader
	out   []byte // what is ready
	done  int    // how much of it was read
	err   error
	start bool // of a line comes next

	state  state
	head   []byte
	inner  bool // the header is that of a message in a part
	levels []level
	body   base64
	held   string // a line end of an encoded body, or its CR: it may be a delimiter's
}

// level is a multipart that is open.
type level struct {
	delimiter string // with its hyphens
	digest    bool
}

// Read implements io.Reader.
func (w *walker) Read(p []byte) (int, error) {
	for w.done == len(w.out) {
		if w.err != nil {
			return 0, w.err
		}
		w.out, w.done = w.out[:0], 0
		w.step()
	}
	n := copy(p, w.out[w.done:])
	w.done += n
	return n, nil
}

// step takes a line or a piece of one.
func (w *walker) step() {
	piece, err := w.in.ReadSlice('\n')
	if err != nil && err != bufio.ErrBufferFull {
		w.err = err
	}
	if len(piece) > 0 {
		fresh := w.start
		w.start = err == nil
		w.take(piece, fresh)
	}
	if w.err != nil {
		w.end()
	}
}

func (w *walker) take(piece []byte, fresh bool) {
	if fresh && w.delimiter(piece) {
		return
	}
	switch w.state {
	case header:
		w.head = append(w.head, piece...)
		switch {
		case fresh && (string(piece) == "\r\n" || string(piece) == "\n"):
			w.endHeader()
		case len(w.head) > maxHeader:
			w.flush()
		}
	case encoded:
		w.encode(piece)
	default:
		w.out = append(w.out, piece...)
	}
}

// encode takes a piece of an encoded body.
func (w *walker) encode(piece []byte) {
	if w.held == "\r" && piece[0] == '\n' {
		w.held, piece = "\r\n", piece[1:]
	}
	if len(piece) == 0 {
		return
	}
	w.release()
	for _, end := range []string{"\r\n", "\r"} {
		if rest, ok := bytes.CutSuffix(piece, []byte(end)); ok {
			piece, w.held = rest, end
			break
		}
	}
	w.out = w.body.add(w.out, piece)
}

// end ends the part at the end of the message.
func (w *walker) end() {
	switch w.state {
	case header:
		w.flush()
	case encoded:
		w.release()
		w.out = append(w.body.end(w.out), "\r\n"...)
	}
	w.state = plain
}

// flush leaves a header, and what follows up to the next delimiter, as it is.
func (w *walker) flush() {
	w.out, w.head, w.state = append(w.out, w.head...), nil, plain
}

// release takes a line end that was held back as a part of the body.
func (w *walker) release() {
	w.out, w.held = w.body.add(w.out, []byte(w.held)), ""
}

// delimiter takes a line that is a delimiter of a multipart that is open (RFC 2046
// section 5.1.1): of that with the longest boundary, as package mimepart has it.
func (w *walker) delimiter(line []byte) bool {
	level, size := -1, 0
	for i, l := range w.levels {
		if len(l.delimiter) >= size && bytes.HasPrefix(line, []byte(l.delimiter)) {
			level, size = i, len(l.delimiter)
		}
	}
	if level < 0 {
		return false
	}
	w.endPart()
	w.out = append(w.out, line...)
	w.levels, w.state, w.inner = w.levels[:level+1], header, false
	if bytes.HasPrefix(line[size:], []byte("--")) {
		w.levels, w.state = w.levels[:level], plain
	}
	return true
}

// endPart ends the part in front of a delimiter.
func (w *walker) endPart() {
	switch w.state {
	case header:
		w.flush()
	case encoded:
		w.out = append(w.body.end(w.out), "\r\n"...)
		w.held = ""
	}
}

// endHeader says what follows a header, and writes it.
func (w *walker) endHeader() {
	p, err := mimepart.ParseHeader(bytes.NewReader(w.head), int64(len(w.head)))
	if err != nil {
		w.flush()
		return
	}
	_, typed := p.Field("content-type")
	digest := len(w.levels) > 0 && w.levels[len(w.levels)-1].digest && !typed && !w.inner
	binary := strings.EqualFold(p.Encoding(), "binary")
	next, encoding := plain, "8bit"
	switch boundary := strings.TrimRight(p.Param("boundary"), " \t"); {
	case p.Is("multipart", ""):
		if boundary != "" && len(w.levels) < maxDepth {
			w.levels = append(w.levels, level{"--" + boundary, p.Is("multipart", "digest")})
		}
	case p.Is("message", "rfc822") || digest:
		next = header
	case binary:
		next, encoding = encoded, "base64"
	}
	if binary {
		w.head = rewrite(w.head, encoding)
	}
	w.flush()
	w.state, w.inner, w.body = next, true, base64{}
}

// rewrite gives a header another Content-Transfer-Encoding.
func rewrite(head []byte, encoding string) (out []byte) {
	named := false
	for line := range bytes.Lines(head) {
		if line[0] != ' ' && line[0] != '\t' {
			name, _, ok := bytes.Cut(line, []byte(":"))
			named = ok && strings.EqualFold(string(bytes.TrimRight(name, " \t")), "content-transfer-encoding")
			if named {
				out = append(out, "Content-Transfer-Encoding: "+encoding+"\r\n"...)
			}
		}
		if !named {
			out = append(out, line...)
		}
	}
	return out
}
