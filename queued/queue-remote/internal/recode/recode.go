// Package recode makes the 7-bit form of a message with 8-bit text, for hosts
// without 8BITMIME (RFC 6152 3): every part that holds 8-bit bytes is encoded,
// text as quoted-printable, anything else as base64 (RFC 2045 6), and the
// fields that say so are changed. Everything else stays byte for byte.
//
// Signatures over what is changed do not survive. DKIM's have to be made after
// such a change to hold (RFC 6376 5.3); inside multipart/signed nothing may be
// changed at all, and so such a message is refused. So are 8-bit bytes where no
// encoding is allowed: in a header, or in a part that calls itself encoded.
//
// A message is read twice, once to see which parts need it, once to change them,
// and never held in memory.
package recode

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// ErrCannot is wrapped by the errors about messages that have no 7-bit form.
var ErrCannot = errors.New("the message has no 7-bit form")

// ErrHeader is the ErrCannot about 8-bit bytes in a header, the message's own or
// that of a part.
var ErrHeader = fmt.Errorf("%w: 8-bit text in a header", ErrCannot)

// Limits on the structure of a message.
const (
	maxHeader   = 256 << 10 // of one part
	maxDepth    = 30        // parts in parts
	maxParts    = 10_000
	maxBoundary = 200
	lineBuffer  = 4096
)

// Plan says which parts of a message, in their order, hold 8-bit bytes.
type Plan struct{ eight []bool }

// Look reads a message with CRLF line ends and finds out what has to be changed.
// Errors that do not wrap ErrCannot are those of r.
func Look(r io.Reader) (Plan, error) {
	w := newWalker(r, nil)
	for {
		w.out = w.out[:0]
		if err := w.step(); err == io.EOF {
			return Plan{w.found}, nil
		} else if err != nil {
			return Plan{}, err
		}
	}
}

// Reader returns the 7-bit form of the message that the plan was made of.
func (p Plan) Reader(r io.Reader) io.Reader {
	return &reader{w: newWalker(r, p.eight)}
}

type reader struct {
	w    *walker
	done int // bytes of w.out that have been read
	err  error
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	for r.done == len(r.w.out) {
		if r.err != nil {
			return 0, r.err
		}
		r.w.out, r.done = r.w.out[:0], 0
		r.err = r.w.step()
	}
	n := copy(p, r.w.out[r.done:])
	r.done += n
	return n, nil
}

// level is a multipart that is open.
type level struct {
	boundary string
	digest   bool // its parts are messages unless they say otherwise
	sealed   bool // it is signed, or lies in what is
}

// walker goes through a message line by line. Its output is the message's 7-bit
// form when it has a plan.
type walker struct {
	br     *bufio.Reader
	plan   []bool // nil on the first reading
	found  []bool
	levels []level
	inside bool // of a line: the last piece had no line end
	out    []byte

	state  state
	header header
	part   part
	body   encoder
	eol    bool // a line end of the part's body is held back
}

type state int

const (
	inHeader state = iota
	inBody         // of a part without parts
	between        // around the parts of a multipart
)

func newWalker(r io.Reader, plan []bool) *walker {
	w := &walker{br: bufio.NewReaderSize(r, lineBuffer), plan: plan}
	w.begin("text/plain")
	return w
}

// cannot makes an error about the message.
func cannot(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCannot, fmt.Sprintf(format, args...))
}

// begin starts a part whose header comes next; byDefault is its type when it
// names none.
func (w *walker) begin(byDefault string) {
	w.state, w.eol = inHeader, false
	w.header = header{}
	w.part = part{index: len(w.found), byDefault: byDefault}
	w.found = append(w.found, false)
}

// step takes one line, or a piece of one that is longer than the buffer. At the
// end it closes what is open and returns io.EOF.
func (w *walker) step() error {
	piece, err := w.br.ReadSlice('\n')
	if len(piece) > 0 && (err == nil || err == bufio.ErrBufferFull || err == io.EOF) {
		start := !w.inside
		w.inside = err == bufio.ErrBufferFull
		return w.take(piece, start)
	}
	if err != io.EOF {
		return err
	}
	return w.end()
}

// end closes the part at the end of the message.
func (w *walker) end() error {
	if w.state == inHeader && len(w.header.raw) > 0 {
		if w.header.raw[len(w.header.raw)-1] != '\n' {
			w.header.raw = append(w.header.raw, '\r', '\n')
		}
		if err := w.endHeader(); err != nil {
			return err
		}
	}
	if w.state == inBody {
		w.closeBody(len(w.levels) == 0)
	}
	w.state, w.eol = between, false
	return io.EOF
}

func (w *walker) take(piece []byte, start bool) error {
	if start && !w.inside {
		if i, last, ok := w.delimiter(piece); ok {
			return w.boundary(piece, i, last)
		}
	}
	switch w.state {
	case inHeader:
		return w.headerLine(piece, start)
	case inBody:
		return w.bodyPiece(piece)
	}
	w.out = appendASCII(w.out, piece)
	return nil
}

// boundary ends the part under way at a delimiter of level i, and begins the
// next one unless it was the last.
func (w *walker) boundary(line []byte, i int, last bool) error {
	if w.state == inHeader && len(w.header.raw) > 0 {
		if err := w.endHeader(); err != nil { // A header without an empty line.
			return err
		}
	}
	if w.state == inBody {
		w.closeBody(false)
	}
	w.out = append(w.out, line...)
	w.levels = w.levels[:i+1]
	if last {
		w.levels = w.levels[:i]
		w.state = between
		return nil
	}
	if len(w.found) >= maxParts {
		return cannot("more than %d parts", maxParts)
	}
	byDefault := "text/plain"
	if w.levels[i].digest { // RFC 2046 5.1.5
		byDefault = "message/rfc822"
	}
	w.begin(byDefault)
	return nil
}

// headerLine collects the header and acts on it when it ends.
func (w *walker) headerLine(piece []byte, start bool) error {
	if start && (string(piece) == "\r\n" || string(piece) == "\n") {
		if err := w.endHeader(); err != nil {
			return err
		}
		w.out = append(w.out, piece...)
		return nil
	}
	if has8Bit(piece) {
		return ErrHeader
	}
	if len(w.header.raw)+len(piece) > maxHeader {
		return cannot("a header of more than %d bytes", maxHeader)
	}
	w.header.raw = append(w.header.raw, piece...)
	return nil
}

// endHeader says what the part is and writes its header.
func (w *walker) endHeader() error {
	p := &w.part
	p.read(&w.header)
	encode := w.plan != nil && p.index < len(w.plan) && w.plan[p.index]
	w.body = encoder{}
	if encode {
		w.body.form = p.form()
	}
	w.out = w.header.write(w.out, p, w.body.form, w.plan != nil && p.index == 0)
	switch p.kind {
	case several:
		if len(w.levels) >= maxDepth {
			return cannot("parts in parts more than %d deep", maxDepth)
		}
		w.levels = append(w.levels, level{p.boundary, p.digest, p.signed || w.sealed()})
		w.state = between
	case enclosed:
		if len(w.found) >= maxParts {
			return cannot("more than %d parts", maxParts)
		}
		w.begin("text/plain")
	default:
		w.state = inBody
	}
	return nil
}

func (w *walker) sealed() bool {
	return len(w.levels) > 0 && w.levels[len(w.levels)-1].sealed
}

// bodyPiece notes what is 8-bit on the first reading, and encodes on the second.
func (w *walker) bodyPiece(piece []byte) error {
	if w.plan == nil {
		if has8Bit(piece) && !w.found[w.part.index] {
			w.found[w.part.index] = true
			return w.part.mayChange(w.sealed())
		}
		return nil
	}
	if w.body.form == "" {
		w.out = append(w.out, piece...)
		return nil
	}
	if w.eol {
		w.out = w.body.newline(w.out)
	}
	line, eol := cutEOL(piece)
	w.out, w.eol = w.body.add(w.out, line), eol
	return nil
}

// closeBody ends an encoded body. The line end in front of a delimiter belongs
// to the delimiter (RFC 2046 5.1.1), the one at the end of a message to the body.
func (w *walker) closeBody(own bool) {
	if w.body.form == "" {
		return
	}
	if w.eol && own {
		w.out = w.body.lastNewline(w.out)
	}
	w.out = w.body.close(w.out)
	if w.eol {
		w.out = append(w.out, '\r', '\n')
	}
	w.body, w.eol = encoder{}, false
}
