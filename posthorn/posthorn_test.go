package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/door"
	"posthorn/internal/dsn"
)

// instance writes a configuration whose daemons are shell scripts, and returns
// its file and folder.
func instance(t *testing.T, script string) (file, dir string) {
	t.Helper()
	dir = t.TempDir()
	libexec := filepath.Join(dir, "libexec")
	os.Mkdir(libexec, 0o755)
	var text strings.Builder
	fmt.Fprintf(&text, "hostname mx.test\ndomain test\nlisten smtp 127.0.0.1:0\npostmaster ann@test\nlibexec %s\n", libexec)
	for _, d := range []string{"spool", "run-dir", "mail-root", "users", "aliases", "transport"} {
		fmt.Fprintf(&text, "%s %s\n", d, filepath.Join(dir, d))
	}
	for i, p := range []string{"smtpd", "queued", "queue-remote", "deliver", "imapd", "pop3d", "authd", "vmail"} {
		fmt.Fprintf(&text, "process-user %s %d\n", p, 61001+i)
	}
	text.WriteString("process-group sockets 61020\nprocess-group incoming 61021\nprocess-group tls 61022\n")
	file = filepath.Join(dir, "posthorn.conf")
	os.WriteFile(file, []byte(text.String()), 0o644)
	os.WriteFile(filepath.Join(dir, "users"), []byte("# ours\nann@test:{PLAIN}x\n"), 0o600)
	for _, name := range []string{"authd", "deliver", "queue-remote", "queued", "smtpd"} {
		os.WriteFile(filepath.Join(libexec, name), []byte("#!/bin/sh\n"+script), 0o755)
	}
	return file, dir
}

// output collects what a command prints and lets a test wait for it.
type output struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) wait(t *testing.T, enough func(string) bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !enough(o.String()) {
		select {
		case <-o.more:
		case <-deadline:
			t.Fatalf("not printed in time; got:\n%s", o)
		}
	}
}

func supervise(t *testing.T, file string) (*output, context.CancelFunc, chan error) {
	t.Helper()
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	out := newOutput()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- newSupervisor(&env{conf: c, stderr: out}).run(ctx, daemons(c)) }()
	t.Cleanup(cancel)
	return out, cancel, done
}

func result(t *testing.T, done chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("run did not return")
		return nil
	}
}

func TestRunStartsAgainWhatDies(t *testing.T) {
	file, dir := instance(t, "echo hello >&2\nexec sleep 1000\n")
	os.WriteFile(filepath.Join(dir, "libexec", "queued"), []byte("#!/bin/sh\necho hello >&2\nexit 1\n"), 0o755)
	out, cancel, done := supervise(t, file)
	out.wait(t, func(s string) bool {
		return strings.Count(s, "queued: hello") >= 3 && strings.Contains(s, "smtpd: hello") && strings.Contains(s, "authd: hello")
	})
	if strings.Count(out.String(), "smtpd: hello") != 1 {
		t.Errorf("smtpd was started more than once:\n%s", out)
	}
	cancel()
	if err := result(t, done); err != nil {
		t.Errorf("got %v, want nil after the end was asked for", err)
	}
}

// TestRunPassesTheLog: events go straight to standard error; what else a daemon
// says there is relayed with its name.
func TestRunPassesTheLog(t *testing.T) {
	file, _ := instance(t, "echo ${0##*/}: event >&$POSTHORN_LOG_FD\necho words >&2\nexec sleep 1000\n")
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- newSupervisor(&env{conf: c, stderr: w}).run(ctx, daemons(c)); w.Close() }()
	out := newOutput()
	go io.Copy(out, r)
	out.wait(t, func(s string) bool {
		return strings.Contains(s, "smtpd: event\n") && strings.Contains(s, "smtpd: words\n")
	})
	cancel()
	if err := result(t, done); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// TestRunTellsOfTheDead: what the supervisor says are events, a calm end too.
func TestRunTellsOfTheDead(t *testing.T) {
	file, dir := instance(t, "exec sleep 1000\n")
	os.WriteFile(filepath.Join(dir, "libexec", "queued"), []byte("#!/bin/sh\nexit 0\n"), 0o755)
	os.Remove(filepath.Join(dir, "libexec", "smtpd"))
	out, _, _ := supervise(t, file)
	for _, want := range []string{
		"posthorn: start name=queued pid=",
		"posthorn: died name=queued err=\"exit status 0\" again=100ms\n",
		"posthorn: died name=smtpd err=\"fork/exec " + filepath.Join(dir, "libexec", "smtpd") + ": no such file or directory\" again=100ms\n",
	} {
		out.wait(t, func(s string) bool { return strings.Contains(s, want) })
	}
}

func TestRunEndsWhenADaemonRefusesItsConfiguration(t *testing.T) {
	file, dir := instance(t, "exec sleep 1000\n")
	os.WriteFile(filepath.Join(dir, "libexec", "deliver"), []byte("#!/bin/sh\nexit 100\n"), 0o755)
	_, _, done := supervise(t, file)
	if err := result(t, done); !errors.Is(err, errConfig) || !strings.Contains(err.Error(), "deliver") {
		t.Errorf("got %v, want an error about deliver's configuration", err)
	}
}

// TestRunGoesOnWhenARestartFindsAMistake: what serves is not ended because a
// daemon that died finds the configuration broken since.
func TestRunGoesOnWhenARestartFindsAMistake(t *testing.T) {
	file, dir := instance(t, "exec sleep 1000\n")
	os.WriteFile(filepath.Join(dir, "libexec", "queued"),
		[]byte("#!/bin/sh\ntest -e "+dir+"/served && exit 100\ntouch "+dir+"/served\nsleep 1.2\nexit 1\n"), 0o755)
	out, cancel, done := supervise(t, file)
	out.wait(t, func(s string) bool { return strings.Contains(s, `died name=queued err="exit status 100"`) })
	select {
	case err := <-done:
		t.Errorf("got %v, want the others to go on", err)
	default:
	}
	cancel()
	if err := result(t, done); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// posthorn runs a command and returns what it printed.
func posthorn(stdin string, args ...string) (string, error) {
	var out strings.Builder
	err := run(args, strings.NewReader(stdin), &out, &out)
	return out.String(), err
}

func TestUsersAreEdited(t *testing.T) {
	file, dir := instance(t, "")
	if _, err := posthorn("first secret\n", "-c", file, "user", "add", "Bob"); err != nil {
		t.Fatal(err)
	}
	if got, err := posthorn("", "-c", file, "user", "list"); got != "ann@test\nbob@test\n" || err != nil {
		t.Errorf("list: got %q, %v", got, err)
	}
	if _, err := posthorn("second\n", "-c", file, "passwd", "bob@test"); err != nil {
		t.Errorf("passwd: %v", err)
	}
	if _, err := posthorn("third\n", "-c", file, "user", "add", "--scram", "carl"); err != nil {
		t.Errorf("with keys: %v", err)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "users"))
	if !strings.Contains(string(text), "\ncarl@test:{SCRAM-SHA-256}32768,") {
		t.Errorf("with keys: got %s", text)
	}
	posthorn("", "-c", file, "user", "remove", "carl")
	for _, words := range [][]string{{"user", "add", "--scram"}, {"passwd", "--md5", "bob"}, {"passwd", "bob", "--scram"}} {
		if _, err := posthorn("x\n", append([]string{"-c", file}, words...)...); err == nil {
			t.Errorf("%v: got no error", words)
		}
	}
	if _, err := posthorn("x\n", "-c", file, "user", "add", "bob"); err == nil {
		t.Error("a second bob: got no error")
	}
	if _, err := posthorn("x\n", "-c", file, "passwd", "eve@test"); err == nil {
		t.Error("passwd of nobody: got no error")
	}
	if _, err := posthorn("\n", "-c", file, "passwd", "bob@test"); err == nil {
		t.Error("an empty password: got no error")
	}
	if _, err := posthorn("", "-c", file, "user", "remove", "ann@test"); err != nil {
		t.Errorf("remove: %v", err)
	}
	text, _ = os.ReadFile(filepath.Join(dir, "users"))
	if !strings.HasPrefix(string(text), "# ours\nbob@test:{ARGON2ID}") || strings.Contains(string(text), "ann") {
		t.Errorf("users: got %q, want the comment and bob", text)
	}
}

func TestCheck(t *testing.T) {
	file, dir := instance(t, "")
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := makeFolders(c); err != nil {
		t.Fatal(err)
	}
	if got, err := posthorn("", "-c", file, "check"); err != nil {
		t.Fatalf("got %q, %v, want all good", got, err)
	}
	good, _ := os.ReadFile(file)
	for _, tc := range []struct{ name, breaks, want string }{
		{"no postmaster", "sed -i /postmaster/d posthorn.conf", "found no postmaster, expected"},
		{"public mailboxes of nobody", "echo public-folders zeno@test >> posthorn.conf", "public-folders: found zeno@test, who is not in"},
		{"a postmaster who is not there", "sed -i s/ann@test/zeno@test/ posthorn.conf", "postmaster: found zeno@test, who is neither in"},
		{"a users line", "echo nonsense >> users", "users:3: "},
		{"the mode of users", "chmod 644 users; rm -f aliases; sed -i /nonsense/d users", "users: found mode"},
		{"a uid that may own no mail", "chmod 600 users; echo 'root@test:x:0:0::::' >> users", "users:3"},
		{"an aliases line", "echo 'a b c' > aliases", "aliases:1: "},
		{"a missing key", "echo 'tls /nonexistent.pem' >> posthorn.conf", "tls: /nonexistent.pem"},
		{"a missing authority", "echo 'tls-clients /nonexistent.pem' >> posthorn.conf", "tls-clients /nonexistent.pem"},
		{"a missing helper", "echo 'token-helper /nonexistent' >> posthorn.conf", "token-helper: /nonexistent"},
		{"a missing secret", "echo 'smarthost default [a]:1 login=@/nonexistent' >> posthorn.conf", "posthorn.conf:"},
		{"a folder's mode", "chmod 777 spool/queue", "spool/queue: found mode"},
		{"an index-dir for all", `chmod 700 spool/queue; mkdir -m 755 indexes; echo "index-dir $PWD/indexes" >> posthorn.conf`, "indexes: found"},
		{"a missing program", "rm libexec/authd", "expected the program authd"},
		{"an unknown word", "echo colour red >> posthorn.conf", "unknown word"},
	} {
		os.WriteFile(file, good, 0o644)
		shell(t, dir, tc.breaks)
		_, err := posthorn("", "-c", file, "check")
		if !errors.Is(err, errConfig) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestUsage(t *testing.T) {
	file, _ := instance(t, "")
	for _, args := range [][]string{{}, {"dance"}, {"user"}, {"user", "add"}, {"passwd"}, {"check", "x"}, {"reload", "x"}, {"run", "x"}, {"queue"}, {"queue", "dance"}} {
		if _, err := posthorn("", append([]string{"-c", file}, args...)...); !errors.Is(err, errUsage) {
			t.Errorf("%q: got %v, want an error about usage", args, err)
		}
	}
}

func TestQueueShowsWhatWasAsked(t *testing.T) {
	var b bytes.Buffer
	printDetail(&b, door.Detail{Mail: dsn.Mail{Ret: dsn.Hdrs, Envid: "e 1"}, Recipients: []door.Recipient{
		{Address: "a@x.test", Rcpt: dsn.Rcpt{Orcpt: "rfc822;b@y.test", Notify: dsn.Success | dsn.Delay}}, {Address: "c@x.test"},
	}, Targets: []door.TargetDetail{
		{Kind: "box", Value: "a@x.test", Rcpt: "a@x.test", Origin: "/etc/posthorn/users:3"}, {Kind: "address", Value: "c@x.test", Rcpt: "c@x.test"},
	}})
	for _, want := range []string{"  box      a@x.test (for a@x.test, by /etc/posthorn/users:3): not tried\n", "  address  c@x.test (for c@x.test): not tried\n",
		"  ret      hdrs\n", "  envid    e 1\n", "  rcpt     <a@x.test> notify=success,delay orcpt=rfc822;b@y.test\n", "  rcpt     <c@x.test>\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", b.String(), want)
		}
	}
}

func TestReloadNamesWhoDoesNotAnswer(t *testing.T) {
	file, _ := instance(t, "")
	_, err := posthorn("", "-c", file, "reload")
	for _, name := range []string{"authd", "smtpd", "queued", "deliver", "queue-remote"} {
		if err == nil || !strings.Contains(err.Error(), name+" does not answer") {
			t.Errorf("got %v, want %s named", err, name)
		}
	}
}

func TestMailboxOfRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	file, dir := instance(t, "")
	if err := os.MkdirAll(dir+"/Maildir/cur", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"check"}, {"stat"}, {"rebuild"}, {"export", "--courier"}} {
		words = append(append([]string{"-c", file, "mailbox"}, words...), dir+"/Maildir")
		if out, err := posthorn("", words...); err == nil || !strings.Contains(err.Error(), "belongs to root") || out != "" {
			t.Errorf("%q: got %v and %q, want that root keeps no rights", words, err, out)
		}
	}
}

func TestMailboxWords(t *testing.T) {
	file, dir := instance(t, "")
	for _, words := range [][]string{{}, {"check"}, {"stat", "a", "b"}, {"export", "ann"}, {"export", "--dovecot", "ann"}, {"mend", "ann"}, {"rebuild"}} {
		if _, err := posthorn("", append([]string{"-c", file, "mailbox"}, words...)...); !errors.Is(err, errUsage) {
			t.Errorf("mailbox %q: got %v, want a usage error", words, err)
		}
	}
	for _, word := range []string{"nobody", "nobody@test", dir + "/nothing"} {
		if out, err := posthorn("", "-c", file, "mailbox", "check", word); err == nil {
			t.Errorf("mailbox check %s: got %q, want an error", word, out)
		}
	}
}
