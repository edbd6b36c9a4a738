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
// message is read. ok is false when the client would get it in another form.
func (f *fetcher) keptOf(seq int) (k *kept, ok bool, err error) {
	k = new(kept)
	if f.asks(query.Header) {
		if f.whole, ok, err = f.view.Header(seq, f.whole); !ok || err != nil {
			return nil, false, err
		}
		k.whole = f.whole
	}
	if f.Items&query.BodyStructure != 0 {
		if err := f.lookUp(seq, mailbox.Structure, k.readStructure); err != nil {
			return nil, false, err
		}
	}
	if f.Items&query.Envelope != 0 {
		if err := f.lookUp(seq, mailbox.Envelope, k.readEnvelope); err != nil {
			return nil, false, err
		}
	}
	if f.asks(query.Fields) {
		if err := f.lookUp(seq, mailbox.Head, k.readHeader); err != nil {
			return nil, false, err
		}
	}
	return k, !f.utf8 || k.plain(f.Items), nil
}

// lookUp has read take a column's text of a message in, from the index if that has
// it; else the message is read.
func (f *fetcher) lookUp(seq int, c mailbox.Column, read func([]byte) bool) (err error) {
	ok := false
	if f.texts[c], ok = f.view.Kept(seq, c, f.texts[c]); ok && read(f.texts[c]) {
		return nil
	}
	if f.made.seq != seq || f.made.texts[c] == nil {
		f.made.seq = seq
		if f.made.texts, err = gist.Of(f.view, seq, c, f.pool); err != nil {
			return err
		}
	}
	read(f.made.texts[c]) // it was just made
	return nil
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
