package main

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"net/textproto"
	"slices"
	"time"

	"posthorn/internal/mailbox"
	"posthorn/internal/screen"
)

// pick says which of what was removed is wanted.
type pick struct {
	all    bool
	since  time.Time
	folder string
	ids    []string
}

// any reports whether something is asked for.
func (p *pick) any() bool { return p.all || !p.since.IsZero() || p.folder != "" || len(p.ids) > 0 }

// removed is a message that was removed.
type removed struct {
	seq  int
	id   string // as IMAP's EMAILID
	when time.Time
}

// choose returns which messages of v are wanted.
func (p *pick) choose(k mailbox.Kept, v *mailbox.View) (all []removed, err error) {
	for seq := 1; seq <= v.Len(); seq++ {
		m := removed{seq: seq, when: k.When}
		m.id, err = v.EmailID(seq)
		if err == nil && !k.Folder {
			m.when, err = moment(k, v, seq)
		}
		switch {
		case errors.Is(err, mailbox.ErrExpunged):
		case err != nil:
			return nil, err
		case m.when.Before(p.since) || len(p.ids) > 0 && !slices.Contains(p.ids, m.id):
		default:
			all = append(all, m)
		}
	}
	return all, nil
}

// moment returns when a message was removed: what its file says, as far as that is
// within the day, for a copy of the Maildir has other times.
func moment(k mailbox.Kept, v *mailbox.View, seq int) (time.Time, error) {
	b, err := v.Open(seq)
	if err != nil {
		return time.Time{}, err
	}
	defer b.Close()
	t, err := b.Changed()
	if last := k.When.AddDate(0, 0, 1).Add(-time.Second); t.Before(k.When) || t.After(last) {
		t = last
	}
	return t, err
}

// maxHeadline bounds how much of a header is read.
const maxHeadline = 64 << 10

// headline returns what tells a message from others, fit for a screen.
func headline(v *mailbox.View, seq int) (from, subject string, size int64, err error) {
	b, err := v.Open(seq)
	if err != nil {
		return "", "", 0, err
	}
	defer b.Close()
	r := io.NewSectionReader(b, 0, min(b.Size(), maxHeadline))
	header, _ := textproto.NewReader(bufio.NewReader(r)).ReadMIMEHeader() // as far as it can be read
	return shown(header.Get("From")), shown(header.Get("Subject")), b.Size(), nil
}

// maxShown is how much of a field is printed.
const maxShown = 60

func shown(field string) string {
	var words mime.WordDecoder
	if text, err := words.DecodeHeader(field); err == nil {
		field = text
	}
	if runes := []rune(field); len(runes) > maxShown {
		field = string(runes[:maxShown-1]) + "…"
	}
	if field == "" {
		return "-"
	}
	return screen.Line(field)
}
