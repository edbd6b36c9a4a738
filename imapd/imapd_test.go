package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/evlog"
	"posthorn/internal/login"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

const limit = 20 * time.Second // for what a test waits for

// serve runs imapd with more lines of configuration, a fake authd and a fake
// session program, and returns its address.
func serve(t *testing.T, more string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "posthorn.conf")
	text := fmt.Sprintf("hostname mx.example.org\ndomain example.org\nrun-dir %s\nlisten imap 127.0.0.1:0\n"+
		"process-user vmail 4711\nprocess-user imapd 4712\nprocess-user authd 4713\nprocess-group sockets 4711\nprocess-group tls 4711\n%s", dir, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder // read before anything else is written
	service, err := open(&daemon.Daemon{Name: "imapd", Conf: c, Log: evlog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	addr := regexp.MustCompile(`addr=(\S+)`).FindStringSubmatch(log.String())[1]
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { service.Serve(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	answer(t, c.Socket("auth"), "posthorn-auth/1", authd)
	answer(t, c.Socket("imap-session"), "posthorn-session/1", session)
	return addr
}

// answer serves one of our sockets until the test ends.
func answer(t *testing.T, path, proto string, f func(attr.List, *os.File) attr.List) {
	t.Helper()
	l, err := sock.Listen(path, sock.Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	s := &sock.Server{Name: "fake", Proto: proto, Log: evlog.New(io.Discard)}
	s.Handle = func(_ context.Context, _ sock.Peer, req attr.List, conn *os.File) (attr.List, *os.File) {
		return f(req, conn), nil
	}
	wg.Go(func() { s.Serve(ctx, l) })
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// authd knows every user by the password pw, and three troubles.
func authd(req attr.List, _ *os.File) attr.List {
	if req.Get("request") == "mechanisms" {
		return append(sock.Reply(verdict.Of(nil)), attr.Attr{Name: "mechanism", Value: "PLAIN"})
	}
	user, password := req.Get("user"), req.Get("password")
	if req.Get("request") == "sasl" {
		response, _ := base64.StdEncoding.DecodeString(req.Get("response"))
		w := strings.Split(string(response), "\x00")
		switch {
		case req.Get("mechanism") != "PLAIN" && req.Get("exchange") == "":
			return sock.Reply(verdict.New(verdict.Never, "5.5.4", "mechanism is not offered"))
		case len(req.All("response")) == 0:
			return append(sock.Reply(verdict.Of(nil)), attr.Attr{Name: "challenge"}, attr.Attr{Name: "exchange", Value: "1"})
		case len(w) != 3:
			return sock.Reply(verdict.New(verdict.Never, "5.5.2", "malformed response"))
		}
		user, password = w[1], w[2]
	}
	switch {
	case user == "down":
		return sock.Reply(verdict.New(verdict.Later, "4.7.0", "users file cannot be read"))
	case user == "closed":
		return sock.Reply(verdict.New(verdict.Never, "5.7.13", "account is closed"))
	case password != "pw" && password != `p "w`:
		return sock.Reply(verdict.New(verdict.Never, "5.7.8", "wrong"))
	}
	reply := sock.Reply(verdict.Of(nil))
	reply.Add("user", user)
	reply.Add("ticket", user)
	return reply
}

// session answers with what it was handed, and closes.
func session(req attr.List, f *os.File) attr.List {
	defer f.Close()
	if req.Get("ticket") == "busy" {
		return append(sock.Reply(verdict.New(verdict.Later, "4.2.0", "in use")), attr.Attr{Name: "reason", Value: "in-use"})
	}
	if req.Get("ticket") == "many" {
		return append(sock.Reply(verdict.New(verdict.Later, "4.3.2", "too many sessions")), attr.Attr{Name: "reason", Value: "limit"})
	}
	pending, _ := base64.StdEncoding.DecodeString(req.Get("pending"))
	conn, _ := net.FileConn(f)
	fmt.Fprintf(conn, "%s OK %s %q\r\n", req.Get("tag"), req.Get("ticket"), pending)
	conn.Close()
	return sock.Reply(verdict.Of(nil))
}

// talk sends in and returns all that is said until the end.
func talk(t *testing.T, addr, in string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	go io.WriteString(conn, in)
	out, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("got %q, %v", out, err)
	}
	return string(out)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestDialogues(t *testing.T) {
	const caps = "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL+ ID AUTH=PLAIN"
	const hello = "* OK [CAPABILITY " + caps + "] Posthorn ready\r\n"
	const out, bye = "z LOGOUT\r\n", "* BYE logging out\r\nz OK LOGOUT completed\r\n"
	pairs := "" // as many and as long as RFC 2971 section 3.3 has them
	for i := range 30 {
		pairs += fmt.Sprintf(" \"%030d\" \"%01024d\"", i, i)
	}
	addr := serve(t, "")
	for _, tc := range []struct{ name, in, want string }{
		{"logout", out, bye},
		{"capability", "a capability\r\nb NOOP\r\n" + out, "* CAPABILITY " + caps + "\r\na OK CAPABILITY completed\r\nb OK NOOP completed\r\n" + bye},
		{"longest id", "a ID (" + pairs[1:] + ")\r\n" + out, "* ID (\"name\" \"Posthorn\")\r\na OK ID completed\r\n" + bye},
		{"id", "a ID NIL\r\nb ID (\"name\" \"x\" \"os\" NIL)\r\nc ID x\r\nd ID\r\n" + out,
			"* ID (\"name\" \"Posthorn\")\r\na OK ID completed\r\n* ID (\"name\" \"Posthorn\")\r\nb OK ID completed\r\nc BAD expected a list or NIL\r\nd BAD missing argument\r\n" + bye},
		{"login", "a LOGIN ann pw\r\n", "a OK ann \"\"\r\n"},
		{"login, quoted, pipelined", "a login \"ann\" \"p \\\"w\"\r\nb SELECT INBOX\r\nc NO", "a OK ann \"b SELECT INBOX\\r\\nc NO\"\r\n"},
		{"login with literals", "a LOGIN {3}\r\nann {4}\r\np \"w\r\n", "+ OK\r\n+ OK\r\na OK ann \"\"\r\n"},
		{"login with literals at once", "a LOGIN {3+}\r\nann {2+}\r\npw\r\nb NOOP\r\n", "a OK ann \"b NOOP\\r\\n\"\r\n"},
		{"bad logins", "a LOGIN\r\nb LOGIN ann\r\nc LOGIN ann pw x\r\nd LOGIN \"ann pw\r\n" + out,
			"a BAD missing argument\r\nb BAD missing argument\r\nc BAD unexpected argument\r\nd BAD quoted string without end\r\n" + bye},
		{"plain", "a AUTHENTICATE PLAIN " + b64("\x00ann\x00pw") + "\r\n", "a OK ann \"\"\r\n"},
		{"plain in two steps", "a authenticate plain\r\n" + b64("\x00ann\x00pw") + "\r\nb NOOP\r\n", "+ \r\na OK ann \"b NOOP\\r\\n\"\r\n"},
		{"plain cancelled", "a AUTHENTICATE PLAIN\r\n*\r\n" + out, "+ \r\na BAD cancelled\r\n" + bye},
		{"plain with garbage", "a AUTHENTICATE PLAIN ??\r\nb AUTHENTICATE PLAIN\r\n??\r\nc AUTHENTICATE PLAIN =\r\n" + out,
			"a BAD response is not base64\r\n+ \r\nb BAD response is not base64\r\nc BAD malformed response\r\n" + bye},
		{"another mechanism", "a AUTHENTICATE LOGIN\r\nb AUTHENTICATE\r\n" + out, "a NO mechanism is not offered\r\nb BAD missing argument\r\n" + bye},
		{"commands of later states", "a SELECT INBOX\r\na FOO\r\na UID FETCH 1 FLAGS\r\n" + out,
			strings.Repeat("a BAD unknown command before login\r\n", 3) + bye},
		{"no commands", "\r\na\r\n(\r\n" + out, "* BAD a command starts with a tag\r\na BAD a command name must follow the tag\r\n* BAD a command starts with a tag\r\n" + bye},
		{"no certificate", "a STARTTLS\r\n" + out, "a BAD TLS is not available or active already\r\n" + bye},
		{"failures", "a LOGIN down pw\r\nb LOGIN closed pw\r\nc LOGIN busy pw\r\nm LOGIN many pw\r\nd LOGIN ann x\r\n" + out,
			"a NO [UNAVAILABLE] login is not possible right now, try again later\r\nb NO [CONTACTADMIN] account is closed\r\n" +
				"c NO [INUSE] in use\r\nm NO [LIMIT] too many sessions\r\nd NO [AUTHENTICATIONFAILED] wrong user name or password\r\n" + bye},
		{"too many mistakes", strings.Repeat("a X\r\n", maxMistakes), strings.Repeat("a BAD unknown command before login\r\n", maxMistakes) + "* BYE too many mistakes\r\n"},
		{"a line without end", strings.Repeat("x", 50000), "* BYE line too long\r\n"},
		// What a refused literal holds must not run (RFC 7888 section 4).
		{"large literal at once", "a LOGIN {56000+}\r\n" + strings.Repeat("b NOOP\r\n", 7000) + " pw\r\n" + out, "a BAD command too large\r\n" + bye},
		{"large literal asked for", "a LOGIN {56000}\r\n" + out, "a BAD command too large\r\n" + bye},
		{"many literals", "a X {1+}\r\nx {1+}\r\nx {1+}\r\nx {1+}\r\nx {8+}\r\nb NOOP\r\n\r\n" + out, "a BAD command too large\r\n" + bye},
		{"literal of 99 GB", "a LOGIN {99000000000+}\r\nb NOOP\r\n", "* BYE literal too large\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := talk(t, addr, tc.in); got != hello+tc.want {
				t.Errorf("got  %q\nwant %q", got, hello+tc.want)
			}
		})
	}
}

func TestNoPasswordInClear(t *testing.T) {
	got := talk(t, serve(t, "plaintext-login no\n"), "a CAPABILITY\r\nb LOGIN ann pw\r\nc AUTHENTICATE PLAIN\r\nd AUTHENTICATE PLAIN "+b64("\x00ann\x00pw")+"\r\ne LOGOUT\r\n")
	if strings.Contains(got, "AUTH=") || strings.Count(got, "LOGINDISABLED") != 2 {
		t.Errorf("got %q, want no login offered", got)
	}
	if n := strings.Count(got, "NO [PRIVACYREQUIRED]"); n != 3 {
		t.Errorf("got %q, want three refusals", got)
	}
}

// TestRefusal: over a limit the greeting is a BYE that says so.
func TestRefusal(t *testing.T) {
	for _, tc := range []struct {
		reason login.Reason
		want   string
	}{{login.Unavailable, "* BYE [UNAVAILABLE] x\r\n"}, {0, "* BYE x\r\n"}} {
		if got := (protocol{}).Refusal(tc.reason, "x"); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}
