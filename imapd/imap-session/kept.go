package main

import (
	"bytes"
	"slices"

	"posthorn/imapd/internal/gist"
	"posthorn/imapd/internal/query"
	"posthorn/internal/mailbox"
)

// keptAlone reports whether the index can have all that a FETCH asks of the
// content of messages, so that none has to be opened.
func (f *fetcher) keptAlone() bool {
	if !f.needsBody() || f.Items&(query.Body|query.Preview) != 0 {
		return false
	}
	for _, s := range f.Sections {
		usual := s.Kind == query.Fields && gist.Usual(s.Fields)
		if !usual && s.Kind != query.Header || len(s.Path) > 0 || s.Partial {
			return false
		}
	}
	return true
}

// asks reports whether the FETCH has sections of that kind.
func (f *fetcher) asks(k query.Kind) bool {
	return slices.ContainsFunc(f.Sections, func(s query.Section) bool { return s.Kind == k })
}

// kept is what the index has of one message.
type kept struct {
	envelope  gist.Envelope
	structure gist.Structure
	header    gist.Header
	whole     []byte // the header, from the file
}

// keptOf returns what the index has of a message; where it has nothing yet the
// message is read. ok is false when the client would get it in another form, or the index
// cannot have it.
func (f *fetcher) keptOf(seq int) (k *kept, ok bool, err error) {
	k = new(kept)
	if f.asks(query.Header) {
		if f.whole, ok, err = f.view.Header(seq, f.whole); !ok || err != nil {
			return nil, false, err
		}
		k.whole = f.whole
	}
	if missing := f.lookUp(seq, k); missing != (gist.Ask{}) {
		texts, err := gist.Of(f.view, seq, missing, f.pool)
		if err != nil {
			return nil, false, err
		}
		k.take(texts)
	}
	return k, !k.header.Left && (!f.utf8 || k.plain(f.Items)), nil
}

// lookUp takes in what the index has of what the FETCH asks for, and returns the rest.
func (f *fetcher) lookUp(seq int, k *kept) (missing gist.Ask) {
	if f.Items&query.Envelope != 0 && !f.keptText(seq, mailbox.Envelope, k.readEnvelope) {
		missing.Header = true
	}
	if f.asks(query.Fields) && !f.keptText(seq, mailbox.Head, k.readHeader) {
		missing.Header = true
	}
	if f.Items&query.BodyStructure != 0 && !f.keptText(seq, mailbox.Structure, k.readStructure) {
		missing.Body = true
	}
	return missing
}

// keptText has read take in what a column has of a message.
func (f *fetcher) keptText(seq int, c mailbox.Column, read func([]byte) bool) (ok bool) {
	f.texts[c], ok = f.view.Kept(seq, c, f.texts[c])
	return ok && read(f.texts[c])
}

// take takes in texts that were just made.
func (k *kept) take(texts mailbox.Texts) {
	if texts[mailbox.Envelope] != nil {
		k.readEnvelope(texts[mailbox.Envelope])
		k.readHeader(texts[mailbox.Head])
	}
	if texts[mailbox.Structure] != nil {
		k.readStructure(texts[mailbox.Structure])
	}
}

func (k *kept) readEnvelope(b []byte) (ok bool) {
	k.envelope, ok = gist.ReadEnvelope(b)
	return ok
}

func (k *kept) readStructure(b []byte) (ok bool) {
	k.structure, ok = gist.ReadStructure(b)
	return ok
}

func (k *kept) readHeader(b []byte) (ok bool) {
	k.header, ok = gist.ReadHeader(b)
	return ok
}

// plain reports whether a client that reads UTF-8 gets the same as others.
func (k *kept) plain(items query.Item) bool {
	return (items&query.Envelope == 0 || k.envelope.Plain) && (items&query.BodyStructure == 0 || k.structure.Plain)
}

func (k *kept) writeEnvelope(f *fetcher) { f.w.Bytes(k.envelope.Text) }

func (k *kept) writeStructure(f *fetcher, _ bool) { f.w.Bytes(k.structure.Text) }

// writePreview is for open messages only.
func (k *kept) writePreview(*fetcher) {}

// writeSection writes one section, as section.write does.
func (k *kept) writeSection(f *fetcher, i int) {
	if f.Sections[i].Kind == query.Header {
		f.w.Literal(int64(len(k.whole)))
		f.w.Copy(bytes.NewReader(k.whole), 0, int64(len(k.whole)))
		return
	}
	f.buf = k.header.Select(f.buf[:0], f.Sections[i].Fields)
	if k.header.Blank {
		f.buf = append(f.buf, "\r\n"...)
	}
	f.w.Literal(int64(len(f.buf)))
	f.w.Bytes(f.buf)
}
