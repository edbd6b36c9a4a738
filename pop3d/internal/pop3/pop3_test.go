package pop3

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		name, line string
		want       Command
		ok         bool
	}{
		{"verb alone", "STAT", Command{"STAT", ""}, true},
		{"a digit in the verb", "UTF8", Command{"UTF8", ""}, true},
		{"lower case", "retr 1", Command{"RETR", "1"}, true},
		{"blanks in a password", "PASS a b  c ", Command{"PASS", "a b  c "}, true},
		{"octets above 127", "PASS p\u00e4\xff", Command{"PASS", "p\u00e4\xff"}, true},
		{"empty argument", "LIST ", Command{"LIST", ""}, true},
		{"empty line", "", Command{}, false},
		{"leading blank", " STAT", Command{}, false},
		{"NUL in the verb", "ST\x00AT", Command{}, false},
		{"NUL in the argument", "PASS a\x00b", Command{}, false},
		{"carriage return in the argument", "USER a\rPASS b", Command{}, false},
		{"long verb", strings.Repeat("A", maxVerb+1), Command{}, false},
		{"TLS record", "\x16\x03\x01\x02", Command{}, false},
	} {
		got, err := Parse(tc.line)
		if got != tc.want || (err == nil) != tc.ok {
			t.Errorf("%s: got %+v, %v, want %+v, ok %v", tc.name, got, err, tc.want, tc.ok)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tc := range []struct {
		arg  string
		n    int
		want []int
	}{
		{"1", 1, []int{1}},
		{" 12  0 ", 2, []int{12, 0}},
		{"2147483647", 1, []int{2147483647}},
		{"2147483648", 1, nil},
		{"99999999999999999999", 1, nil},
		{"-1", 1, nil},
		{"+1", 1, nil},
		{"1x", 1, nil},
		{"", 1, nil},
		{"1 2", 1, nil},
		{"1", 2, nil},
	} {
		got, err := Command{Arg: tc.arg}.Numbers(tc.n)
		if !reflect.DeepEqual(got, tc.want) || (err == nil) != (tc.want != nil) {
			t.Errorf("%q: got %v, %v, want %v", tc.arg, got, err, tc.want)
		}
	}
}

func TestLogins(t *testing.T) {
	for _, tc := range []struct {
		mechanisms []string
		want       string
	}{
		{nil, ""},
		{[]string{"PLAIN", "LOGIN"}, "USER, SASL PLAIN LOGIN"},
		{[]string{"SCRAM-SHA-256"}, "SASL SCRAM-SHA-256"},
	} {
		if got := strings.Join(Logins(tc.mechanisms), ", "); got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.mechanisms, got, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"STAT", "TOP 1 2", "PASS a b", "AUTH PLAIN AGEAYg==", "", " ", "\x00", "retr 99999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := Parse(line)
		if err != nil {
			return
		}
		if c.Verb == "" || c.Verb != strings.ToUpper(c.Verb) || strings.ContainsAny(c.Verb+c.Arg, "\r\n\x00") {
			t.Errorf("%q: got %+v", line, c)
		}
		for n := range 3 {
			if nums, err := c.Numbers(n); err == nil && len(nums) != n {
				t.Errorf("%q: got %d numbers, want %d", line, len(nums), n)
			}
		}
	})
}
