package charset

import (
	"testing"
	"unicode/utf8"
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
		{"shift_jis", "\x82", "\uFFFD", false},
		{"iso-2022-kr", "a", "", false},
		{"x-nothing", "a", "", false},
		{"", "a", "", false},
	}
	for _, tt := range tests {
		if got, ok := Decode(tt.charset, tt.text); got != tt.want || ok != tt.ok {
			t.Errorf("%q, %q: got %q, %v, want %q, %v", tt.charset, tt.text, got, ok, tt.want, tt.ok)
		}
	}
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
	f.Fuzz(func(t *testing.T, charset, text string) {
		if got, ok := Decode(charset, text); ok && !utf8.ValidString(got) {
			t.Errorf("%q is not UTF-8", got)
		}
	})
}
