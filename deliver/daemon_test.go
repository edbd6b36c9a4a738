package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gomaildir "github.com/emersion/go-maildir"

	"posthorn/deliver/internal/owner"
	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/handover"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// TestMain lets the test binary be deliver, its starter and deliver-box: what
// gives rights away must not be the process of the tests.
func TestMain(m *testing.M) {
	switch {
	case filepath.Base(os.Args[0]) == "deliver":
		main()
		os.Exit(0)
	case filepath.Base(os.Args[0]) == "deliver-box":
		if err := owner.Run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// wait bounds everything that these tests wait for.
const wait = 30 * time.Second

// instance is a running deliver with a fake authd.
type instance struct {
	dir    string
	client *handover.DeliverClient
	cmd    *exec.Cmd
	done   chan error

	mu    sync.Mutex
	boxes map[string]directory.Box
	lines []string
	news  chan struct{} // closed and replaced with each line
}

// begin starts deliver with the configuration's lines beside the usual ones.
func begin(t *testing.T, lines ...string) *instance {
	t.Helper()
	needDrop(t)
	dir, err := os.MkdirTemp("", "deliver") // t.TempDir is closed to other uids
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in := &instance{dir: dir, boxes: map[string]directory.Box{}, news: make(chan struct{}), done: make(chan error, 1)}
	in.layout(t, lines)
	in.serveAuth(t)
	in.start(t)
	in.client = handover.NewDeliverClient(filepath.Join(dir, "run", "deliver.sock"), nil)
	t.Cleanup(in.client.Close)
	return in
}

// layout makes folders, programs and the configuration. As root everything
// runs under uids of its own, 61000 is vmail's.
func (in *instance) layout(t *testing.T, lines []string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(in.dir, 0o755))
	for _, name := range []string{"run", "libexec", "mail", "home"} {
		must(os.Mkdir(filepath.Join(in.dir, name), 0o755))
		must(os.Chmod(filepath.Join(in.dir, name), 0o755))
	}
	binary, err := os.ReadFile(os.Args[0])
	must(err)
	for _, name := range []string{"deliver", "deliver-box"} {
		must(os.WriteFile(filepath.Join(in.dir, "libexec", name), binary, 0o755))
		must(os.Chmod(filepath.Join(in.dir, "libexec", name), 0o755))
	}
	usual := []string{
		"hostname mx.example.org", "domain example.org", "node node1",
		"mail-root " + in.dir + "/mail", "run-dir " + in.dir + "/run", "libexec " + in.dir + "/libexec",
		"users " + in.dir + "/users", "spool " + in.dir + "/spool",
	}
	if os.Geteuid() == 0 {
		must(os.Chown(filepath.Join(in.dir, "mail"), 61000, 61000))
		for i, p := range []string{"vmail", "deliver", "authd", "smtpd", "queue-remote", "imapd", "pop3d"} {
			usual = append(usual, fmt.Sprintf("process-user %s %d", p, 61000+100*i))
		}
		usual = append(usual, "process-user queued 0:0") // these tests are queued
		for i, g := range []string{"sockets", "incoming", "tls"} {
			usual = append(usual, fmt.Sprintf("process-group %s %d", g, 61901+i))
		}
	}
	must(os.WriteFile(filepath.Join(in.dir, "conf"), []byte(strings.Join(append(usual, lines...), "\n")+"\n"), 0o644))
}

// vmail returns the uid of virtual users.
func vmail() int {
	if os.Geteuid() == 0 {
		return 61000
	}
	return os.Geteuid()
}

// add makes a box known to the fake authd. home is relative to the instance.
func (in *instance) add(name string, uid int, home string) directory.Box {
	home = filepath.Join(in.dir, home)
	b := directory.Box{Name: name, UID: uid, GID: uid, Home: home, Mail: home + "/Maildir", Verdict: verdict.Of(nil)}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.boxes[name] = b
	return b
}

// serveAuth answers box requests on auth.sock as authd does.
func (in *instance) serveAuth(t *testing.T) {
	t.Helper()
	l, err := sock.Listen(filepath.Join(in.dir, "run", "auth.sock"), sock.Options{Mode: 0o666, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	s := &sock.Server{Name: "auth", Proto: directory.Proto, Allow: []int{os.Geteuid(), 61000, 61100}, Log: evlog.New(io.Discard), Handle: in.answer}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		s.Serve(ctx, l)
		close(ended)
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

func (in *instance) answer(_ context.Context, _ sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if req.Get("request") == "resolve" {
		return in.resolve(req.Get("address")), f
	}
	l := sock.Reply(verdict.Of(nil))
	for _, name := range req.All("box") {
		l.Add("box", name)
		b, ok := in.boxes[name]
		if !ok {
			l = append(l, sock.Reply(verdict.New(verdict.Never, "5.1.1", "no such box"))...)
			continue
		}
		l = append(l, sock.Reply(b.Verdict)...)
		l.AddInt("uid", int64(b.UID))
		l.AddInt("gid", int64(b.GID))
		l.Add("home", b.Home)
		l.Add("mail", b.Mail)
	}
	return l, f
}

// resolve finds the box of user+detail; away@ leads to another host, both@ to
// two boxes, and the tables are wrong about table@.
func (in *instance) resolve(address string) attr.List {
	user, domain, _ := strings.Cut(address, "@")
	user, _, _ = strings.Cut(user, "+")
	targets := []string{"box " + user + "@" + domain}
	switch _, ok := in.boxes[user+"@"+domain]; {
	case domain != "example.org":
		targets = []string{"address " + address}
	case user == "away":
		targets = []string{"address away@example.net"}
	case user == "table":
		return sock.Reply(verdict.New(verdict.Later, "4.3.5", "the address leads nowhere at present"))
	case user == "both":
		targets = []string{"box ann@example.org", "box bob@example.org"}
	case !ok:
		return sock.Reply(verdict.New(verdict.Never, "5.1.1", "no such mailbox here"))
	}
	l := sock.Reply(verdict.Of(nil))
	l.Add("local", map[bool]string{true: "yes", false: "no"}[domain == "example.org"])
	for _, t := range targets {
		kind, value, _ := strings.Cut(t, " ")
		l.Add("target", kind)
		l.Add("value", value)
		l.Add("rcpt", address)
	}
	return l
}

// start runs deliver until the test ends.
func (in *instance) start(t *testing.T) {
	t.Helper()
	in.cmd = exec.Command(filepath.Join(in.dir, "libexec", "deliver"), "-c", filepath.Join(in.dir, "conf"))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in.cmd.Stderr = w
	if err := in.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	read := make(chan struct{})
	go func() { in.read(r); close(read) }()
	go func() { in.done <- in.cmd.Wait() }()
	t.Cleanup(func() {
		in.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-read: // all processes have closed the log
		case <-time.After(wait):
			t.Error("deliver and its children did not end")
		}
		if t.Failed() {
			in.mu.Lock()
			defer in.mu.Unlock()
			t.Log(strings.Join(in.lines, "\n"))
		}
	})
	in.logged(t, "started ")
}

func (in *instance) read(r *os.File) {
	defer r.Close()
	for sc := bufio.NewScanner(r); sc.Scan(); {
		in.mu.Lock()
		in.lines = append(in.lines, sc.Text())
		close(in.news)
		in.news = make(chan struct{})
		in.mu.Unlock()
	}
}

// logged waits for a line that begins so and returns it.
func (in *instance) logged(t *testing.T, prefix string) string {
	t.Helper()
	late := time.After(wait)
	for {
		in.mu.Lock()
		i := slices.IndexFunc(in.lines, func(l string) bool { return strings.HasPrefix(l, prefix) })
		line, news := "", in.news
		if i >= 0 {
			line = in.lines[i]
		}
		in.mu.Unlock()
		if i >= 0 {
			return line
		}
		select {
		case <-news:
		case <-late:
			t.Fatalf("the log has no line %q", prefix)
		}
	}
}

// deliver sends text, with CRLF for LF, to boxes as queued does.
func (in *instance) deliver(t *testing.T, msg string, try int, text string, boxes ...string) []handover.DeliverResult {
	t.Helper()
	wire := strings.ReplaceAll(text, "\n", "\r\n")
	path := filepath.Join(t.TempDir(), "spool")
	if err := os.WriteFile(path, []byte("envelope\n\n"+wire), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := handover.DeliverRequest{
		ID: msg, Try: try, Time: time.Unix(1792411200, 0), From: addr.Address{Local: "a", Domain: "example.net"},
		Offset: int64(len("envelope\n\n")), Size: int64(len(wire)),
	}
	for _, b := range boxes {
		r.Boxes = append(r.Boxes, handover.BoxRcpt{Box: b, Rcpt: b})
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	results, err := in.client.Do(ctx, r, f)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(boxes) {
		t.Fatalf("got %d results, want %d", len(results), len(boxes))
	}
	return results
}

// stored returns what go-maildir reads in a box.
func stored(t *testing.T, b directory.Box) []string {
	t.Helper()
	dir := gomaildir.Dir(b.Mail)
	if _, err := dir.Unseen(); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	messages, err := dir.Messages()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var all []string
	for _, m := range messages {
		text, err := os.ReadFile(m.Filename())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	slices.Sort(all)
	return all
}
