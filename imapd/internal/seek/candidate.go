package seek

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"posthorn/imapd/internal/find"
	"posthorn/imapd/internal/gist"
	"posthorn/imapd/internal/query"
	"posthorn/internal/mailbox"
)

// candidate is a message that a SEARCH looks at; what is asked of it is looked
// up once.
type candidate struct {
	*Seeker
	seq     int
	m       *mailbox.Message
	body    *mailbox.Body
	text    *find.Message
	kept    gist.Search
	summed  bool
	file    *mailbox.File // what the reader reads
	opened  bool
	laidOut bool // the reader has it

	fuzzy  bool // texts are looked for as FUZZY has it
	score  int  // of those that were found, together
	scores int  // their number
}

func (c *candidate) close() {
	if c.body != nil {
		c.body.Close()
	}
	if c.file != nil {
		c.file.Close()
	}
}

func (c *candidate) meets(k *query.Key) (bool, error) {
	switch k.Op {
	case query.All:
		return true, nil
	case query.Seq:
		return k.Set.Has(uint32(c.seq)), nil
	case query.UIDs:
		return k.Set.Has(c.m.UID), nil
	case query.Recent:
		return c.m.Recent, nil
	case query.Flag:
		return c.flagged(k), nil
	case query.ModSeqs:
		return c.m.ModSeq >= k.Num, nil
	case query.EmailIs:
		id, err := c.view.EmailID(c.seq)
		return id == k.Text, err
	case query.SavedBefore, query.SavedOn, query.SavedSince:
		return c.saved(k)
	case query.Before, query.On, query.Since, query.Older, query.Younger, query.Larger, query.Smaller:
		return c.measures(k)
	case query.SentBefore, query.SentOn, query.SentSince:
		return c.sent(k)
	case query.AddressText, query.FieldText, query.BodyText, query.AnyText:
		return c.contains(*k)
	case query.Fuzzy:
		return c.fuzzily(k.Sub[0])
	case query.Not:
		found, err := c.meets(&k.Sub[0])
		return !found, err
	}
	// And ends with the first key that fails, Or with the first that holds.
	for i := range k.Sub {
		found, err := c.meets(&k.Sub[i])
		if err != nil || found == (k.Op == query.Or) {
			return found, err
		}
	}
	return k.Op == query.And, nil
}

func (c *candidate) flagged(k *query.Key) bool {
	if k.Keyword == "" {
		return c.m.Flags.System&k.System != 0
	}
	return slices.ContainsFunc(c.m.Flags.Keywords, func(w string) bool { return strings.EqualFold(w, k.Keyword) })
}

// measures compares size and internal date.
func (c *candidate) measures(k *query.Key) (bool, error) {
	if c.m.Size < 0 || c.m.Date.IsZero() {
		m, err := c.view.Measure(c.seq)
		if err != nil {
			return false, err
		}
		*c.m = m
	}
	switch k.Op {
	case query.Larger:
		return c.m.Size > int64(k.Num), nil
	case query.Smaller:
		return c.m.Size < int64(k.Num), nil
	case query.Older: // RFC 5032 section 2
		return !c.m.Date.After(k.Date), nil
	case query.Younger:
		return !c.m.Date.Before(k.Date), nil
	case query.Before:
		return day(c.m.Date).Before(k.Date), nil
	case query.On:
		return day(c.m.Date).Equal(k.Date), nil
	}
	return !day(c.m.Date).Before(k.Date), nil
}

// sent compares the day of the Date field; a message without one is not found.
func (c *candidate) sent(k *query.Key) (bool, error) {
	if err := c.sum(); err != nil || !c.kept.Dated {
		return false, err
	}
	date := c.kept.Day
	switch k.Op {
	case query.SentBefore:
		return date.Before(k.Date), nil
	case query.SentOn:
		return date.Equal(k.Date), nil
	}
	return !date.Before(k.Date), nil
}

// saved compares the day on which a message came into its folder, or where that
// is not known the internal date (RFC 8514 section 4.3).
func (c *candidate) saved(k *query.Key) (bool, error) {
	t, err := c.view.Saved(c.seq)
	if err == nil && t.IsZero() {
		var m mailbox.Message
		m, err = c.view.Measure(c.seq)
		t = m.Date
	}
	if err != nil {
		return false, err
	}
	switch k.Op {
	case query.SavedBefore:
		return day(t).Before(k.Date), nil
	case query.SavedOn:
		return day(t).Equal(k.Date), nil
	}
	return !day(t).Before(k.Date), nil
}

// day returns the day t names in its own zone, as midnight UTC: dates compare
// without times and zones (RFC 3501 section 6.4.4).
func day(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// sum finds what the index has of the message, or has it have that.
func (c *candidate) sum() (err error) {
	if !c.summed {
		c.kept, err = c.sums(c.seq)
		c.summed = err == nil
	}
	return err
}

// header returns the part of the header that the index has.
func (c *candidate) header() (*find.Message, error) {
	h, ok, err := c.fields(c.seq)
	if err != nil {
		return nil, err
	}
	if !ok || h.Left {
		return c.open()
	}
	return find.New(bytes.NewReader(h.Fields), int64(len(h.Fields))), nil
}

// inHeader looks for a text in a header field.
func (c *candidate) inHeader(k query.Key) (bool, error) {
	if k.Text != "" && (k.Op == query.AddressText || strings.EqualFold(k.Field, "subject")) {
		err := c.sum()
		return err == nil && c.kept.Contains(k.Field, k.Text), err
	}
	find := c.open
	if gist.Usual([]string{k.Field}) {
		find = c.header
	}
	text, err := find()
	if err != nil {
		return false, err
	}
	return text.Field(k.Field, k.Text)
}

func (c *candidate) contains(k query.Key) (bool, error) {
	if c.fuzzy {
		return c.like(k)
	}
	if k.Op == query.AddressText || k.Op == query.FieldText {
		return c.inHeader(k)
	}
	if found, ok, err := c.scan(k); ok || err != nil {
		return found, err
	}
	text, err := c.open()
	if err != nil {
		return false, err
	}
	if k.Op == query.BodyText {
		return text.Body(k.Text)
	}
	return text.Any(k.Text)
}

// scan looks for a text in a message that need not be taken apart, for the index
// has its layout; ok is false for one that has to be.
func (c *candidate) scan(k query.Key) (found, ok bool, err error) {
	if !c.opened {
		if err := c.layOut(); err != nil {
			return false, false, err
		}
		c.opened = true
	}
	if !c.laidOut {
		return false, false, nil
	}
	return c.reader.Has(k.Text, k.Op == query.AnyText)
}

func (c *candidate) layOut() error {
	s, err := c.structure(c.seq)
	if err != nil || len(s.Layout) == 0 {
		return err
	}
	if c.reader == nil {
		c.reader = find.NewReader()
	}
	if c.file, err = c.view.File(c.seq); err != nil {
		return err
	}
	c.laidOut, err = c.reader.Open(c.file, s.Layout)
	return err
}

func (c *candidate) open() (*find.Message, error) {
	if c.text != nil {
		return c.text, nil
	}
	body, err := c.view.Open(c.seq)
	if err != nil {
		return nil, err
	}
	c.body, c.text = body, find.New(body, body.Size())
	return c.text, nil
}
