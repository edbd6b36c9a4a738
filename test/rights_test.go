package test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/daemon"
	"posthorn/internal/priv"
	"posthorn/internal/sock"
	"posthorn/test/instance"
	"posthorn/test/suite"
)

// processes are those of a root instance, with the user each must have and the
// groups that it needs.
var processes = map[string]struct{ identity, groups string }{
	"smtpd": {"smtpd", "sockets incoming tls"}, "queued": {"queued", "sockets incoming"}, "queue-remote": {"queue-remote", "sockets"},
	"deliver": {"vmail", "sockets"}, "imapd": {"imapd", "sockets tls"}, "pop3d": {"pop3d", "sockets tls"},
	"imap-session": {"vmail", "sockets"}, "pop3-session": {"vmail", "sockets"}, "authd": {"authd", "sockets"},
}

func groupIDs(names string) []int {
	var ids []int
	for n := range strings.FieldsSeq(names) {
		ids = append(ids, instance.GIDs[n])
	}
	return ids
}

// access is one thing that a process tries.
type access struct {
	How, Path string
	Proto     string // of a socket
}

// task is what a probe does: it confines itself as a daemon has, and tries.
type task struct {
	Rules priv.Rules
	Tries []access
}

// probe is what the test binary does as another user, when told so.
func probe() {
	var do task
	json.Unmarshal([]byte(os.Getenv("POSTHORN_TEST_PROBE")), &do)
	if _, err := priv.Confine(do.Rules); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	tries := do.Tries
	results := make([]bool, len(tries))
	for n, a := range tries {
		results[n] = a.try() == nil
	}
	json.NewEncoder(os.Stdout).Encode(results)
}

func (a access) try() error {
	switch a.How {
	case "read":
		f, err := os.Open(a.Path)
		if err != nil {
			return err
		}
		f.Close()
		return nil
	case "list":
		_, err := os.ReadDir(a.Path)
		return err
	case "make":
		f, err := os.CreateTemp(a.Path, "probe")
		if err != nil {
			return err
		}
		f.Close()
		return os.Remove(f.Name())
	case "write":
		f, err := os.OpenFile(a.Path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return f.Close()
	case "remove":
		return os.Remove(a.Path)
	case "connect":
		c, err := net.Dial("tcp", a.Path)
		if err != nil {
			return err
		}
		return c.Close()
	case "submit":
		c, err := net.Dial("unix", a.Path)
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if line, err := bufio.NewReader(c).ReadString('\n'); !strings.HasPrefix(line, "220 ") {
			return fmt.Errorf("got %q, %v", line, err)
		}
		return nil
	case "ask":
		c := &sock.Client{Path: a.Path, Proto: a.Proto, Timeout: 10 * time.Second}
		_, err := c.Do(context.Background(), attr.List{{Name: "request", Value: "probe-of-rights"}}, nil)
		return err
	}
	return errors.New("unknown access")
}

// rules asks a daemon what it was confined to.
func rules(t *testing.T, i *instance.Instance, process string) priv.Rules {
	t.Helper()
	c := &sock.Client{Path: filepath.Join(i.Dir, "sockets", "control", process+".sock"), Proto: daemon.ControlProto}
	defer c.Close()
	l, err := c.Do(t.Context(), attr.List{{Name: "request", Value: "rights"}}, nil)
	if err != nil || l.Get("verdict") != "done" {
		t.Fatalf("rights of %s: %v, %v", process, l, err)
	}
	r := priv.Rules{Read: l.All("read"), Write: l.All("write"), Execute: l.All("execute")}
	for _, port := range l.All("connect") {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			r.AnyTCP = true
			continue
		}
		r.Connect = append(r.Connect, uint16(n))
	}
	return r
}

// as runs the probe with a process's ids, confined as it is, and returns what
// it could do.
func as(t *testing.T, i *instance.Instance, process string, tries []access) []bool {
	t.Helper()
	p := processes[process]
	uid := instance.UIDs[p.identity]
	var groups []uint32
	for _, g := range groupIDs(p.groups) {
		groups = append(groups, uint32(g))
	}
	self := filepath.Join(t.TempDir(), "probe")
	for d := filepath.Dir(self); d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	suite.Must(t, "", "cp", os.Args[0], self)
	os.Chmod(self, 0o755)
	text, _ := json.Marshal(task{rules(t, i, process), tries})
	cmd := exec.Command(self)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "POSTHORN_TEST_PROBE="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), Groups: groups}}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("probe as %s: %v", process, err)
	}
	var results []bool
	if err := json.Unmarshal(out, &results); err != nil || len(results) != len(tries) {
		t.Fatalf("probe as %s: %v, %q", process, err, out)
	}
	return results
}

// TestRights holds the table of doc/architecture.md with real uids and the rules
// that each daemon gave Landlock: who each process is, and what it can and
// cannot open, write, connect to or ask.
func TestRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: run the tests as root to include it")
	}
	i := suite.Server(t, instance.Options{})
	for name := range processes {
		checkStatus(t, i, name)
	}
	if err := send(i.Addr["smtp"], suite.Bob, "<kill-0@test>"); err != nil {
		t.Fatal(err)
	}
	suite.Eventually(t, "the message in the box", func() bool { return len(suite.BoxFiles(i, suite.Bob, "")) == 1 })
	secret := filepath.Join(i.Dir, "secret")
	os.WriteFile(secret, []byte("me:secret\n"), 0o640)
	os.Chown(secret, 0, instance.UIDs["queued"])

	in := func(name string) string { return filepath.Join(i.Dir, name) }
	os.WriteFile(in("spool/incoming/of-queued"), nil, 0o660)
	os.Chown(in("spool/incoming/of-queued"), instance.UIDs["queued"], instance.GIDs["incoming"])
	tests := []struct {
		access
		may string // processes
	}{
		{access{How: "read", Path: in("posthorn.conf")}, "smtpd queued queue-remote deliver imapd pop3d imap-session pop3-session authd"},
		{access{How: "read", Path: in("tls.pem")}, "smtpd imapd pop3d"},
		{access{How: "read", Path: in("users")}, "authd"},
		{access{How: "read", Path: secret}, "queued"},
		{access{How: "list", Path: in("spool/queue")}, "queued"},
		{access{How: "make", Path: in("spool/queue")}, "queued"},
		{access{How: "make", Path: in("spool/incoming")}, "smtpd queued"},
		{access{How: "make", Path: in("spool/odd")}, "queued"},
		{access{How: "make", Path: in("spool")}, "queued"},
		{access{How: "list", Path: in("mail")}, "deliver imap-session pop3-session"},
		{access{How: "make", Path: in("mail")}, "deliver imap-session pop3-session"},
		{access{How: "read", Path: suite.BoxFiles(i, suite.Bob, "")[0]}, "deliver imap-session pop3-session"},
		{access{How: "make", Path: in("sockets")}, ""},
		{access{How: "make", Path: i.Dir}, ""},
		{access{How: "ask", Path: in("sockets/queue.sock"), Proto: "posthorn-queue/1"}, "smtpd"},
		{access{How: "ask", Path: in("sockets/deliver.sock"), Proto: "posthorn-deliver/1"}, "queued"},
		{access{How: "ask", Path: in("sockets/remote.sock"), Proto: "posthorn-remote/1"}, "queued"},
		{access{How: "ask", Path: in("sockets/imap-session.sock"), Proto: "posthorn-session/1"}, "imapd"},
		{access{How: "ask", Path: in("sockets/pop3-session.sock"), Proto: "posthorn-session/1"}, "pop3d"},
		{access{How: "ask", Path: in("sockets/imap-return.sock"), Proto: "posthorn-session/1"}, "deliver imap-session pop3-session"},
		{access{How: "ask", Path: in("sockets/auth.sock"), Proto: "posthorn-auth/1"}, "smtpd queued deliver imapd pop3d imap-session pop3-session authd"},
		{access{How: "submit", Path: in("sockets/submit.sock")}, ""},
		{access{How: "read", Path: "/etc/hostname"}, ""},
		{access{How: "list", Path: "/etc"}, ""},
		{access{How: "list", Path: "/root"}, ""},
		{access{How: "make", Path: "/tmp"}, ""},
		{access{How: "make", Path: "/var/tmp"}, ""},
		{access{How: "write", Path: in("posthorn.conf")}, ""},
		{access{How: "write", Path: in("users")}, ""},
		{access{How: "write", Path: in("aliases")}, ""},
		{access{How: "write", Path: in("tls.pem")}, ""},
		{access{How: "connect", Path: i.Addr["imap"]}, ""},
		{access{How: "connect", Path: i.Addr["smtp"]}, ""},
		{access{How: "connect", Path: i.Sink}, "queue-remote"},
		{access{How: "remove", Path: in("spool/incoming/of-queued")}, ""},
	}
	for _, name := range []string{"smtpd", "queued", "queue-remote", "deliver", "imapd", "pop3d", "imap-session", "pop3-session", "authd"} {
		may := name // and who has the same uid
		if processes[name].identity == "vmail" {
			may = "deliver imap-session pop3-session"
		}
		tests = append(tests, struct {
			access
			may string
		}{access{How: "ask", Path: in("sockets/control/" + name + ".sock"), Proto: "posthorn-control/1"}, may})
	}
	var tries []access
	for _, tc := range tests {
		tries = append(tries, tc.access)
	}
	for name := range processes {
		got := as(t, i, name, tries)
		for n, tc := range tests {
			want := strings.Contains(" "+tc.may+" ", " "+name+" ")
			if tc.How == "remove" && name == "queued" {
				continue // its own file
			}
			if got[n] != want {
				t.Errorf("%s: %s %s: got %v, want %v", name, tc.How, strings.TrimPrefix(tc.Path, i.Dir), got[n], want)
			}
		}
	}
}

// checkStatus reads from the kernel what a process is.
func checkStatus(t *testing.T, i *instance.Instance, name string) {
	t.Helper()
	pid, err := i.PID(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	uid := instance.UIDs[processes[name].identity]
	var groups strings.Builder
	for _, g := range groupIDs(processes[name].groups) {
		fmt.Fprintf(&groups, "%d ", g)
	}
	for _, want := range []string{
		fmt.Sprintf("Uid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", uid), fmt.Sprintf("Gid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", uid),
		"Groups:\t" + groups.String() + "\n", "NoNewPrivs:\t1\n", "CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s: got no %q in its status:\n%s", name, want, text)
		}
	}
	line, err := i.WaitLog(suite.Limit, func(l string) bool { return strings.HasPrefix(l, name+": started ") })
	if err != nil || instance.Value(line, "landlock") == "0" {
		t.Errorf("%s: got %q, %v, want Landlock in force", name, line, err)
	}
}

// TestPublicSockets: every user can reach those that decide by the uid.
func TestPublicSockets(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	for _, name := range []string{"submit.sock", "mailq.sock"} {
		fi, err := os.Stat(filepath.Join(i.Dir, "sockets", name))
		if err != nil || fi.Mode().Perm() != 0o666 {
			t.Errorf("%s: got %v, %v, want mode 0666", name, fi, err)
		}
	}
}

// TestPrivateSockets: a stranger reaches none of the sockets.
func TestPrivateSockets(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	for _, name := range []string{"queue", "deliver", "remote", "auth", "imap-session", "pop3-session", "control/queued", "control/smtpd"} {
		path := filepath.Join(i.Dir, "sockets", name+".sock")
		fi, err := os.Stat(path)
		if err != nil || fi.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s: got %v, %v, want a socket that others cannot reach", name, fi, err)
		}
	}
}
