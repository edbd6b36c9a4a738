package main

import (
	"strings"
	"testing"
)

func TestParseList(t *testing.T) {
	for _, tc := range []struct{ in, want, qualified string }{
		{"root", "root", "root@d.test"},
		{" root ", "root", " root@d.test "},
		{"root (Cron Daemon)", "root", "root@d.test (Cron Daemon)"},
		{"(Cron (nested \\)) Daemon) root", "root", "(Cron (nested \\)) Daemon) root@d.test"},
		{"Cron Daemon <root>", "root", "Cron Daemon <root@d.test>"},
		{"ann@x.test, bob , <carl@y.test>,", "ann@x.test|bob|carl@y.test", "ann@x.test, bob@d.test , <carl@y.test>,"},
		{`"Smith, Ann" <ann@x.test>`, "ann@x.test", `"Smith, Ann" <ann@x.test>`},
		{`"Ann \"A\" <x>" <ann@x.test>`, "ann@x.test", `"Ann \"A\" <x>" <ann@x.test>`},
		{"=?utf-8?q?J=C3=B6rg?= <j@x.test>", "j@x.test", "=?utf-8?q?J=C3=B6rg?= <j@x.test>"},
		{`"ann smith"@x.test`, `"ann smith"@x.test`, `"ann smith"@x.test`},
		{`"ann@home"`, `"ann@home"`, `"ann@home"@d.test`},
		{"ann @ x . test", "ann@x.test", "ann @ x . test"},
		{"undisclosed-recipients:;", "", "undisclosed-recipients:;"},
		{"Friends: ann, Bob <bob@x.test>; carl", "ann|bob@x.test|carl", "Friends: ann@d.test, Bob <bob@x.test>; carl@d.test"},
		{"<@a.test,@b.test:ann@x.test>", "@a.test,@b.test:ann@x.test", "<@a.test,@b.test:ann@x.test>"},
		{"ann@[192.0.2.1]", "ann@[192.0.2.1]", "ann@[192.0.2.1]"},
		{"ann,\n\tbob", "ann|bob", "ann@d.test,\n\tbob@d.test"},
		{"<>", "", "<>"}, {"", "", ""}, {",,", "", ",,"},
		{"jörg@x.test", "jörg@x.test", "jörg@x.test"},
		{"ann smith", "bad", "ann smith"},
		{"<ann smith>", "bad", "<ann smith>"},
		{"Ann <ann@x.test> smith", "bad", "Ann <ann@x.test> smith"},
		{"Ann <ann@x.test", "bad", "Ann <ann@x.test"},
		{"Ann <a@x.test> <b@x.test>", "bad", "Ann <a@x.test> <b@x.test>"},
		{`"ann`, "bad", `"ann`}, {"(ann", "bad", "(ann"}, {"ann)", "bad", "ann)"}, {"a>b", "bad", "a>b"},
		{"ann@x.test bob@x.test", "bad", "ann@x.test bob@x.test"},
	} {
		list, err := parseMailboxes(tc.in)
		got := strings.Join(list, "|")
		if err != nil {
			got = "bad"
		}
		if got != tc.want {
			t.Errorf("%q: got %q, %v, want %q", tc.in, got, err, tc.want)
		}
		if got := qualify(tc.in, "d.test"); got != tc.qualified {
			t.Errorf("%q: got %q qualified, want %q", tc.in, got, tc.qualified)
		}
	}
}

func TestWhatIsNoAddress(t *testing.T) {
	for _, in := range []string{"a@b@c", "a@", "@b", "ann@x.test>NOTIFY=NEVER", "ann..b@x.test", "ann@x..test", "a\x00b", "a\r\nRCPT TO:<b>", "-bd?:x y"} {
		if list, err := parseMailboxes(in); err == nil && len(list) > 0 && strings.ContainsAny(strings.Join(list, ""), "\r\n<> \x00") {
			t.Errorf("%q: got %q, want nothing that breaks a command line", in, list)
		}
	}
	if _, err := parseMailboxes("a@b@c"); err == nil {
		t.Error("a@b@c: got no error")
	}
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{"Ann <ann@x.test>, bob (x)", `"a b"@x.test`, "g: a, b;", "<@a:b@c>", "a\\,b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := parseMailboxes(s)
		if err != nil {
			return
		}
		for _, a := range list {
			if strings.ContainsAny(a, "\r\n") {
				t.Fatalf("%q: got %q, which breaks a command line", s, a)
			}
		}
		q := qualify(s, "d.test")
		again, err := parseMailboxes(q)
		if err != nil || len(again) != len(list) {
			t.Fatalf("%q: got %q for %q, %v, want as many addresses as in %q", s, again, q, err, list)
		}
		for i, a := range again {
			if a != list[i] && a != list[i]+"@d.test" {
				t.Fatalf("%q: got %q, want %q at most with a domain", s, a, list[i])
			}
			if (mailbox{text: a}).bare() {
				t.Fatalf("%q: got %q without a domain", s, a)
			}
		}
	})
}
