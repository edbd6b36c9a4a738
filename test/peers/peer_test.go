// Package peers runs Debian's other mail servers beside ours: as senders to us,
// as hosts that we send to, and by LMTP in both directions.
package peers

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"posthorn/internal/priv"
	"posthorn/test/instance"
	"posthorn/test/suite"
)

// unpacked returns where scripts/peers has put a package.
func unpacked(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(cmp.Or(os.Getenv("POSTHORN_PEERS"), "/var/lib/posthorn-peers"), name)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if os.Getenv("POSTHORN_TEST_ALL") != "" {
		t.Fatalf("%s is not there, and POSTHORN_TEST_ALL is set", dir)
	}
	t.Skip("needs POSTHORN_PEERS: scripts/peers unpacks it")
	return ""
}

// share makes a folder that a peer sees as /srv.
func share(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer") // short, and open to other uids
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o755)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// peer is another mail server that runs.
type peer struct {
	t      *testing.T
	name   string
	domain string
	share  string
	addr   string // where it listens
	init   string // process id of its first process
}

// kinds are the peers. The mail of each one's domain goes to a loopback address
// of its own, at the port that the instance takes for that of all hosts. tls is
// what comes about between us: the server of OpenSMTPD 6.8 fails every handshake
// with the OpenSSL that Debian has, and is sent mail in the clear after that.
var kinds = map[string]struct{ domain, ip, tls string }{
	"postfix":            {"postfix.test", "127.0.0.2", "TLS1.3"},
	"exim4-daemon-light": {"exim.test", "127.0.0.3", "TLS1.3"},
	"opensmtpd":          {"opensmtpd.test", "127.0.0.4", "no"},
}

// zone are the records of the peers' domains.
func zone() string {
	var b strings.Builder
	for _, d := range kinds {
		fmt.Fprintf(&b, "%[1]s. 60 IN MX 10 mx.%[1]s.\nmx.%[1]s. 60 IN A %[2]s\n", d.domain, d.ip)
	}
	return b.String()
}

// start runs a peer for as long as the test, with i as its smarthost.
func start(t *testing.T, i *instance.Instance, name, dir string, env ...string) *peer {
	t.Helper()
	root := unpacked(t, name)
	_, port, _ := net.SplitHostPort(i.Sink)
	d := kinds[name]
	p := &peer{t: t, name: name, domain: d.domain, share: dir, addr: net.JoinHostPort(d.ip, port)}
	if err := instance.WriteCertificate(filepath.Join(dir, "tls.pem"), "mx."+d.domain); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run"), script, 0o644); err != nil {
		t.Fatal(err)
	}
	relayHost, relayPort, _ := net.SplitHostPort(i.Addr["smtp"])
	cmd := exec.Command("unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc", "sh", "testdata/enter", root, dir)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C", "HOST=" + d.ip, "PORT=" + port,
		"RELAYHOST=" + relayHost, "RELAYPORT=" + relayPort, "RELAY=[" + relayHost + "]:" + relayPort}, env...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = suite.Limit
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s\n%s", name, said.String(), p.log())
		}
	})
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		// With its first process the whole namespace ends, and unshare then.
		if first, err := strconv.Atoi(p.init); err == nil {
			syscall.Kill(first, syscall.SIGKILL)
		} else {
			cmd.Process.Kill()
		}
		<-ended
	})
	suite.Eventually(t, name+" listens", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v", name, err)
		default:
		}
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	p.init = strings.TrimSpace(string(children))
	return p
}

// needRoot skips what makes namespaces.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: the peer's namespaces are root's to make")
	}
	if err := priv.Able(); err != nil {
		t.Skip(err)
	}
}

// run runs a program where the peer is.
func (p *peer) run(stdin string, args ...string) string {
	p.t.Helper()
	return suite.Must(p.t, stdin, "nsenter", append([]string{"-t", p.init, "-m", "-p", "-i", "--"}, args...)...)
}

// log returns what the peer has logged.
func (p *peer) log() string {
	var b strings.Builder
	for _, name := range []string{"log", "exim/mainlog", "exim/rejectlog"} {
		text, _ := os.ReadFile(filepath.Join(p.share, name)) // not every peer has each
		b.Write(text)
	}
	return b.String()
}

// inbox returns the messages of a user of the peer.
func (p *peer) inbox(user string) []string {
	names, _ := filepath.Glob(filepath.Join(p.share, "home", user, "Maildir", "new", "*"))
	return texts(p.t, names)
}

func texts(t *testing.T, names []string) []string {
	t.Helper()
	var all []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// box returns the messages of a user of ours.
func box(t *testing.T, i *instance.Instance, user string) []string {
	t.Helper()
	return texts(t, suite.BoxFiles(i, user, ""))
}

// with returns those of messages that hold every word.
func with(messages []string, words ...string) (found []string) {
	for _, m := range messages {
		all := true
		for _, w := range words {
			all = all && strings.Contains(m, w)
		}
		if all {
			found = append(found, m)
		}
	}
	return found
}

// submit has our server take a message.
func submit(t *testing.T, i *instance.Instance, from, text string, to ...string) {
	t.Helper()
	c, err := smtp.Dial(i.Addr["smtp"])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(c.Mail(from))
	for _, rcpt := range to {
		check(c.Rcpt(rcpt))
	}
	w, err := c.Data()
	check(err)
	_, err = io.WriteString(w, strings.ReplaceAll(text, "\n", "\r\n"))
	check(err)
	check(w.Close())
	check(c.Quit())
}

// quick are lines of configuration for tests of retries.
const quick = "relay-from 127.0.0.0/8\nretry 1s\nretry-jitter 0\nmessage-size 30M\n"

// once waits for a message with these words in a user's box, and holds that it
// is there once.
func once(t *testing.T, i *instance.Instance, user string, words ...string) string {
	t.Helper()
	var found []string
	suite.Eventually(t, user+" gets "+strings.Join(words, " "), func() bool {
		found = with(box(t, i, user), words...)
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Errorf("%s: got %d messages with %q, want 1", user, len(found), words)
	}
	return found[0]
}
