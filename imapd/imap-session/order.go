package main

import (
	"errors"

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

// ordered returns what is needed of a message, valid until the next call.
func (f *finder) ordered(seq int, needs order.Needs) (order.Message, error) {
	m := order.Message{Seq: seq}
	if needs.Facts {
		sum, err := f.sumOf(seq)
		if err != nil {
			return m, err
		}
		m.Facts, _ = order.ReadFacts(sum.Facts)
	}
	if needs.Arrival || needs.Size {
		measured, err := f.view.Measure(seq)
		if err != nil {
			return m, err
		}
		m.Arrival, m.Size = measured.Date, measured.Size
	}
	return m, nil
}
