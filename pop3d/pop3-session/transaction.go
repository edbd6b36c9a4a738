package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"posthorn/pop3d/internal/pop3"
)

// Sizes of buffers.
const (
	maxLine = 1024     // RFC 2449 4 has 255
	full    = 32 << 10 // output that is sent without waiting for more
)

// Marks in transaction.sizes.
const (
	unknown = -1
	gone    = -2
)

// transaction is one session in the TRANSACTION state (RFC 1939 5). It is used
// by one goroutine.
type transaction struct {
	conn net.Conn
	drop maildrop
	idle time.Duration
	in   *bufio.Reader

	offered []string // SASL mechanisms before the login
	out     []byte   // not yet sent
	cut     bool     // an answer was sent in part: nothing may stand behind it
	chunk   []byte   // for reading messages, made by the first

	sizes   []int64 // by message - 1
	deleted []bool
	seen    []bool

	retrieved, removed int   // for the log
	sent               int64 // octets of messages
}

// newTransaction returns a session over conn that ends after idle of silence.
// run closes drop; who does not run it closes it.
func newTransaction(conn net.Conn, drop maildrop, idle time.Duration) *transaction {
	n := drop.Len()
	t := &transaction{
		conn: conn, drop: drop, idle: idle, in: bufio.NewReaderSize(conn, maxLine),
		sizes: make([]int64, n), deleted: make([]bool, n), seen: make([]bool, n),
	}
	for i := range t.sizes {
		t.sizes[i] = unknown
	}
	return t
}

// run answers the login and speaks until QUIT, the end of the connection, ten
// minutes of silence or the end of ctx. Only QUIT removes messages (RFC 1939 3
// and 6); what was read in full is marked so in any case.
func (t *transaction) run(ctx context.Context) error {
	t.reply("+OK logged in, %d messages", len(t.sizes))
	quit, err := t.speak()
	switch {
	case quit:
		err = t.update()
	case ctx.Err() != nil:
		t.reply("-ERR [SYS/TEMP] server is stopping, nothing was deleted")
		err = ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.reply("-ERR too long silent, nothing was deleted")
	case errors.Is(err, bufio.ErrBufferFull):
		t.reply("-ERR line too long, nothing was deleted")
	}
	if !quit {
		t.drop.Commit(nil, numbers(t.seen))
	}
	// Who has read the answer to QUIT may be back before this returns.
	return errors.Join(err, t.drop.Close(), t.flush())
}

// speak answers commands. quit tells that the client said QUIT.
func (t *transaction) speak() (quit bool, err error) {
	for {
		line, err := t.readLine()
		if err != nil {
			return false, err
		}
		if quit, err = t.command(line); quit || err != nil {
			return quit, err
		}
		// A pipeline of LISTs must not pile up its answers.
		if len(t.out) >= full {
			if err := t.flush(); err != nil {
				return false, err
			}
		}
	}
}

// readLine sends what was written, unless the next line is here already
// (RFC 2449 6.6), and returns the next line without its end.
func (t *transaction) readLine() (string, error) {
	ahead, _ := t.in.Peek(t.in.Buffered())
	if bytes.IndexByte(ahead, '\n') < 0 {
		if err := t.flush(); err != nil {
			return "", err
		}
	}
	t.conn.SetReadDeadline(time.Now().Add(t.idle))
	line, err := t.in.ReadSlice('\n')
	if err != nil {
		return "", err // an unfinished line is no command
	}
	return string(bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))), nil
}

// command answers one line. An error ends the session without QUIT.
func (t *transaction) command(line string) (quit bool, err error) {
	cmd, err := pop3.Parse(line)
	if err != nil {
		t.reply("-ERR malformed command")
		return false, nil
	}
	switch cmd.Verb {
	case "STAT":
		t.stat()
	case "LIST":
		t.list(cmd)
	case "UIDL":
		t.uidl(cmd)
	case "RETR":
		return false, t.retr(cmd)
	case "TOP":
		return false, t.top(cmd)
	case "DELE":
		t.dele(cmd)
	case "RSET":
		clear(t.deleted)
		t.reply("+OK")
	case "NOOP":
		t.reply("+OK")
	case "CAPA":
		t.out = append(t.out, pop3.Capabilities(pop3.Logins(t.offered)...)...)
	case "QUIT":
		return true, nil
	default:
		t.reply("-ERR unknown command")
	}
	return false, nil
}

// reply adds one line to what is sent next.
func (t *transaction) reply(format string, args ...any) {
	t.out = fmt.Appendf(t.out, format, args...)
	t.out = append(t.out, '\r', '\n')
}

// flush sends what was written.
func (t *transaction) flush() error {
	if len(t.out) == 0 || t.cut {
		return nil
	}
	t.conn.SetWriteDeadline(time.Now().Add(t.idle))
	_, err := t.conn.Write(t.out)
	t.cut = err != nil
	if cap(t.out) > 2*full {
		t.out = nil
	}
	t.out = t.out[:0]
	return err
}

// numbers returns the messages whose mark is set.
func numbers(marks []bool) []int {
	var all []int
	for i, m := range marks {
		if m {
			all = append(all, i+1)
		}
	}
	return all
}

// update is the UPDATE state (RFC 1939 6).
func (t *transaction) update() error {
	deleted := numbers(t.deleted)
	for i, d := range t.deleted {
		if d {
			t.seen[i] = false
		}
	}
	if err := t.drop.Commit(deleted, numbers(t.seen)); err != nil {
		t.reply("-ERR [SYS/TEMP] some deleted messages were not removed")
		return err
	}
	t.removed = len(deleted)
	t.reply("+OK bye, %d messages deleted", len(deleted))
	return nil
}
