package faults

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// lookup is one row: what the name server says of a domain, and what becomes of
// a message for x@ this domain.
type lookup struct {
	domain string
	zone   string // its lines; DOMAIN is the domain
	log    string // verdict and status that the log tells of the first try
	report string // what the report to the sender says; "": it waits, or is delivered
	tries  int    // hosts that could not be reached, at most
}

const (
	good = "DOMAIN. IN MX 10 mx.other.test.\n"
	wait = "verdict=later status=4.4.3"
	sent = "verdict=done status=2.0.0"
)

// exchangers are n MX records from 1 on, of which the first dead ones lead to
// where nobody listens.
func exchangers(n, dead int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "DOMAIN. IN MX %d a-rather-long-name-%d.DOMAIN.\na-rather-long-name-%d.DOMAIN. IN A 127.0.0.%d\n", i+1, i, i, map[bool]int{true: 99, false: 1}[i < dead])
	}
	return b.String()
}

func lookups() []lookup {
	return []lookup{
		{domain: "silent.test", zone: "!silent DOMAIN\n", log: wait},
		{domain: "servfail.test", zone: "!servfail DOMAIN\n", log: wait},
		{domain: "refused.test", zone: "!refused DOMAIN\n", log: wait},
		{domain: "forged.test", zone: "!forged DOMAIN\n" + good, log: wait},
		{domain: "cut.test", zone: "!cut DOMAIN\n" + good, log: wait},
		{domain: "other-name.test", zone: "!other DOMAIN\n" + good, log: wait},
		{domain: "round.test", zone: "DOMAIN. IN CNAME a.DOMAIN.\na.DOMAIN. IN CNAME DOMAIN.\n", log: wait},
		{domain: "flap.test", zone: "!flap DOMAIN\n" + good, log: sent},
		{domain: "truncated.test", zone: "!truncate DOMAIN\n" + good, log: sent},
		{domain: "huge.test", zone: exchangers(500, 0), log: sent},
		{domain: "gone.test", log: "verdict=never status=5.1.2", report: "the domain does not exist"},
		{domain: "empty.test", zone: "DOMAIN. IN TXT x\n", log: "verdict=never status=5.1.2", report: "the domain has no mail host"},
		{domain: "address.test", zone: "DOMAIN. IN A 127.0.0.1\n", log: sent},
		{domain: "null.test", zone: "DOMAIN. IN MX 0 .\n", log: "verdict=never status=5.1.10", report: "null MX"},
		{domain: "no-host.test", zone: "DOMAIN. IN MX 10 gone.DOMAIN.\n", log: "verdict=never status=5.4.4", report: "gone.no-host.test has no address"},
		{domain: "no-address.test", zone: "DOMAIN. IN MX 10 t.DOMAIN.\nt.DOMAIN. IN TXT x\n", log: "verdict=never status=5.4.4", report: "t.no-address.test has no address"},
		{domain: "zero.test", zone: "DOMAIN. IN MX 10 z.DOMAIN.\nz.DOMAIN. IN A 0.0.0.0\nz.DOMAIN. IN AAAA ::\n", log: "verdict=never status=5.4.4", report: "z.zero.test has no address"},
		{domain: "slow-host.test", zone: "DOMAIN. IN MX 10 h.DOMAIN.\n!servfail h.DOMAIN\n", log: wait},
		{domain: "some-dead.test", zone: exchangers(100, 10), log: sent, tries: 10},
		{domain: "all-dead.test", zone: exchangers(100, 100), log: "verdict=later status=4.4.1", tries: 20},
	}
}

// zone writes what the name server says from now on.
func (s *site) zone(rows []lookup, text func(l lookup) string) {
	s.Helper()
	all := "other.test. IN MX 10 mx.other.test.\nmx.other.test. IN A 127.0.0.1\n"
	for _, l := range rows {
		all += strings.ReplaceAll(text(l), "DOMAIN", l.domain)
	}
	file := filepath.Join(s.Dir, "zone")
	if err := os.WriteFile(file+".new", []byte(all), 0o644); err != nil {
		s.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		s.Fatal(err)
	}
}

// mail sends a message from Ann, who reads the reports.
func (s *site) mail(rcpt string) {
	s.Helper()
	c, err := dial(s.Addr["smtp"])
	if err != nil {
		s.Fatal(err)
	}
	defer c.net.Close()
	c.say("mail", "MAIL FROM:<"+suite.Ann+">")
	c.say("rcpt", "RCPT TO:<"+rcpt+">")
	c.say("data", "DATA")
	if got := c.say("data", "Subject: to "+rcpt+"\r\n\r\ntext\r\n."); !strings.HasPrefix(got, "data 250") {
		s.Errorf("%s: got %q, want 250", rcpt, got)
	}
}

// reported is whether Ann has a report of a recipient that says this.
func (s *site) reported(rcpt, says string) bool {
	return slices.ContainsFunc(suite.BoxFiles(s.Instance, suite.Ann, ""), func(name string) bool {
		text, err := os.ReadFile(name)
		return err == nil && strings.Contains(string(text), "Final-Recipient: rfc822; "+rcpt+"\n") && strings.Contains(string(text), says)
	})
}

// TestDNS has the name server fail and lie, a domain for each of its ways. When
// it says what is right, all that waited arrives, without a restart.
func TestDNS(t *testing.T) {
	t.Parallel()
	s := newSite(t, instance.Options{Conf: "relay-from 127.0.0.0/8\n"})
	rows := lookups()
	s.zone(rows, func(l lookup) string { return l.zone })
	for _, l := range rows {
		s.mail("x@" + l.domain)
	}
	var arriving []string
	for _, l := range rows {
		t.Run(l.domain, func(t *testing.T) { (&site{T: t, Instance: s.Instance}).become(l) })
		if l.report == "" {
			arriving = append(arriving, "to x@"+l.domain)
		}
	}
	s.zone(rows, func(lookup) string { return good + "h.DOMAIN. IN A 127.0.0.1\n" }) // what was good is remembered for a minute
	slices.Sort(arriving)
	s.arrive(arriving)
}

// become waits for what is to become of a message.
func (s *site) become(l lookup) {
	s.Helper()
	s.logged([]string{`^(queued: outcome|queue-remote: (un)?sent) .*\bto=x@` + regexp.QuoteMeta(l.domain) + ` .*` + l.log + ` `})
	if l.report != "" {
		suite.Eventually(s.T, "a report", func() bool { return s.reported("x@"+l.domain, l.report) })
	}
	failed := regexp.MustCompile(`^queue-remote: host-failed .*host=[^ ]*` + regexp.QuoteMeta(l.domain) + `\b.* text="cannot connect`)
	n := 0
	for _, line := range s.Log() {
		if failed.MatchString(line) {
			n++
		}
	}
	if n > l.tries || n == 0 && l.tries > 0 {
		s.Errorf("got %d hosts that could not be reached, want at most %d", n, l.tries)
	}
}

// arrive flushes the queue until nothing is left, and holds what the other host
// has to what it should have, each once.
func (s *site) arrive(want []string) {
	s.Helper()
	suite.Eventually(s.T, "an empty queue", func() bool {
		if s.left() == "" {
			return true
		}
		s.Posthorn("", "queue", "flush")
		time.Sleep(200 * time.Millisecond)
		return false
	})
	if got := s.subjects(suite.SinkFiles(s.Instance)); !slices.Equal(got, want) {
		s.Errorf("got\n%q, want\n%q", got, want)
	}
}

// configure starts the server anew with lines of its configuration changed.
func (s *site) configure(change func(text string) string) {
	s.Helper()
	file := filepath.Join(s.Dir, "posthorn.conf")
	again(s, func() {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, []byte(change(string(text))), 0o644)
		}
		if err != nil {
			s.Error(err)
		}
	})()
}

// TestResolvers has name servers not be there. Mail comes in, and local mail
// arrives, all the same.
func TestResolvers(t *testing.T) {
	s := newSite(t, instance.Options{Conf: "relay-from 127.0.0.0/8\n"})
	s.sent = map[string]string{}
	dead := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	line, alive := regexp.MustCompile(`(?m)^resolver (.*)$`), ""
	s.configure(func(text string) string {
		alive = line.FindStringSubmatch(text)[1]
		return line.ReplaceAllString(text, "resolver "+dead+" "+alive)
	})
	s.mail("one-of-two@other.test")
	s.logged([]string{`^queue-remote: sent .*\bto=one-of-two@other\.test .*` + sent})
	s.configure(func(text string) string { return line.ReplaceAllString(text, "resolver "+dead) })
	s.mail("none@other.test")
	s.logged([]string{`^queued: outcome .*\bto=none@other\.test .*` + wait, `^queued: destination-dead destination=other\.test `})
	s.mustPost(suite.Bob, "to a box")
	suite.Eventually(t, "local mail", func() bool { return len(suite.BoxFiles(s.Instance, suite.Bob, "")) == 1 })
	s.configure(func(text string) string { return line.ReplaceAllString(text, "resolver "+alive) })
	s.arrive([]string{"to none@other.test", "to one-of-two@other.test"})
}

// TestLoops has domains name this host as theirs, on the port where it listens.
func TestLoops(t *testing.T) {
	s := newSite(t, instance.Options{Conf: "relay-from 127.0.0.0/8\n"})
	_, port, err := net.SplitHostPort(s.Addr["smtp"])
	if err != nil {
		t.Fatal(err)
	}
	s.configure(func(text string) string {
		return regexp.MustCompile(`(?m)^remote-port .*$`).ReplaceAllString(text, "remote-port "+port)
	})
	rows := []lookup{
		{domain: "localhost.test", zone: "DOMAIN. IN MX 10 localhost.\n"},
		{domain: "loopback.test", zone: "DOMAIN. IN MX 10 l.DOMAIN.\nl.DOMAIN. IN A 127.0.0.1\n"},
		{domain: "mapped.test", zone: "DOMAIN. IN MX 10 l.DOMAIN.\nl.DOMAIN. IN AAAA ::ffff:127.0.0.1\n"},
		{domain: "by-name.test", zone: "DOMAIN. IN MX 10 " + instance.Hostname + ".\n"},
		{domain: "itself.test", zone: "DOMAIN. IN A 127.0.0.1\n"},
		{domain: "alias.test", zone: "DOMAIN. IN CNAME itself.test.\n"},
	}
	s.zone(rows, func(l lookup) string { return l.zone })
	for _, l := range rows {
		s.mail("x@" + l.domain)
	}
	for _, l := range rows {
		l.log, l.report = "verdict=never status=5.4.6", "Status: 5.4.6"
		t.Run(l.domain, func(t *testing.T) { (&site{T: t, Instance: s.Instance}).become(l) })
	}
	s.arrive(nil)
}
