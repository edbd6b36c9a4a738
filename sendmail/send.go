package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"posthorn/internal/addr"
	"posthorn/internal/screen"
)

// send reads a message and submits it.
func (p *program) send() error {
	m, err := p.envelope()
	if err != nil {
		return fmt.Errorf("the message was not sent: %w", err)
	}
	defer m.letter.text.close()
	reply, err := p.submit(m)
	if err != nil {
		return fmt.Errorf("the message was not sent: %w", err)
	}
	if p.verbose {
		fmt.Fprintf(p.stderr, "%s: %s\n", p.name, screen.Lines(reply))
	}
	return nil
}

// mail is a message with its envelope.
type mail struct {
	sender string
	name   string // of the sender, for a From that is missing
	rcpts  []string
	letter *letter
}

// envelope reads the message and finds out who sends it to whom.
func (p *program) envelope() (m mail, err error) {
	m.name = cmp.Or(p.fullName, os.Getenv("NAME"), p.user.fullName)
	if m.sender, err = p.from(); err != nil {
		return m, err
	}
	for _, arg := range p.args {
		list, err := parseMailboxes(arg)
		if err != nil {
			return m, &failure{exDataErr, err}
		}
		m.rcpts = append(m.rcpts, list...)
	}
	if len(m.rcpts) == 0 && !p.fromHeader {
		return m, usage("found no recipient, expected an address or -t")
	}
	if m.letter, err = readLetter(p.in, p.dots, p.conf.MessageSize); err != nil {
		return m, readFailure(err)
	}
	if p.fromHeader {
		list, err := m.letter.recipients()
		if err != nil {
			return m, &failure{exDataErr, err}
		}
		m.rcpts = append(m.rcpts, list...)
	}
	if len(m.rcpts) == 0 {
		return m, usage("found no recipient in the message's header")
	}
	return m, nil
}

func readFailure(err error) error {
	switch {
	case errors.Is(err, errTooLarge):
		return &failure{exUnavailable, err}
	case errors.Is(err, errHeaderSize):
		return &failure{exDataErr, err}
	}
	return &failure{exTempFail, fmt.Errorf("reading the message: %w", err)}
}

// from returns the envelope's sender, which any user may choose: his uid stands in
// the message.
func (p *program) from() (string, error) {
	if p.sender == nil {
		return ownAddress(p.user.login), nil
	}
	list, err := parseMailboxes(*p.sender)
	switch {
	case err != nil:
		return "", &failure{exDataErr, fmt.Errorf("-f: %w", err)}
	case len(list) > 1:
		return "", fail(exDataErr, "-f: found %d addresses, expected one", len(list))
	case len(list) == 0: // "" or <>
		return "", nil
	}
	return list[0], nil
}

// ownAddress writes a login as an address: some directories have ann@corp.example,
// and what is none, such as CORP\ann, is a quoted local part.
func ownAddress(login string) string {
	if (mailbox{text: login}).check() == nil {
		return login
	}
	return addr.Address{Local: login}.String()
}
