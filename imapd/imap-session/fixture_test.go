package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/mailbox"
	"posthorn/internal/park"
	"posthorn/internal/session"
)

// announced is what a client of a fixture is told.
const announced = capabilities + " APPENDLIMIT=1048576"

const limit = 20 * time.Second // for what a test waits for

// fixture is one user's mailbox and the sessions on it.
type fixture struct {
	t     *testing.T
	dir   string
	host  *host
	quota conf.Quota      // of the sessions that begin
	user  directory.Grant // who logs in; without a name: the one user
	off   []string        // capabilities that its sessions are not offered
	also  string          // what they are told behind the usual capabilities
	lot   *park.Lot
	wg    sync.WaitGroup

	mu    sync.Mutex
	conns []*session.Conn
	over  bool
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: filepath.Join(t.TempDir(), "Maildir")}
	log := evlog.New(io.Discard)
	store := mailbox.New(mailbox.Options{Disk: &durable.Disk{}, Node: "test", Log: log})
	f.host = newHost(store, log)
	var err error
	if f.lot, err = park.Open(); err != nil {
		t.Fatal(err)
	}
	f.host.limits.Store(&limits{idle: limit, progress: limit, maxSize: 1 << 20, messages: 20})
	t.Cleanup(func() {
		f.stop()
		f.wg.Wait()
		f.lot.Close()
		store.Close()
	})
	return f
}

// stop ends all sessions, those that begin later too.
func (f *fixture) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	for _, c := range f.conns {
		c.End(session.ErrStopping)
	}
}

// connect starts a session and returns the client's end of it. ended gets what
// ended the session.
func (f *fixture) connect() (conn net.Conn, ended chan error) {
	f.t.Helper()
	dir := f.dir
	if f.user.Box.Mail != "" {
		dir = f.user.Box.Mail
	}
	box, err := f.host.store.Open(dir)
	if err != nil {
		f.t.Fatal(err)
	}
	box.Limit(f.quota)
	server, client := pair(f.t)
	ended = make(chan error, 1)
	c := &session.Conn{Stream: server, Service: "imap", Tag: "*", User: f.user.User}
	s := newSession(f.host, c, box)
	s.off = f.off
	if f.user.Groups != "" {
		s.realm.Groups = strings.Split(f.user.Groups, ",")
	}
	f.mu.Lock()
	if f.conns = append(f.conns, c); f.over {
		c.End(session.ErrStopping)
	}
	f.mu.Unlock()
	f.wg.Add(1)
	err = session.Visit(f.lot, c, s, f.host.log, func() { ended <- s.err; f.wg.Done() })
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { client.Close() })
	client.SetDeadline(time.Now().Add(limit))
	return client, ended
}

// pair returns both ends of a connection over loopback.
func pair(t *testing.T) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// dialogue is a client that speaks a command at a time.
type dialogue struct {
	t    *testing.T
	f    *fixture
	conn net.Conn
	r    *bufio.Reader
	n    int
}

func (f *fixture) dialogue() *dialogue {
	conn, _ := f.connect()
	d := &dialogue{t: f.t, f: f, conn: conn, r: bufio.NewReader(conn)}
	if got, want := d.line(), "* OK [CAPABILITY "+announced+f.also+"] Logged in"; got != want {
		f.t.Fatalf("got %s, want %s", got, want)
	}
	return d
}

// line reads one response, literals included.
func (d *dialogue) line() string {
	d.t.Helper()
	var out strings.Builder
	for {
		line, err := d.r.ReadString('\n')
		if err != nil {
			d.t.Fatalf("after %q: %v", out.String()+line, err)
		}
		line = strings.TrimSuffix(line, "\r\n")
		out.WriteString(line)
		open := strings.LastIndexByte(line, '{')
		if open < 0 || !strings.HasSuffix(line, "}") {
			return out.String()
		}
		n, err := strconv.Atoi(line[open+1 : len(line)-1])
		if err != nil {
			return out.String()
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(d.r, body); err != nil {
			d.t.Fatalf("literal of %q: %v", line, err)
		}
		out.Write(body)
	}
}

var numbers = regexp.MustCompile(`(UIDVALIDITY|APPENDUID|COPYUID) \d+`)

// mailboxID is in the answers of many commands and nobody's matter but that of
// the tests of it.
var mailboxID = regexp.MustCompile(`\[MAILBOXID \(\w+\)\] `)

// do runs a command and returns its responses, the tagged one last and without
// its tag, UIDVALIDITY as V; MAILBOXID and HIGHESTMODSEQ are left out.
func (d *dialogue) do(command string) []string {
	d.t.Helper()
	var out []string
	for _, line := range d.raw(command) {
		if !strings.HasPrefix(line, "* OK [MAILBOXID ") && !strings.HasPrefix(line, "* OK [HIGHESTMODSEQ ") {
			out = append(out, mailboxID.ReplaceAllString(line, ""))
		}
	}
	return out
}

// raw is do with MAILBOXID and HIGHESTMODSEQ.
func (d *dialogue) raw(command string) []string {
	d.t.Helper()
	d.n++
	tag := fmt.Sprintf("t%d ", d.n)
	io.WriteString(d.conn, tag+command+"\r\n")
	var out []string
	for {
		line := numbers.ReplaceAllString(d.line(), "$1 V")
		if tagged, ok := strings.CutPrefix(line, tag); ok {
			return append(out, tagged)
		}
		out = append(out, line)
	}
}

// want runs a command and compares its responses.
func (d *dialogue) want(command string, want ...string) {
	d.t.Helper()
	got := strings.Join(d.do(command), "\n")
	if w := strings.Join(want, "\n"); got != w {
		d.t.Errorf("%.80s:\ngot  %s\nwant %s", command, got, w)
	}
}

// file appends a message to a folder.
func (d *dialogue) file(folder, flags, msg string) {
	d.t.Helper()
	got := d.do(fmt.Sprintf("APPEND %s %s {%d+}\r\n%s", folder, flags, len(msg), msg))
	if last := got[len(got)-1]; !strings.HasPrefix(last, "OK [APPENDUID V ") {
		d.t.Fatalf("APPEND: got %q", got)
	}
}

const simple = "From: ann@example.org\r\nSubject: one\r\n\r\nbody of one\r\n"
