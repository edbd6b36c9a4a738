package charset

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestDecode(t *testing.T) {
	tests := []struct {
		charset, text, want string
		ok                  bool
	}{
		{"utf-8", "grün", "grün", true},
		{"UTF-8", "gr\xfcn", "gr\xfcn", false},
		{"us-ascii", "green", "green", true},
		{"iso-8859-1", "gr\xfcn", "grün", true},
		{"latin1", "gr\xfcn", "grün", true},
		{"iso-8859-15", "\xa4", "€", true},
		{"windows-1252", "\x80", "€", true},
		{"cp1252", "\x80", "€", true},
		{"koi8-r", "\xc2", "б", true},
		{"iso-2022-jp", "\x1b$B$\"\x1b(B", "あ", true},
		{"Shift_JIS", "\x82\xa0", "あ", true},
		{"euc-jp", "\xa4\xa2", "あ", true},
		{"gb2312", "\xd6\xd0", "中", true},
		{"ks_c_5601-1987", "\xc7\xd1", "한", true},
		{"big5", "\xa4\xa4", "中", true},
		{"utf-7", "Gr+APwA3w-e 1 +- 2+-", "Grüße 1 + 2+", true},
		{"utf-7", "+2EDcAA", "𠀀", true},
		{"utf-7", "+2EA,\xff", ",\uFFFD", false},
		{"utf-32", "\x00\x00\xFE\xFF\x00\x00\x00\xFC", "ü", true},
		{"tis-620", "\xca", "ส", true},
		{"shift_jis", "\x82", "\uFFFD", false},
		{"iso-2022-kr", "\x1b$)C\x0eGQ\x0f a", "한 a", true},
		{"x-nothing", "a", "", false},
		{"", "a", "", false},
	}
	for _, tt := range tests {
		if got, ok := Decode(tt.charset, tt.text); got != tt.want || ok != tt.ok {
			t.Errorf("%q, %q: got %q, %v, want %q, %v", tt.charset, tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func TestFold(t *testing.T) {
	for _, same := range [][]string{
		{"needle", "NEEDLE", "Needle"},
		{"Grüße", "GRÜßE", "gru\u0308ße"},
		{"ＷＩＤＥ", "wide"},
		{"Привет", "ПРИВЕТ"},
		{"σίσυφος", "ΣΊΣΥΦΟΣ"},
		{"ǅ", "ǆ", "Ǆ"},
	} {
		for _, s := range same[1:] {
			if got, want := Fold(s), Fold(same[0]); got != want {
				t.Errorf("%s: got %q, want %q as for %s", s, got, want, same[0])
			}
		}
	}
	if Fold("Köln") == Fold("Koln") || Fold("Straße") == Fold("Strasse") {
		t.Error("accents and ß count")
	}
}

// FuzzFold holds the short way to the long one.
func FuzzFold(f *testing.F) {
	f.Add("e\u0301a\u0323\u0301 \u0301\u0323 ü ﬁ 한국 \xff ǆ")
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := Fold(s), norm.NFKD.String(strings.Map(unicode.ToTitle, s)); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	})
}

func TestNames(t *testing.T) {
	for _, name := range Names() {
		if got, ok := Decode(name, "plain"); got != "plain" || !ok {
			t.Errorf("%s: got %q, %v", name, got, ok)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("iso-2022-jp", "\x1b$B$\"\x1b(B")
	f.Add("GB18030", "\x81\x30\x81\x30")
	f.Add("utf-7", "+2EDcAA-+-+AA")
	f.Fuzz(func(t *testing.T, charset, text string) {
		if got, ok := Decode(charset, text); ok && !utf8.ValidString(got) {
			t.Errorf("%q is not UTF-8", got)
		}
	})
}
