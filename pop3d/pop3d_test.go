package main

import (
	"bytes"
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
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

const limit = 20 * time.Second // for what a test waits for

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// serve runs pop3d with more lines of configuration, a fake authd and a fake
// session program, and returns its address.
func serve(t *testing.T, more string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "posthorn.conf")
	text := fmt.Sprintf("hostname mx.example.org\ndomain example.org\nrun-dir %s\nlisten pop3 127.0.0.1:0\n"+
		"process-user vmail 4711\nprocess-user pop3d 4712\nprocess-user authd 4713\nprocess-group sockets 4711\nprocess-group tls 4711\n%s", dir, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	log := &buffer{}
	service, err := open(&daemon.Daemon{Name: "pop3d", Conf: c, Log: evlog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { service.Serve(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	answer(t, c.Socket("auth"), "posthorn-auth/1", authd)
	answer(t, c.Socket("pop3-session"), "posthorn-session/1", session)
	return regexp.MustCompile(`addr=(\S+)`).FindStringSubmatch(log.String())[1]
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
	s.Handle = func(_ context.Context, _ sock.Peer, req attr.List, f2 *os.File) (attr.List, *os.File) {
		return f(req, f2), nil
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
	case password != "pw" && password != "p w ":
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
	fmt.Fprintf(conn, "+OK %s %q\r\n", req.Get("ticket"), pending)
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
	go func() {
		io.WriteString(conn, in)
	}()
	out, err := io.ReadAll(conn)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatalf("got %q, %v", out, err)
	}
	return string(out)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestDialogues(t *testing.T) {
	const hello, bye = "+OK Posthorn ready\r\n", "+OK bye\r\n"
	const user = "+OK send PASS\r\n"
	addr := serve(t, "")
	for _, tc := range []struct{ name, in, want string }{
		{"quit", "QUIT\r\n", bye},
		{"capabilities", "CAPA\r\nQUIT\r\n", "+OK capability list follows\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\n" +
			"AUTH-RESP-CODE\r\nUTF8 USER\r\nLANG\r\nIMPLEMENTATION Posthorn\r\nUSER\r\nSASL PLAIN\r\n.\r\n" + bye},
		{"user and pass", "USER ann\r\nPASS pw\r\n", user + "+OK ann \"\"\r\n"},
		{"a password with blanks", "user ann\r\npass p w \r\n", user + "+OK ann \"\"\r\n"},
		{"pipelined", "USER ann\r\nPASS pw\r\nSTAT\r\nQU", user + "+OK ann \"STAT\\r\\nQU\"\r\n"},
		{"auth plain", "AUTH PLAIN " + b64("\x00ann\x00pw") + "\r\n", "+OK ann \"\"\r\n"},
		{"auth plain in two steps", "AUTH plain\r\n" + b64("\x00ann\x00pw") + "\r\n", "+ \r\n+OK ann \"\"\r\n"},
		{"auth cancelled", "AUTH PLAIN\r\n*\r\nQUIT\r\n", "+ \r\n-ERR cancelled\r\n" + bye},
		{"auth with garbage", "AUTH PLAIN !!\r\nAUTH PLAIN\r\n!!\r\nAUTH PLAIN =\r\nAUTH PLAIN x y\r\nQUIT\r\n",
			"-ERR response is not base64\r\n+ \r\n-ERR response is not base64\r\n-ERR malformed response\r\n-ERR AUTH needs a mechanism and at most one response\r\n" + bye},
		{"auth with another mechanism", "AUTH\r\nAUTH LOGIN\r\nQUIT\r\n", "-ERR AUTH needs a mechanism and at most one response\r\n-ERR mechanism is not offered\r\n" + bye},
		{"pass without user", "PASS pw\r\nUSER ann\r\nNOOP\r\nPASS pw\r\nUSER\r\nPASS pw\r\nQUIT\r\n",
			"-ERR PASS needs a USER before it and a password\r\n" + user + "-ERR unknown command before login\r\n" +
				"-ERR PASS needs a USER before it and a password\r\n-ERR USER needs a name\r\n-ERR PASS needs a USER before it and a password\r\n" + bye},
		{"commands before login", "STAT\r\nRETR 1\r\nAPOP a b\r\n\r\n \r\nQUIT\r\n",
			strings.Repeat("-ERR unknown command before login\r\n", 2) + "-ERR APOP is not offered\r\n" +
				strings.Repeat("-ERR malformed command\r\n", 2) + bye},
		{"languages", "LANG\r\nLANG *\r\nlang EN-gb\r\nLANG i-default\r\nLANG es\r\nLANG eng\r\nUTF8\r\nQUIT\r\n", "+OK language listing follows\r\nen English\r\n.\r\n" +
			strings.Repeat("+OK en English it is\r\n", 3) + strings.Repeat("-ERR no such language\r\n", 2) + "+OK UTF8 enabled\r\n" + bye},
		{"no certificate", "STLS\r\nQUIT\r\n", "-ERR TLS is not available or active already\r\n" + bye},
		{"failures", "USER down\r\nPASS pw\r\nUSER closed\r\nPASS pw\r\nUSER busy\r\nPASS pw\r\nUSER many\r\nPASS pw\r\nUSER ann\r\nPASS x\r\nQUIT\r\n",
			user + "-ERR [SYS/TEMP] login is not possible right now, try again later\r\n" + user + "-ERR [SYS/PERM] account is closed\r\n" +
				user + "-ERR [IN-USE] in use\r\n" + user + "-ERR [SYS/TEMP] too many sessions\r\n" + user + "-ERR [AUTH] wrong user name or password\r\n" + bye},
		{"too many failures", strings.Repeat("USER ann\r\nPASS x\r\n", 5), strings.Repeat(user+"-ERR [AUTH] wrong user name or password\r\n", 4)},
		{"too many mistakes", strings.Repeat("X\r\n", maxMistakes), strings.Repeat("-ERR unknown command before login\r\n", maxMistakes) + "-ERR too many mistakes\r\n"},
		{"a line without end", strings.Repeat("x", 50000), "-ERR line too long\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := talk(t, addr, tc.in); got != hello+tc.want {
				t.Errorf("got  %q\nwant %q", got, hello+tc.want)
			}
		})
	}
}

func TestNoPasswordInClear(t *testing.T) {
	got := talk(t, serve(t, "plaintext-login no\n"), "CAPA\r\nUSER ann\r\nPASS pw\r\nAUTH PLAIN\r\nAUTH PLAIN "+b64("\x00ann\x00pw")+"\r\nQUIT\r\n")
	if strings.Contains(got, "\r\nUSER\r\n") || strings.Contains(got, "SASL") {
		t.Errorf("got %q, want no login offered", got)
	}
	if n := strings.Count(got, "-ERR a password is taken over TLS only\r\n"); n != 3 {
		t.Errorf("got %q, want three refusals", got)
	}
}
