package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/tables"
	"posthorn/internal/verdict"
)

// resolve asks c and writes the answer in one line: kind, value, rcpt and
// origin of each target, or the verdict.
func resolve(t *testing.T, c *directory.Client, address string) string {
	t.Helper()
	a, err := addr.ParseOrNull(address)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Resolve(t.Context(), a)
	if err != nil {
		v := verdict.Of(err)
		return fmt.Sprint(v.Kind, " ", v.Status, " ", v.Text)
	}
	var all []string
	for _, g := range r.Targets {
		all = append(all, strings.TrimSpace(fmt.Sprint(g.Kind, " ", g.Value, " ", g.Rcpt, " ", origin(g.Origin))))
	}
	if !r.Local {
		all = append(all, "remote")
	}
	return strings.Join(all, "; ")
}

// origin drops the folder of a test.
func origin(s string) string {
	if s == "" {
		return ""
	}
	return filepath.Base(s)
}

const resolveUsers = `ann:!
bob:!
dora@example.net:!
box+full@example.org:!
Ünal@example.org:!
`

const resolveAliases = `postmaster: ann
info: ann, bob, ANN, friend@Remote.example
Info@example.net: dora@example.net
ann+news: bob
away: away@remote.example, Away@remote.example
archive: \archive, bob
self: self
bob: bob, copy@remote.example
one: two
two: one
gone: ann, nobody
sales+eu@example.net: ann
"odd name": ann
@example.net: @example.org
chain1: chain2
chain2: chain3
chain3: chain4
chain4: chain5
chain5: chain6
chain6: chain7
chain7: chain8
chain8: chain9
chain9: chain10
chain10: ann
chain0: chain1
dangling: zeno@example.net
`

func TestResolve(t *testing.T) {
	s := newSite(t, "", resolveUsers, resolveAliases)
	c := s.serve(t, s.service(t))
	const broken = "later 4.3.5 the address leads nowhere at present, try again later"
	for _, tc := range []struct{ name, address, want string }{
		{"a user", "ann@example.org", "box ann@example.org ann@example.org users:1"},
		{"in capitals", "Ann@EXAMPLE.org", "box ann@example.org Ann@example.org users:1"},
		{"with detail", "ann+lists@example.org", "box ann@example.org ann+lists@example.org users:1"},
		{"alias of a detail", "ann+news@example.org", "box bob@example.org bob@example.org aliases:8; address copy@remote.example copy@remote.example aliases:8"},
		{"user with a delimiter", "box+full@example.org", "box box+full@example.org box+full@example.org users:4"},
		{"user not in ASCII", "ünal@example.org", "box ünal@example.org ünal@example.org users:5"},
		{"alias, without doubles", "info@example.org",
			"box ann@example.org ann@example.org aliases:2; box bob@example.org bob@example.org aliases:8; " +
				"address copy@remote.example copy@remote.example aliases:8; address friend@remote.example friend@remote.example aliases:2"},
		{"the closer alias", "info@example.net", "box dora@example.net dora@example.net aliases:3"},
		{"alias with detail in the request", "info+x@example.net", "box dora@example.net dora@example.net aliases:3"},
		{"alias of an address with detail", "sales+eu@example.net", "box ann@example.org ann@example.org aliases:12"},
		{"only elsewhere, in the case as written", "away@example.org", "address away@remote.example away@remote.example aliases:5"},
		{"alias that contains itself", "bob@example.org", "box bob@example.org bob@example.org aliases:8; address copy@remote.example copy@remote.example aliases:8"},
		{"quoted name", `"odd name"@example.org`, "box ann@example.org ann@example.org aliases:13"},
		{"catch-all to the same user elsewhere", "ann+x@example.net", "box ann@example.org ann+x@example.org aliases:14"},
		{"unknown at a domain's second name", "zeno@example.net", "never 5.1.1 no such mailbox here"},
		{"alias to unknown at a domain's second name", "dangling@example.org", broken},
		{"unknown", "zeno@example.org", "never 5.1.1 no such mailbox here"},
		{"remote", "Zeno@remote.example", "address Zeno@remote.example Zeno@remote.example; remote"},
		{"literal", "ann@[192.0.2.1]", "address ann@[192.0.2.1] ann@[192.0.2.1]; remote"},
		{"postmaster by alias", "postmaster@example.org", "box ann@example.org ann@example.org aliases:1"},
		{"postmaster of the other domain", "Postmaster@example.net", "box ann@example.org ann@example.org aliases:1"},
		{"postmaster alone", "postmaster", "box ann@example.org ann@example.org aliases:1"},
		{"alias only of itself", "self@example.org", broken},
		{"backslash without a box", "archive@example.org", broken},
		{"circle", "one@example.org", broken},
		{"half of it is nobody", "gone@example.org", broken},
		{"ten aliases deep", "chain1@example.org", "box ann@example.org ann@example.org aliases:24"},
		{"eleven aliases deep", "chain0@example.org", broken},
	} {
		if got := resolve(t, c, tc.address); got != tc.want {
			t.Errorf("%s: %s: got\n  %s\nwant\n  %s", tc.name, tc.address, got, tc.want)
		}
	}
	if want := "unresolvable to=gone@example.org line=" + s.path("aliases") + ":11 target=nobody@example.org err=\"no such mailbox\"\n"; !strings.Contains(s.log.String(), want) {
		t.Errorf("got the log\n%swant %s", s.log, want)
	}
}

func TestPostmaster(t *testing.T) {
	for _, tc := range []struct{ name, extra, users, aliases, want string }{
		{"by configuration", "postmaster ann@example.org\n", "ann:!", "", "box ann@example.org ann@example.org posthorn.conf"},
		{"elsewhere", "postmaster ann@remote.example\n", "", "", "address ann@remote.example ann@remote.example posthorn.conf"},
		{"through an alias", "postmaster info@example.org\n", "ann:!", "info: ann", "box ann@example.org ann@example.org aliases:1"},
		{"has a box", "postmaster ann@example.org\n", "ann:!\npostmaster:!", "", "box postmaster@example.org postmaster@example.org users:2"},
		{"before the catch-all", "postmaster ann@example.org\n", "ann:!\nbob:!", "@example.org: bob", "box ann@example.org ann@example.org posthorn.conf"},
		{"an alias that leads nowhere", "postmaster ann@example.org\n", "ann:!", "postmaster: gone", "box ann@example.org ann@example.org posthorn.conf"},
		{"an alias half of which leads nowhere", "postmaster ann@example.org\n", "ann:!\nbob:!", "postmaster: bob, gone", "box ann@example.org ann@example.org posthorn.conf"},
		{"an alias to the catch-all", "postmaster ann@example.org\n", "ann:!\nbob:!", "postmaster: x\n@example.org: bob", "box bob@example.org bob@example.org aliases:2"},
		{"nobody", "", "ann:!", "", "later 4.3.5 the address leads nowhere at present, try again later"},
		{"who is not there", "postmaster zeno@example.org\n", "ann:!", "", "later 4.3.5 the address leads nowhere at present, try again later"},
		{"himself", "postmaster postmaster@example.org\n", "ann:!", "", "later 4.3.5 the address leads nowhere at present, try again later"},
	} {
		s := newSite(t, tc.extra, tc.users+"\n", tc.aliases+"\n")
		c := s.serve(t, s.service(t))
		if got := resolve(t, c, "postmaster@example.org"); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	s := newSite(t, "", "ann:!\n", "")
	s.service(t)
	if want := "no-postmaster file="; !strings.HasPrefix(s.log.String(), want) {
		t.Errorf("got the log %q, want %s", s.log, want)
	}
}

// TestManyTargets: lists of lists must cost bounded work.
func TestManyTargets(t *testing.T) {
	var b strings.Builder
	for i := range 8 {
		fmt.Fprintf(&b, "l%d: ", i)
		for range 100 {
			fmt.Fprintf(&b, "l%d, ", i+1)
		}
		b.WriteByte('\n')
	}
	b.WriteString("l8: ann\n")
	s := newSite(t, "", "ann:!\n", b.String())
	c := s.serve(t, s.service(t))
	if got, want := resolve(t, c, "l0@example.org"), "later 4.3.5"; !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// fakeGetent answers from a map of "database name" to lines; the line "fail"
// makes it fail.
func fakeGetent(lines map[string]string) (func(context.Context, string, string) (string, error), *int) {
	n := 0
	return func(_ context.Context, database, name string) (string, error) {
		n++
		line := lines[database+" "+name]
		if line == "fail" {
			return "", errors.New("no answer from the server")
		}
		return line, nil
	}, &n
}

func TestResolveSystemUsers(t *testing.T) {
	s := newSite(t, "", "ann:!\n", "list: carl, ann\nroot: carl\n")
	svc := s.service(t)
	svc.system = newSystem("", 1000)
	svc.system.getent, _ = fakeGetent(map[string]string{
		"passwd carl":   "carl:x:1003:1003:Carl:/home/carl:/bin/sh",
		"passwd ann":    "ann:x:1004:1004::/home/ann:/bin/sh",
		"passwd daemon": "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
		"passwd nobody": "nobody:x:65534:65534:nobody:/nonexistent:/bin/false",
		"passwd toor":   "toor:x:0:0:root:/root:/bin/sh",
		"passwd busy":   "fail",
		"passwd alias":  "other:x:1005:1005::/home/other:/bin/sh",
	})
	c := s.serve(t, svc)
	const unknown = "never 5.1.1 no such mailbox here"
	for address, want := range map[string]string{
		"carl@example.org":    "box carl carl@example.org passwd",
		"Carl+x@example.net":  "box carl Carl+x@example.net passwd",
		"ann@example.org":     "box ann@example.org ann@example.org users:1",
		"list@example.org":    "box carl carl@example.org aliases:1; box ann@example.org ann@example.org aliases:1",
		"root@example.org":    "box carl carl@example.org aliases:2",
		"daemon@example.org":  unknown,
		"nobody@example.org":  unknown,
		"toor@example.org":    unknown,
		"1003@example.org":    unknown,
		"-h@example.org":      unknown,
		"alias@example.org":   unknown,
		"busy@example.org":    "later 4.3.0 the address cannot be looked up at present, try again later",
		"carl@remote.example": "address carl@remote.example carl@remote.example; remote",
	} {
		if got := resolve(t, c, address); got != want {
			t.Errorf("%s: got %s, want %s", address, got, want)
		}
	}
	boxes, err := c.Boxes(t.Context(), []string{"carl", "ann@example.org", "busy", "daemon", "carl@example.org"})
	if err != nil {
		t.Fatal(err)
	}
	want := "[{carl 1003 1003 /home/carl /home/carl/Maildir  {done 2.0.0 ok}} " +
		"{ann@example.org 61008 61008 /srv/mail/example.org/ann /srv/mail/example.org/ann/Maildir  {done 2.0.0 ok}} " +
		"{busy -1 -1    {later 4.3.0 the mailbox cannot be looked up at present, try again later}} " +
		"{daemon -1 -1    {never 5.1.1 no such mailbox here}} {carl@example.org -1 -1    {never 5.1.1 no such mailbox here}}]"
	if got := fmt.Sprint(boxes); got != want {
		t.Errorf("boxes: got\n%s\nwant\n%s", got, want)
	}
}

func TestMaySend(t *testing.T) {
	s := newSite(t, "postmaster ann@example.org\n", "ann:!\nbob:!\nzoe@elsewhere.example:!\n",
		"info: ann, bob\nsales: bob\n@example.net: ann\nfar: ann@remote.example\nbroken: gone\n")
	c := s.serve(t, s.service(t))
	for _, tc := range []struct {
		user, address string
		status        string // "" for may
	}{
		{"ann@example.org", "ann@example.org", ""},
		{"ann@example.org", "Ann+x@Example.org", ""},
		{"ann@example.org", "info@example.org", ""},
		{"ann@example.org", "postmaster@example.org", ""},
		{"ann@example.org", "anything@example.net", ""},
		{"ann@example.org", "", ""},
		{"zoe@elsewhere.example", "zoe@elsewhere.example", ""},
		{"ann@example.org", "sales@example.org", "5.7.1"},
		{"ann@example.org", "bob@example.org", "5.7.1"},
		{"ann@example.org", "far@example.org", "5.7.1"},
		{"ann@example.org", "ann@remote.example", "5.7.1"},
		{"ann@example.org", "unknown@example.org", "5.7.1"},
		{"ann@example.org", "broken@example.org", "4.3.5"},
		{"bob@example.org", "ann@example.org", "5.7.1"},
	} {
		a, err := addr.ParseOrNull(tc.address)
		if err != nil {
			t.Fatal(err)
		}
		err = c.MaySend(t.Context(), tc.user, a)
		if got := verdict.Of(err).Status; err == nil != (tc.status == "") || err != nil && got != tc.status {
			t.Errorf("%s as <%s>: got %v, want %q", tc.user, tc.address, err, tc.status)
		}
	}
}

// FuzzResolve: whatever the tables and the address, the answer is bounded and
// holds boxes that there are and addresses of others.
func FuzzResolve(f *testing.F) {
	f.Add("a: b\nb: a, \\c\n@example.net: @example.org\n", "a+x@example.net")
	f.Add(resolveAliases, "chain0@example.org")
	c := &conf.Config{Domains: []string{"example.org", "example.net"}, Delimiter: "+", Postmaster: "ann@example.org"}
	users, err := parseAccounts("users", []byte("ann:!\nc:!\n"), "example.org", 1000, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, address string) {
		aliases, err := tables.ParseAliases("aliases", []byte(text), "example.org")
		if err != nil {
			return
		}
		a, err := addr.ParseOrNull(address)
		if err != nil || a.IsNull() {
			return
		}
		r := &resolution{ctx: t.Context(), set: &settings{conf: c}, users: users, aliases: aliases, seen: map[string]bool{}}
		err = r.expand(r.complete(a), "", false)
		if err == nil && len(r.targets) == 0 || len(r.targets) > maxTargets || len(r.path) != 0 {
			t.Errorf("got %v, %d targets and the path %q", err, len(r.targets), r.path)
		}
		for _, target := range r.targets {
			_, isUser := users.Lookup(target.Value)
			if isUser != (target.Kind == directory.KindBox) {
				t.Errorf("got the target %+v", target)
			}
		}
	})
}
