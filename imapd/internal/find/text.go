package find

import (
	"io"
	"strings"
	"unicode/utf8"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/decode"
	"posthorn/imapd/internal/mimepart"
)

// inText searches a text part. One whose encoding nobody knows
// is no text (RFC 2045 section 6.4).
func (m *Message) inText(p *mimepart.Part, text wanted) (bool, error) {
	src := &source{r: io.NewSectionReader(m.src, p.Body.Off, p.Body.Len())}
	r, ok := decode.NewReader(p.Encoding(), src)
	if !ok {
		return false, nil
	}
	r = charset.NewReader(strings.TrimSpace(p.Param("charset")), r)
	// An error that is not the source's is text that cannot be decoded: it ends
	// there.
	found, _ := contains(r, make([]byte, room(text, p.Body.Len())), text)
	return found, src.err
}

// source remembers how reading a message failed.
type source struct {
	r   io.Reader
	err error
}

// Read reads from the message.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// piece is how much of a text is searched at once.
const piece = 32 << 10

// room returns how much memory contains should have for a text of size octets.
func room(text wanted, size int64) int64 {
	return max(min(piece, size+utf8.UTFMax), 2*int64(text.overlap())+utf8.UTFMax)
}

// contains searches a stream of UTF-8 in the memory of buf. Pieces overlap as the
// text needs it, and none ends within a character.
func contains(r io.Reader, buf []byte, text wanted) (bool, error) {
	for kept := 0; ; {
		n, err := io.ReadFull(r, buf[kept:])
		data := buf[:kept+n]
		end := len(data)
		if err == nil {
			end -= partial(data)
		}
		if text.in(data[:end]) {
			return true, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		from := max(0, end-text.overlap())
		for from > 0 && !utf8.RuneStart(data[from]) && end-from < text.overlap()+utf8.UTFMax {
			from--
		}
		kept = copy(buf, data[from:])
	}
}

// partial returns how many bytes at the end of b begin a character of UTF-8
// without ending it.
func partial(b []byte) int {
	for i := 1; i <= min(len(b), utf8.UTFMax-1); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if utf8.FullRune(b[len(b)-i:]) {
				return 0
			}
			return i
		}
	}
	return 0
}
