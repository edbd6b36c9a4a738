package dsn

import (
	"strings"
	"testing"

	"posthorn/internal/attr"
)

func TestParseNotify(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"NEVER", "never"}, {"success", "success"}, {"DELAY,Failure,SUCCESS", "success,failure,delay"},
		{"", "error"}, {"NEVER,FAILURE", "error"}, {"FAILURE,NEVER", "error"}, {"FAILURE,FAILURE", "error"},
		{"FAILURE,", "error"}, {",", "error"}, {"NOW", "error"}, {"FAILURE DELAY", "error"},
	} {
		n, err := ParseNotify(c.in)
		got := n.String()
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%q: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestNotify(t *testing.T) {
	if n := Notify(0); !n.Wants(Failure) || !n.Wants(Delay) || n.Wants(Success) {
		t.Error("without NOTIFY: got something other than failure and delay")
	}
	for _, c := range []struct{ a, b, want Notify }{
		{0, 0, 0}, {Never, 0, 0}, {0, Never, 0}, {Never, Success, Success}, {Success, Failure, Success | Failure},
		{0, Success, Success | Failure | Delay}, {Never, Never, Never},
	} {
		if got := c.a.Join(c.b); got != c.want {
			t.Errorf("%v and %v: got %v, want %v", c.a, c.b, got, c.want)
		}
	}
	for _, c := range []struct{ n, want Notify }{
		{0, 0}, {Success, Never}, {Success | Failure, Failure}, {Never, Never}, {Delay, Delay},
	} {
		if got := c.n.Without(Success); got != c.want {
			t.Errorf("%v without success: got %v, want %v", c.n, got, c.want)
		}
	}
}

func TestParseRet(t *testing.T) {
	for in, want := range map[string]Ret{"FULL": Full, "hdrs": Hdrs, "": "", "NONE": "", "FULL,HDRS": ""} {
		if got, err := ParseRet(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestParseEnvid(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"QQ314159", "QQ314159"}, {"a+20b+3D+2B", "a b=+"}, {"a+3db", "a=b"}, {strings.Repeat("x", 100), strings.Repeat("x", 100)},
		{"", "error"}, {strings.Repeat("x", 101), "error"}, {"a=b", "error"}, {"a+", "error"}, {"a+4", "error"},
		{"a+GG", "error"}, {"a+0Ab", "error"}, {"a+00", "error"}, {"a+FF", "error"}, {"ü", "error"}, {"a+-1", "error"},
	} {
		got, err := ParseEnvid(c.in)
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
		if err == nil {
			if back, err := ParseEnvid(Xtext(got)); back != got || err != nil {
				t.Errorf("%q: encoded and read again: got %q, %v", c.in, back, err)
			}
		}
	}
}

func TestParseOrcpt(t *testing.T) {
	for _, c := range []struct {
		in   string
		utf8 bool
		want string
	}{
		{"rfc822;ann@example.org", false, "rfc822;ann@example.org"},
		{"RFC822;a+2Bb@example.org", false, "RFC822;a+b@example.org"}, // RFC 3461 5.2.1: no case is changed
		{"x400;/s=ann/", false, "error"},
		{"x400;/s+3Dann/", false, "x400;/s=ann/"},
		{"unknown-9;any+20thing;", false, "unknown-9;any thing;"},
		{`utf-8;j\x{FC}rgen@example.org`, false, "utf-8;jürgen@example.org"},
		{`UTF-8;a\x{2B}b\x{5C}@example.org`, false, `UTF-8;a+b\@example.org`},
		{"utf-8;jürgen@example.org", true, "utf-8;jürgen@example.org"},
		{"utf-8;jürgen@example.org", false, "error"},
		{"rfc822;jürgen@example.org", true, "error"},
		{"utf-8;j\xfc", true, "error"},
		{`utf-8;\x{D800}`, true, "error"},
		{`utf-8;\x{FC`, true, "error"},
		{`utf-8;\x{A}`, true, "error"},
		{`utf-8;\y`, true, "error"},
		{"utf-8;a+20b", true, "error"},
		{"ann@example.org", false, "error"},
		{";ann@example.org", false, "error"},
		{"rfc822;", false, "error"},
		{"rfc 822;a", false, "error"},
		{"x_any!type;a", false, "x_any!type;a"},
		{"a:b;c", false, "error"},
		{`a"b;c`, false, "error"},
		{"rfc822;a+0D+0ANOTIFY", false, "error"},
		{"rfc822;" + strings.Repeat("x", MaxOrcpt-7), false, "rfc822;" + strings.Repeat("x", MaxOrcpt-7)},
		{"rfc822;" + strings.Repeat("x", MaxOrcpt-6), false, "error"},
	} {
		got, err := ParseOrcpt(c.in, c.utf8)
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%.60q: got %.60q, want %.60q", c.in, got, c.want)
		}
	}
	if got := OrcptOf("a@b.example"); got != "rfc822;a@b.example" {
		t.Errorf("got %s", got)
	}
	if got := Orcpt(OrcptOf("jü+r@b.example"), false); got != `utf-8;j\x{FC}\x{2B}r@b.example` {
		t.Errorf("got %s", got)
	}
}

func TestListsHoldWhatWasAsked(t *testing.T) {
	var l attr.List
	m, r := Mail{Full, "an id"}, Rcpt{"rfc822;a@b", Success | Delay}
	m.Add(&l)
	r.Add(&l)
	var m2 Mail
	var r2 Rcpt
	for _, a := range l {
		if ok, err := m2.Take(a); err != nil {
			t.Error(err)
		} else if !ok {
			if ok, err := r2.Take(a); !ok || err != nil {
				t.Errorf("%v: got %t, %v", a, ok, err)
			}
		}
	}
	if m != m2 || r != r2 || len(l) != 4 {
		t.Errorf("got %+v and %+v of %v", m2, r2, l)
	}
	for _, a := range (attr.List{{Name: "ret", Value: "no"}, {Name: "envid", Value: ""}, {Name: "envid", Value: "a\x01"}}) {
		if _, err := m2.Take(a); err == nil {
			t.Errorf("%v: got no error", a)
		}
	}
	for _, a := range (attr.List{{Name: "notify", Value: "x"}, {Name: "orcpt", Value: "a@b"}, {Name: "orcpt", Value: "rfc822;ü"}}) {
		if _, err := r2.Take(a); err == nil {
			t.Errorf("%v: got no error", a)
		}
	}
}

// FuzzParse holds that what the parsers take can be written into a list and into
// a command again and comes back as it was.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"rfc822;a+2Bb@c", `utf-8;j\x{FC}`, "utf-8;jü", "a+20b", "FAILURE,DELAY", "full"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if orcpt, err := ParseOrcpt(s, true); err == nil {
			if ok, err := new(Rcpt).Take(attr.Attr{Name: "orcpt", Value: orcpt}); !ok || err != nil {
				t.Errorf("%q: got %q, which a list does not take: %v", s, orcpt, err)
			}
			if back, err := ParseOrcpt(Orcpt(orcpt, false), false); len(Orcpt(orcpt, false)) <= MaxOrcpt && (err != nil || back != orcpt) {
				t.Errorf("%q: got %q, again %q, %v", s, orcpt, back, err)
			}
			if back, err := ParseOrcpt(Orcpt(orcpt, true), true); len(Orcpt(orcpt, true)) <= MaxOrcpt && (err != nil || back != orcpt) {
				t.Errorf("%q: got %q, in UTF-8 again %q, %v", s, orcpt, back, err)
			}
		}
		if envid, err := ParseEnvid(s); err == nil && (!printable(envid) || len(Xtext(envid)) > MaxEnvid) {
			t.Errorf("%q: got %q", s, envid)
		}
		if n, err := ParseNotify(s); err == nil {
			if back, err := ParseNotify(n.String()); back != n || err != nil {
				t.Errorf("%q: got %v, again %v, %v", s, n, back, err)
			}
		}
	})
}
