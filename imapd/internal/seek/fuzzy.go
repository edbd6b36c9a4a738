package seek

import (
	"posthorn/imapd/internal/find"
	"posthorn/imapd/internal/gist"
	"posthorn/imapd/internal/query"
)

// fuzzily is meets for a key behind FUZZY (RFC 6203 section 3). Other keys than
// those that look for text match as ever (section 5).
func (c *candidate) fuzzily(k query.Key) (bool, error) {
	was := c.fuzzy
	c.fuzzy = true
	defer func() { c.fuzzy = was }()
	return c.meets(&k)
}

// like looks for the words of a text and notes how well they were found.
func (c *candidate) like(k query.Key) (bool, error) {
	look := c.open
	where := find.Anywhere
	switch k.Op {
	case query.BodyText:
		where = find.InBody
	case query.AddressText:
		where, look = find.InAddresses, c.header
	case query.FieldText:
		where = find.InField
		if gist.Usual([]string{k.Field}) {
			look = c.header
		}
	}
	text, err := look()
	if err != nil {
		return false, err
	}
	l := find.NewLikeness(k.Text)
	if err := text.Like(l, where, k.Field); err != nil || l.Score() == 0 {
		return false, err
	}
	c.score += l.Score()
	c.scores++
	return true, nil
}
