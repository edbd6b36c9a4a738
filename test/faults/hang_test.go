package faults

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/test/instance"
)

// send sends a daemon a signal.
func (s *site) signal(daemon string, sig syscall.Signal) {
	s.Helper()
	pid, err := s.PID(daemon)
	if err == nil {
		err = syscall.Kill(pid, sig)
	}
	if err != nil {
		s.Fatal(err)
	}
}

// hanging stops a daemon, as a disk does that does not answer, or a debugger.
func hanging(daemon string) func(s *site) func() {
	return func(s *site) func() {
		s.signal(daemon, syscall.SIGSTOP)
		return func() { s.signal(daemon, syscall.SIGCONT) }
	}
}

// killed ends a daemon, as the kernel does that is out of memory.
func killed(daemon string) func(s *site) func() {
	return func(s *site) func() {
		s.signal(daemon, syscall.SIGKILL)
		return func() {}
	}
}

// instead puts a server in the place of a daemon that says something and hangs
// up.
func instead(daemon, socket, says string) func(s *site) func() {
	return func(s *site) func() {
		s.Helper()
		path := filepath.Join(s.Dir, "sockets", socket)
		l, err := net.Listen("unix", path+".test")
		if err == nil {
			err = errors.Join(os.Chmod(path+".test", 0o666), os.Rename(path+".test", path))
		}
		if err != nil {
			s.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Read(make([]byte, 1))
				c.Write([]byte(says))
				c.Close()
			}
		}()
		s.signal(daemon, syscall.SIGKILL) // and with it the connections to it
		return func() { l.Close() }
	}
}

// occupied keeps queued from coming back, by holding the lock of its spool.
func occupied(s *site) func() {
	s.Helper()
	f, err := os.OpenFile(filepath.Join(s.Dir, "spool", "lock"), os.O_RDWR, 0)
	if err != nil {
		s.Fatal(err)
	}
	s.signal("queued", syscall.SIGKILL)
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil { // when it has ended
		s.Fatal(err)
	}
	return func() { f.Close() }
}

// TestSilence has daemons hang, be dead, or talk nonsense.
func TestSilence(t *testing.T) {
	t.Parallel()
	s := newSite(t, instance.Options{Conf: "relay-from 127.0.0.0/8\n"})
	const foreign = "x@" + instance.Foreign
	hold(t, s, []fault{
		{name: "authd hangs", strike: hanging("authd"), slow: true, rcpt: unasked("hangs"), smtp: "rcpt 451 4.3.0 ", imap: "NO [UNAVAILABLE]",
			log: []string{`^smtpd: rejected .*stage=rcpt .*status=4\.3\.0 .*err=.*auth\.sock.*i/o timeout`}},
		{name: "authd hangs up", strike: instead("authd", "auth.sock", ""), rcpt: unasked("up"), smtp: "rcpt 451 4.3.0 ", imap: "NO [UNAVAILABLE]", pop: "+OK -ERR [SYS/TEMP]",
			log: []string{`^smtpd: rejected .*stage=rcpt .*status=4\.3\.0 .*err=.*auth\.sock`, `^imapd: login-failed .*err=.*auth\.sock`}, dies: "authd"},
		{name: "authd talks nonsense", strike: instead("authd", "auth.sock", "verdict=perhaps\n\x00\xff\n\n"), rcpt: unasked("nonsense"), smtp: "rcpt 451 4.3.0 ", imap: "NO [UNAVAILABLE]", pop: "+OK -ERR [SYS/TEMP]",
			log: []string{`^smtpd: rejected .*stage=rcpt .*status=4\.3\.0 .*err=.*auth\.sock`, `^posthorn: died name=authd err=`}, dies: "authd"},
		{name: "authd says more than it may", strike: instead("authd", "auth.sock", "verdict=done\n"+string(make([]byte, 1<<20))), rcpt: unasked("more"), smtp: "rcpt 451 4.3.0 ", imap: "NO [UNAVAILABLE]",
			log: []string{`^smtpd: rejected .*stage=rcpt .*status=4\.3\.0 .*err=.*auth\.sock`}, dies: "authd"},
		{name: "queued hangs", strike: hanging("queued"), slow: true, smtp: "data 250 2.0.0 ",
			log: []string{`^smtpd: kept id=\S+ err=.*queue\.sock.*i/o timeout`}},
		{name: "queued is dead", strike: occupied, smtp: "data 250 2.0.0 ",
			log:  []string{`^smtpd: kept id=\S+ err=.*queue\.sock`, `^queued: fatal err=.*another queued works on this spool`, `^posthorn: died name=queued err="exit status 111" again=`},
			dies: "queued"},
		{name: "deliver hangs", strike: hanging("deliver"), smtp: "data 250 2.0.0 ", imap: imapGood},
		{name: "deliver is killed", strike: killed("deliver"), smtp: "data 250 2.0.0 ",
			log: []string{`^posthorn: died name=deliver err="signal: killed" again=`}, dies: "deliver"},
		{name: "deliver hangs up", strike: instead("deliver", "deliver.sock", ""), smtp: "data 250 2.0.0 ",
			log: []string{`^queued: destination-dead destination=@deliver failures=\d+ next=`}, dies: "deliver"},
		{name: "deliver talks nonsense", strike: instead("deliver", "deliver.sock", "verdict=done\nbox=x\n\n"), smtp: "data 250 2.0.0 ",
			log: []string{`^queued: (destination-dead|deferred) `}, dies: "deliver"},
		{name: "queue-remote hangs", strike: hanging("queue-remote"), rcpt: foreign, smtp: "data 250 2.0.0 "},
		{name: "queue-remote hangs up", strike: instead("queue-remote", "remote.sock", ""), rcpt: foreign, smtp: "data 250 2.0.0 ",
			log: []string{`^queued: destination-dead destination=@queue-remote failures=\d+ next=`}, dies: "queue-remote"},
		{name: "imap-session hangs up", strike: instead("imap-session", "imap-session.sock", ""), imap: "NO [UNAVAILABLE]",
			log: []string{`^imapd: login-failed .*err=.*`, `^posthorn: start name=imap-session `}, dies: "imap-session"},
	})
}
