package decode

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestWords(t *testing.T) {
	tests := []struct{ in, want string }{
		{"a =?utf-8?q?b_=C3=BC?= c", "a b ü c"},
		{"=?utf-8?q?a?= \t=?UTF-8*de?B?Yg?= =?x?= =?utf-8?q?c?=", "ab =?x?= c"},
		{"=?iso-8859-1?q?=FC?==?koi8-r?b?8NLJ18XU?=", "üПривет"},
		{"=?utf-8?q?=3?= =?utf-8?x?a?= =?utf-8?b?!?= =?", "=3 =?utf-8?x?a?= =?utf-8?b?!?= =?"},
		{"=?x-none?q?a_b?=", "a b"},
	}
	for _, tt := range tests {
		if got := Words(tt.in); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestQuotedPrintable(t *testing.T) {
	blanks := strings.Repeat(" ", 3*lookahead)
	tests := []struct{ in, want string }{
		{"Gr=C3=BC=c3=9fe", "Grüße"},
		{"soft=\r\nbreak=\nagain= \t\r\nthere=", "softbreakagainthere"},
		{"blanks \t\r\nat the end  \n of lines ", "blanks\r\nat the end\n of lines"},
		{"lone = signs =ZZ =4 ==41 =", "lone = signs =ZZ =4 =A "},
		{"no\rline\x00end=\rhere \rnor\fthere\xe9", "no\rline\x00end=\rhere \rnor\fthere\xe9"},
		{strings.Repeat("long =3D ", 5000) + "line", strings.Repeat("long = ", 5000) + "line"},
		{"a" + blanks + "b", "a" + blanks + "b"},
		{"", ""},
	}
	for _, tt := range tests {
		for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
			got, err := io.ReadAll(newQuoted(r))
			if string(got) != tt.want || err != nil {
				t.Errorf("%.50q: got %.50q, %v, want %.50q", tt.in, got, err, tt.want)
			}
		}
		if got := AppendQuoted([]byte("before"), []byte(tt.in)); string(got) != "before"+tt.want {
			t.Errorf("%.50q: got %.50q, want %.50q", tt.in, got, tt.want)
		}
	}
}

func TestNewReader(t *testing.T) {
	tests := []struct{ encoding, in, want string }{
		{"BASE64", "ZvwA!\r\n /w==", "f\xfc\x00\xff"},
		{"Quoted-Printable", "=00=FF", "\x00\xff"},
		{"7bit", "a=00", "a=00"},
		{"binary", "\x00\r", "\x00\r"},
		{"x-unknown", "a", "not known"},
	}
	for _, tt := range tests {
		got := "not known"
		if r, ok := NewReader(tt.encoding, strings.NewReader(tt.in)); ok {
			b, err := io.ReadAll(r)
			if err != nil {
				t.Errorf("%s: %v", tt.encoding, err)
			}
			got = string(b)
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.encoding, got, tt.want)
		}
	}
}

func TestAppendBase64(t *testing.T) {
	tests := []struct{ in, want string }{
		{"dGV4\r\ndA==\r\n", "text"},
		{"dGV4\ndA==", "text"},
		{"dGV\n4dA==\n", "text"},
		{"dGV4 dA==", "text"},
		{"dA==\ndGV4\n", "t"},
		{"dGV4\ndA", "text"},
		{"dA==dGV4", "t"},
		{"dGV4\n=!=\n", "tex"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := AppendBase64([]byte("before"), []byte(tt.in)); string(got) != "before"+tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("=?utf-8?q?a_=C3=BC?= =?x?b?Yg?=")
	f.Add("soft=\r\n \t\r\n=41=4")
	f.Add(base64.StdEncoding.EncodeToString([]byte("some text")) + "==\r\n!")
	f.Fuzz(func(t *testing.T, in string) {
		Words(in)
		for _, encoding := range []string{"base64", "quoted-printable", "8bit"} {
			r, _ := NewReader(encoding, strings.NewReader(in))
			out, _ := io.ReadAll(r)
			if len(out) > len(in) {
				t.Fatalf("%s: %d octets became %d", encoding, len(in), len(out))
			}
			whole := []byte(in)
			switch encoding {
			case "base64":
				whole = AppendBase64(nil, whole)
			case "quoted-printable":
				whole = AppendQuoted(nil, whole)
			}
			if !bytes.Equal(whole, out) {
				t.Fatalf("%s: got %q, want %q", encoding, whole, out)
			}
		}
	})
}
