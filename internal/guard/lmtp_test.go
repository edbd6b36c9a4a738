package guard

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"posthorn/internal/verdict"
)

// lmtp makes the service one of LMTP whose sessions answer as each says.
func lmtp(each ...verdict.Verdict) func(*setting) {
	return func(set *setting) {
		set.o.LMTP = true
		open := set.o.Open
		set.o.Open = func(c *Conn) Session { return mailer{open(c), c, each} }
	}
}

// mailer is a Session with an answer for each recipient.
type mailer struct {
	Session
	c    *Conn
	each []verdict.Verdict
}

func (m mailer) Data(ctx context.Context, body io.Reader) (string, error) {
	text, err := m.Session.Data(ctx, body)
	m.c.Each(m.each)
	return text, err
}

var (
	saved = verdict.New(verdict.Done, "2.0.0", "saved")
	full  = verdict.New(verdict.Later, "4.2.2", "the mailbox is full")
	gone  = verdict.New(verdict.Never, "5.2.1", "gone")
)

func TestLMTP(t *testing.T) {
	s := start(t, lmtp(saved, full, saved, gone))
	c := dial(t, s)
	c.want("220 mx.test LMTP*")
	c.dialog(`C: EHLO x.test
		S: 500 5.5.1*
		C: HELO x.test
		S: 500 5.5.1*
		C: LHLO x.test
		S: 250-mx.test`)
	for l := ""; !strings.HasPrefix(l, "250 "); {
		l = c.reply()
	}
	// Pipelined, one of them twice and one refused: four replies, in order.
	c.send("MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<nobody@y.test>\r\nRCPT TO:<c@y.test>\r\n" +
		"RCPT TO:<b@y.test>\r\nRCPT TO:<d@y.test>\r\nDATA\r\n")
	c.want("250 2.1.0*", "250 2.1.5*", "550 5.1.1*", "250 2.1.5*", "250 2.1.5*", "250 2.1.5*", "354 *")
	c.send("hello\r\n..dot\r\n.\r\nNOOP\r\n")
	c.want("250 2.0.0 saved", "452 4.2.2 the mailbox is full", "250 2.0.0 saved", "550 5.2.1 gone", "250 2.0.0*")
	// Nobody accepted: DATA has no recipient (RFC 2033 4.2).
	c.dialog(`C: MAIL FROM:<a@x.test>
		S: 250 2.1.0*
		C: RCPT TO:<nobody@y.test>
		S: 550 5.1.1*
		C: DATA
		S: 503 5.5.1*
		C: QUIT
		S: 221 *`)
}

// TestLMTPChunks: the replies stand behind the last chunk only, and one RSET is
// one reply.
func TestLMTPChunks(t *testing.T) {
	s := start(t, lmtp(saved, full))
	c := dial(t, s)
	c.want("220 mx.test LMTP*")
	c.send("LHLO x.test\r\n")
	for l := ""; !strings.HasPrefix(l, "250 "); {
		l = c.reply()
	}
	const two = "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\n"
	c.send(two + "BDAT 3\r\na\r\nBDAT 3 LAST\r\nb\r\n")
	c.want("250 2.1.0*", "250 2.1.5*", "250 2.1.5*", "250 2.0.0 chunk taken", "250 2.0.0 saved", "452 4.2.2*")
	c.send(two + "BDAT 3\r\na\r\nRSET\r\nNOOP\r\n")
	c.want("250 2.1.0*", "250 2.1.5*", "250 2.1.5*", "250 2.0.0 chunk taken", "250 2.0.0 reset", "250 2.0.0*")
	c.send(two + "DATA\r\n")
	c.want("250 2.1.0*", "250 2.1.5*", "250 2.1.5*", "354 *")
}

// TestLMTPWhole: what the session says of the message, every recipient is told;
// and a session that forgets one has answered nobody.
func TestLMTPWhole(t *testing.T) {
	for name, tc := range map[string]struct {
		each []verdict.Verdict
		err  error
		want string
	}{
		"never":        {[]verdict.Verdict{saved, saved}, verdict.Fail(verdict.Never, "5.6.0", "no message", nil), "554 5.6.0 no message"},
		"unclassified": {[]verdict.Verdict{saved, saved}, errors.New("open /x"), "451 4.*"},
		"one missing":  {[]verdict.Verdict{saved}, nil, "451 4.*"},
	} {
		s := start(t, lmtp(tc.each...), func(set *setting) {
			set.onData = func(context.Context, io.Reader) error { return tc.err }
		})
		c := dial(t, s)
		c.want("220 mx.test LMTP*")
		c.send("LHLO x.test\r\n")
		for l := ""; !strings.HasPrefix(l, "250 "); {
			l = c.reply()
		}
		c.send("MAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n")
		c.want("250 2.1.0*", "250 2.1.5*", "250 2.1.5*", "354 *")
		c.send("x\r\n.\r\nNOOP\r\n")
		t.Log(name)
		c.want(tc.want, tc.want, "250 2.0.0*")
	}
}

// TestLMTPRefusalIsOneError: a message refused for many is one mistake of the
// feeder, who is not held back for each, and gets every reply.
func TestLMTPRefusalIsOneError(t *testing.T) {
	const rcpts = 2 * hardErrors
	s := start(t, lmtp(), func(set *setting) {
		set.limits.Recipients = rcpts
		set.onData = func(context.Context, io.Reader) error { return verdict.Fail(verdict.Never, "5.6.0", "no message", nil) }
	})
	c := dial(t, s)
	c.want("220 mx.test LMTP*")
	c.send("LHLO x.test\r\n")
	for l := ""; !strings.HasPrefix(l, "250 "); {
		l = c.reply()
	}
	c.send("MAIL FROM:<>\r\n" + strings.Repeat("RCPT TO:<b@y.test>\r\n", rcpts) + "DATA\r\nx\r\n.\r\nNOOP\r\n")
	c.want("250 2.1.0*")
	for range rcpts {
		c.want("250 2.1.5*")
	}
	c.want("354 *")
	for range rcpts {
		c.want("554 5.6.0 no message")
	}
	c.want("250 2.0.0*")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waits) > 0 {
		t.Errorf("got waits %v, want none", s.waits)
	}
}
