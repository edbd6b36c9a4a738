package charset

import (
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/transform"
)

// iso2022kr is ISO-2022-KR (RFC 1557), for reading only: EUC-KR in seven bits.
type iso2022kr struct{}

// NewDecoder returns a decoder.
func (iso2022kr) NewDecoder() *encoding.Decoder {
	return &encoding.Decoder{Transformer: transform.Chain(&shift{}, korean.EUCKR.NewDecoder())}
}

// NewEncoder returns an encoder that encodes nothing.
func (iso2022kr) NewEncoder() *encoding.Encoder { return encoding.Replacement.NewEncoder() }

// shift turns seven bits into eight.
type shift struct {
	out  bool // shifted out to Korean
	left int  // bytes of the designator still to come
}

// Reset forgets what was read.
func (s *shift) Reset() { *s = shift{} }

// Transform turns src into EUC-KR.
func (s *shift) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	const escape, shiftOut, shiftIn = 0x1B, 0x0E, 0x0F
	for ; nSrc < len(src); nSrc++ {
		switch c := src[nSrc]; {
		case s.left > 0:
			s.left--
		case c == escape:
			s.left = len("$)C")
		case c == shiftOut, c == shiftIn:
			s.out = c == shiftOut
		case nDst == len(dst):
			return nDst, nSrc, transform.ErrShortDst
		default:
			if s.out && c > ' ' {
				c |= 0x80
			}
			dst[nDst] = c
			nDst++
		}
	}
	return nDst, nSrc, nil
}
