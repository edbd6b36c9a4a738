package decode

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
)

// NewReader returns a reader of the content behind a Content-Transfer-Encoding
// (RFC 2045 section 6); ok is false for an encoding that nobody knows. Content
// that does not follow its encoding ends there: errors are r's.
func NewReader(encoding string, r io.Reader) (content io.Reader, ok bool) {
	switch strings.ToLower(encoding) {
	case "base64":
		return newBase64(r), true
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

// newBase64 returns a reader of what base64 stands for. Padding is not asked for.
func newBase64(r io.Reader) io.Reader {
	return lenient{base64.NewDecoder(base64.RawStdEncoding, &alphabet{r: r})}
}

// alphabet passes on what base64 is made of (RFC 2045 section 6.8: everything
// else is to be ignored, and the first "=" is the end).
type alphabet struct {
	r    io.Reader
	over bool
}

// Read reads characters of base64.
func (a *alphabet) Read(p []byte) (int, error) {
	for !a.over {
		n, err := a.r.Read(p)
		kept := a.sift(p[:n])
		if kept > 0 || err != nil || len(p) == 0 {
			return kept, err
		}
	}
	return 0, io.EOF
}

// sift moves characters of base64 to the front of p and returns how many they are.
func (a *alphabet) sift(p []byte) (kept int) {
	for _, c := range p {
		switch {
		case c == '=':
			a.over = true
			return kept
		case c == '+' || c == '/' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z':
			p[kept] = c
			kept++
		}
	}
	return kept
}

// AppendBase64 appends what base64 stands for, as far as NewReader reads it.
func AppendBase64(dst, src []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, base64.StdEncoding.DecodedLen(len(src)))
	for rest := src; len(rest) > 0; {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		n, err := base64.StdEncoding.Decode(dst[len(dst):cap(dst)], line)
		if err != nil || n%3 != 0 && len(rest) > 0 {
			return appendOdd(dst[:start], src)
		}
		dst = dst[:len(dst)+n]
	}
	return dst
}

// appendOdd is AppendBase64 for what is not simply lines of it.
func appendOdd(dst, src []byte) []byte {
	out := bytes.NewBuffer(dst)
	out.ReadFrom(newBase64(bytes.NewReader(src))) // src gives no errors
	return out.Bytes()
}
