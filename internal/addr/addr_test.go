package addr

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Address
		err  error
	}{
		{"ann@example.org", Address{"ann", "example.org"}, nil},
		{"Ann.Smith+x@EXAMPLE.org", Address{"Ann.Smith+x", "example.org"}, nil},
		{`"ann smith"@example.org`, Address{"ann smith", "example.org"}, nil},
		{`"a\"b\\c"@example.org`, Address{`a"b\c`, "example.org"}, nil},
		{`"v@internal.test"@y.test`, Address{"v@internal.test", "y.test"}, nil},
		{"ann@[192.0.2.1]", Address{"ann", "[192.0.2.1]"}, nil},
		{"ann@[ipv6:2001:DB8::1]", Address{"ann", "[IPv6:2001:db8::1]"}, nil},
		{"jürgen@bücher.example", Address{"jürgen", "xn--bcher-kva.example"}, nil},
		{"a_b@_x.example", Address{"a_b", "_x.example"}, nil},
		{"", Address{}, ErrEmpty},
		{"ann", Address{}, ErrNoAt},
		{"@example.org", Address{}, ErrLocal},
		{"ann@", Address{}, ErrDomain},
		{"v@internal.test@y.test", Address{}, ErrDomain},
		{"a b@example.org", Address{}, ErrLocal},
		{"a..b@example.org", Address{}, ErrLocal},
		{".a@example.org", Address{}, ErrLocal},
		{"a.@example.org", Address{}, ErrLocal},
		{`"ann@example.org`, Address{}, ErrLocal},
		{`""@example.org`, Address{}, ErrLocal},
		{`"a"b@example.org`, Address{}, ErrLocal},
		{"\"a\nb\"@example.org", Address{}, ErrLocal},
		{"\"a\\\nb\"@example.org", Address{}, ErrLocal},
		{"a\x00@example.org", Address{}, ErrLocal},
		{"a\xff@example.org", Address{}, ErrLocal},
		{"\"a\u0085b\"@example.org", Address{}, ErrLocal},
		{"x@y..test", Address{}, ErrDomain},
		{"x@y.test.", Address{}, ErrDomain},
		{"x@-y.test", Address{}, ErrDomain},
		{"x@y\rz.test", Address{}, ErrDomain},
		{"x@y\x00.test", Address{}, ErrDomain},
		{"x@[127.0.0.1", Address{}, ErrLiteral},
		{"x@[300.0.0.1]", Address{}, ErrLiteral},
		{"x@[IPv6:fe80::1%eth0]", Address{}, ErrLiteral},
		{strings.Repeat("a", 65) + "@example.org", Address{}, ErrLocal},
		{"a@" + strings.Repeat("a", 64) + ".org", Address{}, ErrDomain},
		{"a@" + strings.Repeat("a.", 300) + "org", Address{}, ErrLong},
	} {
		got, err := Parse(tc.in)
		if got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("Parse(%q): got %+v, %v, want %+v, %v", tc.in, got, err, tc.want, tc.err)
		}
	}
}

func TestParsePathAt(t *testing.T) {
	for in, want := range map[string]string{
		"<root>": "root@here.test", "<POSTmaster>": "postmaster@here.test", "<@far.test:root>": "root@here.test",
		"<ann@far.test>": "ann@far.test", `<"a b">`: `"a b"@here.test`, "<>": "", "<a@>": "bad", "<a b>": "bad",
	} {
		a, _, err := ParsePathAt(in, "here.test")
		if got := a.String(); err == nil && got != want || (err != nil) != (want == "bad") {
			t.Errorf("%s: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestParsePath(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Address
		rest string
		ok   bool
	}{
		{"<ann@example.org> SIZE=1", Address{"ann", "example.org"}, " SIZE=1", true},
		{"<>", Address{}, "", true},
		{"<Postmaster>", Address{Local: "postmaster"}, "", true},
		{"<@a.test,@b.test:ann@example.org>", Address{"ann", "example.org"}, "", true},
		{`<"x> NOTIFY=NEVER"@y.test> A`, Address{"x> NOTIFY=NEVER", "y.test"}, " A", true},
		{"ann@example.org", Address{}, "", false},
		{"<ann@example.org", Address{}, "", false},
		{"<@a.test>", Address{}, "", false},
		{"<@a.test,b.test:ann@example.org>", Address{}, "", false},
		{`<"x@y.test>`, Address{}, "", false},
	} {
		got, rest, err := ParsePath(tc.in)
		if (err == nil) != tc.ok || (tc.ok && (got != tc.want || rest != tc.rest)) {
			t.Errorf("ParsePath(%q): got %+v, %q, %v, want %+v, %q", tc.in, got, rest, err, tc.want, tc.rest)
		}
	}
}

func TestStringQuotesAgain(t *testing.T) {
	for in, want := range map[Address]string{
		{}:                                       "",
		{"ann", "example.org"}:                   "ann@example.org",
		{"ann smith", "example.org"}:             `"ann smith"@example.org`,
		{`a"b\c`, "example.org"}:                 `"a\"b\\c"@example.org`,
		{"x> NOTIFY=NEVER", "y.test"}:            `"x> NOTIFY=NEVER"@y.test`,
		{"a..b", "y.test"}:                       `"a..b"@y.test`,
		{"v@internal.test", "y.test"}:            `"v@internal.test"@y.test`,
		{Local: "postmaster"}:                    "postmaster",
		{Local: "ann", Domain: "[192.0.2.1]"}:    "ann@[192.0.2.1]",
		{Local: "jürgen", Domain: "example.org"}: "jürgen@example.org",
	} {
		if got := in.String(); got != want {
			t.Errorf("%+v: got %s, want %s", in, got, want)
		}
	}
}

func TestDetail(t *testing.T) {
	for _, tc := range []struct{ local, delims, user, detail string }{
		{"ann+lists", "+", "ann", "lists"},
		{"ann+a+b", "+", "ann", "a+b"},
		{"ann-x", "+-", "ann", "x"},
		{"ann", "+", "ann", ""},
		{"+ann", "+", "+ann", ""},
		{"ann+x", "", "ann+x", ""},
	} {
		user, detail := Address{tc.local, "example.org"}.Detail(tc.delims)
		if user != tc.user || detail != tc.detail {
			t.Errorf("%q at %q: got %q, %q, want %q, %q", tc.local, tc.delims, user, detail, tc.user, tc.detail)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"ann@example.org", `"a b"@x.test`, "a@[IPv6:::1]", "jürgen@bücher.example", "<>", `"\"@x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(a.String())
		if err != nil || again != a {
			t.Errorf("Parse(%q) = %+v, but its String %q gives %+v, %v", s, a, a.String(), again, err)
		}
		if strings.ContainsAny(a.String(), "\r\n\x00") {
			t.Errorf("Parse(%q): line end or NUL in %q", s, a.String())
		}
		if b, rest, err := ParsePath("<" + a.String() + "> X"); err != nil || b != a || rest != " X" {
			t.Errorf("ParsePath of %q: got %+v, %q, %v", a.String(), b, rest, err)
		}
	})
}

func TestKey(t *testing.T) {
	for in, want := range map[string]string{
		"Ann@Example.ORG": "ann@example.org", "J\u00dcrgen@b\u00fccher.example": "j\u00fcrgen@xn--bcher-kva.example",
		"JU\u0308rgen@BU\u0308CHER.example": "j\u00fcrgen@xn--bcher-kva.example", "j\u00fcrgen@xn--bcher-kva.example": "j\u00fcrgen@xn--bcher-kva.example",
		"\u03a3\u03b1\u03c2@example.org": "\u03c3\u03b1\u03c2@example.org",
	} {
		a, err := Parse(in)
		if err != nil || a.Key() != want {
			t.Errorf("%q: got %q, %v, want %q", in, a.Key(), err, want)
		}
		if err == nil && strings.Contains(in, "U\u0308") && !strings.Contains(a.String(), "\u0308") {
			t.Errorf("%q: got %q, want the local part as it was written", in, a)
		}
	}
}
