package imap

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"posthorn/internal/mailbox"
	"posthorn/posthorn/internal/moving"
)

// server answers commands, by their first words without the tag; `%s` is the tag. An
// answer that ends with a hang-up closes the connection.
type server struct {
	answers map[string]string
	asked   chan string
}

const hangUp = "HANG UP"

// serve runs a server for as long as the test, and returns an account there.
func serve(t *testing.T, answers map[string]string) (*Source, *server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{answers: answers, asked: make(chan string, 1000)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.session(c)
		}
	}()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	src := Open(Account{Host: host, Port: port, User: "carl", Password: `a "b\`, Clear: true})
	t.Cleanup(func() {
		src.Close()
		l.Close()
	})
	return src, s
}

func (s *server) session(c net.Conn) {
	defer c.Close()
	greeting, ok := s.answers["greeting"]
	if !ok {
		greeting = "* OK ready\r\n"
	}
	io.WriteString(c, greeting)
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		s.asked <- command
		answer := tag + " OK done\r\n"
		for words, text := range s.answers {
			if strings.HasPrefix(command, words) {
				answer = strings.ReplaceAll(text, "%s", tag)
			}
		}
		text, over := strings.CutSuffix(answer, hangUp)
		io.WriteString(c, text)
		if over {
			return
		}
		if strings.HasPrefix(text, "+ ") {
			line, _ := in.ReadString('\n')
			s.asked <- strings.TrimSpace(line)
			io.WriteString(c, tag+" OK done\r\n")
		}
	}
}

const (
	ok      = "%s OK done\r\n"
	examine = "* 3 EXISTS\r\n* OK [UIDVALIDITY 77] x\r\n* OK [UIDNEXT 12] x\r\n" + ok
	listing = "* 1 FETCH (UID 5 FLAGS (\\Seen \\Recent $Later) INTERNALDATE \" 1-Feb-2020 03:04:05 +0100\" RFC822.SIZE 5)\r\n" +
		"* 2 FETCH (FLAGS () UID 6 RFC822.SIZE 5 MODSEQ (7) X-GM-LABELS (\"a b\" {1}\r\n)) INTERNALDATE \"31-Dec-1999 23:59:59 -0800\")\r\n" +
		"* 3 FETCH (UID 9 FLAGS (\\Answered \\Flagged \\Draft \\Deleted) RFC822.SIZE 5 INTERNALDATE \"17-Jul-1996 02:44:25 -0700\")\r\n" + ok
)

func with(more map[string]string) map[string]string {
	all := map[string]string{"EXAMINE": examine, "UID FETCH 1:*": listing}
	for words, text := range more {
		all[words] = text
	}
	return all
}

func TestList(t *testing.T) {
	src, _ := serve(t, with(nil))
	l, err := src.List(moving.Folder{Raw: "Work"})
	if err != nil {
		t.Fatal(err)
	}
	if l.UIDValidity != 77 || l.UIDNext != 12 || l.Token != "77" || len(l.Items) != 3 || len(l.Notes) > 0 {
		t.Fatalf("got %+v", l)
	}
	for i, want := range []string{
		"5 [$Later] " + fmt.Sprint(mailbox.Seen) + " 2020-02-01T02:04:05Z 5",
		"6 [] 0 2000-01-01T07:59:59Z 5",
		"9 [] " + fmt.Sprint(mailbox.Answered|mailbox.Flagged|mailbox.Draft|mailbox.Deleted) + " 1996-07-17T09:44:25Z 5",
	} {
		m := l.Items[i]
		if got := fmt.Sprint(m.Number, m.Flags.Keywords, m.Flags.System, m.Date.UTC().Format(time.RFC3339), m.Size); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// letters fetches everything and returns what came, or the error in its place.
func letters(src *Source, items []moving.Item) (got []string) {
	for l, err := range src.Fetch(items) {
		if err != nil {
			got = append(got, fmt.Sprint(l.Number, " ", err))
			continue
		}
		b, err := io.ReadAll(l.Body)
		if err != nil {
			got = append(got, fmt.Sprint(l.Number, " ", err))
			if errors.Is(err, moving.ErrLost) {
				return got
			}
			continue
		}
		got = append(got, fmt.Sprintf("%d %q", l.Number, b))
	}
	return got
}

func TestFetch(t *testing.T) {
	const five = "* 1 FETCH (UID 5 BODY[] {5}\r\nfive!)\r\n"
	for _, tt := range []struct {
		name, answer string
		want         []string // beginnings
	}{
		{"well", five + "* 9 EXISTS\r\n* 2 FETCH (UID 6 BODY[] \"q\\\"\")\r\n* 2 FETCH (FLAGS (\\Seen))\r\n* 3 FETCH (UID 9 BODY[] {0}\r\n FLAGS ())\r\n" + ok,
			[]string{`5 "five!"`, `6 "q\""`, `9 ""`}},
		{"in another order, and one that nobody asked for", "* 3 FETCH (UID 9 BODY[] {1}\r\nx)\r\n* 4 FETCH (UID 8 BODY[] {1}\r\nx)\r\n* 2 FETCH (UID 6 BODY[] NIL)\r\n" + five + ok,
			[]string{`9 "x"`, `6 "NIL"`, `5 "five!"`}},
		{"one is gone", five + "* 3 FETCH (UID 9 BODY[] {1}\r\nx)\r\n" + ok, []string{`5 "five!"`, `9 "x"`, "6 the message is gone"}},
		{"refused", five + "%s NO [SERVERBUG] broken file\r\n", []string{`5 "five!"`, "6 the server says: [SERVERBUG]", "9 the server says: "}},
		{"BAD", "%s BAD what\r\n", []string{"5 the server says: what", "6 the server says: ", "9 the server says: "}},
		{"literal is longer than it says", "* 1 FETCH (UID 5 BODY[] {3}\r\nfive!)\r\n" + ok, []string{"5 lost the source"}},
		{"literal is shorter than it says", "* 1 FETCH (UID 5 BODY[] {7}\r\nfive!)\r\n" + ok, []string{"5 lost the source"}},
		{"literal is endless", "* 1 FETCH (UID 5 BODY[] {9223372036854775807}\r\nfive!)\r\n" + hangUp, []string{"5 lost the source"}},
		{"literal is no number", "* 1 FETCH (UID 5 BODY[] {99999999999999999999}\r\nfive!)\r\n" + hangUp, []string{"0 lost the source"}},
		{"hang-up in the middle", "* 1 FETCH (UID 5 BODY[] {5}\r\nfi" + hangUp, []string{"5 lost the source"}},
		{"hang-up behind it", "* 1 FETCH (UID 5 BODY[] {5}\r\nfive!" + hangUp, []string{"5 lost the source"}},
		{"BYE", five + "* BYE shutting down\r\n" + hangUp, []string{`5 "five!"`, "0 lost the source: the server says: BYE"}},
		{"another's UID behind it", "* 1 FETCH (UID 5 BODY[] {5}\r\nfive! UID 6)\r\n" + ok, []string{"5 message cannot be read: the server sent another one", "6 the message is gone", "9 "}},
		{"lists without end", "* 1 FETCH (UID 5 X " + strings.Repeat("(", 100) + "\r\n" + ok, []string{"0 lost the source"}},
		{"no answer", "hello\r\n", []string{"0 lost the source"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, _ := serve(t, with(map[string]string{"UID FETCH 5,6,9 ": tt.answer, "UID FETCH 6 ": "%s NO [SERVERBUG] broken\r\n", "UID FETCH 9 ": "%s NO gone\r\n", "UID FETCH 5 ": "%s BAD what\r\n"}))
			l, err := src.List(moving.Folder{Raw: "Work"})
			if err != nil {
				t.Fatal(err)
			}
			// The server says nothing more: a Source that waits for it must not wait for long.
			got := letters(src, l.Items)
			if len(got) != len(tt.want) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("got %q, want %q", got[i], tt.want[i])
				}
			}
		})
	}
}

// TestFetchBlindly has a server that says whose a message is only behind it.
func TestFetchBlindly(t *testing.T) {
	src, s := serve(t, with(map[string]string{
		"UID FETCH 5,6,9 ": "* 1 FETCH (BODY[] {1}\r\n5 UID 5)\r\n" + hangUp,
		"UID FETCH 5 ":     "* 1 FETCH (BODY[] {1}\r\n5 UID 5)\r\n" + ok, "UID FETCH 6 ": "* 2 FETCH (BODY[] {1}\r\n6 UID 9)\r\n" + ok, "UID FETCH 9 ": "* 3 FETCH (BODY[] {1}\r\n9 UID 9)\r\n" + ok,
	}))
	l, err := src.List(moving.Folder{Raw: "Work"})
	if err != nil {
		t.Fatal(err)
	}
	if got := letters(src, l.Items); len(got) != 1 || !strings.HasPrefix(got[0], "0 lost") {
		t.Errorf("got %q, want that it is tried anew", got)
	}
	want := []string{`5 "5"`, "6 message cannot be read: the server sent another one", `9 "9"`}
	if got := letters(src, l.Items); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len(s.asked); n == 0 {
		t.Error("nothing was asked")
	}
}

// TestStopped: what nobody wanted to hear to its end is not taken for what comes next.
func TestStopped(t *testing.T) {
	src, _ := serve(t, with(map[string]string{"UID FETCH 5": "* 1 FETCH (UID 5 BODY[] {5}\r\nfive!)\r\n* 2 FETCH (UID 6 BODY[] {3}\r\nsix)\r\n" + ok}))
	l, err := src.List(moving.Folder{Raw: "Work"})
	if err != nil {
		t.Fatal(err)
	}
	for range src.Fetch(l.Items[:2]) {
		break
	}
	if got := letters(src, l.Items[:2]); fmt.Sprint(got) != `[5 "five!" 6 "six"]` {
		t.Errorf("got %q", got)
	}
}

func TestFolders(t *testing.T) {
	src, s := serve(t, map[string]string{
		"CAPABILITY": "* CAPABILITY IMAP4rev1 NAMESPACE LIST-EXTENDED SPECIAL-USE\r\n" + ok,
		"NAMESPACE":  "* NAMESPACE ((\"INBOX.\" \".\")) ((\"Others.\" \".\" \"X-PARAM\" (\"a\"))) ((\"Shared.\" \".\"))\r\n" + ok,
		"LIST":       "* LIST () \".\" INBOX\r\n* LIST (\\Sent) \".\" \"INBOX.Gesendet &- mehr\"\r\n* LIST (\\Noselect) \".\" INBOX.Top\r\n* LIST () \".\" {11}\r\nINBOX.Top.x\r\n* LIST () \".\" Others.ann\r\n* LIST () \".\" Shared\r\n* LIST () \".\" \"INBOX.&U,BTFw-.\x00\x1b/..\"\r\n* LIST () NIL flat.name\r\n" + ok,
		"LSUB":       "* LSUB () \".\" INBOX\r\n* LSUB () \".\" INBOX.gone\r\n* LSUB (\\NoSelect) \".\" INBOX.Top\r\n" + ok,
	})
	folders, err := src.Folders()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range folders {
		got = append(got, fmt.Sprintf("%q %q %v %v", f.Levels, f.Uses, f.Subscribed, f.Missing))
	}
	want := []string{
		`["INBOX"] [] true false`, `["Gesendet & mehr"] ["\\Sent"] false false`, `["Top"] [] false true`, `["Top" "x"] [] false false`,
		`["台北" "\x00\x1b/" "" ""] [] false false`, `["flat.name"] [] false false`, `["gone"] [] true true`,
	}
	want[4] = `["台北" "\x00\x1b/"] [] false false`
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if first := <-s.asked; first != "CAPABILITY" {
		t.Errorf("got %q first", first)
	}
	if second := <-s.asked; second != `LOGIN "carl" "a \"b\\"` {
		t.Errorf("got %q", second)
	}
}

// TestLogin has servers that do not let in, or should not be trusted.
func TestLogin(t *testing.T) {
	for _, tt := range []struct{ name, words, answer, want string }{
		{"wrong password", "LOGIN", "%s NO [AUTHENTICATIONFAILED] no\r\n", "the server says: [AUTHENTICATIONFAILED]"},
		{"BYE", "greeting", "* BYE too many\r\n", "the server says"},
		{"another protocol", "greeting", "220 smtp\r\n", "cannot be understood"},
		{"no end", "greeting", strings.Repeat("x", maxLine+64<<10), "cannot be understood"},
		{"too long an answer", "CAPABILITY", "* X {" + fmt.Sprint(maxResponse+1) + "}\r\n", "too long"},
	} {
		src, _ := serve(t, map[string]string{tt.words: tt.answer})
		if _, err := src.Folders(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
	src, _ := serve(t, map[string]string{"greeting": "* PREAUTH hello\r\n"})
	src.account.Clear = false
	if _, err := src.Folders(); err == nil || !strings.Contains(err.Error(), "PREAUTH") {
		t.Errorf("PREAUTH before TLS: got %v", err)
	}
	src, _ = serve(t, map[string]string{"STARTTLS": "%s OK go\r\n* CAPABILITY IMAP4rev1\r\n"})
	src.account.Clear = false
	if _, err := src.Folders(); err == nil {
		t.Error("what was said before TLS counted")
	}
}

// TestLoginAs: who may read another's mail says whose he wants, which LOGIN cannot.
func TestLoginAs(t *testing.T) {
	plain := "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" + ok
	for _, tt := range []struct{ as, want string }{{"", "\x00carl\x00a \"b\\"}, {"zoe", "zoe\x00carl\x00a \"b\\"}} {
		src, s := serve(t, map[string]string{"CAPABILITY": plain, "AUTHENTICATE PLAIN": "+ \r\n"})
		src.account.As = tt.as
		if _, err := src.Folders(); err != nil {
			t.Errorf("as %q: %v", tt.as, err)
		}
		for _, want := range []string{"CAPABILITY", "AUTHENTICATE PLAIN", base64.StdEncoding.EncodeToString([]byte(tt.want))} {
			if got := <-s.asked; got != want {
				t.Errorf("as %q: got %q, want %q", tt.as, got, want)
			}
		}
	}
	src, s := serve(t, nil)
	src.account.As = "zoe"
	if _, err := src.Folders(); err == nil || !strings.Contains(err.Error(), "no AUTH=PLAIN") {
		t.Errorf("without AUTH=PLAIN: got %v, want it refused", err)
	}
	for len(s.asked) > 0 {
		if got := <-s.asked; strings.HasPrefix(got, "LOGIN") {
			t.Errorf("got %q, want no password for another's mail", got)
		}
	}
	if a, b := (Account{Host: "h", Port: "1", User: "carl"}), (Account{Host: "h", Port: "1", User: "carl", As: "zoe"}); a.Name() == b.Name() {
		t.Errorf("got %q for the mail of both", a.Name())
	}
}

func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		listing, "* 1 FETCH (UID 5 BODY[] {5}\r\nfive!)\r\n", "* LIST (\\A \\B) \"/\" \"a\\\"b\"\r\n", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n",
		"* LIST () NIL {3}\r\nabc\r\n", "* OK [UIDNEXT 5] x\r\n", "* 1 FETCH (X ((((((\"\r\n", "* 4294967296 FETCH (UID 0 RFC822.SIZE -1)\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		here, there := net.Pipe()
		go func() {
			there.Write(b)
			there.Close()
		}()
		defer here.Close()
		c := newConn(here)
		s := &Source{conn: c, account: Account{}}
		for {
			r, err := c.response(true)
			if err != nil {
				return
			}
			l := &lister{}
			_ = c.untagged(r, l.list)
			_ = c.untagged(r, l.subscribed)
			_ = c.untagged(r, func(p *parser) error { return s.listed(p, &moving.Listing{}) })
			_ = c.untagged(r, func(p *parser) error { _, err := namespace(p); return err })
			m := &body{s: s, uid: 5}
			if c.untagged(r, m.begin) == nil && m.text != nil {
				io.Copy(io.Discard, m)
			}
		}
	})
}
