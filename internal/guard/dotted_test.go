package guard

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// plainDotted says what a dotted reader must do, without its speed: the message
// up to the first CRLF.CRLF, and what follows it.
func plainDotted(stream string) (message, rest string, ok bool) {
	s := "\r\n" + stream
	body, rest, ok := strings.Cut(s, "\r\n.\r\n")
	body = strings.ReplaceAll(body+"\r\n", "\r\n.", "\r\n")
	return body[2:], rest, ok
}

func FuzzDotted(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\nQUIT\r\n", ".\r\n", "..\r\n\r\r\n.\r\n", ".\r.\r\n", "\r\n.\r\r\n.\r\n", "\n.\n.\r\n", ".\r\r\n.\r\n"} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		want, after, ok := plainDotted(string(stream))
		for _, src := range []io.Reader{bytes.NewReader(stream), iotest.OneByteReader(bytes.NewReader(stream))} {
			d := &dotted{in: src}
			var got []byte
			piece, err := []byte(nil), error(nil)
			for buf := make([]byte, int(size)+1); err == nil; piece, err = d.next(buf) {
				got = append(got, piece...)
			}
			if ok != (err == io.EOF) || !ok && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%q: got %v, want an end %v", stream, err, ok)
			}
			if !ok {
				continue
			}
			rest, _ := io.ReadAll(io.MultiReader(bytes.NewReader(d.raw), src))
			if string(got) != want || string(rest) != after {
				t.Errorf("%q: got %q and then %q, want %q and then %q", stream, got, rest, want, after)
			}
		}
	})
}
