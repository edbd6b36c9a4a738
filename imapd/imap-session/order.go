package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"posthorn/imapd/internal/gist"
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
			m.Score = f.relevancy(seq)
			o.Add(m)
		}
	}
	return nil
}

// ordered returns what is needed of a message.
func (s *Session) ordered(seq int, needs order.Needs) (order.Message, error) {
	m := order.Message{Seq: seq}
	if needs.Fields != nil {
		var err error
		if m.Header, err = s.header(seq, needs.Fields); err != nil {
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

// header returns fields of the header of a message: what the index has of them, or
// else all that the message has.
func (s *Session) header(seq int, names []string) (order.Header, error) {
	h, ok, err := s.fields(seq)
	if err != nil {
		return nil, err
	}
	fields := h.Select(make([]byte, 0, 256), names)
	var src io.ReaderAt = bytes.NewReader(fields)
	size := int64(len(fields))
	if !ok || !utf8.Valid(fields) { // the index has fields as they are sent, with another octet for NUL
		body, err := s.view.Open(seq)
		if err != nil {
			return nil, err
		}
		defer body.Close()
		src, size = body, body.Size()
	}
	p, err := mimepart.ParseHeader(src, size)
	if err != nil {
		return nil, fmt.Errorf("reading header: %w", err)
	}
	return p, nil
}

// fields returns the header fields that the index has of a message, or has it have
// them; ok is false when it cannot.
func (s *Session) fields(seq int) (h gist.Header, ok bool, err error) {
	text, ok := s.view.Kept(seq, mailbox.Head)
	if !ok {
		texts, err := s.read(seq)
		if err != nil {
			return h, false, err
		}
		text = texts[mailbox.Head]
	}
	h, ok = gist.ReadHeader(text)
	return h, ok, nil
}
