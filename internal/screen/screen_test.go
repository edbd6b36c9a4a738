package screen

import (
	"strings"
	"testing"
	"unicode"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"Jörg <a@b>": "Jörg <a@b>", "\x1b[31mred": "?[31mred", "a\r\nb": "a??b", "\u202eevil": "?evil", "\u2066a\u2069": "?a?", "\u009b1m": "?1m", "\xff": "\ufffd", "日本": "日本",
	} {
		if got := Line(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := Lines("a\x07\nb\n"); got != "a?\nb\n" {
		t.Errorf("got %q", got)
	}
}

// FuzzLine: nothing that moves a cursor or turns the direction of writing gets
// through, and what got through does so once more.
func FuzzLine(f *testing.F) {
	f.Add("Jörg <a@b>\n\x1b[31mred\u202e\u009b1m\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := Line(s)
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("got %q, which has %q", got, got[i:])
		}
		if Line(got) != got {
			t.Errorf("got %q for %q", Line(got), got)
		}
		if all := Lines(s); strings.Count(all, "\n") != strings.Count(s, "\n") || strings.ReplaceAll(all, "\n", "?") != got {
			t.Errorf("got the lines %q, want %q", all, got)
		}
	})
}
