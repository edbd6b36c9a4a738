package order

import (
	"strings"
	"testing"
)

func TestBase(t *testing.T) {
	tests := []struct {
		in, want string
		reply    bool
	}{
		{"plain", "plain", false},
		{"", "", false},
		{" \t a \r\n\t b  c ", "a b c", false},
		{"Re: a", "a", true},
		{"RE:a", "a", true},
		{"re  : Fw: FWD: a", "a", true},
		{"Re[2]: a", "a", true},
		{"Re [ x ] : a", "a", true},
		{"[list] Re: a", "a", true},
		{"[list][other] re: [list] a", "a", true},
		{"[list] a", "a", false},
		{"[list]", "[list]", false},
		{"[a] [b] ", "[b]", false},
		{"Re: [list]", "[list]", true},
		{"[a[b] c", "[a[b] c", false},
		{"[open", "[open", false},
		{"Re", "Re", false},
		{"Re:", "", true},
		{"Reply: a", "Reply: a", false},
		{"Re [a] [b]: c", "Re [a] [b]: c", false},
		{"a (fwd)", "a", true},
		{"a (FWD)(fwd) ", "a", true},
		{"(fwd)", "", true},
		{"[fwd: a]", "a", true},
		{"[Fwd: [fwd: Re: a (fwd)]]", "a", true},
		{"[fwd: [list] a]", "a", true},
		{"[fwd: a] b", "b", false},
		{"[fwd:]", "", true},
		{"=?utf-8?q?Re:_gr=C3=BCn?= =?utf-8?q?er?=", "grüner", true},
		{"=?utf-8?q?=5Blist=5D?= Re: a", "a", true},
		{"ＲＥ: a", "ＲＥ: a", false}, // only the letters of ASCII
		{"AW: a", "AW: a", false}, // no translations (RFC 5256 section 7)
		{"a\x00 [b\x00] ", "a\x00 [b\x00]", false},
	}
	for _, tt := range tests {
		if got, reply := Base(tt.in); got != tt.want || reply != tt.reply {
			t.Errorf("%q: got %q, %v, want %q, %v", tt.in, got, reply, tt.want, tt.reply)
		}
	}
}

// TestBaseBounds takes subjects apart that would take forever if what was looked
// at were looked at again.
func TestBaseBounds(t *testing.T) {
	for _, s := range []string{"[a]", "[", "Re:", "[a] Re: ", "[fwd:", " (fwd)", "[fwd:]", "re [", "re"} {
		Base(strings.Repeat(s, 1<<20/len(s)))
		Base(strings.Repeat(s, 1<<19/len(s)) + "x" + strings.Repeat("]", 1<<19))
	}
}

func FuzzBase(f *testing.F) {
	f.Add("[list] Re[2]: [fwd: =?utf-8?q?gr=C3=BCn?=] (fwd)")
	f.Add("[a] [b] re: fw [c] : d\t\r\n e")
	f.Fuzz(func(t *testing.T, in string) {
		base, _ := Base(in)
		if again, reply := Base(base); again != base && !strings.Contains(base, "=?") || reply && base == in {
			t.Fatalf("%q has the base %q, which has %q", in, base, again)
		}
	})
}
