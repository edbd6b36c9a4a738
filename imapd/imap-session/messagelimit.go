package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/conf"
)

// limitName is the name of the capability (RFC 9738 section 3).
func limitName(l conf.MessageLimit) string {
	if l.Save {
		return "SAVELIMIT"
	}
	return "MESSAGELIMIT"
}

// messageLimit returns the limit of this session. Who is not told of it has none.
func (s *Session) messageLimit() conf.MessageLimit {
	if l := s.limits.perCommand; s.offers(limitName(l)) {
		return l
	}
	return conf.MessageLimit{}
}

// excess says that a command was for more messages than it may be for. The zero value
// says that it was not.
type excess struct {
	limit  int
	lowest uint32 // the UID of the last message that is within the limit; 0: not known
}

// code is the response code (RFC 9738 section 5).
func (e excess) code() string {
	if e.lowest == 0 {
		return fmt.Sprintf("[MESSAGELIMIT %d]", e.limit)
	}
	return fmt.Sprintf("[MESSAGELIMIT %d %d]", e.limit, e.lowest)
}

// refusal is the answer to a command that is not done in part.
func (e excess) refusal() error {
	if e.limit == 0 {
		return nil
	}
	return no(e.code() + " too many messages for one command")
}

// within leaves the messages with the highest UIDs, as many as one command may be for.
func (s *Session) within(seqs sequence) (sequence, excess) {
	if s.messageLimit().Save {
		return seqs, excess{}
	}
	return s.cut(seqs)
}

func (s *Session) cut(seqs sequence) (sequence, excess) {
	most, n := s.messageLimit().Most, seqs.len()
	if most == 0 || n <= most {
		return seqs, excess{}
	}
	seqs = seqs.cut(n-most, n)
	return seqs, excess{most, s.view.At(int(seqs[0].Lo)).UID}
}

// withinUIDs is within for the messages that UID EXPUNGE removes. EXPUNGE and CLOSE have
// no limit (RFC 9738 section 3.1).
func (s *Session) withinUIDs(uids []uint32) ([]uint32, excess) {
	l := s.messageLimit()
	if l.Most == 0 || l.Save || len(uids) <= l.Most {
		return uids, excess{}
	}
	uids = uids[len(uids)-l.Most:]
	return uids, excess{l.Most, uids[0]}
}

// copyable refuses a COPY of too many messages: it is done for all or none.
func (s *Session) copyable(seqs sequence) error {
	_, over := s.cut(seqs)
	return over.refusal()
}

// fetchable refuses a PARTIAL of too many messages, however many there are (RFC 9738
// section 3.1).
func (s *Session) fetchable(p query.Partial) error {
	l := s.messageLimit()
	if l.Most == 0 || l.Save || p.Lo == 0 || uint64(p.Hi-p.Lo) < uint64(l.Most) {
		return nil
	}
	return excess{limit: l.Most}.refusal()
}

// partly is the text of an OK. Another code that it has stays where it is, and this
// one goes in front (RFC 9738 section 3.1).
func (s *Session) partly(done string, over excess) string {
	if over.limit == 0 {
		return done
	}
	if strings.HasPrefix(done, "[") {
		s.w.Raw("* NO ", over.code(), " too many messages for one command\r\n")
		return done
	}
	return over.code() + " " + done + " for the last " + strconv.Itoa(over.limit) + " messages"
}

// limit leaves the messages that this search may look at. Those that its sets leave
// out are not looked at anyway.
func (f *finder) limit() excess {
	_, over := f.within(f.narrow(sequence{{Lo: 1, Hi: uint32(f.view.Len())}}, f.Key))
	if over.limit > 0 {
		from := query.Key{Op: query.UIDs, Set: wire.Set{{Lo: over.lowest, Hi: math.MaxUint32}}}
		f.Key = query.Key{Op: query.And, Sub: []query.Key{from, f.Key}}
	}
	return over
}

// whole refuses a search of too many messages whose results cannot be had in part (RFC
// 9738 section 3.3).
func (f *finder) whole() error { return excess{limit: f.limit().limit}.refusal() }

// narrow leaves the messages that a prepared key does not leave out by their numbers.
func (s *Session) narrow(seqs sequence, k query.Key) sequence {
	switch k.Op {
	case query.Seq:
		return seqs.and(sequence(k.Set))
	case query.UIDs:
		return seqs.and(s.byUID(k.Set))
	case query.And:
		for _, sub := range k.Sub {
			seqs = s.narrow(seqs, sub)
		}
	}
	return seqs
}

// and returns the messages that are in both.
func (q sequence) and(other sequence) (out sequence) {
	for len(q) > 0 && len(other) > 0 {
		lo, hi := max(q[0].Lo, other[0].Lo), min(q[0].Hi, other[0].Hi)
		if lo <= hi {
			out = append(out, wire.Range{Lo: lo, Hi: hi})
		}
		if q[0].Hi == hi {
			q = q[1:]
		} else {
			other = other[1:]
		}
	}
	return out
}
