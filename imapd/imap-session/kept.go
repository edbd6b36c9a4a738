package main

import (
	"bytes"
	"slices"

	"posthorn/imapd/internal/gist"
	"posthorn/imapd/internal/layout"
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
	summary gist.Summary
	header  gist.Header
	search  gist.Search
	whole   []byte // the header, from the file
}

// keptOf returns what the index has of a message; where it has nothing yet the
// message is read. ok is false when the client would get it in another form.
func (f *fetcher) keptOf(seq int) (k *kept, ok bool, err error) {
	k = new(kept)
	whole, described := f.asks(query.Header), f.Items&(query.Envelope|query.BodyStructure) != 0
	if !f.lookUp(seq, k) {
		if whole && !described {
			return nil, false, nil // to find the end of a header costs less
		}
		texts, err := gist.Of(f.view, seq, f.pool)
		if err != nil {
			return nil, false, err
		}
		k.summary, _ = gist.ReadSummary(texts[mailbox.Summary])
		k.header, _ = gist.ReadHeader(texts[mailbox.Head])
		k.search, _ = gist.ReadSearch(texts[mailbox.Search])
	}
	if whole {
		if k.whole, ok, err = f.wholeHeader(seq, k.search.Layout); !ok || err != nil {
			return nil, false, err
		}
	}
	return k, !f.utf8 || !described || k.summary.Plain, nil
}

// maxHeader bounds the headers that are read as a whole.
const maxHeader = 64 << 10

// wholeHeader reads the header of a message, of which the index has the layout; ok
// is false when it has to be looked for. It is valid until the next call.
func (f *fetcher) wholeHeader(seq int, kept []byte) (header []byte, ok bool, err error) {
	l, _ := layout.Read(kept, f.texts)
	f.texts = l.Texts
	text, ok := l.Header()
	if !ok || text.End > maxHeader {
		return nil, false, nil
	}
	file, err := f.view.File(seq)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	size, err := file.Size()
	place, ok := l.InFile(size)
	if !ok || err != nil {
		return nil, false, err
	}
	f.raw = slices.Grow(f.raw[:0], maxHeader)[:place.Range(text).End]
	if n, err := file.First(f.raw); n < len(f.raw) || err != nil {
		return nil, false, err
	}
	f.whole = place.Append(f.whole[:0], f.raw)
	return f.whole, true, nil
}

// lookUp asks the index for what the FETCH needs and reports whether it is there.
func (f *fetcher) lookUp(seq int, k *kept) (ok bool) {
	if f.Items&(query.Envelope|query.BodyStructure) != 0 {
		if f.summary, ok = f.view.Kept(seq, mailbox.Summary, f.summary); !ok {
			return false
		}
		if k.summary, ok = gist.ReadSummary(f.summary); !ok {
			return false
		}
	}
	if f.asks(query.Fields) {
		if f.head, ok = f.view.Kept(seq, mailbox.Head, f.head); !ok {
			return false
		}
		if k.header, ok = gist.ReadHeader(f.head); !ok {
			return false
		}
	}
	if f.asks(query.Header) {
		if f.sums, ok = f.view.Kept(seq, mailbox.Search, f.sums); !ok {
			return false
		}
		if k.search, ok = gist.ReadSearch(f.sums); !ok {
			return false
		}
	}
	return true
}

func (k *kept) envelope(f *fetcher) { f.w.Bytes(k.summary.Envelope) }

func (k *kept) structure(f *fetcher, _ bool) { f.w.Bytes(k.summary.Structure) }

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
