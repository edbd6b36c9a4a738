// Package faults tests what the server does when the host fails it: a disk that
// is full, broken or read-only, limits that are reached, daemons that hang, a
// name server that is silent or lies, a clock that is set, a second server. Each is
// a row of a table with what clients are told, what the log says, and that
// afterwards nothing that was acknowledged is lost or doubled.
package faults

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// fault is one row: what strikes, and what is to be seen of it.
type fault struct {
	name   string
	strike func(s *site) (heal func())
	rcpt   string   // to whom the message goes that is sent meanwhile; "" is Bob
	smtp   string   // what its sender is told: the command and how the answer begins
	early  bool     // he has connected before the fault
	imap   string   // how LOGIN, SELECT, FETCH, APPEND and STORE end meanwhile; "" is not tried
	pop    string   // how USER, PASS, RETR, DELE and QUIT end; "" is not tried
	log    []string // what the log says meanwhile, regular expressions
	dies   string   // daemons that end of it, and are started again
	slow   bool     // it waits for a deadline: only where the long proofs run
}

// hold tests the rows against one server.
func hold(t *testing.T, s *site, rows []fault) {
	for _, f := range rows {
		if f.slow && os.Getenv("POSTHORN_PROVE") == "" {
			continue
		}
		t.Run(f.name, func(t *testing.T) { f.holds(&site{T: t, Instance: s.Instance}) })
	}
}

// holds makes the fault, looks at all that is to be seen of it, takes it away,
// and looks at what is left.
func (f fault) holds(s *site) {
	s.Helper()
	s.dead = f.dies == "any"
	s.empty()
	s.mustPost(suite.Bob, "before")
	if f.pop != "" {
		s.mustPost(pop, "to be removed")
	}
	s.arrived()
	s.open(f)
	pids := s.pids()
	s.mark = len(s.Log())
	f.meet(s)
	s.mustPost(unasked(strings.NewReplacer(" ", "-", ",", "").Replace(f.name)), "after") // taken when authd answers too
	s.arrived()
	for name, pid := range s.pids() {
		if died := pid != pids[name]; f.dies != "all" && f.dies != "any" && died != slices.Contains(strings.Fields(f.dies), name) {
			s.Errorf("%s: was process %d and is %d, want these to die: %q", name, pids[name], pid, f.dies)
		}
	}
}

// open has the mailboxes opened once: what is new in them has its UIDs.
func (s *site) open(f fault) {
	s.Helper()
	if f.imap != "" {
		r := s.read("imaps")
		defer r.Close()
		r.ask("x ", "x LOGIN "+suite.Bob+" "+instance.Password)
		r.ask("x ", "x SELECT INBOX")
	}
	if f.pop != "" {
		r := s.read("pop3s")
		defer r.Close()
		r.ask("+", "USER "+pop)
		r.ask("+", "PASS "+instance.Password)
		r.ask("+", "QUIT")
		os.Remove(filepath.Join(s.Dir, "mail", instance.Domain, "pop", "Maildir", "posthorn-pop3.lock")) // as before the first session
	}
}

// meet is the time of the fault.
func (f fault) meet(s *site) {
	s.Helper()
	var c *client
	if f.early {
		var err error
		if c, err = dial(s.Addr["smtp"]); err != nil {
			s.Fatal(err)
		}
		defer c.net.Close()
	}
	heal := f.strike(s)
	defer heal()
	f.send(s, c)
	if f.imap != "" {
		if got := s.imap("filed"); got != f.imap {
			s.Errorf("IMAP: got %q, want %q", got, f.imap)
		}
	}
	if f.pop != "" {
		if got := s.pop3(); got != f.pop {
			s.Errorf("POP3: got %q, want %q", got, f.pop)
		}
	}
	s.logged(f.log)
}

// send has a message sent meanwhile.
func (f fault) send(s *site, c *client) {
	s.Helper()
	if f.smtp == "" {
		return
	}
	rcpt := f.rcpt
	if rcpt == "" {
		rcpt = suite.Bob
	}
	var got string
	if c != nil {
		got = c.post(rcpt, "meanwhile")
		s.note(got, rcpt, "meanwhile")
	} else {
		got = s.post(rcpt, "meanwhile")
	}
	if !strings.HasPrefix(got, f.smtp) || strings.Contains(got, "/") {
		s.Errorf("SMTP: got %q, want %q and no path in it", got, f.smtp)
	}
}
