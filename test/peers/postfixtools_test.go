package peers

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// tool is one of Postfix's test programs with its arguments.
func tool(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	root := unpacked(t, "postfix")
	if os.Geteuid() == 0 && name == "smtp-sink" {
		args = append([]string{"-u", "nobody"}, args...)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "usr/sbin", name), args...)
	dir := share(t)
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), []byte("compatibility_level = 3.6\nmyhostname = tool.test\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Env = []string{"LD_LIBRARY_PATH=" + filepath.Join(root, "usr/lib/postfix"), "PATH=/usr/bin:/bin", "MAIL_CONFIG=" + dir}
	return cmd
}

// TestSMTPSource: twenty sessions at a time, and nothing is lost or doubled.
func TestSMTPSource(t *testing.T) {
	unpacked(t, "postfix")
	i := suite.Server(t, instance.Options{Conf: "relay-from 127.0.0.0/8\n"})
	const each = 250
	for _, way := range [][]string{nil, {"-d"}} { // a connection a message, and many
		args := append(way, "-s", "20", "-m", fmt.Sprint(each), "-l", "4000", "-f", "x@other.test", "-t", suite.Bob, "inet:"+i.Addr["smtp"])
		if out, err := tool(t, "smtp-source", args...).CombinedOutput(); err != nil {
			t.Fatalf("smtp-source %s: %v\n%s", args, err, out)
		}
	}
	suite.Eventually(t, "all are in the box", func() bool { return len(suite.BoxFiles(i, suite.Bob, "")) >= 2*each })
	suite.Eventually(t, "the queue is empty", func() bool {
		out, err := i.Posthorn("", "queue", "list")
		return err == nil && !strings.Contains(out, "x@other.test")
	})
	if n := len(suite.BoxFiles(i, suite.Bob, "")); n != 2*each {
		t.Errorf("got %d messages, want %d", n, 2*each)
	}
}

// TestSMTPSink: a host that fails at each step of the dialogue, and what becomes
// of the recipient.
func TestSMTPSink(t *testing.T) {
	unpacked(t, "postfix")
	cases := []struct {
		args []string
		want string // event, verdict, start of the status
	}{
		{nil, "sent done 2."},
		{[]string{"-p"}, "sent done 2."}, // no PIPELINING
		{[]string{"-8"}, "sent done 2."}, // no 8BITMIME
		{[]string{"-e"}, "sent done 2."}, // no ESMTP
		{[]string{"-f", "CONNECT"}, "unsent later 4."},
		{[]string{"-r", "CONNECT"}, "unsent later 4."},
		{[]string{"-q", "CONNECT"}, "unsent later 4.4.2"},
		{[]string{"-f", "EHLO"}, "sent done 2."}, // HELO does
		{[]string{"-r", "EHLO"}, "unsent later 4."},
		{[]string{"-q", "EHLO"}, "unsent later 4.4.2"},
		{[]string{"-f", "MAIL"}, "unsent never 5."},
		{[]string{"-r", "MAIL"}, "unsent later 4."},
		{[]string{"-f", "RCPT"}, "unsent never 5."},
		{[]string{"-r", "RCPT"}, "unsent later 4."},
		{[]string{"-q", "RCPT"}, "unsent later 4.4.2"},
		{[]string{"-Q", "RCPT"}, "unsent later 4."},
		{[]string{"-f", "DATA"}, "unsent never 5."},
		{[]string{"-r", "DATA"}, "unsent later 4."},
		{[]string{"-q", "DATA"}, "unsent later 4.4.2"},
		{[]string{"-f", "."}, "unsent never 5."},
		{[]string{"-r", "."}, "unsent later 4."},
		{[]string{"-q", "."}, "unsent later 4.4.2"},
		{[]string{"-Q", "."}, "unsent later 4."},
		{[]string{"-f", "RSET"}, "sent done 2."},
		{[]string{"-q", "QUIT"}, "sent done 2."},
		{[]string{"-L"}, "sent done 2."}, // LMTP
		{[]string{"-L", "-r", "."}, "unsent later 4."},
		{[]string{"-L", "-f", "."}, "unsent never 5."},
		{[]string{"-L", "-q", "."}, "unsent later 4.4.2"},
	}
	var zone, transport strings.Builder
	port := freePort(t)
	ip := func(n int) string { return fmt.Sprintf("127.0.1.%d", n+1) }
	for n, tc := range cases {
		fmt.Fprintf(&zone, "s%[1]d.test. 60 IN MX 10 mx.s%[1]d.test.\nmx.s%[1]d.test. 60 IN A %[2]s\n", n, ip(n))
		kind := "smtp"
		if len(tc.args) > 0 && tc.args[0] == "-L" {
			kind = "lmtp"
		}
		fmt.Fprintf(&transport, "s%d.test %s:[%s]:%s\n", n, kind, ip(n), port)
		runSink(t, append(tc.args, net.JoinHostPort(ip(n), port), "10")...)
	}
	i := suite.Server(t, instance.Options{Zone: zone.String(), Conf: "relay-from 127.0.0.0/8\nretry 1h\ndestination-concurrency 20\n",
		Files: map[string]string{"transport": transport.String()}})
	for n, tc := range cases {
		// Two recipients: each has its verdict.
		a, b := fmt.Sprintf("a@s%d.test", n), fmt.Sprintf("b@s%d.test", n)
		submit(t, i, suite.Ann, "From: "+suite.Ann+"\nSubject: x\n\n.\nx\n", a, b)
		for _, to := range []string{a, b} {
			line, err := i.WaitLog(suite.Limit, func(l string) bool {
				return strings.HasPrefix(l, "queue-remote: ") && strings.Contains(l, "sent id=") && strings.Contains(l, " to="+to+" ")
			})
			event, _, _ := strings.Cut(strings.TrimPrefix(line, "queue-remote: "), " ")
			got := event + " " + instance.Value(line, "verdict") + " " + instance.Value(line, "status")
			if err != nil || !strings.HasPrefix(got, tc.want) {
				t.Errorf("%s, %s: got %s, %v, want %s\n%s", tc.args, to, got, err, tc.want, line)
			}
		}
	}
	// Who is lost for good comes back.
	for n, tc := range cases {
		if strings.HasPrefix(tc.want, "unsent never") {
			once(t, i, suite.Ann, fmt.Sprintf("Final-Recipient: rfc822; a@s%d.test", n), "Action: failed")
		}
	}
}

// runSink runs an smtp-sink for as long as the test.
func runSink(t *testing.T, args ...string) {
	t.Helper()
	cmd := tool(t, "smtp-sink", args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() && said.Len() > 0 {
			t.Logf("smtp-sink %s said: %s", args, said.String())
		}
	})
	suite.Eventually(t, "smtp-sink listens", func() bool {
		c, err := net.Dial("tcp", args[len(args)-2])
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}
