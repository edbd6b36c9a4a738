package units

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/test/suite"
)

// system is a systemd that runs the installed units as process 1 of namespaces.
type system struct {
	pid int // as seen from here
}

// cgroup makes a control group of the test's own, in which that systemd is
// alone, and returns its folder; "" where this machine has none to give.
func cgroup(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if !strings.Contains(line, " - cgroup2 ") || len(f) < 5 {
			continue
		}
		dir := filepath.Join(f[4], fmt.Sprintf("posthorn-test.%d", os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			return ""
		}
		t.Cleanup(func() { removeCgroup(t, dir) })
		return dir
	}
	return ""
}

// removeCgroup removes a group and those in it, once all of it has ended.
func removeCgroup(t *testing.T, dir string) {
	suite.Eventually(t, "the end of "+dir, func() bool {
		var folders []string
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				folders = append(folders, path)
			}
			return nil
		})
		for i := len(folders) - 1; i >= 0; i-- {
			os.Remove(folders[i])
		}
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

// boot starts the installed units, or skips the test where that cannot be.
func boot(t *testing.T) *system {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: to be process 1 of namespaces")
	}
	suite.Need(t, "systemctl", "systemd-sysusers", "systemd-tmpfiles", "unshare", "nsenter", "chroot", "setpriv")
	dest := install(t)
	const namespaces = "--mount --pid --fork --net --uts --ipc --cgroup --kill-child"
	group := cgroup(t)
	if err := exec.Command("unshare", append(strings.Fields(namespaces), "sh", "-c", "mount -t cgroup2 none /mnt")...).Run(); err != nil || group == "" {
		t.Skipf("needs root of a machine that gives namespaces and control groups away: %v", err)
	}
	file := filepath.Join(t.TempDir(), "posthorn.conf")
	text := "hostname mx.example.test\ndomain example.test\npostmaster ann@example.test\nlandlock require\nconnections 10000\nconnections-per-client 10000\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	words := strings.Fields(strings.Replace(namespaces, "--cgroup ", "", 1)) // that comes last, in the group
	cmd := exec.Command("unshare", append(words, "testdata/boot.sh")...)
	cmd.Env = append(os.Environ(), "SCRATCH="+t.TempDir(), "DEST="+dest, "CONF="+file)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(folder.Fd()), Pdeathsig: syscall.SIGKILL}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended }) // all in its namespace end with it
	s := &system{}
	suite.Eventually(t, "systemd with all units", func() bool {
		select {
		case <-ended:
			t.Fatalf("process 1 has ended:\n%s", out.String())
		default:
		}
		fmt.Sscan(readFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", cmd.Process.Pid)), &s.pid)
		state, _ := s.run("systemctl", "is-active", "posthorn.target")
		return strings.TrimSpace(state) == "active"
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log:\n%s", s.log())
		}
	})
	return s
}

func readFile(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

// path names a file of the system.
func (s *system) path(name string) string { return fmt.Sprintf("/proc/%d/root%s", s.pid, name) }

func (s *system) log() string { return readFile(s.path("/run/test.log")) }

// run runs a command in the system.
func (s *system) run(words ...string) (string, error) {
	if s.pid == 0 {
		return "", errors.New("not yet there")
	}
	enter := []string{"-t", fmt.Sprint(s.pid), "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w"}
	out, err := exec.Command("nsenter", append(enter, words...)...).CombinedOutput()
	return string(out), err
}

func (s *system) must(t *testing.T, words ...string) string {
	t.Helper()
	out, err := s.run(words...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// show returns a property of a unit.
func (s *system) show(t *testing.T, unit, property string) string {
	t.Helper()
	return s.must(t, "systemctl", "show", "--value", "-p", property, "posthorn-"+unit+".service")
}

// dial connects from within the system's network.
func (s *system) dial(port string) (net.Conn, error) {
	runtime.LockOSThread() // of which the network namespace is
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, err
	}
	defer own.Close()
	other, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", s.pid))
	if err != nil {
		return nil, err
	}
	defer other.Close()
	if err := unix.Setns(int(other.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	c, err := (&net.Dialer{FallbackDelay: -1, Timeout: suite.Limit}).Dial("tcp4", "127.0.0.1:"+port)
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		return c, errors.Join(err, back) // the thread, which belongs elsewhere, ends with its goroutine
	}
	runtime.UnlockOSThread()
	return c, err
}

// send sends ann a message.
func (s *system) send(t *testing.T, subject string) {
	t.Helper()
	conn, err := s.dial("25")
	if err != nil {
		t.Fatal(err)
	}
	send(t, conn, "ann@example.test", subject)
}

// send sends a message over conn, which it closes.
func send(t *testing.T, conn net.Conn, to, subject string) {
	t.Helper()
	defer conn.Close()
	c, err := smtp.NewClient(conn, "mx.example.test")
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(c.Mail("eve@other.test"), c.Rcpt(to))
	data, derr := c.Data()
	if err = errors.Join(err, derr); err != nil {
		t.Fatalf("send %s: %v", subject, err)
	}
	fmt.Fprintf(data, "Subject: %s\r\n\r\nhello\r\n", subject)
	if err := errors.Join(data.Close(), c.Quit()); err != nil {
		t.Fatalf("send %s: %v", subject, err)
	}
}

// submit has an ordinary user send ann a message by sendmail.
func (s *system) submit(t *testing.T, subject string) {
	t.Helper()
	s.must(t, "sh", "-c", "printf 'Subject: "+subject+"\n\nhello\n' | setpriv --reuid 65534 --regid 65534 --clear-groups /usr/sbin/sendmail -i ann@example.test")
}

// arrived waits for so many messages in ann's INBOX, over IMAP.
func (s *system) arrived(t *testing.T, count int) {
	t.Helper()
	suite.Eventually(t, fmt.Sprintf("%d messages in the INBOX", count), func() bool {
		c, err := s.dial("143")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "1 LOGIN ann secret\r\n2 STATUS INBOX (MESSAGES)\r\n3 LOGOUT\r\n")
		in := bufio.NewScanner(c)
		for in.Scan() {
			if strings.Contains(in.Text(), fmt.Sprintf("(MESSAGES %d)", count)) {
				return true
			}
		}
		return false
	})
}

// TestUnitsRun runs the units in a real systemd: mail goes through a server in
// which nothing is root, daemons are started again under their clients, and
// reloads, mistakes and stops are as the units say.
func TestUnitsRun(t *testing.T) {
	s := boot(t)
	for _, program := range programs {
		s.checkProcess(t, program)
	}
	s.send(t, "first")
	s.submit(t, "second")
	s.arrived(t, 2)
	t.Run("restarts", func(t *testing.T) { testRestarts(t, s) })
	t.Run("reload", func(t *testing.T) { testReload(t, s) })
	t.Run("mistake", func(t *testing.T) { testMistake(t, s) })
	t.Run("death", func(t *testing.T) { testDeath(t, s) })
	s.must(t, "systemctl", "stop", "posthorn.target")
	for _, program := range programs {
		if got := s.show(t, program, "ActiveState") + " " + s.show(t, program, "Result"); got != "inactive success" {
			t.Errorf("%s after the stop: got %s", program, got)
		}
	}
	if c, err := s.dial("25"); err == nil {
		c.Close()
		t.Error("port 25 after the stop: somebody answers")
	}
	t.Run("certificate", func(t *testing.T) { testCertificate(t, s) })
	t.Run("system users", func(t *testing.T) { testSystemUsers(t, s) }) // comes last, for it makes some of it root
}

// checkProcess reads from the kernel what a daemon is.
func (s *system) checkProcess(t *testing.T, program string) {
	t.Helper()
	pid := s.show(t, program, "MainPID")
	status := s.must(t, "cat", "/proc/"+pid+"/status")
	uid := s.must(t, "id", "-u", processOf(t, program).User)
	for _, want := range []string{
		fmt.Sprintf("Uid:\t%[1]s\t%[1]s\t%[1]s\t%[1]s\n", uid), "CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n",
		"NoNewPrivs:\t1\n", "Seccomp:\t2\n",
	} {
		if uid == "0" || !strings.Contains(status+"\n", want) {
			t.Errorf("%s: got no %q in its status:\n%s", program, want, status)
		}
	}
	if got := s.show(t, program, "StatusText"); got != "serving" {
		t.Errorf("%s: got the status %q", program, got)
	}
}

// testRestarts: no client is refused while any daemon is started again, and no
// message is.
func testRestarts(t *testing.T, s *system) {
	sent := 2
	for _, program := range programs {
		before := s.show(t, program, "MainPID")
		done := make(chan string)
		go func() {
			out, err := s.run("systemctl", "restart", "posthorn-"+program+".service")
			done <- fmt.Sprint(out, err)
		}()
		for running := true; running; {
			select {
			case got := <-done:
				running = false
				if got != "<nil>" {
					t.Fatalf("restart %s: %s", program, got)
				}
			default:
			}
			for _, port := range []string{"25", "587", "143", "110"} {
				c, err := s.dial(port)
				if err != nil {
					t.Fatalf("port %s while %s is started again: %v", port, program, err)
				}
				c.Close()
			}
		}
		if after := s.show(t, program, "MainPID"); after == before || after == "0" {
			t.Errorf("%s: got the process %s, then %s, want a new one", program, before, after)
		}
		s.send(t, "after "+program)
		s.submit(t, "by sendmail after "+program)
		sent += 2
	}
	s.arrived(t, sent)
	if log := s.log(); strings.Contains(log, "not-queued ") {
		t.Error("the log tells of refusals, want that of a message taken in under way to be none")
	}
}

func testReload(t *testing.T, s *system) {
	for _, program := range programs {
		s.must(t, "systemctl", "reload", "posthorn-"+program+".service")
	}
	suite.Eventually(t, "all to have reloaded", func() bool { return strings.Count(s.log(), "\nreloaded ") == len(programs) })
	file := s.path("/etc/posthorn/posthorn.conf")
	good := readFile(file)
	os.WriteFile(file, []byte("nonsense\n"), 0o644)
	s.must(t, "systemctl", "reload", "posthorn-smtpd.service")
	suite.Eventually(t, "the refusal in the status", func() bool {
		return strings.HasPrefix(s.show(t, "smtpd", "StatusText"), "reload refused: /etc/posthorn/posthorn.conf:1: ")
	})
	os.WriteFile(file, []byte(good), 0o644)
	s.must(t, "systemctl", "reload", "posthorn-smtpd.service")
	suite.Eventually(t, "the good one", func() bool { return s.show(t, "smtpd", "StatusText") == "serving" })
}

// testMistake: a daemon whose configuration is wrong is not started again.
func testMistake(t *testing.T, s *system) {
	file := s.path("/etc/posthorn/posthorn.conf")
	good := readFile(file)
	os.WriteFile(file, []byte("nonsense\n"), 0o644)
	if out, err := s.run("systemctl", "restart", "posthorn-authd.service"); err == nil {
		t.Errorf("start with a mistake: got no error\n%s", out)
	}
	for property, want := range map[string]string{"ActiveState": "failed", "ExecMainStatus": "100", "NRestarts": "0"} {
		if got := s.show(t, "authd", property); got != want {
			t.Errorf("authd with a mistake: got %s=%s, want %s", property, got, want)
		}
	}
	os.WriteFile(file, []byte(good), 0o644)
	s.must(t, "systemctl", "start", "posthorn-authd.service")
}

// testDeath: a daemon that dies is started again.
func testDeath(t *testing.T, s *system) {
	s.must(t, "systemctl", "kill", "--kill-who=main", "-s", "KILL", "posthorn-queued.service")
	suite.Eventually(t, "queued to be started again", func() bool {
		return s.show(t, "queued", "NRestarts") == "1" && s.show(t, "queued", "ActiveState") == "active"
	})
}

// testSystemUsers: with the drop-in for them a user of the system has his mail
// in his home, written and read under his uid.
func testSystemUsers(t *testing.T, s *system) {
	s.must(t, "useradd", "--create-home", "eve")
	for _, program := range []string{"deliver", "imap-session", "pop3-session"} {
		folder := "/run/units/posthorn-" + program + ".service.d"
		s.must(t, "mkdir", folder)
		s.must(t, "cp", "/usr/share/posthorn/examples/system-users.conf", folder)
	}
	file := s.path("/etc/posthorn/posthorn.conf")
	os.WriteFile(file, []byte(readFile(file)+"system-users yes\n"), 0o644)
	s.must(t, "systemctl", "daemon-reload")
	s.must(t, "systemctl", "restart", "posthorn.target")
	for _, program := range programs {
		suite.Eventually(t, program+" to serve", func() bool { return s.show(t, program, "StatusText") == "serving" })
	}
	for _, program := range []string{"deliver", "imap-session", "pop3-session"} {
		// The process that is root beside it has no way to the network either.
		if got := s.show(t, program, "User") + " " + s.show(t, program, "PrivateNetwork"); got != "root yes" {
			t.Errorf("%s: got %s, want root yes", program, got)
		}
	}
	conn, err := s.dial("25")
	if err != nil {
		t.Fatal(err)
	}
	send(t, conn, "eve@example.test", "for a user of the system")
	suite.Eventually(t, "the message in eve's home", func() bool {
		owner, _ := s.run("sh", "-c", "stat -c %U /home/eve/Maildir/new/*")
		return owner == "eve\n"
	})
}
