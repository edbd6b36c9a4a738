package decode

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"
)

// NewReader returns a reader of the content behind a Content-Transfer-Encoding
// (RFC 2045 section 6); ok is false for an encoding that nobody knows. Content
// that does not follow its encoding ends there: errors are r's.
func NewReader(encoding string, r io.Reader) (content io.Reader, ok bool) {
	switch strings.ToLower(encoding) {
	case "base64":
		return lenient{base64.NewDecoder(base64.StdEncoding, &alphabet{r})}, true
	case "quoted-printable":
		return newQuoted(r), true
	case "7bit", "8bit", "binary":
		return r, true
	}
	return nil, false
}

// lenient is base64 that ends where it makes no sense any more.
type lenient struct{ r io.Reader }

// Read reads decoded content.
func (l lenient) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) || err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

// alphabet passes on what base64 is made of (RFC 2045 section 6.8: everything
// else is to be ignored).
type alphabet struct{ r io.Reader }

// Read reads characters of base64.
func (a *alphabet) Read(p []byte) (int, error) {
	for {
		n, err := a.r.Read(p)
		kept := 0
		for _, c := range p[:n] {
			if c == '+' || c == '/' || c == '=' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
				p[kept] = c
				kept++
			}
		}
		if kept > 0 || err != nil || len(p) == 0 {
			return kept, err
		}
	}
}
