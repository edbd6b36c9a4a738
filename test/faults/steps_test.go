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

// build makes the server one of programs built with flags, from its next start on.
func (s *site) build(name string, flags ...string) {
	s.Helper()
	root, err := suite.Root()
	if err != nil {
		s.Fatal(err)
	}
	bin := filepath.Join(root, "bin", name+"."+filepath.Base(s.Bin))
	args := append([]string{"build", "-C", root, "-o", bin + "/"}, flags...)
	for _, program := range []string{"smtpd", "queued", "queued/queue-remote", "deliver", "deliver/deliver-box", "authd",
		"pop3d", "pop3d/pop3-session", "imapd", "imapd/imap-session", "posthorn"} {
		args = append(args, "./"+program)
	}
	suite.Must(s.T, "", "env", append([]string{"CGO_ENABLED=0", "go"}, args...)...)
	file := filepath.Join(s.Dir, "posthorn.conf")
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "libexec "+s.Bin, "libexec "+bin)), 0o644)
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Bin = bin
}

// failing starts the server anew with steps that fail from now on.
func failing(steps string) func(s *site) func() {
	return func(s *site) func() {
		s.Helper()
		arm := filepath.Join(s.Dir, "arm")
		s.Setenv("POSTHORN_ARM", arm)
		s.Setenv("POSTHORN_FAIL", steps)
		again(s, func() {})()
		s.mustPost(suite.Bob, "running")
		s.arrived()
		if err := os.WriteFile(arm, nil, 0o644); err != nil {
			s.Fatal(err)
		}
		return func() { os.Remove(arm) }
	}
}

// TestSteps fails one step on the disk after the other: at each such step, or
// once where the name ends with "once", which a second try must not take for
// mended.
func TestSteps(t *testing.T) {
	const refused, kept = "data 451 4.3.0 ", "data 250 2.0.0 "
	rejected := []string{`^smtpd: rejected .*stage=data .*status=4\.3\.0 .*err=.*input/output error`}
	unqueued := []string{`^queued: not-queued .*err=.*input/output error`, `^smtpd: rejected .*stage=data .*status=4\.3\.0 `}
	undelivered := []string{`^deliver: undelivered .*verdict=later status=4\.3\.0 .*err=.*input/output error`}
	refiled := slices.Concat(undelivered, unqueued)
	filing := "OK OK OK NO [UNAVAILABLE] OK"
	making := []fault{
		{name: "make a message", strike: failing("unnamed:spool/incoming:0:EIO"), smtp: refused, log: rejected},
		{name: "write it", strike: failing("write:spool/incoming:0:EIO"), smtp: refused, log: rejected},
		{name: "over a quota", strike: failing("write:spool/incoming:0:EDQUOT"), smtp: "data 452 4.3.1 "},
	}
	steps(t, "queued first", "at-once no\n", slices.Concat(making, []fault{
		{name: "sync it, once", strike: failing("sync:spool/incoming:1:EIO"), smtp: refused, log: unqueued},
		{name: "name it", strike: failing("link:spool/queue:0:EIO"), smtp: refused, log: unqueued},
		{name: "sync its folder, once", strike: failing("syncdir:spool/queue:1:EIO"), smtp: refused, log: unqueued},
		{name: "remove it", strike: failing("unlink:spool/queue:0:EIO"), smtp: kept, log: []string{`^queued: spool-failed .*err=.*input/output error`}},
		{name: "make a file in tmp", strike: failing("create:Maildir/tmp:0:EIO"), smtp: kept, log: undelivered, imap: filing},
		{name: "sync new, once", strike: failing("syncdir:Maildir/new:1:EIO"), smtp: kept, log: undelivered},
		{name: "write the uidlist", strike: failing("write:dovecot-uidlist:0:EIO"), imap: filing},
	}))
	steps(t, "at once", "", slices.Concat(making, []fault{
		{name: "name it in the queue, where it does not come", strike: failing("link:spool/queue:0:EIO"), smtp: kept},
		{name: "make a file in tmp", strike: failing("create:Maildir/tmp:0:EIO"), smtp: kept, log: undelivered, imap: filing},
		{name: "write in tmp", strike: failing("write:Maildir/tmp:0:EIO"), smtp: kept, log: undelivered, imap: filing},
		{name: "sync in tmp, once", strike: failing("sync:Maildir/tmp:1:EIO"), smtp: kept, log: undelivered},
		{name: "rename to new", strike: failing("rename:Maildir/new:0:EIO"), smtp: kept, log: undelivered},
		{name: "sync new, once", strike: failing("syncdir:Maildir/new:1:EIO"), smtp: kept, log: undelivered},
		{name: "make a file in tmp, and sync it for the queue", strike: failing("create:Maildir/tmp:0:EIO,sync:spool/incoming:1:EIO"), smtp: refused, log: refiled},
		{name: "make a file in tmp, and name it in the queue", strike: failing("create:Maildir/tmp:0:EIO,link:spool/queue:0:EIO"), smtp: refused, log: refiled},
	}))
}

// steps holds the rows against a server of its own.
func steps(t *testing.T, name, conf string, rows []fault) {
	t.Run(name, func(t *testing.T) {
		s := newSite(t, instance.Options{Conf: conf})
		s.build("prove", "-tags", "prove") // what the environment says is in package durable
		for n := range rows {
			rows[n].dies = "all"
		}
		hold(t, s, rows)
	})
}
