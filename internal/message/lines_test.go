package message

import (
	"errors"
	"strings"
	"testing"
)

// stage is what takes a message in pieces.
type stage interface {
	Append(dst, src []byte) ([]byte, error)
	Finish(dst []byte) ([]byte, error)
}

// through runs text through a stage in pieces of n bytes.
func through(s stage, text string, n int) (string, error) {
	var out []byte
	var err error
	for len(text) > 0 {
		k := min(n, len(text))
		if out, err = s.Append(out, []byte(text[:k])); err != nil {
			return string(out), err
		}
		text = text[k:]
	}
	out, err = s.Finish(out)
	return string(out), err
}

// passing is Lines by way of Pass.
type passing struct{ *Lines }

func (p passing) Append(dst, src []byte) ([]byte, error) {
	out, err := p.Pass(src)
	return append(dst, out...), err
}

func TestLines(t *testing.T) {
	cases := []struct {
		name, in string
		refused  error  // without Normalize
		want     string // with it
	}{
		{"empty", "", nil, ""},
		{"plain", "a\r\nb\r\n", nil, "a\r\nb\r\n"},
		{"no end", "a\r\nb", nil, "a\r\nb\r\n"},
		{"bare LF", "a\nb\r\n", ErrBareLF, "a\r\nb\r\n"},
		{"LF first", "\na\r\n", ErrBareLF, "\r\na\r\n"},
		{"bare CR", "a\rb\r\n", ErrBareCR, "a b\r\n"},
		{"CR twice", "a\r\r\n", ErrBareCR, "a \r\n"},
		{"CR last", "a\r", ErrBareCR, "a \r\n"},
		{"only CR", "\r", ErrBareCR, " \r\n"},
		{"NUL", "a\x00b\r\n", ErrNUL, "ab\r\n"},
		{"NUL between CR and LF", "a\r\x00\nb\r\n", ErrNUL, "a\r\nb\r\n"},
		{"CR, NUL, text", "a\r\x00b\r\n", ErrNUL, "a b\r\n"},
		{"smuggled end", "a\n.\r\nMAIL FROM:<>\r\n", ErrBareLF, "a\r\n.\r\nMAIL FROM:<>\r\n"},
		{"eight bit", "gr\xfc\xdfe\r\n", nil, "gr\xfc\xdfe\r\n"},
		{"CR before eight bit", "a\r\xfc\r\n", ErrBareCR, "a \xfc\r\n"},
		{"tab and control", "a\tb\x01\r\n", nil, "a\tb\x01\r\n"},
	}
	for _, c := range cases {
		for n := 1; n <= len(c.in)+1; n++ {
			for _, s := range []stage{&Lines{}, passing{&Lines{}}} {
				got, err := through(s, c.in, n)
				if !errors.Is(err, c.refused) {
					t.Errorf("%s, pieces of %d: got error %v, want %v", c.name, n, err, c.refused)
				}
				if err == nil && got != c.want {
					t.Errorf("%s, pieces of %d: got %q, want %q", c.name, n, got, c.want)
				}
			}
			for _, s := range []stage{&Lines{Normalize: true}, passing{&Lines{Normalize: true}}} {
				if got, err := through(s, c.in, n); err != nil || got != c.want {
					t.Errorf("%s normalised, pieces of %d: got %q, %v, want %q", c.name, n, got, err, c.want)
				}
			}
		}
	}
}

// fuzzBoth runs text through a stage whole and in pieces of n: the division must
// not matter.
func fuzzBoth(t *testing.T, make func() stage, text string, n byte) (string, error) {
	whole, err := through(make(), text, len(text)+1)
	pieces, perr := through(make(), text, int(n)+1)
	if (err == nil) != (perr == nil) || err == nil && whole != pieces {
		t.Errorf("%q: got %q, %v whole and %q, %v in pieces of %d", text, whole, err, pieces, perr, n)
	}
	return whole, err
}

func FuzzLines(f *testing.F) {
	f.Add("a\r\n.\r\nb", byte(1), false)
	f.Add("\r\r\n\x00\n\xff\r", byte(2), true)
	f.Fuzz(func(t *testing.T, text string, n byte, normalize bool) {
		got, err := fuzzBoth(t, func() stage { return &Lines{Normalize: normalize} }, text, n)
		if normalize && err != nil {
			t.Errorf("%q normalised: got %v, want no error", text, err)
		}
		passed, perr := through(passing{&Lines{Normalize: normalize}}, text, int(n)+1)
		if (err == nil) != (perr == nil) || err == nil && passed != got {
			t.Errorf("%q: got %q, %v by Pass, want %q, %v", text, passed, perr, got, err)
		}
		if err != nil {
			return
		}
		rest := strings.ReplaceAll(got, "\r\n", "")
		if strings.ContainsAny(rest, "\r\n\x00") || got != "" && !strings.HasSuffix(got, "\r\n") {
			t.Errorf("%q: got %q, not clean", text, got)
		}
		if again, err := through(&Lines{}, got, 3); err != nil || again != got {
			t.Errorf("%q: its result %q is not accepted: %q, %v", text, got, again, err)
		}
	})
}
