package main

import (
	"net/netip"
	"strings"
	"testing"

	"posthorn/internal/conf"
)

func prefixes(list ...string) (p []netip.Prefix) {
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// TestNoOpenRelay tries the classic ways past a relay rule.
func TestNoOpenRelay(t *testing.T) {
	cases := []struct{ rcpt, reply, asked string }{
		{"<eve@far.test>", "550 5.7.1", ""},
		{"<EVE@FAR.TEST>", "550 5.7.1", ""},
		{"<eve@far.test.>", "501 5.1.3", ""},
		{"<eve@here.test.far.test>", "550 5.7.1", ""},
		{"<eve@nothere.test>", "550 5.7.1", ""},
		{"<@here.test:eve@far.test>", "550 5.7.1", ""},
		{"<@far.test,@here.test:eve@far.test>", "550 5.7.1", ""},
		{"<@far.test:ann@here.test>", "250", "ann@here.test"},
		{"<eve%far.test@here.test>", "550 5.1.1", "eve%far.test@here.test"},
		{"<far.test!eve@here.test>", "550 5.1.1", "far.test!eve@here.test"},
		{`<"eve@far.test"@here.test>`, "550 5.1.1", `"eve@far.test"@here.test`},
		{`<"eve%far.test"@here.test>`, "550 5.1.1", "eve%far.test@here.test"},
		{`<"ann@here.test"@far.test>`, "550 5.7.1", ""},
		{"<eve@far.test@here.test>", "501 5.1.3", ""},
		{"<ann@here.test@far.test>", "501 5.1.3", ""},
		{"<eve@>", "501 5.1.3", ""},
		{"<@here.test>", "501 5.1.3", ""},
		{"<eve>", "501 5.1.3", ""},
		{"eve@far.test", "501 5.1.3", ""},
		{"<eve@[127.0.0.2]>", "550 5.7.1", ""},
		{"<eve@[192.0.2.1]>", "550 5.7.1", ""},
		{"<eve@[IPv6:::1]>", "550 5.7.1", ""},
		{"<eve@127.0.0.1>", "550 5.7.1", ""},
		{"<eve@[127.0.0.1]>", "550 5.1.1", "eve@here.test"},
		{"<ann@[127.0.0.1]>", "250", "ann@here.test"},
		{"<ann@here.test>", "250", "ann@here.test"},
		{"<ann@HERE.test>", "250", "ann@here.test"},
		{"<ANN@here.test>", "250", "ANN@here.test"},
		{"<Postmaster>", "250", "postmaster@here.test"},
		{"<nobody@here.test>", "550 5.1.1", "nobody@here.test"},
		{"<table@here.test>", "451 4.3.0", "table@here.test"},
	}
	for _, cse := range cases {
		r := start(t)
		c := r.dial("smtp")
		c.do("MAIL FROM:<ann@here.test>", "250 ")
		c.do("RCPT TO:"+cse.rcpt, cse.reply)
		if got, want := strings.Join(r.people.asked, ";"), "resolve "+cse.asked; got != want && !(cse.asked == "" && got == "") {
			t.Errorf("%s: authd was asked %q, want %q", cse.rcpt, got, want)
		}
		if strings.Contains(r.log.String(), "aliases") != strings.HasPrefix(cse.reply, "451") {
			t.Errorf("%s: got log %q, want the hidden cause there, and only there", cse.rcpt, r.log)
		}
		c.conn.Close()
	}
}

func TestRelayFrom(t *testing.T) {
	r := start(t, relay)
	c := r.dial("smtp")
	c.mail("ann@here.test", "eve@far.test", "x: y\r\n\r\n", "250 ")
	if got := r.bag.last(t).env; got.Origin != "relay" || got.Rcpts[0].String() != "eve@far.test" {
		t.Errorf("got %+v", got)
	}
	// It does not open the submission ports.
	c = r.dial("submissions")
	c.do("MAIL FROM:<ann@here.test>", "530 5.7.0")
}

// TestRelayDomain: from everybody, and for that domain alone.
func TestRelayDomain(t *testing.T) {
	r := start(t, func(c *conf.Config) { c.RelayDomains = []string{"far.test"} })
	c := r.dial("smtp")
	c.mail("x@other.test", "anybody@far.test", "x: y\r\n\r\n", "250 ")
	if got := r.bag.last(t).env; got.Origin != "smtp" || got.Rcpts[0].String() != "anybody@far.test" {
		t.Errorf("got %+v", got)
	}
	c.do("MAIL FROM:<x@other.test>", "250 ")
	c.do("RCPT TO:<a@b.far.test>", "550 5.7.1")
	c.do("RCPT TO:<a@other.test>", "550 5.7.1")
}
