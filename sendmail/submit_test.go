package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
)

// smtpd answers as its test says; it notes what it was told.
type smtpd struct {
	t   *testing.T
	dir string
	ext string                          // EHLO's further lines
	say func(n int, line string) string // "" is the usual answer, "-" breaks off; n counts connections
	l   net.Listener

	mu    sync.Mutex
	conns int
	heard []string
	mail  []string
}

func startSMTPD(t *testing.T, ext string, say func(int, string) string) *smtpd {
	t.Helper()
	s := &smtpd{t: t, dir: t.TempDir(), ext: ext, say: say}
	s.listen()
	return s
}

func (s *smtpd) listen() {
	s.t.Helper()
	l, err := net.Listen("unix", filepath.Join(s.dir, "submit.sock"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.l = l
	s.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(c)
		}
	}()
}

func (s *smtpd) note(line string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, line)
	return s.conns
}

func (s *smtpd) talk(c net.Conn) {
	defer c.Close()
	s.mu.Lock()
	s.conns++
	s.mu.Unlock()
	x := textproto.NewConn(c)
	line := "greeting"
	for {
		n := s.note(line)
		answer := ""
		if s.say != nil {
			answer = s.say(n, line)
		}
		if answer == "-" {
			return
		}
		if answer == "" {
			answer = s.usual(line)
		}
		if x.PrintfLine("%s", answer) != nil {
			return
		}
		var err error
		if line, err = x.ReadLine(); strings.HasPrefix(answer, "354") && err == nil {
			text := line + "\n"
			if line != "." {
				rest, _ := io.ReadAll(x.DotReader())
				text += string(rest)
			}
			s.mu.Lock()
			s.mail = append(s.mail, text)
			s.mu.Unlock()
			line = "."
		}
		if err != nil {
			return
		}
	}
}

func (s *smtpd) usual(line string) string {
	verb, _, _ := strings.Cut(line, " ")
	switch verb {
	case "greeting":
		return "220 mx.d.test"
	case "EHLO":
		return "250-mx.d.test\r\n" + s.ext + "250 XORIGIN d.test"
	case "DATA":
		return "354 go"
	case "VRFY":
		return "250 2.1.5 box ann@d.test"
	}
	return "250 2.0.0 ok"
}

// call runs the command against s and returns exit code, stdout and stderr.
func (s *smtpd) call(stdin string, args ...string) (int, string, string) {
	s.t.Helper()
	c, err := conf.Defaults()
	if err != nil {
		s.t.Fatal(err)
	}
	c.RunDir = s.dir
	var out, errs bytes.Buffer
	clock := time.Unix(1_800_000_000, 0)
	p := &program{name: "sendmail", conf: c, in: strings.NewReader(stdin), stdout: &out, stderr: &errs, user: user{"ann", "Ann"},
		now: func() time.Time { return clock }, wait: func(d time.Duration) { clock = clock.Add(d) }}
	code := 0
	if p.options, err = parseOptions(p.name, args); err == nil {
		err = p.act()
	}
	if err != nil {
		code = exitCode(err)
		fmt.Fprintln(&errs, err)
	}
	return code, out.String(), errs.String()
}

func (s *smtpd) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.heard, "|")
}

func TestSubmitSpeaks(t *testing.T) {
	const all = "250-8BITMIME\r\n250-DSN\r\n250-SMTPUTF8\r\n"
	for _, tc := range []struct{ name, ext, args, text, want string }{
		{"plain", all, "bob carl@x.test", "From: a@b.test\n\nhi\n", "MAIL FROM:<ann>|RCPT TO:<bob>|RCPT TO:<carl@x.test>|DATA|.|QUIT"},
		{"list in a word", all, "bob,carl@x.test", "\n", "MAIL FROM:<ann>|RCPT TO:<bob>|RCPT TO:<carl@x.test>|DATA|.|QUIT"},
		{"null sender", all, "-f <> bob", "\n", "MAIL FROM:<>|RCPT TO:<bob>|DATA|.|QUIT"},
		{"sender with a name", all, "-f Eve<eve@x.test> bob", "\n", "MAIL FROM:<eve@x.test>|RCPT TO:<bob>|DATA|.|QUIT"},
		{"header and words", all, "-t bob", "To: carl\n\n", "MAIL FROM:<ann>|RCPT TO:<bob>|RCPT TO:<carl>|DATA|.|QUIT"},
		{"eight bit text", all, "bob", "\ngr\xfc\xdfe\n", "MAIL FROM:<ann> BODY=8BITMIME|RCPT TO:<bob>|DATA|.|QUIT"},
		{"eight bit header", all, "bob", "Subject: \xc3\xa4\n\n", "MAIL FROM:<ann> BODY=8BITMIME|RCPT TO:<bob>|DATA|.|QUIT"},
		{"declared", all, "-B8BITMIME bob", "\n", "MAIL FROM:<ann> BODY=8BITMIME|RCPT TO:<bob>|DATA|.|QUIT"},
		{"UTF-8 address", all, "jörg@x.test", "\n", "MAIL FROM:<ann> SMTPUTF8|RCPT TO:<jörg@x.test>|DATA|.|QUIT"},
		{"DSN", all, "-N success,delay -R hdrs -V q=1 bob", "\n", "MAIL FROM:<ann> RET=HDRS ENVID=q+3D1|RCPT TO:<bob> NOTIFY=SUCCESS,DELAY|DATA|.|QUIT"},
		{"not announced", "", "-N never -R hdrs -V q -B8BITMIME bob", "\n", "MAIL FROM:<ann>|RCPT TO:<bob>|DATA|.|QUIT"},
	} {
		s := startSMTPD(t, tc.ext, nil)
		code, _, errs := s.call(tc.text, strings.Fields(tc.args)...)
		want := "greeting|EHLO localhost|" + tc.want
		if got := s.said(); code != 0 || got != want {
			t.Errorf("%s: got %d, %s, %q, want %q", tc.name, code, errs, got, want)
		}
	}
}

// TestExitCodes: only 250 is success, and each refusal has its code.
func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		name, at, answer string
		code             int
	}{
		{"busy", "greeting", "421 4.3.2 later", exTempFail},
		{"refused", "greeting", "554 5.3.2 never", exDataErr},
		{"sender", "MAIL", "553 5.1.7 no", exDataErr},
		{"sender's domain", "MAIL", "550 5.7.1 no", exUnavailable},
		{"recipient", "RCPT", "550 5.1.1 no such mailbox", exNoUser},
		{"recipient later", "RCPT", "451 4.3.0 later", exTempFail},
		{"too many recipients", "RCPT", "452 4.5.3 no more than 8000 recipients", exUnavailable},
		{"no data", "DATA", "550 no", exUnavailable},
		{"too large", ".", "552 5.3.4 too large", exUnavailable},
		{"malformed", ".", "554 5.6.0 no", exDataErr},
		{"disk full", ".", "452 4.3.1 full", exTempFail},
		{"breaks off", ".", "-", exTempFail},
		{"breaks off at once", "greeting", "-", exTempFail},
	} {
		s := startSMTPD(t, "", func(_ int, line string) string {
			if strings.HasPrefix(line, tc.at) {
				return tc.answer
			}
			return ""
		})
		code, _, errs := s.call("\nhi\n", "bob")
		if code != tc.code || !strings.HasPrefix(errs, "the message was not sent: ") {
			t.Errorf("%s: got %d, %q, want %d", tc.name, code, errs, tc.code)
		}
		if again := s.conns > 1; again != (tc.code == exTempFail) {
			t.Errorf("%s: got %d connections", tc.name, s.conns)
		}
	}
}

// TestPersists: what passes is waited for, and then the message goes out once.
func TestPersists(t *testing.T) {
	for _, at := range []string{"greeting", "MAIL", "RCPT", "DATA", "."} {
		s := startSMTPD(t, "", func(n int, line string) string {
			if n < 3 && strings.HasPrefix(line, at) {
				return "451 4.3.0 later"
			}
			return ""
		})
		code, _, errs := s.call("From: a@b.test\n\nhi\n.more\n", "-i", "bob")
		if code != 0 || s.conns != 3 {
			t.Errorf("%s: got %d, %s and %d connections, want 0 and 3", at, code, errs, s.conns)
		}
		if got := s.mail[len(s.mail)-1]; got != "From: a@b.test\n\nhi\n.more\n" {
			t.Errorf("%s: got %q", at, got)
		}
	}
}

// TestLogin: every login that a system has can send.
func TestLogin(t *testing.T) {
	for login, want := range map[string]string{"ann": "ann", `DOM\ann`: `"DOM\\ann"`, "ann smith": `"ann smith"`, "a.b": "a.b", "ann@corp.test": "ann@corp.test", "a@b@c": `"a@b@c"`, "a>b": `"a>b"`} {
		p := &program{user: user{login: login}}
		got, err := p.from()
		if err != nil || got != want {
			t.Errorf("%q: got %s, %v, want %s", login, got, err, want)
		}
		if _, rest, err := addr.ParsePathAt("<"+got+">", "x.test"); err != nil || rest != "" {
			t.Errorf("%q: got %s, which smtpd does not take: %v", login, got, err)
		}
	}
}

func TestNobodyAnswers(t *testing.T) {
	s := startSMTPD(t, "", nil)
	s.l.Close()
	code, _, errs := s.call("\nhi\n", "bob")
	if code != exTempFail || !strings.Contains(errs, "the message was not sent: tried for 30s: the mail system does not answer") {
		t.Errorf("got %d, %q", code, errs)
	}
}

func TestUsage(t *testing.T) {
	s := startSMTPD(t, "", nil)
	for _, tc := range []struct {
		args, text string
		code       int
	}{
		{"", "\n", exUsage},
		{"-t", "Subject: x\n\nhi\n", exUsage},
		{"a@b@c", "\n", exDataErr},
		{"-f a,b c", "\n", exDataErr},
		{"-f a@ c", "\n", exDataErr},
		{"-t", "To: ann smith\n\n", exDataErr},
		{"-bv", "", exUsage},
		{"-qIx", "", exUsage},
		{"-t", strings.Repeat("A: b\n", 300000), exDataErr},
	} {
		if code, _, errs := s.call(tc.text, strings.Fields(tc.args)...); code != tc.code {
			t.Errorf("%q: got %d, %s, want %d", tc.args, code, errs, tc.code)
		}
	}
	if got := s.said(); got != "" {
		t.Errorf("got smtpd told %q, want nothing", got)
	}
}

func TestVerify(t *testing.T) {
	s := startSMTPD(t, "", func(_ int, line string) string {
		if strings.Contains(line, "nobody") {
			return "550 5.1.1 no such mailbox here"
		}
		return ""
	})
	code, out, _ := s.call("", "-bv", "ann", "nobody")
	if want := "ann: deliverable: box ann@d.test\nnobody: not deliverable: no such mailbox here\n"; code != exNoUser || out != want {
		t.Errorf("got %d, %q, want %d, %q", code, out, exNoUser, want)
	}
	if code, _, errs := s.call("", "-bv", "ann"); code != 0 {
		t.Errorf("got %d, %s, want 0", code, errs)
	}
}

// TestServe relays a dialogue, also of a caller that ends lines in LF alone.
func TestServe(t *testing.T) {
	for name, end := range map[string]string{"CRLF": "\r\n", "LF": "\n"} {
		s := startSMTPD(t, "", nil)
		in := strings.Join([]string{"EHLO x", "MAIL FROM:<a>", "RCPT TO:<b>", "DATA", "hi", ".", "QUIT", ""}, end)
		code, out, errs := s.call(in, "-bs")
		if code != 0 || !strings.HasPrefix(out, "220 mx.d.test\r\n250-") || strings.Join(s.mail, "") != "hi\n" || !strings.HasSuffix(s.said(), "|QUIT") {
			t.Errorf("%s: got %d, %s, %q, %q", name, code, errs, out, s.said())
		}
	}
	s := startSMTPD(t, "", nil)
	s.l.Close()
	if code, out, _ := s.call("", "-bs"); code != exTempFail || !strings.HasPrefix(out, "421 4.3.2 ") {
		t.Errorf("nobody answers: got %d, %q", code, out)
	}
}
