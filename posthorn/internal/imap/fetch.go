package imap

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"posthorn/posthorn/internal/moving"
)

var errGone = errors.New("the message is gone there by now")

// Fetch implements moving.Source. Messages may come in another order.
func (s *Source) Fetch(items []moving.Item) iter.Seq2[moving.Letter, error] {
	return func(yield func(moving.Letter, error) bool) {
		step := len(items)
		if s.blind {
			step = 1
		}
		for len(items) > 0 {
			left, err := s.fetch(items[:step], yield)
			if err == nil && len(left) > 0 && step > 1 {
				for i := range left { // which of them it was
					if _, err = s.fetch(left[i:i+1], yield); err != nil {
						break
					}
				}
			}
			if errors.Is(err, errStop) {
				return
			}
			if err != nil {
				yield(moving.Letter{}, s.check(err))
				return
			}
			items = items[step:]
		}
	}
}

// errStop is that nobody wants to hear more.
var errStop = errors.New("stopped")

// fetch asks for messages by one command and yields them. left are those for which
// the server refused it as a whole; for one alone that is yielded.
func (s *Source) fetch(items []moving.Item, yield func(moving.Letter, error) bool) (left []moving.Item, err error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	c, tag, wanted := s.conn, s.conn.tag(), make(map[uint32]moving.Item, len(items))
	for _, item := range items {
		wanted[item.Number] = item
	}
	if err := c.send(tag + " UID FETCH " + set(items) + " (UID BODY.PEEK[])\r\n"); err != nil {
		return nil, err
	}
	for {
		r, err := c.response(true)
		if err != nil {
			return nil, err
		}
		if rest, ok := strings.CutPrefix(string(r), tag+" "); ok {
			return s.missing(items, wanted, status(rest), yield)
		}
		b := &body{s: s}
		if err := c.untagged(r, b.begin); err != nil {
			return nil, err
		}
		if b.text == nil {
			continue // something else
		}
		if b.got.uid == 0 && len(wanted) > 1 {
			s.blind = true // it says whose a message is when that was read: one at a time
			return nil, lost(errors.New("the server does not say in front which message it sends"))
		}
		if err := s.deliver(b, wanted, yield); err != nil {
			return nil, err
		}
	}
}

// set returns the UIDs of items.
func set(items []moving.Item) string {
	var b []byte
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(item.Number), 10)
	}
	return string(b)
}

// deliver yields the message of b, if it is wanted.
func (s *Source) deliver(b *body, wanted map[uint32]moving.Item, yield func(moving.Letter, error) bool) error {
	uid := b.got.uid
	if uid == 0 {
		for only := range wanted {
			uid = only
		}
	}
	item, ok := wanted[uid]
	if !ok {
		_, err := io.Copy(io.Discard, b)
		return err
	}
	delete(wanted, uid)
	b.uid = uid
	more := yield(moving.Letter{Item: item, Body: b}, nil)
	if !more || !b.ended {
		s.drop() // what was asked for is still to come
		return errStop
	}
	return nil
}

// missing yields why wanted messages did not come, or returns them.
func (s *Source) missing(items []moving.Item, wanted map[uint32]moving.Item, why error, yield func(moving.Letter, error) bool) (left []moving.Item, err error) {
	if errors.Is(why, moving.ErrLost) {
		return nil, why
	}
	for _, item := range items {
		if _, ok := wanted[item.Number]; !ok {
			continue
		}
		if why != nil && len(items) > 1 {
			left = append(left, item)
			continue
		}
		if why == nil {
			why = errGone
		}
		if !yield(moving.Letter{Item: item}, why) {
			return nil, errStop
		}
	}
	return left, nil
}

// ready makes sure that the folder that was listed last is selected.
func (s *Source) ready() error {
	if err := s.connect(); err != nil {
		return err
	}
	if s.open == s.raw && s.validity != 0 {
		return nil
	}
	e, err := s.examine()
	if err != nil {
		return err
	}
	if e.validity != s.validity {
		return errors.New("the folder got another UIDVALIDITY meanwhile")
	}
	return nil
}

// body is a message that is being read.
type body struct {
	s     *Source
	uid   uint32    // that it must have
	text  io.Reader // nil: there is none
	left  int64     // of its literal
	got   fetched
	ended bool // the response is read
}

// begin takes a response up to the message, if it has one.
func (b *body) begin(p *parser) error {
	if ok, err := beginFetch(p); !ok || err != nil {
		return err
	}
	more, err := p.items(&b.got)
	switch {
	case err != nil:
		return err
	case more:
		size, ok := literalSize(p.rest)
		if !ok {
			return errSyntax
		}
		b.left = size
		b.text = io.LimitReader(b.s.conn.r, b.left)
	case b.got.hasBody:
		b.text, b.ended = strings.NewReader(b.got.body), true
	}
	return nil
}

// Read implements io.Reader. io.EOF comes when the server has said whose message this
// was, and ended it where it said that it would.
func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 && !b.ended {
		if err := b.tail(); err != nil {
			return 0, b.s.check(err)
		}
	}
	n, err := b.text.Read(p)
	if b.left == 0 {
		return n, err
	}
	if b.left -= int64(n); err != nil {
		return n, b.s.check(lost(err))
	}
	return n, nil
}

// tail reads what stands behind the literal.
func (b *body) tail() error {
	r, err := b.s.conn.response(false)
	if err != nil {
		return err
	}
	p := &parser{r}
	if more, err := p.items(&b.got); more || err != nil || len(p.rest) > 0 {
		return lost(errSyntax)
	}
	b.ended = true
	if b.uid != 0 && b.got.uid != b.uid {
		return fmt.Errorf("%w: the server sent another one", moving.ErrUnread)
	}
	return nil
}
