package login

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReaderInPieces(t *testing.T) {
	b := reader{src: iotest.OneByteReader(strings.NewReader("one\r\n\r\ntwo\n12345three\r"))}
	for _, want := range []string{"one", "", "two"} {
		if got, err := b.line(); string(got) != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	p := make([]byte, 5)
	if err := b.full(p); string(p) != "12345" || err != nil {
		t.Errorf("got %q, %v", p, err)
	}
	if got, err := b.line(); err != io.EOF {
		t.Errorf("line cut short: got %q, %v, want the end", got, err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("STAT\r\nQUIT\n"), 1)
	f.Add([]byte(strings.Repeat("x", maxLine)+"\n"), 3)
	f.Add([]byte(strings.Repeat("x", bufferSize)+"\nQUIT\n"), 3)
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		whole, pieces := reader{src: strings.NewReader(string(in))}, reader{src: iotest.HalfReader(strings.NewReader(string(in)))}
		for {
			a, aerr := whole.line()
			got := string(a)
			b, berr := pieces.line()
			if got != string(b) || aerr != berr {
				t.Fatalf("%q: got %q, %v in one piece, %q, %v in several", in, got, aerr, b, berr)
			}
			if aerr != nil {
				return
			}
			if len(got) >= maxLine || strings.Contains(got, "\n") {
				t.Fatalf("%q: got the line %q", in, got)
			}
		}
	})
}
