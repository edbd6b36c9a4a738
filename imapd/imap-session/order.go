package main

import (
	"errors"
	"fmt"

	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/order"
	"posthorn/internal/mailbox"
)

// orderer is what messages are sorted or threaded with.
type orderer interface {
	Needs() order.Needs
	Add(order.Message)
}

// order finds messages and gives them to o.
func (f *finder) order(o orderer) error {
	list, err := f.all()
	if err != nil {
		return err
	}
	needs := o.Needs()
	for _, seq := range list {
		m, err := f.ordered(seq, needs)
		switch {
		case errors.Is(err, mailbox.ErrExpunged):
			f.gone = true
		case err != nil:
			return err
		default:
			o.Add(m)
		}
	}
	return nil
}

// ordered returns what is needed of a message.
func (s *Session) ordered(seq int, needs order.Needs) (order.Message, error) {
	m := order.Message{Seq: seq}
	if needs.Header {
		var err error
		if m.Header, err = s.header(seq); err != nil {
			return m, err
		}
	}
	if needs.Arrival || needs.Size {
		measured, err := s.view.Measure(seq)
		if err != nil {
			return m, err
		}
		m.Arrival, m.Size = measured.Date, measured.Size
	}
	return m, nil
}

// header returns the header of a message.
func (s *Session) header(seq int) (order.Header, error) {
	body, err := s.view.Open(seq)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	p, err := mimepart.ParseHeader(body, body.Size())
	if err != nil {
		return nil, fmt.Errorf("reading header: %w", err)
	}
	return p, nil
}
