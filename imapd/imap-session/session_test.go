package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCommandsOfAnyState(t *testing.T) {
	d := newFixture(t).dialogue()
	d.want("CAPABILITY", "* CAPABILITY "+announced, "OK CAPABILITY completed")
	d.want("noop", "OK NOOP completed")
	d.want("ID (\"name\" \"x\")", `* ID ("name" "Posthorn")`, "OK ID completed")
	d.want("ENABLE X-FOO UTF8=Accept X-BAR", "* ENABLED UTF8=Accept", "OK ENABLE completed")
	d.want("ENABLE"+strings.Repeat(" x", maxEnable+1), "BAD list too long")
	d.want("ENABLE", "BAD missing argument")
	d.want("ENABLE (CONDSTORE)", "BAD expected an atom")
	d.want("NAMESPACE", `* NAMESPACE (("" ".")) NIL NIL`, "OK NAMESPACE completed")
	d.want("LOGIN a b", "BAD already logged in")
	d.want("STARTTLS", "BAD already logged in")
	d.want("FETCH 1 FLAGS", "BAD no mailbox is selected")
	d.want("CHECK", "BAD no mailbox is selected")
	d.want("FOO", "BAD unknown command")
	d.want("UID FOO", "BAD unknown command")
	d.want("NOOP x", "BAD unexpected argument")
	d.want("DELETE x", "NO [NONEXISTENT] no such mailbox")
	d.want("LOGOUT", "* BYE logging out", "OK LOGOUT completed")
}

func TestAutologout(t *testing.T) {
	f := newFixture(t)
	f.host.limits.Store(&limits{idle: time.Millisecond, progress: limit, maxSize: 1 << 20})
	for _, first := range []string{"", "i IDLE\r\n", "s SELECT INBOX\r\ni IDLE\r\n"} {
		conn, ended := f.connect()
		io.WriteString(conn, first)
		all, err := io.ReadAll(conn)
		if !strings.HasSuffix(string(all), "* BYE autologout\r\n") {
			t.Errorf("got %q, %v", all, err)
		}
		if err := <-ended; err == nil {
			t.Error("run told nothing")
		}
	}
}

// TestStall stops within a command, where the bound is another one.
func TestStall(t *testing.T) {
	f := newFixture(t)
	f.host.limits.Store(&limits{idle: limit, progress: 50 * time.Millisecond, maxSize: 1 << 20})
	for _, half := range []string{"a NO", "a SELECT {5+}\r\nIN", "a APPEND INBOX {50+}\r\nSubj"} {
		conn, _ := f.connect()
		io.WriteString(conn, half)
		all, err := io.ReadAll(conn)
		if !strings.HasSuffix(string(all), "* BYE autologout\r\n") {
			t.Errorf("%q: got %q, %v", half, all, err)
		}
	}
}

// TestDrip sends octets one by one, faster than the bound for each: the command
// takes too long as a whole.
func TestDrip(t *testing.T) {
	f := newFixture(t)
	f.host.limits.Store(&limits{idle: limit, progress: 50 * time.Millisecond, maxSize: 1 << 20})
	conn, ended := f.connect()
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := io.WriteString(conn, "a"); err != nil {
				return
			}
		}
	}()
	all, err := io.ReadAll(conn)
	if !strings.HasSuffix(string(all), "* BYE autologout\r\n") {
		t.Errorf("got %q, %v", all, err)
	}
	<-ended
}

func TestStop(t *testing.T) {
	f := newFixture(t)
	f.host.limits.Store(&limits{idle: time.Millisecond, progress: limit, maxSize: 1 << 20})
	f.stop()
	conn, ended := f.connect()
	all, _ := io.ReadAll(conn)
	if !strings.HasSuffix(string(all), "* BYE server is going down\r\n") {
		t.Errorf("got %q", all)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestBadInput(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct{ name, in, want string }{
		{"line without end", strings.Repeat("a", 100000), "* BYE line too long\r\n"},
		{"nonsense for ever", strings.Repeat("a b c\r\n", 100), "* BYE too many errors\r\n"},
		{"no tags for ever", strings.Repeat("(\r\n", 100), "* BYE too many errors\r\n"},
		{"deep search", "a SELECT INBOX\r\na SEARCH " + strings.Repeat("(", 20000) + "\r\n", "a BAD search keys nested too deep\r\n"},
		{"literals for ever", "a SEARCH" + strings.Repeat(" {1+}\r\nx", 1000) + "\r\nb LOGOUT\r\n", "a BAD command too large\r\n* BYE logging out\r\nb OK LOGOUT completed\r\n"},
		{"large literal", "a SEARCH BODY {200000+}\r\n" + strings.Repeat("b LOGOUT\r\n", 20000) + "\r\nc LOGOUT\r\n", "a BAD command too large\r\n* BYE logging out\r\nc OK LOGOUT completed\r\n"},
		{"99 GB", "a SELECT {99000000000+}\r\nb LOGOUT\r\n", "* BYE literal too large\r\n"},
		{"NUL", "a SELECT \"x\x00\"\r\n", "a BAD invalid character in a quoted string\r\n"},
		{"half a command", "a SELEC", "Logged in\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, ended := f.connect()
			go func() {
				io.WriteString(conn, tt.in)
				conn.(*net.TCPConn).CloseWrite()
			}()
			var all strings.Builder
			_, err := io.Copy(&all, conn) // a reset follows a BYE to a client that still sends
			if !strings.HasSuffix(all.String(), tt.want) {
				t.Errorf("got %.300q, %v, want %q", all.String(), err, tt.want)
			}
			<-ended
		})
	}
}

// TestDroppedAnywhere cuts a session after every byte the client sends. None
// may hang, and what was answered stays.
func TestDroppedAnywhere(t *testing.T) {
	script := "a CREATE Dest\r\nb SELECT INBOX\r\nc APPEND Dest (\\Seen) {5+}\r\na\r\nb\n\r\n" +
		"d STORE 1 +FLAGS (\\Deleted)\r\ne SEARCH SUBJECT {3+}\r\none\r\nf COPY 1 {4+}\r\nDest\r\ng IDLE\r\nDONE\r\nh LOGOUT\r\n"
	f := newFixture(t)
	first := f.dialogue()
	first.file("INBOX", "", simple)
	first.want("CREATE Dest", "OK CREATE completed")
	for i := range script {
		conn, ended := f.connect()
		io.WriteString(conn, script[:i])
		conn.(*net.TCPConn).CloseWrite()
		all, _ := io.ReadAll(conn)
		if strings.Contains(string(all), " BYE ") {
			t.Errorf("%q: got %q", script[:i], all)
		}
		<-ended
		conn.Close()
	}
	got := first.do("STATUS Dest (MESSAGES)")[0]
	appends := len(script) - strings.Index(script, "\nd STORE")
	copies := len(script) - strings.Index(script, "\ng IDLE")
	if want := fmt.Sprintf(`* STATUS "Dest" (MESSAGES %d)`, appends+copies-2); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPipelined(t *testing.T) {
	d := newFixture(t).dialogue()
	io.WriteString(d.conn, "a SELECT INBOX\r\nb APPEND INBOX {3+}\r\nx\r\n\r\nc FETCH 1 FLAGS\r\nd LOGOUT\r\n")
	all, err := io.ReadAll(d.r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a OK [READ-WRITE]", "* 1 EXISTS", "b OK [APPENDUID", "* 1 FETCH (FLAGS", "c OK", "d OK LOGOUT"} {
		if !strings.Contains(string(all), want) {
			t.Errorf("got %q, want %q in it", all, want)
		}
	}
}

// TestAnswerBeforeHalfCommand: a client may wait for one answer before it ends
// the next command.
func TestAnswerBeforeHalfCommand(t *testing.T) {
	d := newFixture(t).dialogue()
	io.WriteString(d.conn, "a NOOP\r\nb NO")
	if got := d.line(); got != "a OK NOOP completed" {
		t.Errorf("got %s", got)
	}
	io.WriteString(d.conn, "OP\r\n")
	if got := d.line(); got != "b OK NOOP completed" {
		t.Errorf("got %s", got)
	}
}

func TestIdle(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	a.do("SELECT INBOX")
	io.WriteString(a.conn, "i IDLE\r\n")
	if got := a.line(); got != "+ idling" {
		t.Fatalf("got %s", got)
	}
	b.file("INBOX", "", simple)
	if got := a.line(); got != "* 1 EXISTS" {
		t.Errorf("got %s", got)
	}
	a.line() // RECENT, whoever got it
	b.do("SELECT INBOX")
	b.do(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	if got := a.line(); !strings.HasPrefix(got, `* 1 FETCH (FLAGS (\Deleted`) {
		t.Errorf("got %s", got)
	}
	b.do("EXPUNGE")
	if got := a.line(); got != "* 1 EXPUNGE" {
		t.Errorf("got %s", got)
	}
	if got := a.line(); got != "* 0 RECENT" {
		t.Errorf("got %s", got)
	}
	io.WriteString(a.conn, "DONE\r\nx NOOP\r\n")
	if got := []string{a.line(), a.line()}; got[0] != "i OK IDLE completed" || got[1] != "x OK NOOP completed" {
		t.Errorf("got %q", got)
	}
	io.WriteString(a.conn, "i IDLE\r\nx NOOP\r\n")
	if got := []string{a.line(), a.line()}; got[0] != "+ idling" || got[1] != "i BAD expected DONE" {
		t.Errorf("got %q", got)
	}
}

// TestCommandDuringIdle has a client forget DONE: no literal of the command that is
// refused instead is executed.
func TestCommandDuringIdle(t *testing.T) {
	a := newFixture(t).dialogue()
	const text = "x CREATE Trap\r\n"
	literal := fmt.Sprintf("{%d+}\r\n%s", len(text), text)
	for _, line := range []string{
		"y APPEND INBOX " + literal,
		"y LOGIN " + literal + " " + literal,
		literal,
	} {
		io.WriteString(a.conn, "i IDLE\r\n"+line+"\r\nz NOOP\r\n")
		if got := []string{a.line(), a.line(), a.line()}; got[0] != "+ idling" || got[1] != "i BAD expected DONE" || got[2] != "z OK NOOP completed" {
			t.Fatalf("%q: got %q", line, got)
		}
	}
	io.WriteString(a.conn, "i IDLE\r\ny APPEND INBOX {9999999999+}\r\n"+text)
	all, err := io.ReadAll(a.conn)
	if !strings.HasSuffix(string(all), "* BYE literal too large\r\n") {
		t.Errorf("got %q, %v", all, err)
	}
}

func TestDeliveryDuringIdle(t *testing.T) {
	f := newFixture(t)
	a := f.dialogue()
	a.do("SELECT INBOX")
	io.WriteString(a.conn, "i IDLE\r\n")
	a.line()
	if err := os.WriteFile(filepath.Join(f.dir, "new", "1700000000.abc.test"), []byte("Subject: x\n\nbody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := a.line(); got != "* 1 EXISTS" {
		t.Errorf("got %s", got)
	}
	io.WriteString(a.conn, "DONE\r\n")
	a.line() // RECENT
	a.line() // IDLE completed
	a.want("FETCH 1 RFC822.SIZE", "* 1 FETCH (RFC822.SIZE 20)", "OK FETCH completed")
}

func TestUpdatesOfOthers(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	a.file("INBOX", "", simple)
	a.file("INBOX", "", simple)
	a.do("SELECT INBOX")
	b.do("SELECT INBOX")
	b.want(`STORE 1 +FLAGS.SILENT (\Deleted)`, "OK STORE completed")
	a.want("NOOP", `* 1 FETCH (FLAGS (\Deleted \Recent))`, "OK NOOP completed")
	b.want("EXPUNGE", "* 1 EXPUNGE", "OK EXPUNGE completed")
	// No message loses its number in a FETCH, STORE or SEARCH.
	a.want("FETCH 2 UID", "* 2 FETCH (UID 2)", "OK FETCH completed")
	a.want("SEARCH ALL", "* SEARCH 2", "OK [EXPUNGEISSUED] SEARCH completed, but some messages are gone")
	a.want("FETCH 1 BODY.PEEK[]", "OK [EXPUNGEISSUED] FETCH completed, but some messages are gone")
	a.want("NOOP", "* 1 EXPUNGE", "* 1 RECENT", "OK NOOP completed")
	b.file("INBOX", "", simple)
	got := strings.Join(a.do("FETCH 1 UID"), "\n")
	if !strings.Contains(got, "* 2 EXISTS") || !strings.Contains(got, "* 1 FETCH (UID 2)") {
		t.Errorf("got %s", got)
	}
}
