package utf7

import (
	"testing"
	"unicode/utf8"
)

func TestBothWays(t *testing.T) {
	for plain, encoded := range map[string]string{
		"":            "",
		"Sent":        "Sent",
		"a&b":         "a&-b",
		"Entwürfe":    "Entw&APw-rfe",
		"台北":          "&U,BTFw-",
		"~peter/日本語":  "~peter/&ZeVnLIqe-",
		"x\U0001F600": "x&2D3eAA-",
		"ä&ö":         "&AOQ-&-&APY-",
	} {
		if got := Encode(plain); got != encoded {
			t.Errorf("%q: got %q, want %q", plain, got, encoded)
		}
		if got, err := Decode(encoded); got != plain || err != nil {
			t.Errorf("%q: got %q, %v, want %q", encoded, got, err, plain)
		}
	}
	for _, bad := range []string{"&", "&A", "&AA-", "&AGE-", "ä", "&2D0-", "&AOQ-&APY-", "&AOQ=-", "&AAA-", "\x01"} {
		if got, err := Decode(bad); err == nil {
			t.Errorf("%q: got %q, want an error", bad, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"INBOX", "&APw-", "&-", "a&2D3eAA-b", "&"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := Decode(s)
		if err != nil {
			return
		}
		if !utf8.ValidString(name) {
			t.Fatalf("%q: got %q, no UTF-8", s, name)
		}
		if back := Encode(name); back != s {
			t.Fatalf("%q: decoded %q, encoded again %q", s, name, back)
		}
	})
}
