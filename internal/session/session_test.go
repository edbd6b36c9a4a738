package session

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/evlog"
	"posthorn/internal/park"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
	"posthorn/test/transcript"
)

const limit = 20 * time.Second // for what a test waits for

// tickets knows "good", for ann from 192.0.2.1, and variations of it.
type tickets struct{}

func (tickets) Redeem(_ context.Context, ticket, service string) (directory.Grant, error) {
	g := directory.Grant{
		User: "ann@example.org", Client: netip.MustParseAddr("192.0.2.1"),
		Box: directory.Box{Name: "ann@example.org", UID: os.Geteuid(), Mail: "/nonexistent"},
	}
	switch ticket {
	case "good":
	case "bob":
		g.Box.Name = "bob@example.org"
	case "foreign":
		g.Box.UID++
	case "down":
		return g, errors.New("asking authd: connection refused")
	default:
		return g, verdict.Fail(verdict.Later, "4.7.0", "login took too long, begin again", nil)
	}
	return g, nil
}

// echo is a session program: its sessions greet with their tag and repeat
// lines; the tag makes them misbehave.
func echo(_ context.Context, c *Conn, _ directory.Grant) (Session, error) {
	switch c.Tag {
	case "busy":
		return nil, fmt.Errorf("lock: %w", ErrInUse)
	case "broken":
		return nil, errors.New("read /home/ann: input/output error")
	case "bug":
		panic("a bug")
	}
	return &parrot{c: c, r: bufio.NewReader(c)}, nil
}

// parrot repeats lines. Silence, News and the end it says by their names; the
// line "long" makes it wait at once, "wake" wakes it.
type parrot struct {
	c      *Conn
	r      *bufio.Reader
	rested int
}

func (p *parrot) Close() {}
func (p *parrot) Rest()  { p.rested++ }

func (p *parrot) Turn(why Event) Pause {
	pause := Pause{Until: time.Now().Add(limit)}
	switch why {
	case Begin:
		p.c.SetFolder("a\nb")
		fmt.Fprintf(p.c, "%s OK\r\n", p.c.Tag)
	case Input:
		for more := true; more; more = p.r.Buffered() > 0 {
			p.c.SetReadDeadline(time.Now().Add(limit)) // does not undo a stop
			line, err := p.r.ReadString('\n')
			if err != nil {
				return p.bye(err)
			}
			switch line {
			case "bug\r\n":
				panic("another bug")
			case "wake\r\n":
				p.c.Wake()
			case "long\r\n":
				pause.Long = true
			case "short\r\n":
				pause = Pause{Until: time.Now().Add(time.Millisecond), Long: true}
			}
			io.WriteString(p.c, line)
		}
	case News:
		fmt.Fprintf(p.c, "news\r\n")
	case Silence:
		fmt.Fprintf(p.c, "silence after %d rests\r\n", p.rested)
	case Over:
		return p.bye(os.ErrDeadlineExceeded)
	}
	return pause
}

func (p *parrot) bye(err error) Pause {
	switch ended := p.c.Ended(); {
	case !errors.Is(err, os.ErrDeadlineExceeded):
	case ended == ErrStopping:
		io.WriteString(p.c, "stopping\r\n")
	case ended == ErrKicked:
		io.WriteString(p.c, "kicked\r\n")
	}
	return Pause{}
}

// instance is a running server.
type instance struct {
	*Server
	client  *sock.Client
	stop    func()     // ends the server and waits
	ended   chan error // what Serve returned
	mayFail bool
	log     *strings.Builder
}

func start(t *testing.T, total, perUser int) *instance {
	t.Helper()
	in := &instance{log: &strings.Builder{}}
	in.Server = newServer("imap", echo, evlog.New(in.log), tickets{}, []int{os.Geteuid()})
	in.settings.Store(&settings{total: total, perUser: perUser})
	in.begin(t)
	return in
}

// begin runs the server until the test ends.
func (in *instance) begin(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.sock")
	var err error
	if in.lot, err = park.Open(); err != nil {
		t.Fatal(err)
	}
	if in.listener, err = sock.Listen(path, sock.Options{Mode: 0o600, UID: -1, GID: -1}); err != nil {
		t.Fatal(err)
	}
	in.client = &sock.Client{Path: path, Proto: "posthorn-session/1", Timeout: limit}
	ctx, cancel := context.WithCancel(context.Background())
	in.ended = make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		err := in.Serve(ctx)
		if err != nil && !in.mayFail {
			t.Errorf("Serve: %v", err)
		}
		in.ended <- err
	})
	in.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(in.stop)
}

// request is a good hand-over with some attributes replaced.
func request(changes ...string) attr.List {
	req := attr.List{
		{Name: "request", Value: "session"}, {Name: "ticket", Value: "good"}, {Name: "service", Value: "imap"},
		{Name: "client", Value: "192.0.2.1"}, {Name: "tls", Value: "yes"}, {Name: "sid", Value: "s1"},
		{Name: "tag", Value: "a1"}, {Name: "pending", Value: ""},
	}
	for i := 0; i < len(changes); i += 2 {
		for j := range req {
			if req[j].Name == changes[i] {
				req[j].Value = changes[i+1]
			}
		}
	}
	return req
}

// socketPair returns a connection and the file of its other end.
func socketPair(t *testing.T, kind int) (net.Conn, *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "mine"), os.NewFile(uintptr(fds[1]), "theirs")
	defer mine.Close()
	t.Cleanup(func() { theirs.Close() })
	conn, err := net.FileConn(mine)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(limit))
	t.Cleanup(func() { conn.Close() })
	return conn, theirs
}

// handOver sends req with a new connection, and returns our end and the answer.
func (in *instance) handOver(t *testing.T, req attr.List) (net.Conn, attr.List) {
	t.Helper()
	conn, file := socketPair(t, unix.SOCK_STREAM)
	reply, err := in.client.Do(t.Context(), req, file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	return conn, reply
}

func want(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if got, err := r.ReadString('\n'); got != want+"\r\n" {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestSession(t *testing.T) {
	in := start(t, 0, 0)
	conn, reply := in.handOver(t, request("pending", base64.StdEncoding.EncodeToString([]byte("one\r\ntw"))))
	if reply.Get("verdict") != "done" || reply.Get("user") != "ann@example.org" {
		t.Fatalf("got %v", reply)
	}
	r := bufio.NewReader(conn)
	io.WriteString(conn, "o\r\nthree\r\n")
	for _, line := range []string{"a1 OK", "one", "two", "three"} {
		want(t, r, line)
	}
	in.stop()
	want(t, r, "stopping")
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v, want the end", rest, err)
	}
	for _, event := range []string{"session-opened sid=s1 ip=192.0.2.1 user=ann@example.org service=imap tls=yes", "session-closed sid=s1"} {
		if !strings.Contains(in.log.String(), event) {
			t.Errorf("log: got %q, want %q in it", in.log, event)
		}
	}
}

func TestRefusals(t *testing.T) {
	in := start(t, 0, 0)
	for _, tc := range []struct {
		name    string
		req     attr.List
		verdict string
		reason  string
	}{
		{"bad ticket", request("ticket", "x"), "later", ""},
		{"authd is down", request("ticket", "down"), "later", ""},
		{"another client's ticket", request("client", "192.0.2.2"), "later", ""},
		{"another uid's mailbox", request("ticket", "foreign"), "later", ""},
		{"another service", request("service", "pop3"), "later", ""},
		{"another request", request("request", "x"), "later", ""},
		{"no address", request("client", "x"), "later", ""},
		{"no base64", request("pending", "!"), "later", ""},
		{"long tag", request("tag", strings.Repeat("x", maxTag+1)), "later", ""},
		{"mailbox in use", request("tag", "busy"), "later", "in-use"},
		{"broken mailbox", request("tag", "broken"), "later", ""},
		{"a bug in the opener", request("tag", "bug"), "later", ""},
	} {
		conn, reply := in.handOver(t, tc.req)
		if got := reply.Get("verdict"); got != tc.verdict || reply.Get("reason") != tc.reason {
			t.Errorf("%s: got %v, want %s %s", tc.name, reply, tc.verdict, tc.reason)
		}
		if strings.Contains(reply.Get("text"), "/home") {
			t.Errorf("%s: got a local path in %q", tc.name, reply.Get("text"))
		}
		// Nothing was said, and nobody else holds the connection.
		if rest, err := io.ReadAll(conn); len(rest) > 0 || err != nil {
			t.Errorf("%s: got %q, %v on the connection, want its end", tc.name, rest, err)
		}
	}
	in.waitFor(t, 0)
}

func TestDescriptors(t *testing.T) {
	in := start(t, 0, 0)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, packets := socketPair(t, unix.SOCK_SEQPACKET)
	for name, f := range map[string]*os.File{"none": nil, "a file": file, "no stream": packets} {
		reply, err := in.client.Do(t.Context(), request(), f)
		if err != nil || reply.Get("verdict") != "later" {
			t.Errorf("%s: got %v, %v, want later", name, reply, err)
		}
	}
}

func TestBounds(t *testing.T) {
	in := start(t, 3, 2)
	var conns []net.Conn
	for _, tc := range []struct{ ticket, verdict, reason string }{
		{"good", "done", ""}, {"good", "done", ""}, {"good", "later", "limit"}, {"bob", "done", ""}, {"bob", "later", ""},
	} {
		conn, reply := in.handOver(t, request("ticket", tc.ticket))
		if got := reply.Get("verdict"); got != tc.verdict || reply.Get("reason") != tc.reason {
			t.Fatalf("%s after %d: got %v, want %s", tc.ticket, len(conns), reply, tc.verdict)
		}
		conns = append(conns, conn)
	}
	conns[0].Close()
	in.waitFor(t, 2)
	if _, reply := in.handOver(t, request()); reply.Get("verdict") != "done" {
		t.Errorf("after one left: got %v", reply)
	}
}

// waitFor waits until n sessions run.
func (in *instance) waitFor(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		in.mu.Lock()
		got := len(in.conns)
		in.mu.Unlock()
		if got == n {
			return
		}
	}
	t.Fatalf("sessions did not become %d", n)
}

func TestBugEndsItsSessionOnly(t *testing.T) {
	in := start(t, 0, 0)
	a, _ := in.handOver(t, request("tag", "a"))
	b, _ := in.handOver(t, request("tag", "b"))
	io.WriteString(a, "bug\r\n")
	if rest, _ := io.ReadAll(a); string(rest) != "a OK\r\n" {
		t.Errorf("got %q", rest)
	}
	io.WriteString(b, "fine\r\n")
	r := bufio.NewReader(b)
	want(t, r, "b OK")
	want(t, r, "fine")
	b.Close()
	in.waitFor(t, 0)
}

// TestEvents: what a session waits for reaches it, parked or not.
func TestEvents(t *testing.T) {
	in := start(t, 0, 0)
	conn, _ := in.handOver(t, request())
	r := bufio.NewReader(conn)
	want(t, r, "a1 OK")
	for _, tc := range []struct{ say, want string }{
		{"wake\r\n", "wake,news"},
		{"long\r\n", "long"},
		{"after a rest\r\n", "after a rest"},
		{"wake\r\nlong\r\n", "wake,long,news"},
		{"long\r\n", "long"},
		{"short\r\n", "short,silence after 4 rests"},
		{"one\r\nshort\r\n", "one,short,silence after 5 rests"},
		{"long\r\n", "long"},
	} {
		io.WriteString(conn, tc.say)
		for line := range strings.SplitSeq(tc.want, ",") {
			want(t, r, line)
		}
	}
	in.stop()
	want(t, r, "stopping")
}

// TestClientThatTakesNothing: what is not read by one client keeps nobody else
// waiting.
func TestClientThatTakesNothing(t *testing.T) {
	in := start(t, 0, 0)
	deaf, _ := in.handOver(t, request("tag", "deaf"))
	line := strings.Repeat("x", 1000) + "\r\n"
	sent := make(chan struct{})
	go func() { // until neither side has room
		defer close(sent)
		deaf.SetWriteDeadline(time.Now().Add(limit))
		for range 10000 {
			if _, err := io.WriteString(deaf, line); err != nil {
				return
			}
		}
	}()
	for i := range 5 {
		conn, _ := in.handOver(t, request("tag", fmt.Sprint("t", i)))
		r := bufio.NewReader(conn)
		want(t, r, fmt.Sprintf("t%d OK", i))
		for _, say := range []string{"long", "more"} {
			io.WriteString(conn, say+"\r\n")
			want(t, r, say)
		}
		conn.Close()
	}
	deaf.Close()
	<-sent
	in.waitFor(t, 0)
}

func TestOnlyTheLoginDaemonMayConnect(t *testing.T) {
	in := &instance{Server: newServer("imap", echo, evlog.New(io.Discard), tickets{}, []int{os.Geteuid() + 1})}
	in.settings.Store(&settings{})
	in.begin(t)
	if reply, err := in.client.Do(t.Context(), request(), nil); err == nil {
		t.Errorf("got %v", reply)
	}
}

// TestTranscript replays what doc/protocol/session.md shows.
func TestTranscript(t *testing.T) {
	in := start(t, 0, 0)
	transcript.Replay(t, in.client.Path, transcript.Of(t, "session"), func() *os.File {
		_, file := socketPair(t, unix.SOCK_STREAM)
		return file
	})
}

// FuzzRequest: a hand-over from a login side that has lost its mind, and what a
// root starter tells its child.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("request=session\nservice=imap\nclient=192.0.2.1\npending=YSBub29wDQo=\ntag=a\nsid=s\n\n"))
	f.Add([]byte("grant-user=ann\ngrant-client=::1\ngrant-box=ann\ngrant-uid=1000\ngrant-gid=1000\ngrant-home=/home/ann\ngrant-mail=/home/ann/Maildir\ngrant-imap-off=IDLE,A=B\ngrant-pop3=fetched=7d\n\n"))
	s := newServer("imap", nil, evlog.New(io.Discard), tickets{}, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := attr.Parse(b)
		if err != nil {
			return
		}
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := s.parse(l, null); err == nil {
			t.Errorf("got the connection %v of what is no socket", c)
		}
		if g, err := grantOf(l); err == nil {
			if again, err := grantOf(granted(nil, g)); err != nil || again != g {
				t.Errorf("%+v came back as %+v, %v", g, again, err)
			}
		}
	})
}
