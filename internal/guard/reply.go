package guard

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"posthorn/internal/verdict"
)

// counts are what a connection used up.
type counts struct {
	commands int // since the last message taken
	errors   int // likewise
	surplus  int // recipients over the limit, likewise
	messages int
	logins   int // failed ones
}

// Bounds of one connection.
const (
	softErrors   = 5  // from here on each error costs a wait
	hardErrors   = 20 // ends the connection
	trustFactor  = 10 // for clients that are known
	maxWait      = 8 * time.Second
	failedLogins = 3
	maxMessages  = 10000
	idleCommands = 200 // besides three for each recipient allowed, until a message is taken
)

// wholeReply tells whether r ends with the last line of a reply
// (RFC 5321 4.2.1).
func wholeReply(r []byte) bool {
	if !bytes.HasSuffix(r, []byte("\r\n")) {
		return false
	}
	start := bytes.LastIndexByte(r[:len(r)-1], '\n') + 1
	line := r[start:]
	return len(line) < 4 || line[3] != '-'
}

// replied takes a reply of go-smtp, lets the command at hand change it and sends
// it on.
func (c *Conn) replied(r []byte) {
	code := codeOf(r)
	if c.after != nil {
		if r = c.after(code, r); r == nil {
			return
		}
		code = codeOf(r)
	}
	c.send(code, r)
}

func codeOf(r []byte) int {
	n := 0
	for _, d := range r[:min(3, len(r))] {
		n = n*10 + int(d-'0')
	}
	return n
}

// answer replies without go-smtp.
func (c *Conn) answer(code int, status, text string) {
	c.send(code, line(code, status, text))
}

func line(code int, status, text string) []byte {
	return []byte(strconv.Itoa(code) + " " + status + " " + text + "\r\n")
}

// send puts a reply into the output. Errors of the client make it wait, and too
// many end the connection; what is temporary is no fault of the client's.
func (c *Conn) send(code int, r []byte) {
	if c.over() {
		return
	}
	if code >= 500 {
		c.errorReply()
	}
	c.put(r)
	if c.count.errors >= c.trust(hardErrors) {
		c.bye("4.7.0", "too many errors")
	}
}

// put adds to the output, unless the last reply has been given.
func (c *Conn) put(r []byte) {
	if c.over() {
		return
	}
	if c.out = append(c.out, r...); len(c.out) > outSize {
		c.flush()
	}
}

// errorReply counts an error and holds its reply back, longer each time; nobody
// else waits.
func (c *Conn) errorReply() {
	c.count.errors++
	n := c.count.errors - c.trust(softErrors)
	if n <= 0 {
		return
	}
	c.flush()
	wait := maxWait
	if n < 4 {
		wait = time.Second << (n - 1)
	}
	c.g.o.Sleep(c.ctx, wait)
}

// tooMany answers a recipient over the limit. A client that sends its list
// without waiting cannot know, and comes again with the rest (RFC 5321 4.5.3.1.10):
// as many again as are allowed are no fault.
func (c *Conn) tooMany() {
	if c.count.surplus++; c.count.surplus > c.limits.Recipients {
		c.errorReply()
	}
	c.answer(452, "4.5.3", "no more than "+itoa(int64(c.limits.Recipients))+" recipients")
}

// busy reports whether the connection has had all commands that it may give
// before its next message.
func (c *Conn) busy() bool {
	c.count.commands++
	return c.count.commands > idleCommands+3*c.limits.Recipients
}

// trust widens a bound for a client that is known, as any process of this host is.
func (c *Conn) trust(n int) int {
	if c.authed || c.peer.UID >= 0 || c.g.o.Trusted(c.peer.Addr) {
		return n * trustFactor
	}
	return n
}

// smtpError turns the error of a Session into the reply that go-smtp writes.
func smtpError(err error) error {
	if err == nil {
		return nil
	}
	v := verdict.Of(err)
	return &smtp.SMTPError{Code: replyCode(v), EnhancedCode: enhanced(v), Message: printable(v.Text)}
}

// replyCode chooses the code that RFC 5321 4.2.3 has for a verdict.
func replyCode(v verdict.Verdict) int {
	switch v.Kind {
	case verdict.Done:
		return 250
	case verdict.Never:
		return neverCode(v.Status)
	}
	switch v.Status {
	case "4.5.3", "4.3.1", "4.2.2":
		return 452
	case "4.7.0", "4.2.1":
		return 450
	}
	return 451
}

func neverCode(status string) int {
	switch status {
	case "5.3.4", "5.2.2":
		return 552
	case "5.4.6", "5.6.0":
		return 554
	case "5.6.7", "5.1.7":
		return 553
	case "5.5.1":
		return 503
	}
	return 550
}

// enhanced parses a status; one that does not fit the verdict's kind becomes the
// general one of its class.
func enhanced(v verdict.Verdict) smtp.EnhancedCode {
	class := 4
	switch v.Kind {
	case verdict.Done:
		class = 2
	case verdict.Never:
		class = 5
	}
	if e, ok := parseStatus(v.Status); ok && e[0] == class {
		return e
	}
	return smtp.EnhancedCode{class, 0, 0}
}

// parseStatus reads three numbers of at most three digits (RFC 3463 2).
func parseStatus(s string) (e smtp.EnhancedCode, ok bool) {
	for i := range e {
		var part string
		part, s, _ = strings.Cut(s, ".")
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || len(part) > 3 {
			return e, false
		}
		e[i] = int(n)
	}
	return e, s == ""
}
