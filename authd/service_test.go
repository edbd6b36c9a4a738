package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/sock"
)

// vmailUID is the vmail of the tests' configurations when they run as root.
const vmailUID = 61008

// logBuffer is a log that tests read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// site is a configuration with its tables in a folder of its own.
type site struct {
	dir string
	log *logBuffer
}

// newSite writes a configuration for example.org and example.net, with further
// lines, and the tables.
func newSite(t testing.TB, extra, users, aliases string) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), log: new(logBuffer)}
	for _, d := range []string{s.dir, filepath.Dir(s.dir)} {
		if err := os.Chmod(d, 0o755); err != nil { // authd is another user when the test is root
			t.Fatal(err)
		}
	}
	s.write(t, "users", users)
	s.write(t, "aliases", aliases)
	var b strings.Builder
	fmt.Fprintf(&b, "hostname mx.example.org\ndomain example.org\ndomain example.net\n")
	fmt.Fprintf(&b, "users %[1]s/users\naliases %[1]s/aliases\nrun-dir %[1]s/run\nmail-root /srv/mail\n", s.dir)
	for i, p := range []string{"smtpd", "queued", "queue-remote", "deliver", "imapd", "pop3d", "authd", "vmail"} {
		fmt.Fprintf(&b, "process-user %s %d\n", p, vmailUID-7+i)
	}
	for i, g := range []string{"sockets", "incoming", "tls"} {
		fmt.Fprintf(&b, "process-group %s %d\n", g, 61020+i)
	}
	s.write(t, "posthorn.conf", b.String()+extra)
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// write replaces a file as an editor does.
func (s *site) write(t testing.TB, name, content string) {
	t.Helper()
	tmp := s.path(name + ".tmp")
	if err := os.WriteFile(tmp, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, s.path(name)); err != nil {
		t.Fatal(err)
	}
}

func (s *site) conf(t testing.TB) *conf.Config {
	t.Helper()
	c, err := conf.Load(s.path("posthorn.conf"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// service makes the service, which takes requests of this process as if it
// were any daemon.
func (s *site) service(t testing.TB) *service {
	t.Helper()
	svc, err := newService(s.conf(t), evlog.New(s.log))
	if err != nil {
		t.Fatal(err)
	}
	own := []int{os.Geteuid()}
	svc.peers = peers{own, own, own}
	svc.vmail.UID, svc.vmail.GID = vmailUID, vmailUID
	return svc
}

// serve has svc answer on a socket until the test ends, and returns a client.
func (s *site) serve(t *testing.T, svc *service) *directory.Client {
	t.Helper()
	var err error
	path := s.path("auth.sock")
	if svc.listener, err = sock.Listen(path, sock.Options{Mode: 0o600, UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- svc.Serve(ctx) }()
	c := directory.New(path)
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestBrokenTablesEndTheStart(t *testing.T) {
	for _, tc := range []struct{ name, extra, users, aliases, want string }{
		{"users", "", "ann\n", "", "users:1: found no colon"},
		{"aliases", "", "", "ann\n", "aliases:1: found no colon"},
		{"unreadable hash", "", "ann:{CRYPT}x\n", "", "users:1: {CRYPT}: expected $id$"},
		{"costly hash", "", "\nann:{BLF-CRYPT}$2y$31$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n", "", "users:2: {BLF-CRYPT}: bcrypt: too costly"},
		{"uid below min-uid", "", "ann:x{:500:500\n", "", "users:1: "},
		{"uid below min-uid, good hash", "min-uid 600\n", "ann:!:500:500\n", "", "users:1: found the uid 500, expected at least 600"},
	} {
		s := newSite(t, tc.extra, tc.users, tc.aliases)
		_, err := newService(s.conf(t), evlog.New(s.log))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
	s := newSite(t, "", "", "")
	os.Remove(s.path("users"))
	if _, err := newService(s.conf(t), evlog.New(s.log)); err == nil {
		t.Error("no users table and no system users: got no error")
	}
	os.Remove(s.path("aliases"))
	s.write(t, "users", "ann:!\n")
	if _, err := newService(s.conf(t), evlog.New(s.log)); err != nil {
		t.Errorf("no aliases table: got %v", err)
	}
}

func TestUIDOfVmailIsFine(t *testing.T) {
	if _, err := parseAccounts("users", []byte("ann:!:500:500\n"), "example.org", 1000, 500); err != nil {
		t.Error(err)
	}
}

func TestTablesAreFollowed(t *testing.T) {
	s := newSite(t, "", "ann:!\n", "")
	c := s.serve(t, s.service(t))
	check := func(name, address, want string) {
		t.Helper()
		if got := resolve(t, c, address); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	unknown := "never 5.1.1 no such mailbox here"
	check("at first", "bob@example.org", unknown)
	s.write(t, "users", "ann:!\nbob:!\n")
	check("a user more", "bob@example.org", "box bob@example.org bob@example.org users:2")
	s.write(t, "users", "ann:!\nbob:!\ncarl\n")
	check("broken: the old table stays", "bob@example.org", "box bob@example.org bob@example.org users:2")
	if want := `table-refused file=` + s.path("users") + ` err="`; !strings.Contains(s.log.String(), want) ||
		!strings.Contains(s.log.String(), "users:3: found no colon") {
		t.Errorf("got the log\n%swant %s with the line", s.log, want)
	}
	s.write(t, "aliases", "carl: ann\n")
	check("an alias", "carl@example.org", "box ann@example.org ann@example.org aliases:1")
	os.Remove(s.path("users"))
	check("users gone: the old table stays", "bob@example.org", "box bob@example.org bob@example.org users:2")
}

func TestReload(t *testing.T) {
	s := newSite(t, "", "ann:!\n", "")
	svc := s.service(t)
	c := s.serve(t, svc)
	s.write(t, "users2", "ann\n")
	text, err := os.ReadFile(s.path("posthorn.conf"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "posthorn.conf", strings.Replace(string(text), "/users\n", "/users2\n", 1))
	if err := svc.Reload(s.conf(t)); err == nil || !strings.Contains(err.Error(), "users2:1:") {
		t.Errorf("broken table: got %v, want it to be refused with the line", err)
	}
	if got, want := resolve(t, c, "ann@example.org"), "box ann@example.org ann@example.org users:1"; got != want {
		t.Errorf("after the refusal: got %s, want %s", got, want)
	}
	s.write(t, "users2", "\nann:!\n")
	if err := svc.Reload(s.conf(t)); err != nil {
		t.Fatal(err)
	}
	c.Forget() // as daemons do when they are reloaded: the table before stands as it was
	if got, want := resolve(t, c, "ann@example.org"), "box ann@example.org ann@example.org users2:2"; got != want {
		t.Errorf("after the reload: got %s, want %s", got, want)
	}
}
