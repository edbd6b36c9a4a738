package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// newEngine returns a go-smtp Server. There are two: what the client may do differs
// before and after TLS, and a wire that comes to the second one is a fresh dialogue
// (RFC 3207 4.2).
func newEngine(g *Guard, secure bool) *smtp.Server {
	srv := smtp.NewServer(smtp.BackendFunc(func(sc *smtp.Conn) (smtp.Session, error) {
		return dialogue{sc.Conn().(*wire).c}, nil
	}))
	srv.Domain = g.o.Hostname
	srv.LMTP = g.o.LMTP
	srv.MaxLineLength = 0 // it sees our lines only, which have a limit
	srv.EnableSMTPUTF8 = g.o.SMTPUTF8
	srv.EnableDSN = g.o.DSN        // lets it announce DSN, whose parameters never reach it
	srv.AllowInsecureAuth = secure // a wire shows no TLS
	srv.ErrorLog = errorLog{g}
	if !secure && !g.o.Implicit {
		srv.TLSConfig = g.o.TLS // lets it announce STARTTLS, which never reaches it
	}
	return srv
}

// front is a listener of ours as go-smtp sees it: what it accepts was admitted.
type front struct {
	net.Listener
	g         *Guard
	ctx, life context.Context
}

// Accept returns the next wire that begins without TLS.
func (f front) Accept() (net.Conn, error) {
	for failing := false; ; {
		raw, err := f.Listener.Accept()
		switch {
		case err == nil:
			failing = false
			if w := f.g.take(f.life, raw); w != nil {
				return w, nil
			}
		case f.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil, net.ErrClosed
		default: // others must end first
			if !failing {
				f.g.o.Events.AcceptFailed(err)
			}
			failing = true
			sleep(f.ctx, 100*time.Millisecond)
		}
	}
}

// upgraded is the listener of the wires over TLS, which are given to it.
type upgraded struct {
	in   chan net.Conn
	done chan struct{}
	once sync.Once
}

func newUpgraded() *upgraded {
	return &upgraded{in: make(chan net.Conn), done: make(chan struct{})}
}

// give hands a wire to the server.
func (u *upgraded) give(w *wire) {
	select {
	case u.in <- w:
	case <-u.done:
		w.Close()
	}
}

func (u *upgraded) Accept() (net.Conn, error) {
	select {
	case c := <-u.in:
		return c, nil
	case <-u.done:
		return nil, net.ErrClosed
	}
}

// Close may be called again.
func (u *upgraded) Close() error {
	u.once.Do(func() { close(u.done) })
	return nil
}

// Addr is nowhere.
func (u *upgraded) Addr() net.Addr { return &net.TCPAddr{} }

// errorLog passes on the panics that go-smtp recovered.
type errorLog struct{ g *Guard }

func (l errorLog) Printf(format string, v ...any) {
	l.g.o.Events.Crashed(l.g.protocol(), fmt.Sprintf(format, v...), "")
}

func (l errorLog) Println(v ...any) { l.Printf("%s", fmt.Sprintln(v...)) }

// wire is the connection that go-smtp sees: it reads checked command lines and
// writes replies.
type wire struct {
	c      *Conn
	feed   []byte // what go-smtp reads next
	reply  []byte // a reply whose last line is to come
	silent bool   // the greeting was given before STARTTLS
	ended  bool   // STARTTLS went on with another wire
}

// Read waits for the next command that go-smtp has to see.
func (w *wire) Read(p []byte) (n int, err error) {
	defer w.c.recovered(&err)
	for len(w.feed) == 0 {
		if w.ended || w.c.over() {
			return 0, io.EOF
		}
		w.c.next(w)
	}
	n = copy(p, w.feed)
	w.feed = w.feed[n:]
	return n, nil
}

// Write collects a reply line by line and sends it on when it is whole.
func (w *wire) Write(p []byte) (n int, err error) {
	defer w.c.recovered(&err)
	w.reply = append(w.reply, p...)
	if !wholeReply(w.reply) {
		return len(p), nil
	}
	r := w.reply
	w.reply = w.reply[:0]
	if w.silent {
		w.silent = false
		return len(p), nil
	}
	w.c.replied(r) // keeps none of it
	return len(p), nil
}

// Close ends the connection, unless it goes on over TLS.
func (w *wire) Close() (err error) {
	defer w.c.recovered(&err)
	if !w.ended {
		w.c.close()
	}
	return nil
}

// LocalAddr is the connection's.
func (w *wire) LocalAddr() net.Addr { return w.c.raw.LocalAddr() }

// RemoteAddr is the connection's.
func (w *wire) RemoteAddr() net.Addr { return w.c.raw.RemoteAddr() }

// SetDeadline and its like do nothing: deadlines are set at each read and write
// below.
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// dialogue is go-smtp's Session: it passes on what the guard has parsed.
type dialogue struct{ c *Conn }

func (d dialogue) Mail(_ string, opts *smtp.MailOptions) error {
	p := d.c.asked
	p.EightBit = opts.Body == smtp.Body8BitMIME
	return smtpError(d.c.session.Mail(d.c.ctx, d.c.path, p))
}

func (d dialogue) Rcpt(string, *smtp.RcptOptions) error {
	return smtpError(d.c.session.Rcpt(d.c.ctx, d.c.path, d.c.reports))
}

// Data ignores go-smtp's reader: the message never passes through it.
func (d dialogue) Data(io.Reader) error { return d.c.data() }

func (d dialogue) Reset() { d.c.reset() }

func (d dialogue) Logout() error { return nil }

func (d dialogue) AuthMechanisms() []string {
	if d.c.g.o.Auth {
		return d.c.session.Mechanisms(d.c.ctx)
	}
	return nil
}

func (d dialogue) Auth(mech string) (sasl.Server, error) {
	return exchange{d.c, d.c.session.Authenticate(mech)}, nil
}
