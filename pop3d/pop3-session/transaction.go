package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"posthorn/internal/evlog"
	"posthorn/internal/session"
	"posthorn/pop3d/internal/pop3"
)

// Sizes of buffers.
const (
	maxLine = 1024     // RFC 2449 4 has 255
	full    = 32 << 10 // output that is sent without waiting for more
)

// maxErrors is how many commands in a row may make no sense.
const maxErrors = 20

var errNonsense = errors.New("too many errors")

// Marks in transaction.sizes.
const (
	unknown = -1
	gone    = -2
)

// transaction is one session in the TRANSACTION state (RFC 1939 5), a
// session.Session.
type transaction struct {
	conn  *session.Conn
	log   *evlog.Log
	drop  maildrop // nil when it is closed
	idle  time.Duration
	in    *bufio.Reader // made by the first line after a rest
	out   []byte        // not yet sent
	cut   bool          // an answer was sent in part: nothing may stand behind it
	wrong int           // commands in a row that made no sense
	chunk []byte        // for reading messages, made by the first

	expire int // days after which a message that was fetched is removed; 0: never

	sizes   []int64 // by message - 1
	deleted []bool
	seen    []bool

	retrieved, removed int   // for the log
	sent               int64 // octets of messages
	err                error // what ended it without QUIT
}

// newTransaction returns a session over conn that ends after idle of silence, and
// closes drop at its end.
func newTransaction(conn *session.Conn, drop maildrop, idle time.Duration, log *evlog.Log) *transaction {
	n := drop.Len()
	t := &transaction{
		conn: conn, drop: drop, idle: idle, log: log,
		sizes: make([]int64, n), deleted: make([]bool, n), seen: make([]bool, n),
	}
	for i := range t.sizes {
		t.sizes[i] = unknown
	}
	return t
}

// Turn answers the login and what the client sends until QUIT, the end of the
// connection, ten minutes of silence or the end of the program. Only QUIT removes
// messages (RFC 1939 3 and 6), or marks what was fetched for its removal; what was
// sent in full is marked as seen in any case.
func (t *transaction) Turn(why session.Event) session.Pause {
	quit, err := t.turn(why)
	if !quit && err == nil {
		if err = t.flush(); err == nil {
			return session.Pause{Until: time.Now().Add(t.idle)}
		}
	}
	t.err = t.finish(quit, err)
	return session.Pause{}
}

func (t *transaction) turn(why session.Event) (quit bool, err error) {
	switch why {
	case session.Begin:
		t.conn.SetFolder("INBOX")
		t.reply("+OK logged in, %d messages", len(t.sizes))
		return false, nil
	case session.Input:
		return t.speak()
	case session.News:
		return false, nil
	}
	return false, os.ErrDeadlineExceeded
}

// finish ends the session after a QUIT or for err.
func (t *transaction) finish(quit bool, err error) error {
	if quit { // what it fetched must be on its way before anything is removed
		err = t.flush()
		quit = err == nil
	}
	switch ended := t.conn.Ended(); {
	case quit:
		err = t.update()
	case ended != nil:
		t.reply("-ERR [SYS/TEMP] %v, nothing was deleted", ended)
		err = ended
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.reply("-ERR too long silent, nothing was deleted")
	case errors.Is(err, bufio.ErrBufferFull):
		t.reply("-ERR line too long, nothing was deleted")
	case errors.Is(err, errNonsense):
		t.reply("-ERR too many errors, nothing was deleted")
	}
	if !quit {
		t.drop.Seen(numbers(t.seen))
	}
	// Who has read the answer to QUIT may be back before this returns.
	return errors.Join(err, t.leave(), t.flush())
}

// leave closes the maildrop.
func (t *transaction) leave() error {
	if t.drop == nil {
		return nil
	}
	drop := t.drop
	t.drop = nil
	return drop.Close()
}

// Rest gives the buffers up.
func (t *transaction) Rest() { t.in, t.out, t.chunk = nil, nil, nil }

// Close leaves the maildrop where no last turn did.
func (t *transaction) Close() {
	t.leave()
	t.log.POP3Ended(t.conn.SID, t.conn.User, t.retrieved, t.removed, t.sent, t.err)
}

// speak answers the commands that have come. quit tells that the client said QUIT.
func (t *transaction) speak() (quit bool, err error) {
	if t.in == nil {
		t.in = bufio.NewReaderSize(t.conn, maxLine)
	}
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
		if t.in.Buffered() == 0 {
			return false, nil
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
		return false, t.nonsense("malformed command")
	}
	wrong := t.wrong
	t.wrong = 0
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
		t.out = append(t.out, pop3.Capabilities(append(pop3.Logins(strings.Fields(t.conn.Offered)), t.retention())...)...)
	case "LANG":
		t.out = append(t.out, pop3.Lang(cmd.Arg)...)
	case "UTF8":
		t.reply("-ERR UTF8 comes before the login") // RFC 6856
	case "QUIT":
		return true, nil
	default:
		t.wrong = wrong
		return false, t.nonsense("unknown command")
	}
	return false, nil
}

// nonsense answers a command that makes no sense. An error ends the session.
func (t *transaction) nonsense(text string) error {
	if t.wrong++; t.wrong >= maxErrors {
		return errNonsense
	}
	t.reply("-ERR %s", text)
	return nil
}

// retention is for how long messages are kept (RFC 2449 6.7).
func (t *transaction) retention() string {
	if t.expire == 0 {
		return "EXPIRE NEVER"
	}
	return fmt.Sprintf("EXPIRE %d", t.expire)
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
