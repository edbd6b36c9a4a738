package charset

import (
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// utf7 is UTF-7 (RFC 2152), for reading only.
type utf7 struct{}

// NewDecoder returns a decoder; what follows no rule becomes U+FFFD.
func (utf7) NewDecoder() *encoding.Decoder {
	return &encoding.Decoder{Transformer: &utf7Decoder{}}
}

// NewEncoder returns an encoder that encodes nothing.
func (utf7) NewEncoder() *encoding.Encoder { return encoding.Replacement.NewEncoder() }

// utf7Decoder is where it stands in a text.
type utf7Decoder struct {
	shifted bool
	fresh   bool // right behind the +
	bits    uint32
	n       int // how many of bits count
	high    rune
}

// Reset forgets what was read.
func (d *utf7Decoder) Reset() { *d = utf7Decoder{} }

// Transform decodes src into dst.
func (d *utf7Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for ; nSrc < len(src); nSrc++ {
		if len(dst)-nDst < 2*utf8.UTFMax {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += copy(dst[nDst:], d.next(src[nSrc]))
	}
	return nDst, nSrc, nil
}

// next takes a byte and returns what is complete with it.
func (d *utf7Decoder) next(c byte) []byte {
	if !d.shifted {
		if d.shifted = c == '+'; d.shifted {
			d.fresh = true
			return nil
		}
		return plain(c)
	}
	fresh := d.fresh
	d.fresh = false
	if v, ok := sixBits(c); ok {
		d.bits, d.n = d.bits<<6|v, d.n+6
		return d.unit()
	}
	d.Reset()
	switch {
	case c == '-' && fresh:
		return []byte("+")
	case c == '-':
		return nil
	}
	return plain(c)
}

func plain(c byte) []byte {
	if c >= utf8.RuneSelf {
		return []byte("\uFFFD")
	}
	return []byte{c}
}

// unit returns a character once its units of UTF-16 are there.
func (d *utf7Decoder) unit() []byte {
	if d.n < 16 {
		return nil
	}
	d.n -= 16
	r := rune(d.bits >> d.n & 0xFFFF)
	high := d.high
	d.high = 0
	switch {
	case high != 0:
		r = utf16.DecodeRune(high, r)
	case utf16.IsSurrogate(r):
		d.high = r
		return nil
	}
	return utf8.AppendRune(nil, r)
}

func sixBits(c byte) (uint32, bool) {
	switch {
	case 'A' <= c && c <= 'Z':
		return uint32(c - 'A'), true
	case 'a' <= c && c <= 'z':
		return uint32(c-'a') + 26, true
	case '0' <= c && c <= '9':
		return uint32(c-'0') + 52, true
	case c == '+':
		return 62, true
	case c == '/':
		return 63, true
	}
	return 0, false
}
