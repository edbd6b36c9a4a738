// Package mailer has the programs that send mail by sendmail(1) use it with a
// whole server: what they send must arrive, once, whoever they are.
package mailer

import (
	"context"
	"errors"
	"io"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// desk is a host with Posthorn's sendmail, mailq and newaliases.
type desk struct {
	*instance.Instance
	t    *testing.T
	home string
}

// origin is the domain of plain names.
const origin = "@" + instance.Domain

// newDesk starts a server whose root is ann, and installs the commands where any
// user can run them.
func newDesk(t *testing.T, o instance.Options) *desk {
	t.Helper()
	if o.Files == nil {
		o.Files = map[string]string{"aliases": "postmaster: " + suite.Bob + "\nroot: " + suite.Ann + "\n"}
	}
	d := &desk{Instance: suite.Server(t, o), t: t}
	d.home = filepath.Join(d.Dir, "home")
	if err := os.Mkdir(d.home, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(d.home, 0o777)
	d.install("sendmail")
	for _, name := range []string{"mailq", "newaliases"} {
		d.install(name)
	}
	return d
}

// install makes a command that uses the server's configuration, which is not in
// the usual place.
func (d *desk) install(name string) {
	d.t.Helper()
	program := d.path("." + name)
	suite.Must(d.t, "", "mkdir", "-p", program)
	suite.Must(d.t, "", "cp", filepath.Join(d.Bin, "sendmail"), filepath.Join(program, name))
	os.Chmod(program, 0o755)
	script := "#!/bin/sh\nexec " + filepath.Join(program, name) + " -C " + filepath.Join(d.Dir, "posthorn.conf") + " \"$@\"\n"
	if err := os.WriteFile(d.path(name), []byte(script), 0o755); err != nil {
		d.t.Fatal(err)
	}
	os.Chmod(d.path(name), 0o755)
}

func (d *desk) path(name string) string { return filepath.Join(d.Dir, name) }

// call is one run of a command line.
type call struct {
	uid   int // 0 is the test's own
	stdin io.Reader
	line  string // for sh; $SENDMAIL, $MAILQ and $NEWALIASES are the commands
}

// result is what came of a call.
type result struct {
	code int
	out  string
	rss  int64 // bytes, of the largest process
}

// run runs a command line in an environment as bare as cron's.
func (d *desk) run(c call) result {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), suite.Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", c.line)
	cmd.Dir = d.home
	cmd.Stdin = c.stdin
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + d.home, "LANG=C.UTF-8", "TERM=dumb", "SENDMAIL=" + d.path("sendmail"), "MAILQ=" + d.path("mailq"),
		"NEWALIASES=" + d.path("newaliases"), "DIR=" + d.Dir}
	if c.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(c.uid), Gid: uint32(c.uid)}}
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		d.t.Fatalf("%s: %v\n%s", c.line, err, out)
	}
	r := result{code: cmd.ProcessState.ExitCode(), out: string(out)}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.rss = u.Maxrss << 10
	}
	return r
}

// sh runs a line that must succeed and returns what it printed.
func (d *desk) sh(line string) string {
	d.t.Helper()
	r := d.run(call{line: line})
	if r.code != 0 {
		d.t.Fatalf("%s: got exit code %d\n%s", line, r.code, r.out)
	}
	return r.out
}

// with returns a user's messages of a subject.
func (d *desk) with(user, subject string) (all []*mail.Message) {
	for _, file := range suite.BoxFiles(d.Instance, user, "") {
		f, err := os.Open(file)
		if err != nil {
			continue // moved from new to cur
		}
		d.t.Cleanup(func() { f.Close() })
		m, err := mail.ReadMessage(f)
		if err == nil && m.Header.Get("Subject") == subject {
			all = append(all, m)
		}
	}
	return all
}

// message waits for the only message of a subject.
func (d *desk) message(user, subject string) *mail.Message {
	d.t.Helper()
	var found []*mail.Message
	suite.Eventually(d.t, "the message "+subject, func() bool {
		found = d.with(user, subject)
		return len(found) > 0
	})
	if len(found) > 1 {
		d.t.Fatalf("%s: got %d messages, want one", subject, len(found))
	}
	return found[0]
}

// complete checks what every message must have.
func (d *desk) complete(m *mail.Message, uid string) {
	d.t.Helper()
	subject := m.Header.Get("Subject")
	for _, name := range []string{"From", "Date", "Message-Id"} {
		if got := m.Header[name]; len(got) != 1 || got[0] == "" {
			d.t.Errorf("%s: got %s %q, want one", subject, name, got)
		}
	}
	for _, name := range []string{"From", "To"} {
		if list, err := m.Header.AddressList(name); err != nil && !errors.Is(err, mail.ErrHeaderNotPresent) {
			d.t.Errorf("%s: got %s %q (%v, %v), want addresses with a domain", subject, name, m.Header.Get(name), list, err)
		}
	}
	received := m.Header["Received"]
	if i := slices.IndexFunc(received, func(s string) bool { return strings.Contains(s, "(uid:"+uid+")") }); i < 0 {
		d.t.Errorf("%s: got Received %q, want the uid %s in it", subject, received, uid)
	}
	if m.Header.Get("Bcc") != "" {
		d.t.Errorf("%s: got Bcc %q", subject, m.Header.Get("Bcc"))
	}
}

func text(t *testing.T, m *mail.Message) string {
	t.Helper()
	b, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}
