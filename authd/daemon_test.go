package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/priv"
	"posthorn/internal/stamp"
	"posthorn/internal/verdict"
	"posthorn/test/transcript"
)

// TestMain lets the test binary be authd, or a daemon that asks it.
func TestMain(m *testing.M) {
	switch os.Getenv("AUTHD_TEST") {
	case "authd":
		main()
	case "login":
		os.Exit(loginChild(os.Args[1]))
	default:
		os.Exit(m.Run())
	}
}

// loginChild logs ann in at the socket and prints her ticket.
func loginChild(path string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	l, err := directory.New(path).Login(ctx, directory.Credentials{Service: "imap", User: "ann", Password: "secret",
		Client: netip.MustParseAddr("192.0.2.1"), TLS: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(l.Ticket)
	return 0
}

// needDrop skips a test of processes that give rights away where this build
// cannot, as under the race detector.
func needDrop(t *testing.T) {
	t.Helper()
	if err := priv.Able(); err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// startDaemon runs authd in a process of its own until the test ends, and
// returns when it serves.
func startDaemon(t *testing.T, s *site) *exec.Cmd {
	t.Helper()
	needDrop(t)
	cmd := exec.Command(os.Args[0], "-c", s.path("posthorn.conf"))
	cmd.Env = append(os.Environ(), "AUTHD_TEST=authd")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	log := bufio.NewScanner(out)
	for log.Scan() {
		fmt.Fprintln(s.log, log.Text())
		if strings.HasPrefix(log.Text(), "started ") {
			break
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		io.Copy(s.log, out)
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Errorf("after SIGTERM: got %v, want exit 0; the log:\n%s", err, s.log)
		}
		watchdog.Stop()
	})
	if !strings.Contains(s.log.String(), "started ") {
		t.Fatalf("authd did not start:\n%s", s.log)
	}
	return cmd
}

// TestDaemon runs the real thing: as an ordinary user with that user's uid for
// all, as root with the uid of each daemon.
func TestDaemon(t *testing.T) {
	s := newSite(t, "system-users yes\nmin-uid 1\nauth-delay 0s\n", loginUsers, "info: ann, friend@remote.example\n")
	cmd := startDaemon(t, s)
	c := directory.New(s.conf(t).Socket("auth"))
	t.Cleanup(c.Close)
	if got, want := resolve(t, c, "info@example.org"),
		"box ann@example.org ann@example.org aliases:1; address friend@remote.example friend@remote.example aliases:1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s.write(t, "aliases", "info: bob\n") // the new file must be inside authd's Landlock rules
	if got, want := resolve(t, c, "info@example.org"), "box bob@example.org bob@example.org aliases:1"; got != want {
		t.Errorf("after a change: got %s, want %s; the log:\n%s", got, want, s.log)
	}
	testGetent(t, s, c)
	ticket := loginAs(t, s, "imapd")
	g, err := c.Redeem(t.Context(), ticket, "imap")
	vmail := vmailUID
	if os.Geteuid() != 0 {
		vmail = os.Geteuid()
	}
	if err != nil || g.User != "ann@example.org" || g.Box.UID != vmail || g.Client != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("redeem: got %+v, %v, want ann's box of uid %d", g, err, vmail)
	}
	if _, err := c.Redeem(t.Context(), ticket, "imap"); err == nil {
		t.Error("redeem again: got no error")
	}
	if os.Geteuid() == 0 {
		testRights(t, s, c, cmd.Process.Pid)
	}
}

// testGetent: getent must find out about users under the daemon's rights.
func testGetent(t *testing.T, s *site, c *directory.Client) {
	t.Helper()
	if got, want := resolve(t, c, "posthorn-nobody@example.org"), "never 5.1.1 no such mailbox here"; got != want {
		t.Errorf("no system user: got %s, want %s; the log:\n%s", got, want, s.log)
	}
	if _, err := user.Lookup("daemon"); err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Error(err)
		}
		t.Log("no user daemon here, so no system user is looked up")
		return
	}
	if got, want := resolve(t, c, "daemon@example.org"), "box daemon daemon@example.org passwd"; got != want {
		t.Errorf("system user: got %s, want %s; the log:\n%s", got, want, s.log)
	}
}

// loginAs logs in from a process with the uid of process.
func loginAs(t *testing.T, s *site, process string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], s.conf(t).Socket("auth"))
	cmd.Env = append(os.Environ(), "AUTHD_TEST=login")
	if os.Geteuid() == 0 {
		id, err := s.conf(t).Identity(process)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Path = readable(t)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(id.UID), Gid: uint32(id.GID), Groups: []uint32{61020}}}
	}
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Logf("%s: %s", process, exit.Stderr)
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// readable returns a copy of the test binary that everybody may execute.
func readable(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "", "", "")
	if err := os.WriteFile(s.path("client"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	return s.path("client")
}

// testRights: with the real uids only the daemons that take logins may, and
// authd is not root.
func testRights(t *testing.T, s *site, c *directory.Client, pid int) {
	if ticket := loginAs(t, s, "queued"); ticket != "" {
		t.Error("login by queued: got a ticket, want a refusal")
	}
	if ticket := loginAs(t, s, "queue-remote"); ticket != "" {
		t.Error("login by queue-remote: got a ticket, want a refusal")
	}
	_, err := c.Login(t.Context(), credentials("ann", "secret"))
	if v := verdict.Of(err); v.Status != "5.5.1" {
		t.Errorf("login by root: got %v, want a refusal", v)
	}
	for _, want := range []string{"peer-refused socket=auth ", "request-refused request=login "} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("got the log\n%swant %s", s.log, want)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Uid:\t61007\t61007\t61007\t61007\n", "NoNewPrivs:\t1\n", "CapEff:\t0000000000000000\n"} {
		if !bytes.Contains(status, []byte(want)) {
			t.Errorf("got\n%swant %q", status, want)
		}
	}
}

// TestBrokenStart: a restart does not cure a broken table, so the exit code
// says not to try.
func TestBrokenStart(t *testing.T) {
	s := newSite(t, "", "ann\n", "")
	cmd := exec.Command(os.Args[0], "-c", s.path("posthorn.conf"))
	cmd.Env = append(os.Environ(), "AUTHD_TEST=authd")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != daemon.ExitConfig {
		t.Errorf("got %v, want exit %d", err, daemon.ExitConfig)
	}
	if want := "users:1: found no colon"; !strings.Contains(string(out), want) {
		t.Errorf("got %s, want %s", out, want)
	}
}

// version waits until a file cannot change unseen and returns its version.
func (s *site) version(name string) string {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if v := stamp.Of(s.path(name)).String(); v != "" {
			return v
		}
	}
	return name + " never settles"
}

// TestTranscript replays the transcript of doc/protocol/auth.md.
func TestTranscript(t *testing.T) {
	s := newSite(t, "auth-delay 0s\n", "ann:"+md5Secret+"\nuser:"+pencil+"\n", "info: ann, friend@remote.example\nbroken: nobody\n")
	svc := s.service(t)
	svc.nonce = func() string { return "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0" }
	s.serve(t, svc)
	conn, err := net.Dial("unix", s.path("auth.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(conn)
	users, aliases, ticket := s.version("users"), s.version("aliases"), ""
	exchange := ""
	for _, l := range transcript.Of(t, "auth") {
		text := strings.NewReplacer("<dir>", s.dir, "<ticket>", ticket, "<exchange>", exchange, "<users>", users, "<aliases>", aliases).Replace(l.Text)
		if l.Client {
			fmt.Fprintln(conn, text)
			continue
		}
		got, err := in.ReadString('\n')
		got = strings.TrimSuffix(got, "\n")
		if l.Text == "ticket=<ticket>" {
			ticket, _ = strings.CutPrefix(got, "ticket=")
			text = "ticket=" + ticket
		}
		if l.Text == "exchange=<exchange>" {
			exchange, _ = strings.CutPrefix(got, "exchange=")
			text = "exchange=" + exchange
		}
		if err != nil || got != text {
			t.Fatalf("got %q, %v, want %q", got, err, text)
		}
	}
	if len(ticket) != 32 {
		t.Errorf("got the ticket %q, want 128 bits", ticket)
	}
}

// TestRequestsOfNoSense must be answered, and harm nobody.
func TestRequestsOfNoSense(t *testing.T) {
	s := newSite(t, "", loginUsers, "")
	s.serve(t, s.service(t))
	for request, want := range map[string]string{
		"request=resolve\n":                                               "status=5.1.3\n",
		"request=resolve\naddress=a b@c\n":                                "status=5.1.3\n",
		"request=resolve\naddress=\n":                                     "status=5.1.3\n",
		"request=login\nservice=ftp\n":                                    "status=5.5.4\n",
		"request=login\nservice=imap\nclient=here\n":                      "status=5.5.4\n",
		"request=login\nservice=imap\n":                                   "status=5.7.8\n",
		"request=box\n":                                                   "status=2.0.0\n",
		"request=box\n" + strings.Repeat("box=x\n", directory.MaxBoxes+1): "status=5.5.4\n",
		"request=box\nbox=\n":                                             "status=5.1.1\n",
		"request=box\nbox=../../etc\n":                                    "status=5.1.1\n",
		"request=maysend\n":                                               "status=2.0.0\n",
		"request=maysend\naddress=x@example.org\n":                        "status=5.7.1\n",
		"request=redeem\n":                                                "status=4.7.0\n",
		"\n":                                                              "status=5.5.1\n",
		"request=resolve\naddress=" + strings.Repeat("x", 2000) + "@x.org\n": "status=5.1.3\n",
	} {
		conn, err := net.Dial("unix", s.path("auth.sock"))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(conn, "proto=%s\n%s\n", directory.Proto, request)
		var got bytes.Buffer
		in := bufio.NewReader(conn)
		for line := ""; line != "\n"; {
			if line, err = in.ReadString('\n'); err != nil {
				t.Errorf("%.60q: got %q, %v", request, got.String(), err)
				break
			}
			got.WriteString(line)
		}
		conn.Close()
		if !strings.Contains(got.String(), want) {
			t.Errorf("%.60q: got %q, want %q", request, got.String(), want)
		}
	}
}
