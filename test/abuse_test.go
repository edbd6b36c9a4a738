package test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// dial connects with a deadline for the whole conversation.
func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(suite.Limit))
	t.Cleanup(func() { c.Close() })
	return c
}

// TestPlaintextBeforeTLSIsDiscarded sends commands in the same packet as the
// one that begins TLS: none of them may be answered within TLS.
func TestPlaintextBeforeTLSIsDiscarded(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	for _, tc := range []struct{ service, before, begin, injected, after, want string }{
		{"smtp", "EHLO a\r\n", "STARTTLS\r\n", "NOOP injected\r\nNOOP injected\r\n", "HELO b\r\n", "250 mx.example.test"},
		{"submission", "EHLO a\r\n", "STARTTLS\r\n", "MAIL FROM:<x@other.test>\r\n", "HELO b\r\n", "250 mx.example.test"},
		{"imap", "a NOOP\r\n", "b STARTTLS\r\n", "c NOOP\r\nd LOGOUT\r\n", "e NOOP\r\n", "e OK"},
		{"pop3", "CAPA\r\n", "STLS\r\n", "USER injected\r\nQUIT\r\n", "NOOP\r\n", "-ERR"},
	} {
		c := dial(t, i.Addr[tc.service])
		in := bufio.NewReader(c)
		readLine(t, in)
		io.WriteString(c, tc.before+tc.begin+tc.injected)
		for {
			line := readLine(t, in)
			if strings.HasPrefix(line, "220 ") || strings.HasPrefix(line, "b OK") || strings.HasPrefix(line, "+OK") && strings.Contains(line, "TLS") {
				break
			}
		}
		secure := tls.Client(&buffered{c, in}, &tls.Config{InsecureSkipVerify: true})
		if err := secure.Handshake(); err != nil {
			t.Errorf("%s: the server refused TLS: %v", tc.service, err)
			continue
		}
		io.WriteString(secure, tc.after)
		if line := readLine(t, bufio.NewReader(secure)); !strings.HasPrefix(line, tc.want) {
			t.Errorf("%s: the first answer within TLS is %q, want %q", tc.service, line, tc.want)
		}
	}
}

// buffered reads what a bufio.Reader already has first.
type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

func readLine(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("read a line: %v after %q", err, line)
	}
	return strings.TrimSpace(line)
}

// again abuses connections one after the other until done is closed.
func again(addr string, abuse func(net.Conn), done <-chan struct{}) {
	for {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.SetDeadline(time.Now().Add(5 * time.Second)) // the server may take its time
			go io.Copy(io.Discard, c)
			abuse(c)
			c.Close()
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// TestAbuse sends what no client should: each costs its own connection at most,
// and memory that has a bound; good mail gets through meanwhile.
func TestAbuse(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	endless := func(start, part string) func(net.Conn) {
		return func(c net.Conn) {
			io.WriteString(c, start)
			for range 1 << 10 { // 64 MiB, or until the server has had enough
				if _, err := io.WriteString(c, strings.Repeat(part, 64<<10/len(part))); err != nil {
					return
				}
			}
		}
	}
	var abusers sync.WaitGroup
	mailed := make(chan struct{})
	login := fmt.Sprintf("a LOGIN %s %s\r\nb SELECT INBOX\r\n", suite.Bob, instance.Password)
	for _, tc := range []struct {
		name, service string
		send          func(net.Conn)
	}{
		{"a command without end", "smtp", endless("", "x")},
		{"a million recipients", "smtp", endless("EHLO a\r\nMAIL FROM:<x@other.test>\r\n", "RCPT TO:<bob@example.test>\r\n")},
		{"unknown recipients", "smtp", endless("EHLO a\r\nMAIL FROM:<x@other.test>\r\n", "RCPT TO:<nobody@example.test>\r\n")},
		{"a header line without end", "smtp", endless("EHLO a\r\nMAIL FROM:<x@other.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: ", "x")},
		{"a chunk of 99 GB", "smtp", endless("EHLO a\r\nMAIL FROM:<x@other.test>\r\nRCPT TO:<bob@example.test>\r\nBDAT 99000000000\r\n", "x")},
		{"a command without end", "imap", endless("", "x")},
		{"a literal of 99 GB before login", "imap", endless("a LOGIN {99000000000+}\r\n", "x")},
		{"a literal of 99 GB after login", "imap", endless(login+"c APPEND INBOX {99000000000+}\r\n", "x")},
		{"a search without end", "imap", endless(login+"c SEARCH ", "OR ")},
		{"a list without end", "imap", endless(login+"c FETCH 1 (", "(")},
		{"commands without end", "imap", endless(login, "c NOOP\r\n")},
		{"a command without end", "pop3", endless("", "x")},
		{"commands without end", "pop3", endless("", "NOOP\r\n")},
	} {
		abusers.Go(func() { again(i.Addr[tc.service], tc.send, mailed) })
	}
	for n := range 5 { // each has a deadline
		if err := send(i.Addr["smtp"], suite.Bob, fmt.Sprintf("<kill-%d@test>", n+1)); err != nil {
			t.Errorf("mail meanwhile: %v", err)
		}
	}
	close(mailed)
	abusers.Wait()
	for _, name := range []string{"smtpd", "imapd", "imap-session", "pop3d"} {
		if got := suite.PeakMiB(t, i, name); got > 100 {
			t.Errorf("%s: got a peak of %d MiB, want it bounded", name, got)
		}
	}
	if line, err := i.WaitLog(time.Millisecond, func(l string) bool {
		return strings.HasPrefix(l, "posthorn: died") || strings.Contains(l, ": crashed ")
	}); err == nil {
		t.Errorf("got %s, want every daemon to live", line)
	}
	if err := send(i.Addr["smtp"], suite.Bob, "<kill-0@test>"); err != nil {
		t.Errorf("mail after all that: %v", err)
	}
	suite.Eventually(t, "mail meanwhile and after all that arrives", func() bool { return len(count(suite.BoxFiles(i, suite.Bob, ""))) == 6 })
}

// greeted reports whether a new client gets in.
func greeted(t *testing.T, addr string) bool {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	line, _ := bufio.NewReader(c).ReadString('\n') // a reset is a refusal too
	return strings.HasPrefix(line, "220 ") || strings.HasPrefix(line, "* OK") || strings.HasPrefix(line, "+OK")
}

// TestSilentClients: a thousand who connect and say nothing keep nobody else out
// for longer than a timeout, though they take all the places, and memory is
// bounded.
func TestSilentClients(t *testing.T) {
	const places = 1000
	i := suite.Server(t, instance.Options{Conf: fmt.Sprintf("connections %d\nconnections-per-client 2000\ntimeout 2s\nlogin-timeout 2s\n", places)})
	for _, service := range []string{"smtp", "imap", "pop3"} {
		suite.Eventually(t, service+": no place is left", func() bool {
			for range places {
				dial(t, i.Addr[service])
			}
			return !greeted(t, i.Addr[service])
		})
		suite.Eventually(t, service+": a client gets in", func() bool { return greeted(t, i.Addr[service]) })
	}
	if err := send(i.Addr["smtp"], suite.Bob, "<kill-1@test>"); err != nil {
		t.Errorf("mail beside silent clients: %v", err)
	}
	for _, name := range []string{"smtpd", "imapd", "pop3d"} {
		if got := suite.PeakMiB(t, i, name); got > 100 {
			t.Errorf("%s: got a peak of %d MiB, want it bounded", name, got)
		}
	}
}
