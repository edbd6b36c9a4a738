package client

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"posthorn/internal/addr"
)

// scripted serves one connection by a script, a line a step:
//
//	S: text     sends a line
//	R: text     sends the text as it is, Go escapes read
//	C: text     wants exactly this line
//	M:          takes a message up to its end
//	F           calls the test's hook
//	X           closes
//
// Steps of the client that come in one group are simply in a row, so that a
// client that waits for a reply between them is never answered. It returns the
// address, and a function that waits for the end and gives the messages taken.
func scripted(t *testing.T, script string, hook ...func()) (address string, wait func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	type end struct {
		messages []string
		err      error
	}
	ended := make(chan end, 1)
	go func() {
		defer l.Close()
		nc, err := l.Accept()
		if err != nil {
			ended <- end{nil, err}
			return
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		m, err := perform(nc, script, hook)
		ended <- end{m, err}
	}()
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), func() []string {
		t.Helper()
		e := <-ended
		if e.err != nil {
			t.Errorf("the server's script: %v", e.err)
		}
		return e.messages
	}
}

func perform(nc net.Conn, script string, hook []func()) (messages []string, err error) {
	br := bufio.NewReader(nc)
	for step := range strings.SplitSeq(script, "\n") {
		step = strings.TrimSpace(step)
		verb, text, _ := strings.Cut(step, ": ")
		switch verb {
		case "":
		case "S":
			_, err = io.WriteString(nc, text+"\r\n")
		case "R":
			_, err = io.WriteString(nc, unquote(text))
		case "C":
			err = want(br, text)
		case "M:":
			var m string
			m, err = takeMessage(br)
			messages = append(messages, m)
		case "F":
			hook[0]()
		case "X":
			return messages, nil
		default:
			err = fmt.Errorf("bad step %q", step)
		}
		if err != nil {
			return messages, fmt.Errorf("%s: %w", step, err)
		}
	}
	return messages, nil
}

func unquote(s string) string {
	return strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\0`, "\x00").Replace(s)
}

func want(br *bufio.Reader, text string) error {
	line, err := br.ReadString('\n')
	if err != nil {
		return err
	}
	if line != text+"\r\n" {
		return fmt.Errorf("got %q", line)
	}
	return nil
}

// takeMessage reads up to the only thing that may end a message.
func takeMessage(br *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		c, err := br.ReadByte()
		if err != nil {
			return b.String(), err
		}
		b.WriteByte(c)
		if s := b.String(); s == ".\r\n" || strings.HasSuffix(s, "\r\n.\r\n") {
			return s, nil
		}
	}
}

// open dials a scripted server; tests wait for as long as the server does.
func dial(t *testing.T, address string) *Conn {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c := New(nc, Options{Hostname: "us.example", Timeout: 5 * time.Second, Grace: time.Second})
	t.Cleanup(c.Close)
	return c
}

// greeted is dial with greeting and EHLO done.
func greeted(t *testing.T, address string) *Conn {
	t.Helper()
	c := dial(t, address)
	if err := c.Greet(); err != nil {
		t.Fatal(err)
	}
	if err := c.Hello(); err != nil {
		t.Fatal(err)
	}
	return c
}

// hello is the start of a script for greeted; ext are the lines of EHLO.
func hello(ext ...string) string {
	var b strings.Builder
	b.WriteString("S: 220 mx.example ESMTP\nC: EHLO us.example\n")
	lines := append([]string{"mx.example"}, ext...)
	for i, e := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		b.WriteString("S: 250" + sep + e + "\n")
	}
	return b.String()
}

func address(t *testing.T, s string) addr.Address {
	t.Helper()
	a, err := addr.ParseOrNull(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// message is a Message with this text from a@x.example to the recipients.
func message(t *testing.T, text string, rcpts ...string) Message {
	t.Helper()
	m := Message{From: address(t, "a@x.example"), Open: func() io.Reader { return strings.NewReader(text) }}
	var err error
	if m.Content, err = Scan(strings.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
	for _, r := range rcpts {
		m.Rcpts = append(m.Rcpts, address(t, r))
	}
	return m
}

// outcome is an Outcome as one line: "done 2.0.0 250 ok | never 5.1.1 550 …".
func outcome(o Outcome) string {
	var parts []string
	for _, v := range o.Verdicts {
		parts = append(parts, v.Kind.String()+" "+v.Status+" "+v.Text)
	}
	s := strings.Join(parts, " | ")
	if o.Unsure {
		s += " unsure"
	}
	return s
}
