package main

import (
	"context"
	"errors"
	"strconv"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/dsn"
	"posthorn/internal/guard"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
)

// session decides for one connection. It keeps the configuration that was in
// force when the connection began.
type session struct {
	s    *service
	kind kind
	c    *guard.Conn
	conf *conf.Config
	user string // canonical name of who logged in

	from     addr.Address
	params   guard.MailParams
	rcpts    []spool.Rcpt
	room     spool.Room           // that they take up
	named    map[addr.Address]int // places in rcpts
	messages int                  // taken
}

func (s *service) newSession(k kind, c *guard.Conn) *session {
	return &session{s: s, kind: k, c: c, conf: s.conf.Load()}
}

// Mail holds a user to his own addresses. Every client may send with the null
// sender: bounces and notices have no other (RFC 5321 4.5.5).
func (s *session) Mail(ctx context.Context, from addr.Address, p guard.MailParams) error {
	if s.user != "" && !from.IsNull() {
		if err := s.s.authd.MaySend(ctx, s.user, from); err != nil {
			return s.rejected("", "mail", from, addr.Address{}, err)
		}
	}
	s.Reset()
	s.from, s.params, s.named = from, p, map[addr.Address]int{}
	return nil
}

// Rcpt takes local recipients that authd knows, and others from those who may
// relay.
func (s *session) Rcpt(ctx context.Context, to addr.Address, p dsn.Rcpt) error {
	to = s.complete(to)
	if err := s.check(ctx, to); err != nil {
		return s.rejected("", "rcpt", s.from, to, err)
	}
	return s.add(spool.Rcpt{Address: to, Rcpt: p})
}

// add takes a recipient into the envelope. Who is named twice gets the message
// once, and the reports that either asked for.
func (s *session) add(r spool.Rcpt) error {
	n, twice := s.named[r.Address]
	if twice {
		again := s.rcpts[n]
		if again.Notify = again.Notify.Join(r.Notify); again == s.rcpts[n] {
			return nil
		}
		r = again
	}
	if !s.room.Add(r) {
		return verdict.Fail(verdict.Later, "4.5.3", "no room for more recipients in one message", nil)
	}
	if twice {
		s.rcpts[n] = r
		return nil
	}
	s.named[r.Address] = len(s.rcpts)
	s.rcpts = append(s.rcpts, r)
	return nil
}

// complete gives <Postmaster> (RFC 5321 4.1.1.3) a domain, and so an address at
// the very IP address that the client talks to.
func (s *session) complete(to addr.Address) addr.Address {
	ip, literal := to.IP()
	if to.Domain == "" || literal && ip == s.c.Local() {
		to.Domain = s.conf.Domains[0]
	}
	return to
}

// check is the relay rule. The domain alone decides, before anybody is asked.
func (s *session) check(ctx context.Context, to addr.Address) error {
	if s.kind.local {
		// From a process of this host every recipient is taken, whether authd
		// answers or not: cron(8) and others keep no mail to try again. Whom
		// nobody knows, the sender hears of by a bounce.
		return nil
	}
	denied := verdict.Fail(verdict.Never, "5.7.1", "relaying denied", nil)
	relay := s.mayRelay() || s.conf.RelayDomain(to.Domain)
	if !s.conf.LocalDomain(to.Domain) && !relay {
		return denied
	}
	r, err := s.s.authd.Resolve(ctx, to)
	if err != nil {
		return err
	}
	if !r.Local && !relay {
		return denied
	}
	return nil
}

// mayRelay: users after login, and on port 25 the clients of relay-from.
func (s *session) mayRelay() bool {
	return s.user != "" || !s.kind.submission && s.s.relayClient(s.c.Client())
}

// Reset forgets the transaction.
func (s *session) Reset() {
	s.from, s.params, s.rcpts, s.room, s.named = addr.Address{}, guard.MailParams{}, nil, spool.Room{}, nil
}

// Close logs the connection's end.
func (s *session) Close(reason string) {
	s.s.log.Disconnected(s.c.SID(), s.kind.name, s.ip(), s.uid(), reason, s.messages)
}

// ip is the client's address, and uid a local client's: one of them is empty.
func (s *session) ip() string {
	if s.kind.local {
		return ""
	}
	return s.c.Client().String()
}

func (s *session) uid() string {
	if s.kind.local {
		return strconv.Itoa(s.c.Peer().UID)
	}
	return ""
}

// rejected logs a refusal, which the client is told of, and returns it.
func (s *session) rejected(id, stage string, from, to addr.Address, err error) error {
	s.s.log.Rejected(id, s.c.SID(), s.ip(), s.uid(), s.user, stage, from.String(), to.String(), verdict.Of(err), hidden(err))
	return err
}

// hidden returns the part of err that its verdict does not show.
func hidden(err error) error {
	var v *verdict.Error
	if errors.As(err, &v) {
		return v.Err
	}
	return err
}
