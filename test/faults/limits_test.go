package faults

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// limit gives a running daemon so little of a resource, and returns what gives
// it back. Only the daemon's own uid may always do that.
func (s *site) limit(daemon, resource string, most int) func() {
	s.Helper()
	pid, err := s.PID(daemon)
	if err != nil {
		s.Fatal(err)
	}
	set := func(value string) error {
		cmd := exec.Command("prlimit", "--pid", strconv.Itoa(pid), "--"+resource+"="+value+":")
		if os.Geteuid() == 0 {
			uid := uint32(instance.UIDs[owner(daemon)])
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	}
	if err := set(strconv.Itoa(most)); err != nil {
		s.Fatal(err)
	}
	return func() { set("4096") } // it may have died
}

// owner names the process whose uid a daemon has.
func owner(daemon string) string {
	switch daemon {
	case "deliver", "imap-session", "pop3-session":
		return "vmail"
	}
	return daemon
}

// noFiles lets a daemon open nothing more.
func noFiles(daemon string) func(s *site) func() {
	return func(s *site) func() { return s.limit(daemon, "nofile", 3) }
}

// TestNoDescriptors has daemons run out of open files (EMFILE).
func TestNoDescriptors(t *testing.T) {
	t.Parallel()
	s := newSite(t, instance.Options{Conf: "relay-from 127.0.0.0/8\n"})
	hold(t, s, []fault{
		{name: "smtpd", strike: noFiles("smtpd"), early: true, smtp: "data 451 4.3.0 ",
			log: []string{`^smtpd: rejected .*stage=data .*status=4\.3\.0 .*err=.*too many open files`}},
		{name: "smtpd, new connection", strike: func(s *site) func() {
			heal := noFiles("smtpd")(s)
			var answer sync.WaitGroup
			answer.Go(func() { // it waits for its greeting until it is over
				if got := s.post(suite.Ann, "patient"); !strings.HasPrefix(got, "data 250") {
					s.Errorf("a connection made meanwhile: got %q, want 250", got)
				}
			})
			return func() { heal(); answer.Wait() }
		}, log: []string{`^smtpd: accept-failed service=smtp err=.*too many open files`}},
		{name: "queued", strike: noFiles("queued"), smtp: "data 250 ",
			log: []string{`^queued: peer-failed socket=queue err=.*too many open files`, `^smtpd: kept id=\S+ err=`, `^queued: spool-failed err=.*too many open files`}},
		{name: "deliver", strike: noFiles("deliver"), smtp: "data 250 ",
			log: []string{`^deliver: peer-failed socket=deliver err=.*too many open files`, `^queued: deferred .*next=`}},
		{name: "queue-remote", strike: noFiles("queue-remote"), rcpt: "x@" + instance.Foreign, smtp: "data 250 ",
			log: []string{`^queue-remote: accept-failed service=remote err=.*too many open files`}},
		{name: "imap-session", strike: noFiles("imap-session"), imap: "NO [UNAVAILABLE]",
			log: []string{`^imapd: login-failed .*text="[^"]*try again later"`}},
		{name: "pop3-session", strike: noFiles("pop3-session"), pop: "+OK -ERR [SYS/TEMP]",
			log: []string{`^pop3d: login-failed .*text="[^"]*try again later"`}},
	})
}

// TestNoProcesses has daemons get no more threads while they are busy. What is
// guaranteed is that what was acknowledged arrives, once, and that the daemon
// comes back: the runtime of Go ends a program that needs a thread and gets none
// (RLIMIT_NPROC, pids.max), with its own exit status 2, and a program cannot
// prevent that. Whether one is needed at that moment is chance.
func TestNoProcesses(t *testing.T) {
	s := newSite(t, instance.Options{})
	var rows []fault
	for _, name := range []string{"smtpd", "queued", "deliver", "authd"} {
		rows = append(rows, fault{name: name, dies: "any", strike: func(s *site) func() {
			heal := s.limit(name, "nproc", 1)
			s.load(40)
			return heal
		}})
	}
	hold(t, s, rows)
}

// answered is what a command was answered, and not that the connection broke.
var answered = regexp.MustCompile(`^\w+ \d\d\d `)

// load sends many messages at a time; what becomes of each is not known.
func (s *site) load(n int) {
	s.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	for k := range n {
		all.Go(func() {
			c, err := dial(s.Addr["smtp"])
			if err != nil {
				return
			}
			defer c.net.Close()
			subject := "load " + string(rune('A'+k))
			got := c.post(suite.Bob, subject)
			mu.Lock()
			defer mu.Unlock()
			s.note(got, suite.Bob, subject)
			s.lost[subject] = !answered.MatchString(got)
		})
	}
	all.Wait()
}
