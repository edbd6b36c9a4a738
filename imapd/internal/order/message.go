package order

import (
	"time"
	"unicode/utf8"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/date"
	"posthorn/imapd/internal/decode"
	"posthorn/imapd/internal/mimepart"
)

// Header is what is asked of a message's header; *mimepart.Part is one.
type Header interface {
	// Field returns the value of a field, whose name is in lower case: Date,
	// Subject, Message-ID, In-Reply-To, References.
	Field(name string) (string, bool)
	// Addresses returns those of From, To or Cc.
	Addresses(name string) []mimepart.Address
}

// Message is a message that is sorted or threaded. What Needs does not name may
// be missing.
type Message struct {
	Seq     int       // its sequence number, by which messages are named, above 0
	Arrival time.Time // internal date
	Size    int64
	Score   int // relevancy, 1 to 100 (RFC 6203)
	Header  Header
}

// Needs is what of a Message is looked at.
type Needs struct {
	Arrival, Size bool
	Fields        []string // of the header, in lower case; none: no Header
}

// sent returns the sent date in seconds (RFC 5256 section 2.2).
func (m Message) sent() int64 {
	v, _ := m.Header.Field("date")
	if d, ok := date.Parse(v); ok {
		return d.Sent().Unix()
	}
	return m.Arrival.Unix()
}

// subject returns the base subject, ready to be compared, and whether it was that
// of a reply or a forwarded message.
func (m Message) subject() (string, bool) {
	v, _ := m.Header.Field("subject")
	base, reply := Base(v)
	return collated(base), reply
}

// collated returns s as it is compared. What is no UTF-8 comes last, octet by
// octet (RFC 5255 section 4.6).
func collated(s string) string {
	if !utf8.ValidString(s) {
		return "\xff" + s
	}
	return charset.Fold(s)
}

// address returns addr-mailbox of the first address of a field.
func (m Message) address(field string) string {
	if list := m.Header.Addresses(field); len(list) > 0 {
		return collated(list[0].Mailbox)
	}
	return ""
}

// display returns the sort value of the first address of a field (RFC 5957
// section 3).
func (m Message) display(field string) string {
	list := m.Header.Addresses(field)
	if len(list) == 0 {
		return ""
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
