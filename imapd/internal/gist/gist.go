// Package gist makes what the index keeps of a message for FETCH and SEARCH:
// ENVELOPE and BODYSTRUCTURE as they are sent, the usual header fields, the fields
// that are searched, decoded and without case, and where the text lies. Of a header all of
// that is made when a FETCH asks for any of it first; a SEARCH, which may look at ten
// thousand messages that nobody lists, has only what is searched made. Neither needs
// the message behind the header.
//
// A text that was kept may be of another version; then it is none. Nothing here
// keeps state.
package gist

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"

	"posthorn/imapd/internal/layout"
	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// version is what the texts begin with. It changes when the same message would
// give other texts.
const version = 6

// usual are the header fields that clients ask for in lists of messages, in lower
// case.
func usual() []string {
	return []string{
		"from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "in-reply-to", "references",
		"content-type", "content-transfer-encoding", "content-description", "content-disposition", "content-language", "mime-version",
		"priority", "x-priority", "importance", "newsgroups", "disposition-notification-to", "lines", "x-label", "x-mailer", "user-agent",
		"list-id", "list-post", "list-help", "list-subscribe", "list-unsubscribe", "list-archive", "list-owner",
	}
}

// Usual reports whether the index has all fields of those names.
func Usual(names []string) bool {
	all := usual()
	for _, name := range names {
		if !slices.Contains(all, strings.ToLower(name)) {
			return false
		}
	}
	return true
}

// Make returns the texts asked for of the message that src holds in its first size
// octets. Errors are those of reading.
func Make(src io.ReaderAt, size int64, ask Ask, pool *wire.Pool) (t mailbox.Texts, err error) {
	root, err := mimepart.Parse(src, size)
	if err != nil {
		return t, err
	}
	if ask.Header || ask.Search {
		t, err = top(src, root, ask, pool)
	}
	if ask.Body {
		t[mailbox.Structure] = structure(root, pool)
	}
	return t, err
}

// Top is Make of a header alone, all of which it is given.
func Top(header []byte, ask Ask, pool *wire.Pool) (t mailbox.Texts, err error) {
	src := memory{*bytes.NewReader(header), header}
	root, err := mimepart.ParseHeader(&src, int64(len(header)))
	if err != nil {
		return t, err
	}
	return top(&src, root, ask, pool)
}

// memory is a header in memory.
type memory struct {
	bytes.Reader
	b []byte
}

// All returns the header, for package mimepart.
func (m *memory) All() []byte { return m.b }

func top(src io.ReaderAt, root *mimepart.Part, ask Ask, pool *wire.Pool) (t mailbox.Texts, err error) {
	if t[mailbox.Search], err = search(src, root); err != nil || !ask.Header {
		return t, err
	}
	t[mailbox.Envelope] = envelope(root, pool)
	t[mailbox.Head], err = head(src, root)
	return t, err
}

// maxHead bounds the usual fields that are kept: the index takes little more of a
// message.
const maxHead = 200 << 10

// What the second byte of a kept head says.
const (
	unended byte = iota
	ended        // an empty line follows the fields
	left         // there is too much of them
)

// head returns the usual fields of a header as they stand in it, behind a byte
// for the version and one of the above.
func head(src io.ReaderAt, root *mimepart.Part) ([]byte, error) {
	ranges, err := mimepart.Select(src, root.Header, usual(), false)
	if err != nil {
		return nil, err
	}
	size := int64(2)
	for _, r := range ranges {
		size += r.Len()
	}
	if len(ranges) == mimepart.MaxRanges || size > maxHead { // there may be more of them
		return []byte{version, left}, nil
	}
	b := append(make([]byte, 0, size), version, unended)
	if root.Blank || root.Body.Len() > 0 {
		b[1] = ended
	}
	for _, r := range ranges {
		at := len(b)
		b = b[:at+int(r.Len())]
		if _, err := src.ReadAt(b[at:], r.Off); err != nil && err != io.EOF {
			return nil, err
		}
	}
	return b, nil
}

// Header is the usual fields of a message's header.
type Header struct {
	Fields []byte // with their line ends
	Blank  bool   // an empty line follows them
	Left   bool   // they are too many or too long to be kept, and none is here
}

// ReadHeader reads a kept head; ok is false for one of another version.
func ReadHeader(b []byte) (h Header, ok bool) {
	if len(b) < 2 || b[0] != version {
		return h, false
	}
	return Header{Fields: b[2:], Blank: b[1] == ended, Left: b[1] == left}, true
}

// Select appends the fields of those names to dst, as mimepart.Select finds them and
// wire's Writer copies them.
func (h Header) Select(dst []byte, names []string) []byte {
	take, from := false, len(dst)
	for rest := h.Fields; len(rest) > 0; {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i+1]
		}
		rest = rest[len(line):]
		if line[0] != ' ' && line[0] != '\t' {
			take = named(line, names)
		}
		if take {
			dst = append(dst, line...)
		}
	}
	wire.NoNUL(dst[from:])
	return dst
}

func named(line []byte, names []string) bool {
	i := bytes.IndexByte(line, ':')
	if i < 0 {
		return false
	}
	name := bytes.TrimRight(line[:i], " \t")
	for _, n := range names {
		if len(n) == len(name) && strings.EqualFold(n, string(name)) {
			return true
		}
	}
	return false
}

// Envelope is what is kept of a message for FETCH ENVELOPE.
type Envelope struct {
	Text  []byte // as sent to a client that reads no UTF-8
	Plain bool   // it is the same for one that does
}

// Structure is what is kept of a message for FETCH BODYSTRUCTURE, and to search its
// text.
type Structure struct {
	Text   []byte // BODYSTRUCTURE of RFC 3501, as sent to a client that reads no UTF-8
	Plain  bool   // it is the same for one that does
	Layout []byte // as layout.Read reads it; empty for a message of too many parts
}

// envelope returns a message's Envelope as it is kept.
func envelope(root *mimepart.Part, pool *wire.Pool) []byte {
	text := written(pool, root.Envelope)
	return appendText(begin(len(text), ascii(text)), text)
}

// structure returns a message's Structure as it is kept.
func structure(root *mimepart.Part, pool *wire.Pool) []byte {
	text := written(pool, func(w mimepart.Output) { root.Structure(w, true) })
	var room [usualSize]byte
	var place []byte
	if l, ok := layout.Of(root); ok {
		place = l.Append(room[:0])
	}
	// RFC 9051 has another structure for message/global.
	plain := ascii(text) && !bytes.Contains(bytes.ToLower(text), []byte(`"global"`))
	return appendText(appendText(begin(len(text)+len(place), plain), text), place)
}

// written returns what write writes.
func written(pool *wire.Pool, write func(mimepart.Output)) []byte {
	var buf bytes.Buffer
	w := wire.NewWriter(&buf, pool)
	write(w)
	w.Flush() // a buffer takes everything
	return buf.Bytes()
}

// begin returns the beginning of a kept text, with room for so many octets.
func begin(size int, plain bool) []byte {
	b := append(make([]byte, 0, size+16), version, 0)
	if plain {
		b[1] = 1
	}
	return b
}

// ReadEnvelope reads a kept Envelope; ok is false for one of another version. It
// shares b's memory.
func ReadEnvelope(b []byte) (e Envelope, ok bool) {
	if len(b) < 2 || b[0] != version {
		return e, false
	}
	e.Plain = b[1] == 1
	return e, readTexts(b[2:], &e.Text)
}

// ReadStructure reads a kept Structure as ReadEnvelope does.
func ReadStructure(b []byte) (s Structure, ok bool) {
	if len(b) < 2 || b[0] != version {
		return s, false
	}
	s.Plain = b[1] == 1
	return s, readTexts(b[2:], &s.Text, &s.Layout)
}

func appendText(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// readTexts reads what appendText appended; ok is false when that is not all of b.
func readTexts(b []byte, texts ...*[]byte) (ok bool) {
	for _, text := range texts {
		var ok bool
		if *text, b, ok = cutText(b); !ok {
			return false
		}
	}
	return len(b) == 0
}

// cutText reads one text, behind which there is the rest.
func cutText(b []byte) (text, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	return b[n : n+int(size)], b[n+int(size):], true
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
