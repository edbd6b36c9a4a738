// Package gist makes what the index keeps of a message for FETCH and SEARCH, all
// in one pass over it: ENVELOPE and BODYSTRUCTURE as they are sent, the usual
// header fields, and the fields that are searched, decoded and without case.
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

	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// version is what the texts begin with. It changes when the same message would
// give other texts.
const version = 3

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

// Make returns what the index is to keep of the message that src holds in its
// first size octets. Errors are those of reading.
func Make(src io.ReaderAt, size int64, pool *wire.Pool) (t mailbox.Texts, err error) {
	root, err := mimepart.Parse(src, size)
	if err != nil {
		return t, err
	}
	if t[mailbox.Head], err = head(src, root); err != nil {
		return t, err
	}
	t[mailbox.Summary] = summary(root, pool)
	t[mailbox.Search], err = search(src, root)
	return t, err
}

// head returns the usual fields of a header as they stand in it, behind a byte
// for the version and one that tells whether an empty line follows.
func head(src io.ReaderAt, root *mimepart.Part) ([]byte, error) {
	ranges, err := mimepart.Select(src, root.Header, usual(), false)
	if err != nil {
		return nil, err
	}
	size := int64(2)
	for _, r := range ranges {
		size += r.Len()
	}
	b := append(make([]byte, 0, size), version, 0)
	if root.Blank || root.Body.Len() > 0 {
		b[1] = 1
	}
	for _, r := range ranges {
		at := len(b)
		b = b[:at+int(r.Len())]
		if _, err := src.ReadAt(b[at:], r.Off); err != nil && err != io.EOF {
			return nil, err
		}
	}
	for i, c := range b[2:] {
		if c == 0 {
			b[2+i] = 0x80 // as wire's Writer does
		}
	}
	return b, nil
}

// Header is the usual fields of a message's header.
type Header struct {
	Fields []byte // with their line ends
	Blank  bool   // an empty line follows them
}

// ReadHeader reads a kept head; ok is false for one of another version.
func ReadHeader(b []byte) (h Header, ok bool) {
	if len(b) < 2 || b[0] != version {
		return h, false
	}
	return Header{Fields: b[2:], Blank: b[1] == 1}, true
}

// Select appends the fields of those names to dst, as mimepart.Select finds them.
func (h Header) Select(dst []byte, names []string) []byte {
	take := false
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

// Summary is what is kept of a message for FETCH, beside its header.
type Summary struct {
	Envelope  []byte // as sent to a client that reads no UTF-8
	Structure []byte // BODYSTRUCTURE of RFC 3501, likewise
	Plain     bool   // both are the same for clients that read UTF-8
}

// summary returns a message's Summary as it is kept.
func summary(root *mimepart.Part, pool *wire.Pool) []byte {
	var buf bytes.Buffer
	buf.Grow(2 * usualSize)
	w := wire.NewWriter(&buf, pool)
	root.Envelope(w)
	w.Flush() // a buffer takes everything
	size := buf.Len()
	root.Structure(w, true)
	w.Flush()
	envelope, structure := buf.Bytes()[:size], buf.Bytes()[size:]
	b := append(make([]byte, 0, len(envelope)+len(structure)+16), version, 0)
	// RFC 9051 has another structure for message/global.
	if ascii(envelope) && ascii(structure) && !bytes.Contains(bytes.ToLower(structure), []byte(`"global"`)) {
		b[1] = 1
	}
	return appendText(appendText(b, envelope), structure)
}

// ReadSummary reads a kept summary; ok is false for one of another version. It
// shares b's memory.
func ReadSummary(b []byte) (s Summary, ok bool) {
	if len(b) < 2 || b[0] != version {
		return s, false
	}
	s.Plain = b[1] == 1
	return s, readTexts(b[2:], &s.Envelope, &s.Structure)
}

func appendText(b, text []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// readTexts reads what appendText appended; ok is false when that is not all of b.
func readTexts(b []byte, texts ...*[]byte) (ok bool) {
	for _, text := range texts {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return false
		}
		*text, b = b[n:n+int(size)], b[n+int(size):]
	}
	return len(b) == 0
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
