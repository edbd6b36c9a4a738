package main

import (
	"fmt"

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
		if s.Kind != query.Fields || len(s.Path) > 0 || s.Partial || !gist.Usual(s.Fields) {
			return false
		}
	}
	return true
}

// kept is what the index has of one message.
type kept struct {
	summary gist.Summary
	header  gist.Header
}

// keptOf returns what the index has of a message; where it has nothing yet the
// message is read. ok is false when the client would get it in another form.
func (f *fetcher) keptOf(seq int) (k *kept, ok bool, err error) {
	k = new(kept)
	if !f.lookUp(seq, k) {
		texts, err := f.read(seq)
		if err != nil {
			return nil, false, err
		}
		k.summary, _ = gist.ReadSummary(texts[mailbox.Summary])
		k.header, _ = gist.ReadHeader(texts[mailbox.Head])
	}
	return k, !f.utf8 || k.summary.Plain, nil
}

// lookUp asks the index for what the FETCH needs and reports whether it is there.
func (f *fetcher) lookUp(seq int, k *kept) bool {
	if f.Items&(query.Envelope|query.BodyStructure) != 0 {
		var ok bool
		if f.summary, ok = f.view.Kept(seq, mailbox.Summary, f.summary); ok {
			k.summary, ok = gist.ReadSummary(f.summary)
		}
		if !ok {
			return false
		}
	}
	if len(f.Sections) > 0 {
		var ok bool
		if f.head, ok = f.view.Kept(seq, mailbox.Head, f.head); ok {
			k.header, ok = gist.ReadHeader(f.head)
		}
		return ok
	}
	return true
}

// read reads a message and has the index keep what it needs of it.
func (s *Session) read(seq int) (mailbox.Texts, error) {
	body, err := s.view.Open(seq)
	if err != nil {
		return mailbox.Texts{}, err
	}
	defer body.Close()
	texts, err := gist.Make(body, body.Size(), s.pool)
	if err != nil {
		return texts, fmt.Errorf("taking message apart: %w", err)
	}
	s.view.Keep(seq, texts)
	return texts, nil
}

func (k *kept) envelope(f *fetcher) { f.w.Bytes(k.summary.Envelope) }

func (k *kept) structure(f *fetcher, _ bool) { f.w.Bytes(k.summary.Structure) }

// writePreview is for open messages only.
func (k *kept) writePreview(*fetcher) {}

// writeSection writes one section, as section.write does.
func (k *kept) writeSection(f *fetcher, i int) {
	f.buf = k.header.Select(f.buf[:0], f.Sections[i].Fields)
	if k.header.Blank {
		f.buf = append(f.buf, "\r\n"...)
	}
	f.w.Literal(int64(len(f.buf)))
	f.w.Bytes(f.buf)
}
