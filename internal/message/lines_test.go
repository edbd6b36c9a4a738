package message

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

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

func TestLines(t *testing.T) {
	cases := []struct {
		name, in string
		refused  error  // without Normalize
		want     string // with it
		eightBit bool
	}{
		{"empty", "", nil, "", false},
		{"plain", "a\r\nb\r\n", nil, "a\r\nb\r\n", false},
		{"no end", "a\r\nb", nil, "a\r\nb\r\n", false},
		{"bare LF", "a\nb\r\n", ErrBareLF, "a\r\nb\r\n", false},
		{"LF first", "\na\r\n", ErrBareLF, "\r\na\r\n", false},
		{"bare CR", "a\rb\r\n", ErrBareCR, "a b\r\n", false},
		{"CR twice", "a\r\r\n", ErrBareCR, "a \r\n", false},
		{"CR last", "a\r", ErrBareCR, "a \r\n", false},
		{"only CR", "\r", ErrBareCR, " \r\n", false},
		{"NUL", "a\x00b\r\n", ErrNUL, "ab\r\n", false},
		{"NUL between CR and LF", "a\r\x00\nb\r\n", ErrNUL, "a\r\nb\r\n", false},
		{"CR, NUL, text", "a\r\x00b\r\n", ErrNUL, "a b\r\n", false},
		{"smuggled end", "a\n.\r\nMAIL FROM:<>\r\n", ErrBareLF, "a\r\n.\r\nMAIL FROM:<>\r\n", false},
		{"eight bit", "gr\xfc\xdfe\r\n", nil, "gr\xfc\xdfe\r\n", true},
		{"CR before eight bit", "a\r\xfc\r\n", ErrBareCR, "a \xfc\r\n", true},
		{"tab and control", "a\tb\x01\r\n", nil, "a\tb\x01\r\n", false},
	}
	for _, c := range cases {
		for n := 1; n <= len(c.in)+1; n++ {
			got, err := through(&Lines{}, c.in, n)
			if !errors.Is(err, c.refused) {
				t.Errorf("%s, pieces of %d: got error %v, want %v", c.name, n, err, c.refused)
			}
			if err == nil && got != c.want {
				t.Errorf("%s, pieces of %d: got %q, want %q", c.name, n, got, c.want)
			}
			l := &Lines{Normalize: true}
			got, err = through(l, c.in, n)
			if err != nil || got != c.want || l.EightBit() != c.eightBit {
				t.Errorf("%s normalised, pieces of %d: got %q, %v, eight bit %v, want %q, %v",
					c.name, n, got, err, l.EightBit(), c.want, c.eightBit)
			}
		}
	}
}

func TestLinesReader(t *testing.T) {
	text := strings.Repeat("0123456789abcde\r\n", 3*readSize/17)
	for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
		got, err := io.ReadAll(NewLinesReader(r, &Lines{}))
		if err != nil || string(got) != text {
			t.Errorf("got %d bytes, %v, want the %d that went in", len(got), err, len(text))
		}
	}
	got, err := io.ReadAll(NewLinesReader(strings.NewReader("a\r\nb\nc"), &Lines{}))
	if !errors.Is(err, ErrBareLF) || !strings.HasPrefix("a\r\nb", string(got)) {
		t.Errorf("got %q, %v, want %v", got, err, ErrBareLF)
	}
	broken := errors.New("line broken")
	got, err = io.ReadAll(NewLinesReader(io.MultiReader(strings.NewReader("a\r\nb"), iotest.ErrReader(broken)), &Lines{}))
	if !errors.Is(err, broken) || string(got) != "a\r\nb" {
		t.Errorf("got %q, %v, want what came before the error and the error", got, err)
	}
}

func TestConvert(t *testing.T) {
	cases := []struct{ crlf, lf string }{
		{"", ""}, {"a\r\nb\r\n", "a\nb\n"}, {"\r\n\r\n", "\n\n"}, {"a", "a"}, {"a\rb\r\n", "a\rb\n"}, {"a\r\r\n", "a\r\n"},
	}
	for _, c := range cases {
		for n := 1; n <= len(c.crlf)+1; n++ {
			if got, _ := through(&ToLF{}, c.crlf, n); got != c.lf {
				t.Errorf("%q to LF, pieces of %d: got %q, want %q", c.crlf, n, got, c.lf)
			}
		}
	}
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"a\nb\n", "a\r\nb\r\n"}, {"\n\n", "\r\n\r\n"}, {"a\r\nb\n", "a\r\nb\r\n"}, {"a\rb\n", "a\rb\r\n"}, {"a\r", "a\r"},
	} {
		for n := 1; n <= len(c.in)+1; n++ {
			if got, _ := through(&ToCRLF{}, c.in, n); got != c.want {
				t.Errorf("%q to CRLF, pieces of %d: got %q, want %q", c.in, n, got, c.want)
			}
		}
	}
	if got, _ := io.ReadAll(NewCRLFReader(NewLFReader(strings.NewReader("a\r\nb\r\n")))); string(got) != "a\r\nb\r\n" {
		t.Errorf("there and back: got %q", got)
	}
	if got, _ := through(&ToLF{}, "a\r", 1); got != "a\r" {
		t.Errorf("CR at the end: got %q, want it kept", got)
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

func FuzzConvert(f *testing.F) {
	f.Add("a\r\nb\r\r\n\n", byte(1))
	f.Fuzz(func(t *testing.T, text string, n byte) {
		lf, _ := fuzzBoth(t, func() stage { return &ToLF{} }, text, n)
		if want := strings.ReplaceAll(text, "\r\n", "\n"); lf != want {
			t.Errorf("%q to LF: got %q, want %q", text, lf, want)
		}
		crlf, _ := fuzzBoth(t, func() stage { return &ToCRLF{} }, text, n)
		if want := bytes.ReplaceAll(bytes.ReplaceAll([]byte(text), []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n")); crlf != string(want) {
			t.Errorf("%q to CRLF: got %q, want %q", text, crlf, want)
		}
	})
}
