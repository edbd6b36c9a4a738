package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// testLimits are small so that every bound is met by a short test.
var testLimits = Limits{Command: 200, Literals: 3, Discard: 1000, Append: true}

// newTestReader returns a reader of what the client sends and a count of the
// invitations it has written.
func newTestReader(sent string) (*Reader, *int) {
	invited := new(int)
	in := NewInput(strings.NewReader(sent), NewPool(), 100)
	return NewReader(in, testLimits, func() error { *invited++; return nil }), invited
}

// transcript reads everything and tells in words what became of it.
func transcript(r *Reader) string {
	var out []string
	for {
		cmd, err := r.Command()
		var ref *Refused
		switch {
		case errors.As(err, &ref):
			out = append(out, "refused "+ref.Tag)
			continue
		case err != nil:
			return strings.Join(append(out, err.Error()), "; ")
		}
		args := string(cmd.Args.b[cmd.Args.i:])
		if cmd.Message != nil {
			args += fmt.Sprintf("<%d>", cmd.Message.Size())
		}
		out = append(out, fmt.Sprintf("%s/%s%q", cmd.Tag, cmd.Name, args))
		if err := r.Finish(); err != nil {
			return strings.Join(append(out, err.Error()), "; ")
		}
	}
}

func TestReaderCommands(t *testing.T) {
	tests := []struct {
		name, sent, want string
		invited          int
	}{
		{"two lines", "a NOOP\r\nb uid fetch 1 x\r\n", `a/NOOP""; b/UID FETCH" 1 x"; EOF`, 0},
		{"bare LF", "a NOOP\nb NOOP\n", `a/NOOP""; b/NOOP""; EOF`, 0},
		{"half a line", "a NO", "unexpected EOF", 0},
		{"literal", "a LOGIN {3}\r\njoe {2}\r\npw\r\nb NOOP\r\n", `a/LOGIN" {3}\r\njoe {2}\r\npw"; b/NOOP""; EOF`, 2},
		{"literal sent at once", "a LOGIN {3+}\r\njoe x\r\n", `a/LOGIN" {3+}\r\njoe x"; EOF`, 0},
		{"half a literal", "a LOGIN {30+}\r\njoe", "unexpected EOF", 0},
		{"end behind literal", "a LOGIN {3+}\r\njoe", "unexpected EOF", 0},
		{"no tag", "\r\n+ NOOP\r\n(\r\na NOOP\r\n", `refused *; refused *; refused *; a/NOOP""; EOF`, 0},
		{"no name", "a\r\na \r\na UID\r\n", `refused a; refused a; refused a; EOF`, 0},
		{"line too long", "a " + strings.Repeat("x", 100) + "\r\n", "line too long", 0},
		{"line without end", strings.Repeat("x", 100000), "line too long", 0},

		// RFC 7888 section 4: what is refused must not run as commands.
		{"large literal at once", "a X {300+}\r\n" + fill(300, "b NOOP\r\n") + " y\r\nc NOOP\r\n", `refused a; c/NOOP""; EOF`, 0},
		{"large literal asked for", "a X {300}\r\nc NOOP\r\n", `refused a; c/NOOP""; EOF`, 0},
		{"too many literals", "a X {1+}\r\n1 {1+}\r\n2 {1+}\r\n3 {1+}\r\n4 {9+}\r\nb NOOP\r\n\r\nc NOOP\r\n", `refused a; c/NOOP""; EOF`, 0},
		{"literal of 99 GB", "a X {99000000000+}\r\nb NOOP\r\n", "literal too large", 0},
		{"literal beyond 64 bits", "a X {99999999999999999999999999+}\r\nb NOOP\r\n", "literal too large", 0},
		{"99 GB asked for", "a X {99000000000}\r\nb NOOP\r\n", `refused a; b/NOOP""; EOF`, 0},
		{"refused in parts beyond the bound", "a X {600+}\r\n" + fill(600, "z") + "{600+}\r\n" + fill(600, "b NOOP\r\n"), "literal too large", 0},

		{"append, message not wanted", "a APPEND INBOX (\\Seen) {20+}\r\n" + fill(20, "b NOOP\r\n") + "\r\nc NOOP\r\n", `a/APPEND" INBOX (\\Seen) <20>"; c/NOOP""; EOF`, 0},
		{"append, client waits", "a APPEND INBOX {20}\r\nc NOOP\r\n", `a/APPEND" INBOX <20>"; c/NOOP""; EOF`, 0},
		{"append, name as literal", "a APPEND {5+}\r\nINBOX {20}\r\nc NOOP\r\n", `a/APPEND" {5+}\r\nINBOX <20>"; c/NOOP""; EOF`, 0},
		{"append, many messages refused", "a APPEND x {3+}\r\nabc {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", `a/APPEND" x <3>"; c/NOOP""; EOF`, 0},
		{"append of 99 GB", "a APPEND x {99000000000+}\r\nb NOOP\r\n", `a/APPEND" x <99000000000>"; literal too large`, 0},
		{"append without message", "a APPEND x\r\n", `a/APPEND" x"; EOF`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, invited := newTestReader(tt.sent)
			if got := transcript(r); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if *invited != tt.invited {
				t.Errorf("got %d invitations, want %d", *invited, tt.invited)
			}
		})
	}
}

// fill returns n bytes that repeat s.
func fill(n int, s string) string { return strings.Repeat(s, n/len(s)+1)[:n] }

func TestMessage(t *testing.T) {
	tests := []struct{ name, sent, body, err, rest string }{
		{"read whole", "a APPEND x {5}\r\nhello\r\nb NOOP\r\n", "hello", "<nil>", `b/NOOP""; EOF`},
		{"empty", "a APPEND x {0+}\r\n\r\nb NOOP\r\n", "", "<nil>", `b/NOOP""; EOF`},
		{"text behind", "a APPEND x {5}\r\nhello) y\r\nb NOOP\r\n", "", "text behind the message", `b/NOOP""; EOF`},
		{"second message left", "a APPEND x {5}\r\nhello {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", "hello", "<nil>", `c/NOOP""; EOF`},
		{"third message left", "a APPEND x {5}\r\nhello {8+}\r\nb NOOP\r\n (\\Seen) {3+}\r\nabc\r\nc NOOP\r\n", "hello", "<nil>", `c/NOOP""; EOF`},
		{"second message asked for", "a APPEND x {5}\r\nhello {8}\r\nc NOOP\r\n", "hello", "<nil>", `c/NOOP""; EOF`},
		{"no space before the second", "a APPEND x {5}\r\nhello{8+}\r\nb NOOP\r\n\r\nc NOOP\r\n", "", "text behind the message", `c/NOOP""; EOF`},
		{"literal8", "a REPLACE 1 x ~{5+}\r\nhe\x00lo\r\nb NOOP\r\n", "he\x00lo", "<nil>", `b/NOOP""; EOF`},
		{"cut short", "a APPEND x {5}\r\nhel", "", "unexpected EOF", "unexpected EOF"},
		{"cut before the end", "a APPEND x {5}\r\nhello", "", "unexpected EOF", "unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := newTestReader(tt.sent)
			cmd, err := r.Command()
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(cmd.Message)
			if string(body) != tt.body || fmt.Sprint(err) != tt.err {
				t.Errorf("got %q, %v, want %q, %s", body, err, tt.body, tt.err)
			}
			rest := ""
			if err := r.Finish(); err != nil {
				rest = err.Error()
			} else {
				rest = transcript(r)
			}
			if rest != tt.rest {
				t.Errorf("behind it: got %s, want %s", rest, tt.rest)
			}
		})
	}
}

// TestMessages reads several messages of one command.
func TestMessages(t *testing.T) {
	for _, tt := range []struct{ sent, want string }{
		{"a APPEND x {2}\r\nab (\\Seen) {1}\r\nc ~{0+}\r\n\r\nb NOOP\r\n", `"ab" "c" "" b/NOOP""; EOF`},
		{"a UID REPLACE 7 {1+}\r\nx UTF8 (~{2+}\r\nab) {1}\r\nc\r\nb NOOP\r\n", `"ab" "c" b/NOOP""; EOF`},
		{"a APPEND x UTF8 (~{2+}\r\nab)\r\nb NOOP\r\n", `"ab" b/NOOP""; EOF`},
		{"a APPEND x UTF8 (~{2+}\r\nab {1+}\r\nc\r\nb NOOP\r\n", `text behind the message b/NOOP""; EOF`},
		{"a APPEND x {2}\r\nab {1}\r\nc d\r\nb NOOP\r\n", `"ab" "c" " d" b/NOOP""; EOF`},
		{"a APPEND x CATENATE (TEXT {2}\r\nab URL y TEXT {1+}\r\nc URL z)\r\nb NOOP\r\n", `"ab" "c" " URL z)" b/NOOP""; EOF`}, // RFC 4469
		{"a APPEND x CATENATE (TEXT {2}\r\nab)\r\nb NOOP\r\n", `"ab" ")" b/NOOP""; EOF`},
		{"a APPEND x CATENATE (TEXT {2}\r\nab\r\nb NOOP\r\n", `"ab" "" b/NOOP""; EOF`},
		{"a APPEND x CATENATE (TEXT {2+}\r\nab)) {7+}\r\nb NOOP\r\nc NOOP\r\n", `"ab" "b NOOP\r" c/NOOP""; EOF`},
	} {
		r, _ := newTestReader(tt.sent)
		cmd, err := r.Command()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for m := cmd.Message; m != nil; m = m.Next() {
			if bytes.HasSuffix(m.Args.b, []byte("(")) {
				m.Tail = ")"
			}
			m.More = bytes.HasSuffix(m.Args.b, []byte("TEXT "))
			body, err := io.ReadAll(m)
			if !m.Literal() {
				body = m.Args.b
			}
			if err != nil {
				got += err.Error() + " "
				break
			}
			got += fmt.Sprintf("%q ", body)
		}
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		if got += transcript(r); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.sent, got, tt.want)
		}
	}
}

// TestMessagePart gives a message up half way, as on a full disk.
func TestMessagePart(t *testing.T) {
	r, _ := newTestReader("a APPEND x {30}\r\n" + fill(30, "b NOOP\r\n") + "\r\nc NOOP\r\n")
	cmd, err := r.Command()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(cmd.Message, make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	if got, want := transcript(r), `c/NOOP""; EOF`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestInputHoldsNoBuffer(t *testing.T) {
	in := NewInput(strings.NewReader("a NOOP\r\nb"), NewPool(), 100)
	if _, err := in.ReadLine(); err != nil {
		t.Fatal(err)
	}
	if in.Buffered() != 1 {
		t.Errorf("got %d bytes, want 1", in.Buffered())
	}
	if err := in.ReadFull(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if in.buf != nil {
		t.Error("an idle input holds a buffer")
	}
}

func FuzzReader(f *testing.F) {
	f.Add("a LOGIN {3+}\r\njoe {2}\r\npw\r\nb NOOP\r\n")
	f.Add("a APPEND x (\\Seen) {5}\r\nhello {8+}\r\nb NOOP\r\n\r\nc NOOP\r\n")
	f.Add("a X {99000000000+}\r\n")
	f.Fuzz(func(t *testing.T, sent string) {
		r, _ := newTestReader(sent)
		for {
			cmd, err := r.Command()
			var ref *Refused
			if err != nil && !errors.As(err, &ref) {
				return
			}
			if cap(r.cmd) > 1<<10 {
				t.Fatalf("command buffer of %d bytes", cap(r.cmd))
			}
			if cmd != nil && cmd.Message != nil && len(cmd.Tag)%2 == 0 {
				n, err := io.Copy(io.Discard, cmd.Message)
				if err == nil && n != cmd.Message.Size() {
					t.Fatalf("got %d bytes, want %d", n, cmd.Message.Size())
				}
			}
			if r.Finish() != nil {
				return
			}
		}
	})
}
