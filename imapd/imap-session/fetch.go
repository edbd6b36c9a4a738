package main

import (
	"errors"
	"fmt"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/preview"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// fetch answers FETCH and UID FETCH (RFC 3501 section 6.4.5).
func (s *Session) fetch(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	asked := *c.Args
	seqs, err := s.messages(c)
	if err != nil {
		return "", err
	}
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	f := fetcher{Session: s, marked: map[int]bool{}}
	if f.Fetch, err = query.ParseFetch(c.Args); err != nil {
		return "", err
	}
	mod, err := query.ParseModifiers(c.Args)
	if err != nil {
		return "", err
	}
	if isUID(c) && !s.uidOnly {
		f.Items |= query.UID // RFC 3501 section 6.4.8
	}
	if seqs, err = f.modifiers(isUID(c), mod, seqs, asked); err != nil {
		return "", err
	}
	if seqs, err = s.partialFetch(c, seqs, mod.Partial); err != nil {
		return "", err
	}
	seqs, over := s.within(seqs)
	f.down = over.limit > 0
	f.known = f.keptAlone()
	err = f.run(seqs)
	if gone := errors.Is(err, mailbox.ErrExpunged); gone || err == nil {
		return s.partly(completed(c, gone), over), nil
	}
	return "", err
}

// fetcher is one FETCH at work.
type fetcher struct {
	*Session
	query.Fetch
	marked map[int]bool // messages that this FETCH made \Seen
	known  bool         // the index can have all that is asked of a message's content
	down   bool         // the messages come from the last to the first
	buf    []byte       // for header fields

	texts mailbox.Texts // what the index has of a message, in memory that is used again
	whole []byte        // a header
}

// run answers for each message. Messages that are gone are left out (RFC 2180
// section 4.1) and ErrExpunged says so. The client learns of the removal next, so
// this is no failure: one that takes a NO for the end of its work would not get
// that far.
func (f *fetcher) run(seqs sequence) error {
	if err := f.mark(seqs); err != nil {
		return err
	}
	var failed error
	each := seqs.all()
	if f.down {
		each = seqs.down()
	}
	for seq := range each {
		if err := f.w.Err(); err != nil {
			return broken{err}
		}
		if err := f.message(seq); err != nil {
			if failed == nil || !errors.Is(err, mailbox.ErrExpunged) {
				failed = err
			}
		}
	}
	return failed
}

// mark sets \Seen where the bodies that are asked for imply it.
func (f *fetcher) mark(seqs sequence) error {
	if !f.Marks() || f.view.ReadOnly() || !f.at.Rights.Has(acl.Seen) {
		return nil
	}
	var unseen []int
	for seq := range seqs.all() {
		if f.view.At(seq).Flags.System&mailbox.Seen == 0 {
			unseen = append(unseen, seq)
		}
	}
	if unseen == nil {
		return nil
	}
	changed, err := f.view.Store(unseen, mailbox.Add, mailbox.Flags{System: mailbox.Seen})
	for _, seq := range changed {
		f.marked[seq] = true
	}
	return err
}

// message writes the FETCH response of one message. Until it is known that
// everything can be read nothing is written.
func (f *fetcher) message(seq int) error {
	m := f.view.At(seq)
	if m.Gone && (f.marked[seq] || f.Items&(query.Flags|query.ModSeq|query.SaveDate|query.EmailID|query.ThreadID) != 0) {
		return mailbox.ErrExpunged // no flags would mean that all were taken away
	}
	if f.Items&query.Size != 0 && m.Size < 0 || f.Items&query.InternalDate != 0 && m.Date.IsZero() {
		var err error
		if m, err = f.view.Measure(seq); err != nil {
			return err
		}
	}
	if f.known {
		k, ok, err := f.keptOf(seq)
		if ok {
			f.writeMessage(seq, m, k)
		}
		if ok || err != nil {
			return err
		}
	}
	var p parts
	if f.needsBody() {
		var err error
		if p, err = f.open(seq); err != nil {
			return err
		}
		defer p.close()
	}
	var err error
	if p.answers, err = p.sections(f.Sections); err != nil {
		return err
	}
	if f.previews(p.size) {
		if p.preview, err = preview.Of(p.src, p.root); err != nil {
			return err
		}
	}
	f.writeMessage(seq, m, &p)
	return nil
}

func (f *fetcher) needsBody() bool {
	return len(f.Sections) > 0 || f.Items&(query.Envelope|query.Body|query.BodyStructure|query.Preview) != 0
}

// open opens a message and takes apart as much of it as the items need.
func (f *fetcher) open(seq int) (parts, error) {
	body, err := f.view.Open(seq)
	if err != nil {
		return parts{}, err
	}
	p := parts{src: body, size: body.Size(), close: func() { body.Close() }}
	switch {
	case f.Items&(query.Body|query.BodyStructure) != 0 || needParts(f.Sections) || f.previews(p.size):
		p.root, err = mimepart.Parse(body, p.size)
	case f.Items&query.Envelope != 0:
		p.root, err = mimepart.ParseHeader(body, p.size)
	case needHeader(f.Sections):
		p.root, err = mimepart.Header(body, p.size)
	}
	if err != nil {
		p.close()
		return parts{}, fmt.Errorf("taking message apart: %w", err)
	}
	return p, nil
}

func needParts(sections []query.Section) bool {
	for _, s := range sections {
		if len(s.Path) > 0 {
			return true
		}
	}
	return false
}

func needHeader(sections []query.Section) bool {
	for _, s := range sections {
		if s.Kind != query.Whole {
			return true
		}
	}
	return false
}

// contents writes what FETCH asks for of a message's content: an open message, or
// what the index has of one.
type contents interface {
	writeEnvelope(f *fetcher)
	writeStructure(f *fetcher, extended bool)
	writePreview(f *fetcher)
	writeSection(f *fetcher, i int)
}

func (f *fetcher) writeMessage(seq int, m mailbox.Message, c contents) {
	w := f.w
	if f.Items&query.Flags != 0 || f.marked[seq] {
		f.introduce(m)
	}
	f.writeFetch(seq, m.UID)
	sep := separator{w: w}
	if f.Items&query.UID != 0 || f.resync && f.marked[seq] && !f.uidOnly { // RFC 7162 section 3.2.4
		sep.item("UID ")
		w.Num(uint64(m.UID))
	}
	if f.Items&query.Flags != 0 || f.marked[seq] {
		sep.item("FLAGS ")
		f.writeFlags(m)
	}
	if f.Items&query.InternalDate != 0 {
		sep.item("INTERNALDATE ")
		w.Time(m.Date)
	}
	if f.Items&query.Size != 0 {
		sep.item("RFC822.SIZE ")
		w.Num(uint64(m.Size))
	}
	if f.Items&query.ModSeq != 0 || f.modSeqs && f.marked[seq] { // RFC 7162 section 3.2
		sep.item("")
		f.writeModSeq(m)
	}
	f.writeIdentity(seq, &sep)
	if f.Items&query.Envelope != 0 {
		sep.item("ENVELOPE ")
		c.writeEnvelope(f)
	}
	if f.Items&query.Body != 0 {
		sep.item("BODY ")
		c.writeStructure(f, false)
	}
	if f.Items&query.BodyStructure != 0 {
		sep.item("BODYSTRUCTURE ")
		c.writeStructure(f, true)
	}
	if f.Items&query.Preview != 0 {
		sep.item("PREVIEW ")
		c.writePreview(f)
	}
	for i := range f.Sections {
		sep.item(f.Sections[i].Label)
		w.Raw(" ")
		c.writeSection(f, i)
	}
	w.Raw(")\r\n")
}

// separator writes a space between items.
type separator struct {
	w    *wire.Writer
	more bool
}

func (s *separator) item(name string) {
	if s.more {
		s.w.Raw(" ")
	}
	s.more = true
	s.w.Raw(name)
}
