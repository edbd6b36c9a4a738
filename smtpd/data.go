package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/id"
	"posthorn/internal/message"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
)

// Data streams the message into the spool and hands it to queued. The reply
// carries its id.
func (s *session) Data(ctx context.Context, body io.Reader) (string, error) {
	mid := id.New()
	size, err := s.take(ctx, mid, body)
	if err != nil {
		return "", s.rejected(mid, "data", s.from, s.first(), err)
	}
	s.messages++
	s.s.log.Accepted(mid, s.c.SID(), s.ip(), s.uid(), s.user, s.from.String(), len(s.rcpts), size, s.c.TLS())
	return mid + " queued", nil
}

// first names the recipient, when there is one only.
func (s *session) first() (only addr.Address) {
	if len(s.rcpts) == 1 {
		return s.rcpts[0].Address
	}
	return only
}

// take makes the message durable and returns its size.
func (s *session) take(ctx context.Context, mid string, body io.Reader) (int64, error) {
	now := s.s.now()
	d, err := s.s.intake.New(s.envelope(mid, now))
	if err != nil {
		return 0, full(err)
	}
	defer d.Close()
	if err := s.write(d, s.trace(mid, now), body, now); err != nil {
		return 0, err
	}
	if err := s.s.intake.Submit(ctx, d); err != nil {
		return 0, full(err)
	}
	return d.Envelope().Size, nil
}

func (s *session) envelope(mid string, now time.Time) spool.Envelope {
	e := spool.Envelope{
		ID: mid, Time: now, Origin: "smtp", From: s.from, Auth: s.user, Client: s.c.Peer().String(), Helo: s.c.Helo(),
		Body: "7bit", UTF8: s.params.UTF8, Mail: s.params.Mail, Rcpts: s.rcpts,
	}
	switch {
	case s.kind.local:
		e.Origin = "local"
	case s.user != "":
		e.Origin = "submission"
	case s.mayRelay():
		e.Origin = "relay"
	}
	if s.params.EightBit {
		e.Body = "8bitmime"
	}
	return e
}

func (s *session) trace(mid string, now time.Time) []byte {
	version := s.c.TLS()
	t := message.Trace{
		Helo: s.c.Helo(), Client: s.c.Client(), Host: s.conf.Hostname, TLS: version, ID: mid, Time: now,
		With: message.Protocol(s.c.ESMTP(), s.params.UTF8, version != "", s.user != ""),
	}
	if s.kind.local {
		t.Local = s.c.Peer().String()
	}
	// A field in UTF-8 would make a message need SMTPUTF8 that does not.
	if len(s.rcpts) == 1 && !s.rcpts[0].UTF8() {
		t.For = s.rcpts[0].String()
	}
	return t.Append(make([]byte, 0, 512))
}

// write copies the message behind its trace line, checked and completed.
func (s *session) write(d io.Writer, trace []byte, body io.Reader, now time.Time) error {
	in := message.Intake{MaxReceived: s.conf.MaxReceived}
	in.Lines.Normalize = s.kind.local || s.conf.BareNewline == "normalize"
	if s.kind.local || s.user != "" {
		in.Header.Extra = s.completeHeader(now)
	}
	if _, err := d.Write(trace); err != nil {
		return full(err)
	}
	return full(in.Copy(d, body))
}

// completeHeader returns what adds the fields that a user's program left out
// (RFC 6409 8.2 and 8.3).
func (s *session) completeHeader(now time.Time) func(*message.Header) []byte {
	return func(h *message.Header) []byte {
		var b []byte
		if !h.HasDate {
			b = fmt.Appendf(b, "Date: %s\r\n", message.Date(now))
		}
		if !h.HasMessageID {
			b = fmt.Appendf(b, "Message-ID: %s\r\n", message.MessageID(id.New(), s.conf.Hostname))
		}
		return b
	}
}

// full tells a client that the disk is full; other errors of the spool stay as
// they are, later.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return verdict.Fail(verdict.Later, "4.3.1", "not enough space, try again later", err)
	}
	return err
}
