package login

import (
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestPlain(t *testing.T) {
	for _, tc := range []struct {
		name, in       string
		user, password string // both empty: refused
	}{
		{"user and password", b64("\x00ann\x00pw"), "ann", "pw"},
		{"own name as identity", b64("ann\x00ann\x00pw"), "ann", "pw"},
		{"octets above 127", b64("\x00\xc3\xa4\x00\xff"), "\xc3\xa4", "\xff"},
		{"foreign identity", b64("root\x00ann\x00pw"), "", ""},
		{"empty user", b64("\x00\x00pw"), "", ""},
		{"empty password", b64("\x00ann\x00"), "", ""},
		{"identity only", b64("ann\x00\x00"), "", ""},
		{"two parts", b64("ann\x00pw"), "", ""},
		{"four parts", b64("\x00ann\x00pw\x00x"), "", ""},
		{"nothing", "", "", ""},
		{"an equals sign", "=", "", ""},
		{"no base64", "!!!!", "", ""},
		{"cut short", b64("\x00ann\x00pw")[:9], "", ""},
		{"a line end within", b64("\x00ann\x00pw")[:4] + "\r\n" + b64("\x00ann\x00pw")[4:], "", ""},
		{"bits behind the end", "AGFubgBwdz0=", "ann", "pw="},
		{"bits behind the end, dirty", "AGFubgBwdz1=", "", ""},
	} {
		user, password, err := Plain(tc.in)
		if user != tc.user || password != tc.password || (err == nil) != (tc.user != "") {
			t.Errorf("%s: got %q, %q, %v, want %q, %q", tc.name, user, password, err, tc.user, tc.password)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{b64("\x00ann\x00pw"), b64("a\x00a\x00a"), "=", "", "*", "AGFubgBwdz1="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		user, password, err := Plain(in)
		switch {
		case err != nil && !errors.Is(err, ErrResponse):
			t.Errorf("%q: got error %v", in, err)
		case err == nil && (user == "" || password == ""):
			t.Errorf("%q: got %q, %q", in, user, password)
		case strings.ContainsRune(user+password, 0):
			t.Errorf("%q: got a NUL in %q, %q", in, user, password)
		}
	})
}

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
