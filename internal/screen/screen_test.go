package screen

import "testing"

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
