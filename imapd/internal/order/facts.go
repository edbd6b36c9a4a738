package order

import (
	"encoding/binary"

	"posthorn/imapd/internal/date"
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

// Facts are what messages are sorted and threaded by, ready to be compared. They
// share the memory that they were read from.
type Facts struct {
	sent  int64             // seconds, as the Date field has it
	dated bool              // there is one that makes sense
	reply bool              // by the subject
	texts [factTexts][]byte // of maxText at most
	ids   []byte            // of the message, 0 if it has none, and of its ancestors
}

// The texts of Facts.
const (
	baseSubject = iota
	fromMailbox
	toMailbox
	ccMailbox
	fromDisplay
	toDisplay
	factTexts
)

// FactsOf returns the facts of a message with that header.
func FactsOf(h Header) (f Facts) {
	v, _ := h.Field("date")
	if d, ok := date.Parse(v); ok {
		f.sent, f.dated = d.Sent().Unix(), true
	}
	v, _ = h.Field("subject")
	base, reply := Base(v)
	f.texts[baseSubject], f.reply = collated(base), reply
	from, to := h.Addresses("from"), h.Addresses("to")
	f.texts[fromMailbox], f.texts[fromDisplay] = address(from), display(from)
	f.texts[toMailbox], f.texts[toDisplay] = address(to), display(to)
	f.texts[ccMailbox] = address(h.Addresses("cc"))
	ancestors := references(h)
	f.ids = appendID(make([]byte, 0, (1+len(ancestors))*idSize), ownID(h))
	for _, id := range ancestors {
		f.ids = appendID(f.ids, id)
	}
	return f
}

// The flags of Facts as they are kept.
const (
	hasDate byte = 1 << iota
	isReply
)

// factsHead is the size of what the kept facts begin with: flags, the sent date and
// the sizes of the texts. All of it has its place, for SORT reads it of each message.
const factsHead = 1 + 8 + 2*factTexts

// Append appends the facts as Read reads them.
func (f Facts) Append(b []byte) []byte {
	flags := byte(0)
	if f.dated {
		flags |= hasDate
	}
	if f.reply {
		flags |= isReply
	}
	b = binary.LittleEndian.AppendUint64(append(b, flags), uint64(f.sent))
	for _, text := range f.texts {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	}
	for _, text := range f.texts {
		b = append(b, text...)
	}
	return append(b, f.ids...)
}

// Read reads what Append appended, which is all of b; ok is false for what it did
// not, and the facts are then those of an empty header.
func (f *Facts) Read(b []byte) (ok bool) {
	if ok = f.read(b); !ok {
		*f = Facts{ids: make([]byte, idSize)}
	}
	return ok
}

func (f *Facts) read(b []byte) (ok bool) {
	if len(b) < factsHead {
		return false
	}
	f.dated, f.reply = b[0]&hasDate != 0, b[0]&isReply != 0
	f.sent = int64(binary.LittleEndian.Uint64(b[1:]))
	sizes, rest := b[1+8:factsHead], b[factsHead:]
	for i := range f.texts {
		size := int(binary.LittleEndian.Uint16(sizes[2*i:]))
		if size > min(maxText, len(rest)) {
			return false
		}
		f.texts[i], rest = rest[:size], rest[size:]
	}
	f.ids = rest
	return len(rest) >= idSize && len(rest)%idSize == 0
}
