package main

import (
	"errors"

	"posthorn/imapd/internal/order"
	"posthorn/internal/mailbox"
)

// orderer is what messages are sorted or threaded with.
type orderer interface {
	Needs() order.Needs
	Expect(n int)
	Add(*order.Message)
}

// order finds messages and gives them to o.
func (f *finder) order(o orderer) error {
	list, err := f.all()
	if err != nil {
		return err
	}
	needs := o.Needs()
	o.Expect(len(list))
	var m order.Message
	for _, seq := range list {
		err := f.ordered(&m, seq, needs)
		switch {
		case errors.Is(err, mailbox.ErrExpunged):
			f.gone = true
		case err != nil:
			return err
		default:
			m.Score = f.relevancy(seq)
			o.Add(&m)
		}
	}
	return nil
}

// ordered gives m what is needed of a message, valid until the next call.
func (f *finder) ordered(m *order.Message, seq int, needs order.Needs) error {
	m.Seq = seq
	if needs.Facts {
		facts, err := f.Facts(seq)
		if err != nil {
			return err
		}
		m.Facts.Read(facts)
	}
	if needs.Arrival || needs.Size {
		measured, err := f.view.Measure(seq)
		if err != nil {
			return err
		}
		m.Arrival, m.Size = measured.Date, measured.Size
	}
	return nil
}
