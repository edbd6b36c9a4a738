package order

import (
	"time"
	"unicode/utf8"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/decode"
	"posthorn/imapd/internal/mimepart"
)

// Message is a message that is sorted or threaded. What Needs does not name may
// be missing.
type Message struct {
	Seq     int       // its sequence number, by which messages are named, above 0
	Arrival time.Time // internal date
	Size    int64
	Score   int // relevancy, 1 to 100 (RFC 6203)
	Facts   Facts
}

// Needs is what of a Message is looked at.
type Needs struct{ Arrival, Size, Facts bool }

// sent returns the sent date in seconds (RFC 5256 section 2.2).
func (m *Message) sent() int64 {
	if m.Facts.dated {
		return m.Facts.sent
	}
	return m.Arrival.Unix()
}

// maxText bounds what is compared of a text, so that the memory for it is bounded too.
const maxText = 1000

// collated returns s as it is compared. What is no UTF-8 comes last, octet by
// octet (RFC 5255 section 4.6).
func collated(s string) (text []byte) {
	if utf8.ValidString(s) {
		text = charset.AppendFold(make([]byte, 0, len(s)+len(s)/8), s)
	} else {
		text = []byte("\xff" + s)
	}
	return text[:min(len(text), maxText)]
}

// address returns addr-mailbox of the first address of a field.
func address(list []mimepart.Address) []byte {
	if len(list) == 0 {
		return nil
	}
	return collated(list[0].Mailbox)
}

// display returns the sort value of the first address of a field (RFC 5957
// section 3).
func display(list []mimepart.Address) []byte {
	if len(list) == 0 {
		return nil
	}
	a := list[0]
	text := decode.Words(a.Name)
	if text == "" {
		text = a.Mailbox
		if a.Host != "" {
			text += "@" + a.Host
		}
	}
	return collated(text)
}
