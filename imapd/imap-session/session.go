package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"posthorn/imapd/internal/deflate"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// capabilities is what is complete here; doc/protocol/imap.md has the RFCs.
//
// LITERAL- is not among them: a server must not announce both (RFC 7888 section
// 5), and all that LITERAL- allows LITERAL+ allows too. A message that is too
// large to be kept is read away or ends the session.
const capabilities = "IMAP4rev1 LITERAL+ ID ENABLE IDLE NAMESPACE" +
	" CHILDREN LIST-EXTENDED LIST-STATUS STATUS=SIZE SPECIAL-USE" +
	" OBJECTID SAVEDATE" +
	" SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES I18NLEVEL=1" +
	" UIDPLUS UNSELECT MOVE REPLACE MULTIAPPEND ESEARCH SEARCHRES WITHIN PARTIAL" +
	" UTF8=ACCEPT COMPRESS=DEFLATE"

// Bounds of a client's input. A line of 64 KiB holds the UID sets of large
// mailboxes.
const (
	maxLine     = 64 << 10
	maxCommand  = 128 << 10
	maxLiterals = 256
	maxErrors   = 20 // commands in a row that make no sense
)

// Session is one client from its login to its end. Between two commands it has
// nothing on a stack.
type Session struct {
	*host
	limits limits
	link   *link
	in     *wire.Input
	r      *wire.Reader
	w      *wire.Writer
	box    *mailbox.Box
	sid    string
	user   string
	off    []string // capabilities that this user is not offered
	utf8   bool     // UTF8=ACCEPT

	view   *mailbox.View // nil: nothing is selected
	folder string        // the name of what is
	saved  wire.Set      // UIDs that a SEARCH saved (RFC 5182)
	idling string        // the tag of the IDLE under way
	heard  time.Time     // when the client spoke last

	commands int
	errors   int  // nonsense in a row
	over     bool // LOGOUT
	packing  bool // COMPRESS is to be answered
}

// errGone is a client that went away between two commands: no error.
var errGone = errors.New("client gone")

func newSession(h *host, c net.Conn, box *mailbox.Box) *Session {
	s := &Session{host: h, limits: *h.limits.Load(), box: box}
	s.link = &link{Conn: c, progress: s.limits.progress}
	s.in = wire.NewInput(s.link, h.pool, maxLine)
	s.w = wire.NewWriter(s.link, h.pool)
	s.link.out = s.w
	s.r = wire.NewReader(s.in, wire.Limits{
		Command: maxCommand, Literals: maxLiterals, Discard: 2*s.limits.maxSize + 1<<20, Append: true,
	}, s.invite)
	return s
}

// run speaks with the client until the session ends and returns what ended it,
// nil for a LOGOUT and a client that went. tag is that of the login command.
func (s *Session) run(ctx context.Context, tag string) error {
	defer s.close()
	s.w.Raw(tag, " OK [CAPABILITY ", s.announced(), "] Logged in\r\n")
	for !s.over {
		if err := s.turn(ctx); err != nil {
			return s.goodbye(ctx, err)
		}
	}
	return s.w.Flush()
}

// turn waits for the client and executes one command.
func (s *Session) turn(ctx context.Context) error {
	if err := s.rest(ctx); err != nil {
		return err
	}
	s.heard = time.Now()
	if s.idling != "" {
		return s.endIdle()
	}
	cmd, err := s.next()
	if cmd == nil || err != nil {
		return err
	}
	s.commands++
	if err := s.step(cmd); err != nil {
		return err
	}
	return s.r.Finish()
}

// rest waits until the client has sent something, and announces changes during
// an IDLE.
func (s *Session) rest(ctx context.Context) error {
	if s.in.Buffered() > 0 {
		return nil
	}
	if s.heard.IsZero() {
		s.heard = time.Now()
	}
	s.link.resting = true
	defer func() { s.link.resting = false }()
	for {
		err := s.wait()
		if !errors.Is(err, errChanged) || ctx.Err() != nil {
			return gone(err)
		}
		if err := s.announce(true); err != nil {
			return err
		}
	}
}

// gone tells a client that left between two commands from one that was lost.
func gone(err error) error {
	if err == io.EOF {
		return errGone
	}
	return err
}

// next reads the command that has begun to come. It is nil when the client was
// answered already.
func (s *Session) next() (*wire.Command, error) {
	cmd, err := s.r.Command()
	var refused *wire.Refused
	if errors.As(err, &refused) {
		s.w.Raw(refused.Tag, " BAD ", refused.Text, "\r\n")
		return nil, s.nonsense()
	}
	if cmd != nil {
		cmd.Args.UTF8 = s.utf8
	}
	return cmd, err
}

// nonsense counts commands that make no sense.
func (s *Session) nonsense() error {
	if s.errors++; s.errors >= maxErrors {
		return errNonsense
	}
	return nil
}

var errNonsense = errors.New("too many errors")

// invite asks a client for the literal it wants to send (RFC 3501 section 7.5);
// the next read sends it.
func (s *Session) invite() error {
	s.w.Raw("+ OK\r\n")
	return nil
}

// goodbye ends the session for err; the client is told why where it can hear.
func (s *Session) goodbye(ctx context.Context, err error) error {
	why := ""
	switch {
	case ctx.Err() != nil:
		why, err = "server is going down", nil
	case errors.Is(err, errGone):
		return nil
	case errors.Is(err, mailbox.ErrNoFolder):
		why, err = "selected mailbox was deleted or renamed", nil
	case errors.Is(err, mailbox.ErrReset):
		why = "selected mailbox has other UIDs now"
	case errors.Is(err, os.ErrDeadlineExceeded):
		why = "autologout"
	case errors.Is(err, wire.ErrFlood), errors.Is(err, wire.ErrLineTooLong), errors.Is(err, errNonsense), errors.Is(err, deflate.ErrData):
		why = err.Error()
	default:
		return fmt.Errorf("speaking with client: %w", err)
	}
	s.w.Raw("* BYE ", why, "\r\n") // RFC 3501 section 7.1.5
	if lost := s.w.Flush(); err == nil {
		err = lost
	}
	return err
}

func (s *Session) close() {
	s.unselect()
	s.box.Close()
}

func (s *Session) unselect() {
	if s.view != nil {
		s.view.Close()
	}
	s.view, s.folder, s.saved = nil, "", nil
}
