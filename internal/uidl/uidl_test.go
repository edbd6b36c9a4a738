package uidl

import (
	"fmt"
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	m := Message{UID: 4711, UIDValidity: 1795355286, File: "1700000000.M1P1.Host,S=28"}
	for _, tc := range []struct{ name, template, want string }{
		{"dovecot", "%08Xu%08Xv", "000012676b02f296"},
		{"uw-imap", "%08Xv%08Xu", "6b02f29600001267"},
		{"cyrus, dovecot 0.99", "%v.%u", "1795355286.4711"},
		{"old cyrus", "%u", "4711"},
		{"courier", "UID%u-%v", "UID4711-1795355286"},
		{"old courier", "%f", "1700000000.M1P1.Host,S=28"},
		{"tpop3d", "%Mf", "c35302bd484eef5c14d86265c5106a7a"},
		{"capitals", "%08UXu%LUf", "000012671700000000.M1P1.HOST,S=28"},
		{"the order of modifiers counts", "%XUv-%u", "6B02F296-4711"},
		{"small letters", "%Lf", "1700000000.m1p1.host,s=28"},
		{"a sign", "%%%u%%", "%4711%"},
		{"digits without hexadecimal", "%010u", "0000004711"},
	} {
		f, err := Parse(tc.template)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := string(f.Append([]byte("x"), m)); got != "x"+tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
		if f.Names() != strings.Contains(tc.template, "f") {
			t.Errorf("%s: got names wanted: %v", tc.name, f.Names())
		}
	}
}

// TestNumbers compares with package fmt.
func TestNumbers(t *testing.T) {
	for _, n := range []uint32{0, 1, 9, 10, 15, 16, 255, 4095, 4096, 1 << 28, 1<<32 - 1} {
		for _, width := range []string{"", "01", "02", "08", "09", "064"} {
			f, err := Parse("%" + width + "Xu." + "%" + width + "u")
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("%"+width+"x.%"+width+"d", n, n)
			if got := string(f.Append(nil, Message{UID: n})); got != want {
				t.Errorf("%d with width %q: got %s, want %s", n, width, got, want)
			}
		}
	}
}

// BenchmarkList makes the ids of 1,000 messages.
func BenchmarkList(b *testing.B) {
	f, err := Parse("%08Xu%08Xv")
	if err != nil {
		b.Fatal(err)
	}
	var list []byte
	for b.Loop() {
		list = list[:0]
		for uid := range uint32(1000) {
			list = f.Append(list, Message{UID: uid, UIDValidity: 1795355286})
		}
	}
}

func TestOddName(t *testing.T) {
	f, err := Parse("%f")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a b", "\xff", "é", "a\x7f"} {
		if got := string(f.Append(nil, Message{File: name})); len(got) != 32 {
			t.Errorf("%q: got %q, want a sum", name, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ name, template, want string }{
		{"nothing", "", "expected %u or %f"},
		{"one id for all", "UID%v", "expected %u or %f"},
		{"a blank", "%u x", "printable"},
		{"not ASCII", "%ü", "expected %u"},
		{"a sign at the end", "%u%", "expected %u"},
		{"an unknown variable", "%g", "expected %u"},
		{"an unknown modifier", "%Ru", "expected %u"},
		{"a width without zeros", "%8Xu", "the width"},
		{"a large width", "%0999u", "the width"},
		{"no end of a width", "%099999999999999999999u", "the width"},
		{"a name in hexadecimal", "%Xf", "a number behind X"},
		{"long", "%u" + strings.Repeat("x", 100), "at most 100"},
	} {
		if _, err := Parse(tc.template); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	f, err := Parse("%08Xu%08Xv")
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	for b.Loop() {
		out = f.Append(out[:0], Message{UID: 4711, UIDValidity: 1795355286})
	}
}
