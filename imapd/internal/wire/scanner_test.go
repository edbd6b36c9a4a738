package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestScannerStrings(t *testing.T) {
	tests := []struct{ in, want, rest string }{
		{`abc def`, "abc", " def"},
		{`a]b`, "a]b", ""},
		{`"a b"c`, "a b", "c"},
		{`"a\"\\"`, `a"\`, ""},
		{`""`, "", ""},
		{"\"gr\xc3\xbc\xc3\x9fe\"", "grüße", ""},
		{"{3}\r\na\"b)", "a\"b", ")"},
		{"{0+}\r\n", "", ""},
		{`"abc`, "error", ""},
		{`"a\b"`, "error", ""},
		{"\"a\rb\"", "error", ""},
		{"{4}\r\nabc", "error", ""},
		{"{3}\r\na\x00c", "error", ""},
		{"{3}abc", "error", ""},
		{"(", "error", ""},
		{"\xc3\xbc", "error", ""},
		{"", "error", ""},
	}
	for _, tt := range tests {
		s := NewScanner([]byte(tt.in))
		got, err := s.AString()
		if err != nil {
			got, tt.rest = "error", string(s.b[s.i:])
		}
		if got != tt.want || string(s.b[s.i:]) != tt.rest {
			t.Errorf("%q: got %q and %q left, want %q and %q", tt.in, got, s.b[s.i:], tt.want, tt.rest)
		}
	}
}

func TestScannerMailbox(t *testing.T) {
	tests := []struct{ in, want string }{
		{"inBox", "INBOX true"},
		{`"INBOX"`, "INBOX true"},
		{"inbox.x", "inbox.x true"},
		{"Entw&APw-rfe", "Entwürfe true"},
		{"&-", "& true"},
		{"&2D3eAA-", "😀 true"},
		{"&AGE-", " false"}, // an "a" that needs no encoding
		{"&APw", " false"},
		{"&!!-", " false"},
		{"&APx-", " false"},      // odd bits
		{"&2D0-", " false"},      // half a surrogate pair
		{"&AAA-", " false"},      // NUL
		{"&APw-&APw-", " false"}, // one shift would do
		{"\"\xc3\xbc&\"", "ü& true"},
		{"\"\xc3\"", "\xc3 false"},
	}
	for _, tt := range tests {
		name, ok, err := NewScanner([]byte(tt.in)).Mailbox()
		if got := fmt.Sprint(name, " ", ok); got != tt.want || err != nil {
			t.Errorf("%q: got %s, %v, want %s", tt.in, got, err, tt.want)
		}
	}
}

// TestScannerUTF8 scans for a client that has enabled UTF8=ACCEPT.
func TestScannerUTF8(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"\"grün\"", "grün true <nil>"},
		{"{5+}\r\ngrün", "grün true <nil>"},
		{"{1+}\r\n\xfc", "\xfc false <nil>"},
		{"Entw&APw-rfe", "Entw&APw-rfe true <nil>"},
		{"inBox", "INBOX true <nil>"},
		{"\"gr\xfcn\"", " false quoted string is not UTF-8"},
		{"grün", "gr true <nil>"}, // an atom is not
	} {
		s := NewScanner([]byte(tt.in))
		s.UTF8 = true
		name, ok, err := s.Mailbox()
		if got := fmt.Sprint(name, " ", ok, " ", err); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestScannerSet(t *testing.T) {
	tests := []struct {
		in   string
		star uint32
		want string
	}{
		{"1", 9, "[{1 1}]"},
		{"5:3,1,2", 9, "[{1 5}]"},
		{"1,3,2:2", 9, "[{1 3}]"},
		{"*", 9, "[{9 9}]"},
		{"12:*", 9, "[{9 12}]"},
		{"*:4,1", 9, "[{1 1} {4 9}]"},
		{"1:*", 0, "[]"},
		{"4294967295,1", 9, "[{1 1} {4294967295 4294967295}]"},
		{"4294967295,4294967290:4294967295", 9, "[{4294967290 4294967295}]"},
		{"0", 9, "error"},
		{"4294967296", 9, "error"},
		{"1,", 9, "error"},
		{"1:", 9, "error"},
		{":1", 9, "error"},
		{"a", 9, "error"},
	}
	for _, tt := range tests {
		set, err := NewScanner([]byte(tt.in)).Set()
		got := fmt.Sprint(set.Resolve(tt.star))
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestSetHas(t *testing.T) {
	set := Set{{7, 9}, {2, 0}, {4, 4}}.Resolve(3)
	var got []uint32
	for n := range uint32(12) {
		if set.Has(n) {
			got = append(got, n)
		}
	}
	if want := []uint32{2, 3, 4, 7, 8, 9}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAppendSet(t *testing.T) {
	got := string(AppendSet(nil, []uint32{1, 2, 3, 7, 9, 10}))
	if want := "1:3,7,9:10"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestScannerFlagsAndDates(t *testing.T) {
	s := NewScanner([]byte(`(\Seen $Label1) \Draft x "17-Jul-1996 02:44:25 -0700"`))
	flags, err := s.Flags()
	if err != nil || !slices.Equal(flags, []string{`\Seen`, "$Label1"}) {
		t.Errorf("got %q, %v", flags, err)
	}
	s.Accept(' ')
	if flags, err = s.OpenFlags(); err == nil {
		t.Errorf("got %q, want an error at the quote", flags)
	}
	for _, in := range []string{`" 7-Jul-1996 02:44:25 -0700"`, `"17-jul-1996 02:44:25 +0000"`} {
		if _, err := NewScanner([]byte(in)).DateTime(); err != nil {
			t.Errorf("%s: %v", in, err)
		}
	}
	for _, in := range []string{`17-Jul-1996`, `"32-Jul-1996 02:44:25 -0700"`, `"17-Jul-1996"`} {
		if v, err := NewScanner([]byte(in)).DateTime(); err == nil {
			t.Errorf("%s: got %v, want an error", in, v)
		}
	}
	if d, err := NewScanner([]byte("1-Feb-1994")).Date(); err != nil || d.Format("2006-01-02") != "1994-02-01" {
		t.Errorf("got %v, %v", d, err)
	}
	many := "(" + strings.Repeat("f ", maxFlags) + "f)"
	if _, err := NewScanner([]byte(many)).Flags(); err == nil {
		t.Errorf("%d flags were taken", maxFlags+1)
	}
}

func FuzzScanner(f *testing.F) {
	for _, s := range []string{`INBOX "x" {3}` + "\r\nabc", "1:*,7", `(\Seen a)`, `"17-Jul-1996 02:44:25 -0700"`, "&APw-"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tries := []func(*Scanner) error{
			func(s *Scanner) error { _, _, err := s.Mailbox(); return err },
			func(s *Scanner) error { _, err := s.Pattern(); return err },
			func(s *Scanner) error { _, err := s.OpenFlags(); return err },
			func(s *Scanner) error { _, err := s.DateTime(); return err },
			func(s *Scanner) error { _, err := s.Date(); return err },
			func(s *Scanner) error { _, _, err := s.NString(); return err },
			func(s *Scanner) error {
				set, err := s.Set()
				for _, r := range set.Resolve(5) {
					if r.Lo == 0 || r.Lo > r.Hi {
						t.Fatalf("range %v", r)
					}
				}
				return err
			},
		}
		for _, try := range tries {
			s := NewScanner(b)
			for i := 0; try(s) == nil; i = s.i {
				if s.Accept(' '); s.i <= i {
					break
				}
			}
		}
	})
}
