package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/deflate"
	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
	"posthorn/internal/session"
)

// capabilities is what is complete here; doc/protocol/imap.md has the RFCs.
//
// LITERAL- is not among them: a server must not announce both (RFC 7888 section
// 5), and all that LITERAL- allows LITERAL+ allows too. A message that is too
// large to be kept is read away or ends the session.
const capabilities = "IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE IDLE NAMESPACE" +
	" CHILDREN LIST-EXTENDED LIST-STATUS STATUS=SIZE SPECIAL-USE CREATE-SPECIAL-USE" +
	" OBJECTID SAVEDATE CONDSTORE QRESYNC METADATA LIST-METADATA ACL RIGHTS=" + acl.Extra + " LIST-MYRIGHTS" +
	" SORT SORT=DISPLAY ESORT THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS I18NLEVEL=1 BINARY PREVIEW" +
	" SEARCH=FUZZY QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE QUOTA=RES-MAILBOX" +
	" CONTEXT=SEARCH UIDPLUS UNSELECT MOVE REPLACE MULTIAPPEND CATENATE ESEARCH SEARCHRES WITHIN PARTIAL" +
	" UTF8=ACCEPT COMPRESS=DEFLATE UIDONLY INPROGRESS UIDBATCHES MULTISEARCH NOTIFY"

// Bounds of a client's input. A line of 64 KiB holds the UID sets of large
// mailboxes.
const (
	maxLine     = 64 << 10
	maxCommand  = 128 << 10
	maxLiterals = 256
	maxErrors   = 20 // commands in a row that make no sense
)

// Session is one client from its login to its end, a session.Session.
type Session struct {
	*host
	limits *limits
	conn   *session.Conn
	link   *link
	in     *wire.Input
	r      *wire.Reader
	w      *wire.Writer
	realm  realm.Realm
	off    []string // capabilities that this user is not offered

	utf8       bool // names and strings are UTF-8
	utf8Accept bool // UTF8=ACCEPT
	rev2       bool // IMAP4rev2
	uidOnly    bool // UIDONLY
	modSeqs    bool // CONDSTORE
	resync     bool // QRESYNC
	shrinks    bool // the command under way removes messages
	removes    bool // it does, and they are told whatever the client wants to hear

	view     *mailbox.View // nil: nothing is selected
	folder   string        // the name of what is
	at       realm.Place   // where that is
	standing *standing     // searches that are kept up to date; nil: none
	saved    wire.Set      // UIDs that a SEARCH saved (RFC 5182)
	heed     *heed         // what NOTIFY asked for; nil: it was never given
	idling   string        // the tag of the IDLE under way
	heard    time.Time     // when the client was answered last

	commands int
	errors   int   // nonsense in a row
	over     bool  // LOGOUT
	err      error // what ended the session
	packing  bool  // COMPRESS is to be answered
}

// errGone is a client that went away between two commands: no error.
var errGone = errors.New("client gone")

// newSession returns a session whose box is its to close.
func newSession(h *host, c *session.Conn, box *mailbox.Box) *Session {
	s := &Session{host: h, limits: h.limits.Load(), conn: c}
	s.realm = realm.Realm{User: c.User, Box: box, Shares: h.shares, Public: s.limits.public}
	s.link = &link{Conn: c, progress: s.limits.progress}
	s.in = wire.NewInput(s.link, h.pool, maxLine)
	s.w = wire.NewWriter(s.link, h.pool)
	s.link.out = s.w
	s.r = wire.NewReader(s.in, wire.Limits{
		Command: maxCommand, Literals: maxLiterals, Discard: 2*s.limits.maxSize + 1<<20, Append: true,
	}, s.invite)
	return s
}

// Turn answers the login, executes the commands that have come, announces what
// is new during an IDLE, or says why the session ends.
func (s *Session) Turn(why session.Event) session.Pause {
	err := s.turn(why)
	if err != nil {
		err = s.goodbye(err)
		s.over = true
	}
	if lost := s.w.Flush(); err == nil {
		err = lost
	}
	if s.over || err != nil {
		s.err = err
		return session.Pause{}
	}
	return session.Pause{Until: s.heard.Add(s.limits.idle), Long: s.idling != ""}
}

// turn does what Turn says. An error ends the session.
func (s *Session) turn(why session.Event) error {
	switch why {
	case session.Begin:
		s.heard = time.Now()
		s.w.Raw(s.conn.Tag, " OK [CAPABILITY ", s.announced(), "] Logged in\r\n")
		return nil
	case session.Input:
		return s.listen()
	case session.News:
		return s.tidings()
	}
	return os.ErrDeadlineExceeded
}

// listen executes all commands that have come.
func (s *Session) listen() error {
	s.link.begin()
	if ready, err := s.link.wait(s.in); !ready || err != nil {
		return gone(err)
	}
	for !s.over {
		if err := s.command(); err != nil {
			return err
		}
		if s.in.Buffered() == 0 && !s.link.ready() {
			break
		}
	}
	s.heard = time.Now()
	if s.heed != nil && !s.over {
		return s.tidings() // what came meanwhile, or waited for the command
	}
	return nil
}

// command takes the line that has begun to come: a command, or the end of an
// IDLE.
func (s *Session) command() error {
	s.link.begin()
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
func (s *Session) goodbye(err error) error {
	why := ""
	switch ended := s.conn.Ended(); {
	case ended != nil:
		why, err = ended.Error(), nil
	case errors.Is(err, errGone):
		return nil
	case errors.Is(err, mailbox.ErrNoFolder):
		why, err = "selected mailbox was deleted or renamed", nil
	case errors.Is(err, mailbox.ErrReset):
		why = "selected mailbox has other UIDs now"
	case errors.Is(err, os.ErrDeadlineExceeded):
		why = "autologout"
	case errors.Is(err, errRevoked):
		why, err = err.Error(), nil
	case errors.Is(err, wire.ErrFlood), errors.Is(err, wire.ErrLineTooLong), errors.Is(err, errNonsense), errors.Is(err, deflate.ErrData):
		why = err.Error()
	default:
		return fmt.Errorf("speaking with client: %w", err)
	}
	s.w.Raw("* BYE ", why, "\r\n") // RFC 3501 section 7.1.5
	return err
}

// Rest lets go of the last command.
func (s *Session) Rest() { s.r.Rest() }

// Close leaves folder and mailbox.
func (s *Session) Close() {
	s.unselect()
	s.heed.close()
	s.realm.Close()
	s.realm.Box.Close()
	s.log.IMAPEnded(s.conn.SID, s.conn.User, s.commands, s.err)
}

func (s *Session) unselect() {
	if s.view != nil {
		s.view.Close()
	}
	s.view, s.folder, s.at, s.saved, s.standing = nil, "", realm.Place{}, nil, nil
	s.conn.SetFolder("")
}
