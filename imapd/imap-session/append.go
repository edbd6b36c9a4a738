package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// append files a message (RFC 3501 section 6.3.11). What can be refused is
// refused before the client is invited to send it.
func (s *Session) append(c *wire.Command) (string, error) {
	name, err := folderArg(c)
	if err != nil {
		return "", err
	}
	in, err := s.incoming(c)
	if err != nil {
		return "", err
	}
	if exists, err := s.box.Exists(name); err != nil {
		return "", err
	} else if !exists {
		return "", tryCreate(mailbox.ErrNoFolder)
	}
	message := &watched{m: c.Message}
	in.Reader = message
	validity, uid, err := s.box.Append(name, in)
	switch {
	case errors.Is(message.err, wire.ErrTrailing):
		return "", &wire.SyntaxError{Text: "one message at a time"}
	case message.err != nil:
		return "", broken{message.err}
	case err != nil:
		return "", tryCreate(err)
	}
	return fmt.Sprintf("[APPENDUID %d %d] APPEND completed", validity, uid), nil // RFC 4315 section 3
}

// incoming takes what stands between the mailbox name and the message.
func (s *Session) incoming(c *wire.Command) (mailbox.Incoming, error) {
	var in mailbox.Incoming
	if c.Message == nil {
		return in, &wire.SyntaxError{Text: "APPEND needs a message as literal"}
	}
	if err := c.Args.Space(); err != nil {
		return in, err
	}
	if c.Args.Peek() == '(' {
		names, err := c.Args.Flags()
		if err != nil {
			return in, err
		}
		if in.Flags, err = parseFlags(names); err != nil {
			return in, err
		}
		if err := c.Args.Space(); err != nil {
			return in, err
		}
	}
	if c.Args.Peek() == '"' {
		var err error
		if in.Date, err = c.Args.DateTime(); err != nil {
			return in, err
		}
		if err := c.Args.Space(); err != nil {
			return in, err
		}
	}
	if err := c.Args.End(); err != nil {
		return in, err
	}
	switch in.Size = c.Message.Size(); {
	case in.Size == 0:
		return in, no("a message cannot be empty")
	case in.Size > s.limits.maxSize:
		return in, no("[TOOBIG] message too large")
	}
	if in.Date.IsZero() {
		in.Date = time.Now()
	}
	return in, nil
}

// watched passes a message on and remembers how reading it from the client
// failed, so that this is not taken for a failure of the store.
type watched struct {
	m   *wire.Message
	err error
}

// Read reads from the client.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.m.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}
