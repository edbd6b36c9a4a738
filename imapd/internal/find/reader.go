package find

import (
	"bytes"
	"io"
	"strings"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/decode"
	"posthorn/imapd/internal/layout"
	"posthorn/imapd/internal/mimepart"
)

// windowSize is how much of a file is read at once. Most messages are smaller.
const windowSize = 64 << 10

// maxKnown bounds the charsets and texts that a Reader remembers.
const maxKnown = 100

// File is the file of a message, whatever its line ends.
type File interface {
	io.ReaderAt
	// First reads what the file begins with: all of it, as a rule, where it is
	// smaller than b.
	First(b []byte) (int, error)
	Size() (int64, error)
}

// Reader looks for text in one message after another, with the help of their
// layouts and in the same memory. It is used by one goroutine.
type Reader struct {
	file   File
	size   int64
	layout layout.Layout
	place  layout.File

	window  []byte // of the file
	at      int64  // where that begins
	decoded []byte // a part
	pieces  []byte // of what is not searched as a whole

	needles map[string]*needle
	same    map[string]bool // whether US-ASCII is itself in a charset
}

// NewReader returns a Reader of no message.
func NewReader() *Reader {
	return &Reader{window: make([]byte, 0, windowSize), needles: make(map[string]*needle), same: make(map[string]bool)}
}

// Open takes up the message of a file, of which the index keeps the layout. ok is
// false when that is none, or not that of the file. Errors here and of the other
// methods are those of reading.
func (r *Reader) Open(f File, kept []byte) (ok bool, err error) {
	if r.layout, ok = layout.Read(kept, r.layout.Texts); !ok {
		return false, nil
	}
	r.file, r.at, r.window = f, 0, r.window[:0]
	if r.layout.Size() >= windowSize {
		r.size, err = f.Size()
	} else {
		var n int
		n, err = f.First(r.window[:windowSize])
		r.window, r.size = r.window[:n], int64(n)
	}
	if err != nil {
		return false, err
	}
	r.place, ok = r.layout.InFile(r.size)
	for _, t := range r.layout.Texts {
		in := r.place.Range(t)
		ok = ok && 0 <= in.Off && in.Off <= in.End && in.End <= r.size
		ok = ok && (in.Len() <= windowSize || t.Charset == "" || !r.place.Bare) // decoders know line ends
	}
	return ok, nil
}

// Close forgets the message.
func (r *Reader) Close() { r.file = nil }

// fill reads n octets from at on into the window, or what there is of them.
func (r *Reader) fill(at, n int64) error {
	got, err := r.file.ReadAt(r.window[:n], at)
	r.at, r.window = at, r.window[:got]
	if err == io.EOF {
		return nil
	}
	return err
}

// Has reports whether the message contains text, as Message.Body does, or with
// headers as Message.Any. ok is false for text that is not looked for in this way.
func (r *Reader) Has(text string, headers bool) (found, ok bool, err error) {
	if text == "" || strings.ContainsAny(text, "\r\n") { // for line ends are as the file has them
		return false, false, nil
	}
	n := r.needle(text)
	for _, t := range r.layout.Texts {
		if !headers && (t.Kind == layout.Part || t.Kind == layout.Message && t.Off == 0) {
			continue
		}
		if found, err = r.search(n, t); found || err != nil {
			break
		}
	}
	return found, true, err
}

func (r *Reader) needle(text string) *needle {
	n := r.needles[text]
	if n == nil {
		if len(r.needles) == maxKnown {
			clear(r.needles)
		}
		n = newNeedle(text)
		r.needles[text] = n
	}
	return n
}

func (r *Reader) search(n *needle, t layout.Text) (bool, error) {
	in := r.place.Range(t)
	if in.Len() > windowSize {
		return r.stream(n, t, in)
	}
	b, err := r.bytes(in)
	if err != nil {
		return false, err
	}
	if t.Kind == layout.Message || t.Kind == layout.Part {
		return n.inHeader(b), nil
	}
	text := r.decode(t.Kind, b)
	if t.Charset == "" || r.isSame(t.Charset) && plain(text) {
		return n.in(text), nil
	}
	if r.place.Bare {
		text = r.decode(t.Kind, r.place.Append(nil, b))
	}
	found, _ := contains(charset.NewReader(t.Charset, bytes.NewReader(text)), r.room(n), n) // what cannot be decoded ends there
	return found, nil
}

// decode returns the content of a text part, valid until the next call.
func (r *Reader) decode(k layout.Kind, b []byte) []byte {
	switch k {
	case layout.Quoted:
		r.decoded = decode.AppendQuoted(r.decoded[:0], b)
	case layout.Base64:
		r.decoded = decode.AppendBase64(r.decoded[:0], b)
	default:
		return b
	}
	return r.decoded
}

// bytes returns octets of the file, valid until the next call.
func (r *Reader) bytes(in mimepart.Range) ([]byte, error) {
	if in.Off < r.at || in.End > r.at+int64(len(r.window)) {
		last := r.layout.Texts[len(r.layout.Texts)-1]
		if err := r.fill(in.Off, min(windowSize, r.place.Range(last).End-in.Off)); err != nil {
			return nil, err
		}
		if in.Len() > int64(len(r.window)) {
			return nil, io.ErrUnexpectedEOF // the file became shorter
		}
	}
	return r.window[in.Off-r.at : in.End-r.at], nil
}

// stream is search for what is larger than the window.
func (r *Reader) stream(n *needle, t layout.Text, in mimepart.Range) (bool, error) {
	if t.Kind == layout.Message || t.Kind == layout.Part {
		return mimepart.EachField(r.file, in, func(field string) bool { return n.inField(field) })
	}
	src := &source{r: io.NewSectionReader(r.file, in.Off, in.Len())}
	text, _ := decode.NewReader(t.Kind.Encoding(), src)
	found, _ := contains(charset.NewReader(t.Charset, text), r.room(n), n)
	return found, src.err
}

// room returns memory for contains.
func (r *Reader) room(n *needle) []byte {
	if need := int(room(n, windowSize)); len(r.pieces) < need {
		r.pieces = make([]byte, need)
	}
	return r.pieces
}

// isSame reports whether text of US-ASCII alone is itself in a charset.
func (r *Reader) isSame(name string) bool {
	same, known := r.same[name]
	if !known {
		if len(r.same) == maxKnown {
			clear(r.same)
		}
		same = charset.Extends(name)
		r.same[name] = same
	}
	return same
}
