package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"posthorn/internal/directory"
	"posthorn/internal/verdict"
)

// feeder is another mail server that delivers by LMTP.
type feeder struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

// feedSocket is the line of configuration for a socket, and its path.
func feedSocket(t *testing.T, options string) (line, path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "lmtp") // short, and open to other uids
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	path = filepath.Join(dir, "lmtp.sock")
	return "listen lmtp " + path + " " + options, path
}

func dialLMTP(t *testing.T, path string) *feeder {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(wait))
	f := &feeder{t, c, bufio.NewReader(c)}
	f.say("", "220 ")
	f.say("LHLO feeder.example.org\r\n", "250-")
	for l := ""; !strings.HasPrefix(l, "250 "); {
		l = f.line()
	}
	return f
}

func (f *feeder) line() string {
	f.t.Helper()
	l, err := f.r.ReadString('\n')
	if err != nil {
		f.t.Fatalf("got %q, %v, want a line", l, err)
	}
	return strings.TrimSuffix(l, "\r\n")
}

// say sends text and expects lines that begin so.
func (f *feeder) say(text string, want ...string) (got []string) {
	f.t.Helper()
	io.WriteString(f.c, text)
	for _, w := range want {
		l := f.line()
		if !strings.HasPrefix(l, w) {
			f.t.Fatalf("got %q, want %q", l, w)
		}
		got = append(got, l)
	}
	return got
}

func TestLMTPFeed(t *testing.T) {
	line, path := feedSocket(t, "")
	in := begin(t, line)
	ann := in.add("ann@example.org", vmail(), "mail/example.org/ann")
	bob := in.add("bob@example.org", vmail(), "mail/example.org/bob")
	f := dialLMTP(t, path)
	// Everything pipelined: known, its detail, unknown, another host's, several boxes.
	replies := f.say("MAIL FROM:<a@example.net> BODY=8BITMIME\r\nRCPT TO:<bob@example.org>\r\nRCPT TO:<none@example.org>\r\n"+
		"RCPT TO:<ann+news@example.org>\r\nRCPT TO:<x@example.net>\r\nRCPT TO:<away@example.org>\r\nRCPT TO:<both@example.org>\r\n"+
		"RCPT TO:<ann@example.org>\r\nDATA\r\nSubject: x\r\n\r\nhel\nlo\r\n..\r\n.\r\n",
		"250", "250", "550 5.1.1", "250", "550 5.1.1", "550 5.1.1", "550 5.1.1", "250", "354", "250 2.0.0", "250 2.0.0", "250 2.0.0")
	mid, _, _ := strings.Cut(strings.TrimPrefix(replies[9], "250 2.0.0 "), " ")
	want := regexp.MustCompile(`^Return-Path: <a@example.net>\nReceived: from feeder.example.org \(uid:\d+\)\n\tby mx.example.org with LMTP id ` + mid +
		`;\n\t.*\nSubject: x\n\nhel\nlo\n.\n$`)
	for _, b := range []directory.Box{ann, bob} {
		if got := stored(t, b); len(got) != 1 || !want.MatchString(got[0]) {
			t.Errorf("%s: got %q, want one that matches %v", b.Name, got, want)
		}
	}
	in.logged(t, "fed id="+mid+" sid=")
	in.logged(t, "delivered id="+mid+" box=bob@example.org")
	// The null sender, one recipient.
	f.say("MAIL FROM:<>\r\nRCPT TO:<ann+x@example.org>\r\nDATA\r\nbounce\r\n.\r\n", "250", "250", "354", "250 2.0.0")
	if got := strings.Join(stored(t, ann), ""); !strings.Contains(got, "Return-Path: <>\nDelivered-To: ann+x@example.org\nReceived:") {
		t.Errorf("got %q, want the null sender and the address with its detail", got)
	}
	// No recipient: no message.
	f.say("MAIL FROM:<>\r\nRCPT TO:<none@example.org>\r\nDATA\r\nQUIT\r\n", "250", "550", "503", "221")
	in.logged(t, "disconnected sid=")
	in.logged(t, "rejected sid=")
}

// TestLMTPLater: who cannot have it now is 4xx, and the others have it.
func TestLMTPLater(t *testing.T) {
	line, path := feedSocket(t, "")
	in := begin(t, line, "message-size 64K")
	ann := in.add("ann@example.org", vmail(), "mail/example.org/ann")
	in.add("eve@example.org", vmail()+1, "mail/example.org/eve") // not ours to write
	gone := in.add("gone@example.org", vmail(), "mail/example.org/gone")
	gone.Verdict = verdict.New(verdict.Never, "5.2.1", "box is closed")
	in.mu.Lock()
	in.boxes[gone.Name] = gone
	in.mu.Unlock()
	f := dialLMTP(t, path)
	f.say("MAIL FROM:<>\r\nRCPT TO:<eve@example.org>\r\nRCPT TO:<ann@example.org>\r\nRCPT TO:<gone@example.org>\r\nDATA\r\nx\r\n.\r\n",
		"250", "250", "250", "250", "354", "451 4.3.0", "250 2.0.0", "450 4.2.1")
	if got := stored(t, ann); len(got) != 1 {
		t.Errorf("got %d messages, want 1", len(got))
	}
	f.say("MAIL FROM:<> SIZE=70000\r\n", "552 5.3.4")
	f.say("MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"+strings.Repeat("x\r\n", 25000)+".\r\nRSET\r\n",
		"250", "250", "250", "354", "552 5.3.4", "552 5.3.4", "250")
	f.say("MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"+strings.Repeat("Received: x\r\n", 51)+"\r\n.\r\n", "250", "250", "354", "554 5.4.6")
	// Broken off: it was never a message.
	f.say("MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nSubject: torso\r\n", "250", "250", "354")
	f.c.Close()
	in.logged(t, "rejected id=")
	g := dialLMTP(t, path)
	g.say("MAIL FROM:<>\r\nRCPT TO:<table@example.org>\r\n", "250", "451 4.3.5")
	if got := stored(t, ann); len(got) != 1 {
		t.Errorf("got %d messages, want still 1", len(got))
	}
}

// TestLMTPByTCP, and a stop with a feeder connected.
func TestLMTPByTCP(t *testing.T) {
	in := begin(t, "listen lmtp 127.0.0.1:0")
	ann := in.add("ann@example.org", vmail(), "mail/example.org/ann")
	at := in.logged(t, "listening service=lmtp addr=")
	c, err := net.Dial("tcp", strings.TrimPrefix(at, "listening service=lmtp addr="))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(wait))
	f := &feeder{t, c, bufio.NewReader(c)}
	f.say("", "220 ")
	f.say("EHLO x.example\r\n", "500 5.5.1")
	f.say("LHLO x.example\r\n", "250-")
	for l := ""; !strings.HasPrefix(l, "250 "); {
		l = f.line()
	}
	f.say("MAIL FROM:<>\r\nRCPT TO:<ann@example.org>\r\nBDAT 3\r\nx\r\nBDAT 3 LAST\r\ny\r\n", "250", "250", "250", "250 2.0.0")
	if got := stored(t, ann); len(got) != 1 || !strings.Contains(got[0], "([127.0.0.1])") {
		t.Errorf("got %q, want the feeder's address in one message", got)
	}
	in.stop(t)
	f.say("", "421 4.3.2")
}

// TestLMTPSocket: who may connect is the configuration's to say.
func TestLMTPSocket(t *testing.T) {
	line, path := feedSocket(t, fmt.Sprintf("mode=0606 group=%d", os.Getegid()))
	in := begin(t, line)
	if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o606 {
		t.Errorf("got %v, %v, want mode 0606", fi, err)
	}
	in.stop(t)
}

func TestHolder(t *testing.T) {
	var h holder
	const others = minHeld - 10
	h.used.Store(others)
	hold := func(messageSize int64, text string) (*held, error) {
		m, err := h.hold(messageSize)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(m, text)
		return m, err
	}
	one, err := hold(1, "12345678")
	if err != nil {
		t.Fatal(err)
	}
	two, err := hold(1, "123")
	if verdict.Of(err).Status != "4.3.1" {
		t.Errorf("over the limit: got %v, want later 4.3.1", err)
	}
	three, err := hold(minHeld, "123")
	if err != nil {
		t.Errorf("when a reload has made messages larger: got %v, want room", err)
	}
	f, err := one.readOnly()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*held{one, two, three} {
		m.Close()
	}
	if b, err := io.ReadAll(f); string(b) != "12345678" || err != nil {
		t.Errorf("got %q, %v, want what was written", b, err)
	}
	f.Close()
	if n := h.used.Load(); n != others {
		t.Errorf("got %d bytes in use, want %d", n, others)
	}
}
