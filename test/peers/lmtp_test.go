package peers

import (
	"bytes"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestPostfixFeeds: Postfix keeps the queue, deliver the boxes; what it is
// answered for each recipient is what becomes of that recipient.
func TestPostfixFeeds(t *testing.T) {
	needRoot(t)
	suite.Need(t, "unshare", "nsenter")
	unpacked(t, "postfix")
	for _, way := range []string{"unix", "inet"} {
		t.Run(way, func(t *testing.T) { postfixFeeds(t, way) })
	}
}

func postfixFeeds(t *testing.T, way string) {
	dir := share(t)
	listen := "listen lmtp 127.0.0.1:0\n"
	if way == "unix" {
		listen = "listen lmtp " + dir + "/lmtp.sock group=20001\n" // Postfix's, in its view of the system
	}
	carl := "carl@" + instance.Domain
	i := suite.Server(t, instance.Options{Zone: zone(), Conf: listen, Users: []string{suite.Ann, suite.Bob, carl},
		Files: map[string]string{"aliases": "postmaster: " + suite.Ann + "\nteam: ann, bob\n"}})
	transport := "lmtp:unix:/srv/lmtp.sock"
	if way == "inet" {
		transport = "lmtp:inet:" + i.Addr["lmtp"]
	}
	p := start(t, i, "postfix", dir, "EXTRA=virtual_mailbox_domains = "+instance.Domain+"\nvirtual_transport = "+transport+
		"\nvirtual_destination_recipient_limit = 50\nlmtp_destination_recipient_limit = 50")
	send := func(from, text string, to ...string) {
		t.Helper()
		p.run("From: "+from+"\n"+text, append([]string{"/usr/sbin/sendmail", "-i", "-f", from}, to...)...)
	}
	// carl's box cannot be written: a file stands where his folder would.
	block := filepath.Join(i.Dir, "mail", instance.Domain, "carl")
	if err := os.MkdirAll(filepath.Dir(block), 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chown(filepath.Dir(block), instance.UIDs["vmail"], instance.UIDs["vmail"])
	if err := os.WriteFile(block, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	send(suite.Ann, "Subject: several\n\n.\nhello\n", suite.Bob, "bob+x@"+instance.Domain, carl, "stranger@"+instance.Domain, "team@"+instance.Domain)
	once(t, i, suite.Bob, "Subject: several\n", "with LMTP id")
	p.logged("to=<"+suite.Bob+">", "status=sent (250 2.0.0 ", " delivered")
	p.logged("to=<bob+x@"+instance.Domain+">", "status=sent (250 2.0.0 ")
	p.logged("to=<stranger@"+instance.Domain+">", "status=bounced", "550 5.1.1 no such mailbox here")
	p.logged("to=<team@"+instance.Domain+">", "status=bounced", "550 5.1.1 the address does not lead to one mailbox")
	p.logged("to=<"+carl+">", "status=deferred", "451 4.3.0")
	// The bounce comes the same way.
	report := once(t, i, suite.Ann, "stranger@"+instance.Domain, "Status: 5.1.1")
	if !strings.HasPrefix(report, "Return-Path: <>\n") {
		t.Errorf("got %q, want the null sender", report[:min(len(report), 300)])
	}
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	p.run("", "postqueue", "-f")
	once(t, i, carl, "Subject: several\n")
	once(t, i, suite.Bob, "Subject: several\n")

	// Postfix keeps what comes while deliver is away, and delivers it later.
	if err := i.StopServer(); err != nil {
		t.Fatal(err)
	}
	if way == "inet" {
		return // its port would be another after a start
	}
	send(suite.Ann, "Subject: meanwhile\n\nx\n", suite.Bob)
	p.logged("to=<"+suite.Bob+">", "status=deferred")
	if err := i.StartServer(nil); err != nil {
		t.Fatal(err)
	}
	p.run("", "postqueue", "-f")
	once(t, i, suite.Bob, "Subject: meanwhile\n")
}

// TestDovecotStores: mail for a domain whose boxes Dovecot has goes there by
// LMTP, with a verdict for each recipient.
func TestDovecotStores(t *testing.T) {
	suite.Need(t, "dovecot", "doveadm")
	for _, way := range []string{"unix", "inet"} {
		t.Run(way, func(t *testing.T) { dovecotStores(t, way) })
	}
}

func dovecotStores(t *testing.T, way string) {
	d := startDovecot(t, way)
	i := suite.Server(t, instance.Options{
		Conf:  "retry 1s\nretry-jitter 0\nrelay-domain store.test\n",
		Files: map[string]string{"transport": "store.test " + d.transport + "\n"},
	})
	submit(t, i, suite.Ann, "From: "+suite.Ann+"\nSubject: kept\n\n.\nGrüße\n", "carl@store.test", "dora@store.test", "full@store.test", "stranger@store.test")
	for _, user := range []string{"carl", "dora"} {
		var got []string
		suite.Eventually(t, user+" has the message", func() bool {
			got = with(d.inbox(user), "Subject: kept\n")
			return len(got) > 0
		})
		if len(got) != 1 || !strings.HasSuffix(got[0], "\n\n.\nGrüße\n") || !strings.HasPrefix(got[0], "Return-Path: <"+suite.Ann+">\n") {
			t.Errorf("%s: got %q, want the message once", user, got)
		}
	}
	report := once(t, i, suite.Ann, "Action: failed", "stranger@store.test")
	if !strings.Contains(report, "Status: 5.1.1") || strings.Contains(report, "carl@store.test") || strings.Contains(report, d.dir) {
		t.Errorf("got %s, want stranger alone and no path", report)
	}
	for _, to := range []string{"carl", "dora"} {
		if _, err := i.WaitLog(suite.Limit, func(l string) bool {
			return strings.Contains(l, "queue-remote: sent ") && strings.Contains(l, "to="+to+"@store.test") && strings.Contains(l, "Saved")
		}); err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
	// Over quota is what Dovecot calls temporary unless told otherwise.
	line, err := i.WaitLog(suite.Limit, func(l string) bool {
		return strings.Contains(l, "queue-remote: unsent ") && strings.Contains(l, "to=full@store.test")
	})
	if err != nil || !strings.Contains(line, "verdict=later") || !strings.Contains(line, "status=4.2.2") {
		t.Errorf("got %s, %v, want later 4.2.2", line, err)
	}
	// Somebody else's domain is still nobody's to send to.
	if err := relayed(i, "x@elsewhere.test"); err == nil || !strings.Contains(err.Error(), "5.7.1") {
		t.Errorf("another domain: got %v, want 5.7.1", err)
	}
}

// store is a Dovecot that has users carl, dora and full, the last of whom has
// no room for mail.
type store struct {
	t              *testing.T
	dir, transport string
}

func startDovecot(t *testing.T, way string) *store {
	t.Helper()
	dir := share(t)
	d := &store{t: t, dir: dir, transport: "lmtp:unix:" + dir + "/lmtp"}
	listener := fmt.Sprintf("unix_listener %s/lmtp {\n    mode = 0666\n  }", dir)
	if way == "inet" {
		port := freePort(t)
		d.transport = "lmtp:[127.0.0.1]:" + port
		listener = "inet_listener lmtp {\n    address = 127.0.0.1\n    port = " + port + "\n  }"
	}
	uid, gid, internal, group := owner(t)
	var users strings.Builder
	for _, name := range []string{"carl", "dora", "full"} {
		rule := ""
		if name == "full" {
			rule = "userdb_quota_rule=*:bytes=10"
		}
		fmt.Fprintf(&users, "%[1]s@store.test:{PLAIN}x:%[2]d:%[3]d::%[4]s/mail/%[1]s::%[5]s\n", name, uid, gid, dir, rule)
	}
	write(t, filepath.Join(dir, "users"), users.String())
	conf, err := os.ReadFile("testdata/dovecot")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "dovecot.conf"), strings.NewReplacer("%DIR%", dir, "%LISTENER%", listener, "%USER%", internal, "%GROUP%", group).Replace(string(conf)))
	if err := os.Mkdir(filepath.Join(dir, "mail"), 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chown(filepath.Join(dir, "mail"), uid, -1)
	d.run(t)
	return d
}

// owner returns whose the mail is, and the user and group whom Dovecot's own
// processes belong to.
func owner(t *testing.T) (uid, gid int, name, group string) {
	t.Helper()
	if os.Geteuid() == 0 {
		return instance.UIDs["vmail"], instance.UIDs["vmail"], "nobody", "nogroup"
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return os.Geteuid(), os.Getegid(), u.Username, g.Name
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// freePort returns one that nobody has at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// run runs Dovecot for as long as the test.
func (d *store) run(t *testing.T) {
	t.Helper()
	cmd := exec.Command("dovecot", "-F", "-c", filepath.Join(d.dir, "dovecot.conf"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = suite.Limit
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if log, _ := os.ReadFile(filepath.Join(d.dir, "log")); t.Failed() {
			t.Logf("Dovecot said:\n%s\n%s", said.String(), log)
		}
	})
	network, at := "unix", strings.TrimPrefix(d.transport, "lmtp:unix:")
	if rest, ok := strings.CutPrefix(d.transport, "lmtp:[127.0.0.1]:"); ok {
		network, at = "tcp", "127.0.0.1:"+rest
	}
	suite.Eventually(t, "Dovecot listens", func() bool {
		c, err := net.Dial(network, at)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// relayed returns why a stranger may not send to an address by us.
func relayed(i *instance.Instance, to string) error {
	c, err := smtp.Dial(i.Addr["smtp"])
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Mail("x@other.test"); err != nil {
		return err
	}
	return c.Rcpt(to)
}

// inbox returns what Dovecot has for a user.
func (d *store) inbox(user string) []string {
	names, _ := filepath.Glob(filepath.Join(d.dir, "mail", user, "Maildir", "new", "*"))
	return texts(d.t, names)
}

// logged waits until the peer's log has a line with all words.
func (p *peer) logged(words ...string) string {
	p.t.Helper()
	var found string
	suite.Eventually(p.t, p.name+" logs "+strings.Join(words, " "), func() bool {
		for line := range strings.Lines(p.log()) {
			n := 0
			for _, w := range words {
				if strings.Contains(line, w) {
					n++
				}
			}
			if n == len(words) {
				found = line
				return true
			}
		}
		return false
	})
	return found
}
