// Package clients has the mail programs that people use work with a whole
// server: what they fetch, change and send must be found there, byte for byte.
package clients

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/smtp"
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

// desk is where a client works: a home without anybody's configuration, beside
// a server.
type desk struct {
	*instance.Instance
	t       *testing.T
	home    string
	replace *strings.Replacer
}

// newDesk starts a server for clients that are installed. A test with a server
// of its own runs beside others.
func newDesk(t *testing.T, programs ...string) *desk {
	t.Helper()
	t.Parallel()
	suite.Need(t, programs...)
	return (&desk{Instance: suite.Server(t, instance.Options{})}).at(t)
}

// at returns a desk with a home of its own at the same server.
func (d *desk) at(t *testing.T) *desk {
	t.Helper()
	next := &desk{Instance: d.Instance, t: t, home: newHome(t)}
	words := []string{"%HOME%", next.home, "%CA%", filepath.Join(next.home, "ca.pem"), "%ANN%", suite.Ann, "%BOB%", suite.Bob,
		"%EVE%", suite.Eve, "%PASS%", instance.Password}
	for service, addr := range d.Addr {
		_, port, _ := net.SplitHostPort(addr)
		words = append(words, "%"+service+"%", port)
	}
	next.replace = strings.NewReplacer(words...)
	next.file("ca.pem", certificate(t, d.Instance))
	return next
}

// nobody runs the clients when the tests are root: some refuse to work for root.
const nobody = 65534

// newHome makes a folder that belongs to the client.
func newHome(t *testing.T) string {
	t.Helper()
	home, err := os.MkdirTemp("", "posthorn-home")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	own(t, home)
	return home
}

// own gives a file to who runs the clients.
func own(t *testing.T, file string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Lchown(file, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

// credential is who runs the clients.
func credential() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{}}}
}

// certificate returns the server's certificate, without the key beside it.
func certificate(t *testing.T, i *instance.Instance) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(i.Dir, "tls.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return string(pem.EncodeToMemory(block))
		}
	}
	t.Fatal("tls.pem: no certificate")
	return ""
}

// fill puts names, ports and folders into text: %BOB%, %imaps%, %HOME%, ….
func (d *desk) fill(text string) string { return d.replace.Replace(text) }

// file writes a file of the client's home, filled in, and returns its name.
func (d *desk) file(name, text string) string {
	d.t.Helper()
	d.folder(filepath.Dir(name))
	file := filepath.Join(d.home, name)
	if err := os.WriteFile(file, []byte(d.fill(text)), 0o600); err != nil {
		d.t.Fatal(err)
	}
	own(d.t, file)
	return file
}

// folder makes one of the client's home, and those above it.
func (d *desk) folder(name string) string {
	d.t.Helper()
	dir := d.home
	for _, part := range strings.Split(name, "/") {
		dir = filepath.Join(dir, part)
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			d.t.Fatal(err)
		}
		own(d.t, dir)
	}
	return dir
}

// maildir makes an empty one in the home.
func (d *desk) maildir(name string) {
	d.t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		d.folder(name + "/" + sub)
	}
}

// environ is all that a client sees of the one who runs the tests.
func (d *desk) environ() []string {
	return []string{"HOME=" + d.home, "TMPDIR=" + d.home, "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG=C.UTF-8", "TERM=dumb",
		"USER=bob", "LOGNAME=bob", "SSL_CERT_FILE=" + filepath.Join(d.home, "ca.pem")}
}

// try runs a client, its arguments filled in, and returns what it printed.
func (d *desk) try(stdin, name string, args ...string) (string, error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), suite.Limit)
	defer cancel()
	for n := range args {
		args[n] = d.fill(args[n])
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = d.environ(), d.home, credential()
	cmd.Stdin = strings.NewReader(d.fill(stdin))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run is try that has to succeed.
func (d *desk) run(stdin, name string, args ...string) string {
	d.t.Helper()
	out, err := d.try(stdin, name, args...)
	if err != nil {
		d.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// mail has one message for each subject arrive in bob's box, in this order.
func (d *desk) mail(subjects ...string) {
	d.t.Helper()
	for _, s := range subjects {
		before := len(suite.BoxFiles(d.Instance, suite.Bob, ""))
		text := "From: Eve <" + suite.Eve + ">\r\nTo: " + suite.Bob + "\r\nSubject: " + s + "\r\nMessage-ID: <" + s + "@other.test>\r\n" +
			"Date: Mon, 05 Oct 2026 10:00:00 +0000\r\n\r\nThe text of " + s + ".\r\nFrom here on\r\n.a dot\r\n"
		if err := send(d.Addr["smtp"], text); err != nil {
			d.t.Fatal(err)
		}
		suite.Eventually(d.t, s+" arrives", func() bool { return len(suite.BoxFiles(d.Instance, suite.Bob, "")) == before+1 })
	}
}

// send gives a message from eve for bob to a host.
func send(addr, text string) error {
	c, err := smtp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(c.Mail(suite.Eve), c.Rcpt(suite.Bob)); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return errors.Join(w.Close(), c.Quit())
}

// box returns subject:flags of the messages in a folder of bob's, as "one:S two:".
func (d *desk) box(folder string) string { return shown(suite.BoxFiles(d.Instance, suite.Bob, folder)) }

// local is box for a Maildir of the client's.
func (d *desk) local(name string) string {
	return shown(d.files([]string{name}))
}

func shown(files []string) string {
	var all []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil { // renamed or removed meanwhile: who waits looks again
			continue
		}
		_, flags, _ := strings.Cut(filepath.Base(file), ":2,")
		all = append(all, field(text, "Subject")+":"+flags)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// field returns the first value of a header field.
func field(message []byte, name string) string {
	header, _, _ := bytes.Cut(bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	for line := range bytes.Lines(header) {
		if have, value, ok := strings.Cut(string(line), ":"); ok && strings.EqualFold(have, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// wantBox waits until a folder of bob's is as want says.
func (d *desk) wantBox(folder, want string) {
	d.t.Helper()
	d.wait(fmt.Sprintf("folder %q of the server", folder), want, func() string { return d.box(folder) })
}

// wantLocal compares a Maildir of the client's.
func (d *desk) wantLocal(name, want string) {
	d.t.Helper()
	if got := d.local(name); got != want {
		d.t.Fatalf("the client's %s: got %q, want %q", name, got, want)
	}
}

// wait polls until got returns want; it says what it saw last.
func (d *desk) wait(what, want string, got func() string) {
	d.t.Helper()
	defer func() {
		if d.t.Failed() {
			d.t.Logf("%s: got %q, want %q", what, got(), want)
		}
	}()
	suite.Eventually(d.t, what+" is "+want, func() bool { return got() == want })
}

// body returns what follows the header, with line ends as files have them.
func body(message []byte) string {
	_, text, _ := bytes.Cut(bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n")), []byte("\n\n"))
	return string(text)
}

// wantSame wants the bodies of messages at the client to be the server's.
func (d *desk) wantSame(name string, subjects ...string) {
	d.t.Helper()
	here, there := bodies(d.files([]string{name})), bodies(suite.BoxFiles(d.Instance, suite.Bob, ""))
	for _, s := range subjects {
		if here[s] != there[s] || !strings.HasSuffix(here[s], "\n.a dot\n") {
			d.t.Errorf("%s: got body %q, want %q", s, here[s], there[s])
		}
	}
}

// bodies returns subject and body of messages.
func bodies(files []string) map[string]string {
	all := map[string]string{}
	for _, file := range files {
		text, _ := os.ReadFile(file)
		all[field(text, "Subject")] = body(text)
	}
	return all
}

// files lists the messages of the client's Maildirs.
func (d *desk) files(names []string) []string {
	var all []string
	for _, name := range names {
		for _, sub := range []string{"new", "cur"} {
			files, _ := filepath.Glob(filepath.Join(d.home, name, sub, "*"))
			all = append(all, files...)
		}
	}
	return all
}
