package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"posthorn/internal/evlog"
	"posthorn/internal/mailbox"
	"posthorn/internal/park"
	"posthorn/internal/session"
)

const limit = 20 * time.Second // for what a test waits for

// fake is a maildrop of texts; a nil one is gone, a broken one cannot be read.
type fake struct {
	texts   []*string
	broken  int // message that fails half way
	fail    error
	deleted []int
	seen    []int
	commits int
	closing func() // told of Close
}

func drop(texts ...string) *fake {
	d := &fake{}
	for _, s := range texts {
		d.texts = append(d.texts, &s)
	}
	return d
}

func (d *fake) Len() int                            { return len(d.texts) }
func (d *fake) AppendUIDL(dst []byte, n int) []byte { return fmt.Appendf(dst, "uid%d", n) }

func (d *fake) Close() error {
	if d.closing != nil {
		d.closing()
	}
	return nil
}

func (d *fake) Size(n int) (int64, error) {
	if d.texts[n-1] == nil {
		return 0, mailbox.ErrExpunged
	}
	return int64(len(*d.texts[n-1])), nil
}

func (d *fake) Open(n int) (body, error) {
	if d.texts[n-1] == nil {
		return nil, mailbox.ErrExpunged
	}
	return text{strings.NewReader(*d.texts[n-1]), n == d.broken}, nil
}

func (d *fake) Commit(deleted, seen []int) error {
	d.commits++
	if d.fail != nil {
		return d.fail
	}
	d.deleted, d.seen = deleted, seen
	return nil
}

func (d *fake) Seen(seen []int) { d.Commit(nil, seen) }

type text struct {
	*strings.Reader
	broken bool
}

func (b text) ReadAt(p []byte, off int64) (int, error) {
	if b.broken && off+int64(len(p)) == b.Size() {
		return 0, errors.New("input/output error")
	}
	return b.Reader.ReadAt(p, off)
}

func (b text) HeaderSize() (int64, error) {
	s := make([]byte, b.Size())
	b.Reader.ReadAt(s, 0)
	if i := strings.Index(string(s), "\r\n\r\n"); i >= 0 {
		return int64(i + 4), nil
	}
	return b.Size(), nil
}

func (b text) Close() error { return nil }

// pair returns both ends of a loopback connection.
func pair(t testing.TB) (client, server net.Conn) {
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
	client.SetDeadline(time.Now().Add(limit))
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

// run has a session over conn without any waiting in between.
func run(conn net.Conn, d maildrop) error {
	tr := newTransaction(&session.Conn{Stream: conn, Offered: "PLAIN LOGIN"}, d, limit, evlog.New(io.Discard))
	for why := session.Begin; !tr.Turn(why).Until.IsZero(); why = session.Input {
	}
	tr.Close()
	return tr.err
}

// talk sends all of in, then the end, and returns what the session said.
func talk(t testing.TB, d maildrop, in string) (string, error) {
	t.Helper()
	client, server := pair(t)
	done := make(chan error, 1)
	go func() {
		done <- run(server, d)
		server.Close()
	}()
	go func() {
		io.WriteString(client, in)
		client.(*net.TCPConn).CloseWrite()
	}()
	out, err := io.ReadAll(client)
	if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	return string(out), <-done
}

func TestDialogues(t *testing.T) {
	const a = "From: a\r\n\r\none\r\ntwo\r\n"
	const b = "From: b\r\n\r\n.dot\r\n..\r\n\r\n.\r\nend"
	for _, tc := range []struct {
		name     string
		drop     *fake
		in, want string
		deleted  []int
		seen     []int
	}{
		{"stat", drop(a, b), "STAT\r\n", "+OK 2 50\r\n", nil, nil},
		{"empty maildrop", drop(), "STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\n", "+OK 0 0\r\n+OK\r\n.\r\n+OK\r\n.\r\n-ERR no such message, only 0 here\r\n", nil, nil},
		{"list", drop(a, b), "LIST\r\nLIST 2\r\n", "+OK\r\n1 21\r\n2 29\r\n.\r\n+OK 2 29\r\n", nil, nil},
		{"uidl", drop(a, b), "uidl\r\nUIDL 2\r\n", "+OK\r\n1 uid1\r\n2 uid2\r\n.\r\n+OK 2 uid2\r\n", nil, nil},
		{"retr", drop(a), "RETR 1\r\n", "+OK 21 octets\r\n" + a + ".\r\n", nil, []int{1}},
		{"retr stuffs dots and ends the last line", drop(b), "RETR 1\r\n",
			"+OK 29 octets\r\nFrom: b\r\n\r\n..dot\r\n...\r\n\r\n..\r\nend\r\n.\r\n", nil, []int{1}},
		{"retr of nothing", drop(""), "RETR 1\r\n", "+OK 0 octets\r\n.\r\n", nil, []int{1}},
		{"top 0", drop(b), "TOP 1 0\r\n", "+OK\r\nFrom: b\r\n\r\n.\r\n", nil, nil},
		{"top 2", drop(b), "TOP 1 2\r\n", "+OK\r\nFrom: b\r\n\r\n..dot\r\n...\r\n.\r\n", nil, nil},
		{"top of more lines than there are", drop(b), "TOP 1 99\r\n",
			"+OK\r\nFrom: b\r\n\r\n..dot\r\n...\r\n\r\n..\r\nend\r\n.\r\n", nil, nil},
		{"dele", drop(a, b), "DELE 1\r\nDELE 1\r\nRETR 1\r\nLIST 1\r\nUIDL 1\r\nTOP 1 1\r\nSTAT\r\nLIST\r\nUIDL\r\n",
			"+OK message 1 deleted\r\n" + strings.Repeat("-ERR message 1 is deleted already\r\n", 5) +
				"+OK 1 29\r\n+OK\r\n2 29\r\n.\r\n+OK\r\n2 uid2\r\n.\r\n", []int{1}, nil},
		{"read and deleted", drop(a, b), "TOP 1 0\r\nDELE 1\r\n", "+OK\r\nFrom: a\r\n\r\n.\r\n+OK message 1 deleted\r\n", []int{1}, nil},
		{"rset", drop(a), "DELE 1\r\nRSET\r\nSTAT\r\n", "+OK message 1 deleted\r\n+OK\r\n+OK 1 21\r\n", nil, nil},
		{"numbers out of range", drop(a), "RETR 0\r\nRETR 2\r\nRETR -1\r\nRETR\r\nRETR 1 1\r\nTOP 1\r\nRETR 99999999999999999999\r\nDELE x\r\n",
			"-ERR no such message, only 1 here\r\n-ERR no such message, only 1 here\r\n-ERR RETR needs 1 numbers\r\n-ERR RETR needs 1 numbers\r\n" +
				"-ERR RETR needs 1 numbers\r\n-ERR TOP needs 2 numbers\r\n-ERR RETR needs 1 numbers\r\n-ERR DELE needs 1 numbers\r\n", nil, nil},
		{"other commands", drop(a), "NOOP\r\nUSER x\r\n\r\n\x00\r\nSTLS\r\n",
			"+OK\r\n-ERR unknown command\r\n-ERR malformed command\r\n-ERR malformed command\r\n-ERR unknown command\r\n", nil, nil},
		{"bare line feeds", drop(a), "NOOP\nSTAT\n", "+OK\r\n+OK 1 21\r\n", nil, nil},
		{"gone before it was listed", &fake{texts: []*string{nil, drop(a).texts[0]}}, "STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 1 1\r\nLIST 1\r\nRETR 2\r\n",
			"+OK 1 21\r\n+OK\r\n2 21\r\n.\r\n+OK\r\n2 uid2\r\n.\r\n" + strings.Repeat("-ERR message 1 is gone\r\n", 3) +
				"+OK 21 octets\r\n" + a + ".\r\n", nil, []int{2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := talk(t, tc.drop, tc.in+"QUIT\r\n")
			want := fmt.Sprintf("+OK logged in, %d messages\r\n%s+OK bye, %d messages deleted\r\n", tc.drop.Len(), tc.want, len(tc.deleted))
			if got != want || err != nil {
				t.Errorf("got %q, %v\nwant %q", got, err, want)
			}
			if !reflect.DeepEqual(tc.drop.deleted, tc.deleted) || !reflect.DeepEqual(tc.drop.seen, tc.seen) || tc.drop.commits != 1 {
				t.Errorf("deleted %v, seen %v in %d commits, want %v, %v in 1", tc.drop.deleted, tc.drop.seen, tc.drop.commits, tc.deleted, tc.seen)
			}
		})
	}
}

// stalled is a connection whose client stops reading within the second write.
type stalled struct {
	net.Conn
	in     io.Reader
	writes []string
}

func (c *stalled) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *stalled) SetReadDeadline(time.Time) error  { return nil }
func (c *stalled) SetWriteDeadline(time.Time) error { return nil }
func (c *stalled) Write(p []byte) (int, error) {
	if c.writes = append(c.writes, string(p)); len(c.writes) == 2 {
		return 7, os.ErrDeadlineExceeded
	}
	return len(p), nil
}

// TestStalledClient: the box is not held for a second timeout, and no text
// comes to stand inside a message.
func TestStalledClient(t *testing.T) {
	c := &stalled{in: iotest.OneByteReader(strings.NewReader("RETR 1\r\nNOOP\r\n"))}
	err := run(c, drop("From: a\r\n\r\none\r\n"))
	if !errors.Is(err, os.ErrDeadlineExceeded) || len(c.writes) != 2 {
		t.Errorf("got %v and the writes %q, want none behind the second", err, c.writes)
	}
}

// lost is a client that sends all its commands and takes no answer.
type lost struct{ stalled }

func (l *lost) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestQuitOfALostClient: what was not sent is not removed, whatever the client sent
// ahead.
func TestQuitOfALostClient(t *testing.T) {
	d := drop("From: a\r\n\r\none\r\n")
	tr := newTransaction(&session.Conn{Stream: &lost{stalled{in: strings.NewReader("RETR 1\r\nDELE 1\r\nQUIT\r\n")}}}, d, limit, evlog.New(io.Discard))
	tr.Turn(session.Input)
	if d.deleted != nil {
		t.Errorf("got %v deleted, want none", d.deleted)
	}
}

// TestFreeBeforeGoodbye: a client that has read the answer to QUIT finds the box
// free.
func TestFreeBeforeGoodbye(t *testing.T) {
	c := &stalled{in: strings.NewReader("QUIT\r\n")}
	d := drop("From: a\r\n\r\none\r\n")
	said := ""
	d.closing = func() { said = strings.Join(c.writes, "") }
	run(c, d)
	if want := "+OK logged in, 1 messages\r\n"; said != want {
		t.Errorf("got the box closed after %q, want it after %q", said, want)
	}
}

func TestCapabilities(t *testing.T) {
	got, _ := talk(t, drop(), "CAPA\r\nQUIT\r\n")
	for _, want := range []string{"\r\nTOP\r\n", "\r\nUIDL\r\n", "\r\nRESP-CODES\r\n", "\r\nAUTH-RESP-CODE\r\n", "\r\nPIPELINING\r\n", "\r\nIMPLEMENTATION "} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q without %q", got, want)
		}
	}
	if strings.Contains(got, "STLS") {
		t.Errorf("got %q with STLS after the login", got)
	}
}

func TestStuffingAcrossChunks(t *testing.T) {
	// Lines of dots such that chunk borders fall everywhere in a line.
	for shift := range 5 {
		msg := strings.Repeat("x", shift) + "\r\n" + strings.Repeat(".a\r\n\r\n", full/3)
		want := fmt.Sprintf("+OK %d octets\r\n%s.\r\n", len(msg), strings.ReplaceAll(msg, "\n.", "\n.."))
		got, err := talk(t, drop(msg), "RETR 1\r\nQUIT\r\n")
		if !strings.Contains(got, want) || err != nil {
			t.Errorf("shift %d: %d octets differ, %v", shift, len(got), err)
		}
		lines := full / 3
		got, err = talk(t, drop("H: v\r\n\r\n"+msg), fmt.Sprintf("TOP 1 %d\r\nQUIT\r\n", lines))
		if n := strings.Count(got, "\r\n"); n != 1+1+2+lines+1+1 || err != nil {
			t.Errorf("shift %d: TOP: got %d lines, %v, want %d", shift, n, err, lines+6)
		}
	}
}

// TestCutAtEveryByte ends the connection after each byte of a session: only a
// whole QUIT deletes.
func TestCutAtEveryByte(t *testing.T) {
	const whole = "STAT\r\nRETR 1\r\nDELE 1\r\nDELE 2\r\nRSET\r\nDELE 2\r\nTOP 1 0\r\nQUIT\r\n"
	for cut := 0; cut <= len(whole); cut++ {
		d := drop("A: b\r\n\r\nc\r\n", "D: e\r\n\r\nf\r\n")
		talk(t, d, whole[:cut])
		want := []int(nil)
		if cut == len(whole) {
			want = []int{2}
		}
		if !reflect.DeepEqual(d.deleted, want) || d.commits != 1 {
			t.Errorf("cut at %d of %d: deleted %v in %d commits, want %v", cut, len(whole), d.deleted, d.commits, want)
		}
	}
}

func TestMessageThatBreaksOffEndsTheSession(t *testing.T) {
	d := drop("A: b\r\n\r\n" + strings.Repeat("0123456789\r\n", full))
	d.broken = 1
	got, err := talk(t, d, "DELE 1\r\nRSET\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n")
	if err == nil || strings.Contains(got, "\r\n.\r\n") || strings.Contains(got, "bye") {
		t.Errorf("got %q… and %v, want half a message without an end", got[:60], err)
	}
	if d.deleted != nil || d.seen != nil {
		t.Errorf("deleted %v, seen %v, want none", d.deleted, d.seen)
	}
}

func TestFailedDeletionIsAnError(t *testing.T) {
	d := drop("A: b\r\n\r\nc\r\n")
	d.fail = errors.New("read-only file system")
	got, err := talk(t, d, "DELE 1\r\nQUIT\r\n")
	if !strings.HasSuffix(got, "-ERR [SYS/TEMP] some deleted messages were not removed\r\n") || err == nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSilenceDeletesNothing(t *testing.T) {
	client, server := pair(t)
	d := drop("A: b\r\n\r\nc\r\n")
	lot, err := park.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer lot.Close()
	log := evlog.New(io.Discard)
	c := &session.Conn{Stream: server}
	tr := newTransaction(c, d, 50*time.Millisecond, log)
	done := make(chan struct{})
	if err := session.Visit(lot, c, tr, log, func() { close(done) }); err != nil {
		t.Fatal(err)
	}
	io.WriteString(client, "DELE 1\r\n")
	out, _ := io.ReadAll(client)
	if !strings.HasSuffix(string(out), "-ERR too long silent, nothing was deleted\r\n") {
		t.Errorf("got %q", out)
	}
	<-done
	if !errors.Is(tr.err, os.ErrDeadlineExceeded) || d.deleted != nil {
		t.Errorf("got %v, deleted %v", tr.err, d.deleted)
	}
}

func TestLineWithoutEnd(t *testing.T) {
	got, err := talk(t, drop("a"), "DELE 1\r\n"+strings.Repeat("Q", 2*maxLine))
	if !errors.Is(err, bufio.ErrBufferFull) {
		t.Errorf("got %q, %v, want the end of the session", got, err)
	}
}

// TestNonsenseEndsTheSession: but only what comes in a row counts.
func TestNonsenseEndsTheSession(t *testing.T) {
	wrong := strings.Repeat("FOO\r\n", maxErrors-1)
	d := drop("a")
	c := &script{Reader: strings.NewReader("DELE 1\r\n" + wrong + "NOOP\r\n" + wrong + "FOO\r\nQUIT\r\n")}
	err := run(c, d)
	lines := strings.Split(strings.TrimSuffix(c.said.String(), "\r\n"), "\r\n")
	if !errors.Is(err, errNonsense) || lines[len(lines)-1] != "-ERR too many errors, nothing was deleted" || len(lines) != 2+2*maxErrors || d.deleted != nil {
		t.Errorf("got %d lines, the last %q, %v, deleted %v", len(lines), lines[len(lines)-1], err, d.deleted)
	}
}

func FuzzSession(f *testing.F) {
	f.Add("STAT\r\nLIST\r\nUIDL\r\nTOP 1 1\r\nRETR 1\r\nDELE 1\r\nRSET\r\nNOOP\r\nCAPA\r\nQUIT\r\n")
	f.Add("RETR 0\nTOP 99999999999 -1\r\nDELE 2\r\nQUIT")
	f.Add("\x00\xff\r\n\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		d := drop("A: b\r\n\r\n.c\r\n", "D: e\r\n\r\nf")
		c := &script{Reader: strings.NewReader(in)}
		err := run(c, d)
		out := c.said.String()
		if d.commits != 1 || len(d.deleted) > 0 && err != nil {
			t.Errorf("%q: deleted %v in %d commits, %v", in, d.deleted, d.commits, err)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(out, "\r\n"), "\r\n") {
			if strings.ContainsAny(line, "\r\n\x00") {
				t.Errorf("%q: got the line %q", in, line)
			}
		}
	})
}

// script is a connection whose client sends a text and then ends.
type script struct {
	net.Conn
	*strings.Reader
	said strings.Builder
}

func (s *script) Read(p []byte) (int, error)       { return s.Reader.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return s.said.Write(p) }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// TestRetention: EXPIRE says for how long what was fetched stays (RFC 2449 6.7).
func TestRetention(t *testing.T) {
	for days, want := range map[int]string{0: "EXPIRE NEVER", 30: "EXPIRE 30"} {
		if got := (&transaction{expire: days}).retention(); got != want {
			t.Errorf("%d days: got %q, want %q", days, got, want)
		}
	}
}
