package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/encode"
	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// maxMessages bounds the messages of one APPEND.
const maxMessages = 1000

// append files messages, all or none (RFC 3501 section 6.3.11, RFC 3502). What can
// be refused is refused before the client is invited to send it.
func (s *Session) append(c *wire.Command) (string, error) {
	name, err := folderArg(c)
	if err != nil {
		return "", err
	}
	limit := s.limits.messages
	if l := s.messageLimit(); l.Most > 0 {
		limit = l.Most
	}
	validity, uids, err := s.file(name, c, limit, 0)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("[APPENDUID %d %s] %s completed", validity, wire.AppendSet(nil, uids), c.Name), nil // RFC 4315 section 3
}

// file takes what stands behind a mailbox name and files it there: at least one
// message, limit at most. The message instead, unless it is 0, makes room for it.
func (s *Session) file(name string, c *wire.Command, limit, instead int) (validity uint32, uids []uint32, err error) {
	m := c.Message
	if m == nil {
		m = &wire.Message{Args: c.Args}
	}
	first, err := s.incoming(m)
	if err != nil {
		return 0, nil, err
	}
	p, err := s.realm.Find(name, acl.Insert)
	if err != nil {
		return 0, nil, tryCreate(err)
	}
	if exists, err := p.Box.Exists(p.Folder); err != nil {
		return 0, nil, err
	} else if !exists {
		return 0, nil, tryCreate(mailbox.ErrNoFolder)
	}
	a := &arrivals{Session: s, to: p, next: m, limit: limit}
	defer a.from.leave()
	all := func(yield func(mailbox.Incoming) bool) { a.all(first, yield) }
	if instead > 0 {
		validity, uids, err = s.view.AppendFor(instead, p.Box, p.Folder, all)
	} else if err = p.Box.Room(1, 1); err == nil { // if it is full: no need to send it
		validity, uids, err = p.Box.AppendAll(p.Folder, all)
	}
	switch {
	case a.err != nil:
		return 0, nil, a.err
	case err != nil:
		return 0, nil, tryCreate(err)
	}
	return validity, uids, nil
}

// arrivals are the messages of one command as they come.
type arrivals struct {
	*Session
	to    realm.Place
	next  *wire.Message
	limit int
	from  sources // of parts
	err   error   // why not all of them came, and not the store's fault
}

// all yields the messages; the first's arguments were looked at. Where one is
// refused, or its client is lost, the store gets a message that cannot be read,
// and files none.
func (a *arrivals) all(in mailbox.Incoming, yield func(mailbox.Incoming) bool) {
	for n := 1; ; n++ {
		parts := in.Size == catenated
		in.Reader, in.Flags = a, a.to.Filter(in.Flags)
		switch {
		case parts:
			in.Reader = encode.NewReader(&catenation{arrivals: a})
		case a.next.Binary():
			in.Reader, in.Size = encode.NewReader(a), -1 // RFC 3516 section 4.4
		}
		if !yield(in) {
			return
		}
		if !parts {
			a.next = a.next.Next()
		}
		if a.next == nil {
			return
		}
		if in, a.err = a.incoming(a.next); a.err == nil && n == a.limit {
			a.err = a.tooMany()
		}
		if a.err != nil {
			yield(mailbox.Incoming{Reader: a, Size: 1})
			return
		}
	}
}

func (a *arrivals) tooMany() error {
	if l := a.messageLimit(); l.Most == a.limit {
		return excess{limit: l.Most}.refusal()
	}
	return no("[LIMIT] too many messages for one command")
}

// Read reads from the client, and notes how that failed, so that it is not taken
// for a failure of the store.
func (a *arrivals) Read(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	n, err := a.next.Read(p)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case errors.Is(err, wire.ErrTrailing):
		a.err = &wire.SyntaxError{Text: err.Error()}
	default:
		a.err = broken{err}
	}
	return n, a.err
}

// incoming takes what stands in front of a message.
func (s *Session) incoming(m *wire.Message) (in mailbox.Incoming, err error) {
	if m.Args.End() == nil && !m.Literal() {
		return in, errNoLiteral()
	}
	if err := m.Args.Space(); err != nil {
		return in, err
	}
	if m.Args.Peek() == '(' {
		names, err := m.Args.Flags()
		if err != nil {
			return in, err
		}
		if in.Flags, err = parseFlags(names); err != nil {
			return in, err
		}
		if err := m.Args.Space(); err != nil {
			return in, err
		}
	}
	if m.Args.Peek() == '"' {
		if in.Date, err = m.Args.DateTime(); err != nil {
			return in, err
		}
		if err := m.Args.Space(); err != nil {
			return in, err
		}
	}
	if in.Size = m.Size(); m.Args.AcceptText("CATENATE (") {
		in.Size = catenated
	} else if err := literalKind(m); err != nil {
		return in, err
	}
	switch {
	case in.Size == 0:
		return in, no("a message cannot be empty") // RFC 3502 section 6.3.11
	case in.Size > s.limits.maxSize:
		return in, no("[TOOBIG] message too large") // RFC 7889 section 4
	}
	if in.Date.IsZero() {
		in.Date = time.Now()
	}
	return in, nil
}

// literalKind takes what may stand right in front of a message: "UTF8 (" before a
// literal8 (RFC 6855 section 4; RFC 9755 has clients leave it out).
func literalKind(m *wire.Message) error {
	switch {
	case !m.Literal():
		return errNoLiteral()
	case m.Args.End() == nil:
		return nil
	case m.Args.Word() != "UTF8" || !m.Binary():
		return &wire.SyntaxError{Text: "unexpected argument"}
	}
	return openUTF8(m)
}

func errNoLiteral() error { return &wire.SyntaxError{Text: "a message is expected as literal"} }

// openUTF8 takes the parenthesis in front of a literal8, and has the other follow it.
func openUTF8(m *wire.Message) error {
	if err := m.Args.Space(); err != nil {
		return err
	}
	if err := m.Args.Expect('('); err != nil {
		return err
	}
	m.Tail = ")"
	return m.Args.End()
}
