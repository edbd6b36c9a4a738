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
	found, _ := contains(r, min(piece, p.Body.Len()+utf8.UTFMax), text)
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

// contains searches a stream, size octets at a time. Pieces overlap as the text
// needs it, and none ends within a character.
func contains(r io.Reader, size int64, text wanted) (bool, error) {
	buf := make([]byte, size)
	kept := 0     // bytes of a character that began in the last piece
	overlap := "" // folded
	var needle needle
	if phrase, ok := text.(exact); ok {
		needle = newNeedle(string(phrase))
	}
	for {
		n, err := io.ReadFull(r, buf[kept:])
		data := buf[:kept+n]
		whole := len(data)
		if err == nil {
			whole -= partial(data)
		}
		fold := data[:whole]
		if n := len(needle.text); needle.ascii && plain(fold) {
			// Only its ends may belong to what is folded beside it.
			if needle.in(fold) || text.in(overlap+charset.Fold(string(fold[:min(whole, n)]))) {
				return true, nil
			}
			if whole >= n {
				overlap, fold = "", fold[whole-n:]
			}
		}
		window := overlap + charset.Fold(string(fold))
		if text.in(window) {
			return true, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		overlap = window[max(0, len(window)-text.overlap()):]
		kept = copy(buf, data[whole:])
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
