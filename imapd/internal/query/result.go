package query

import (
	"posthorn/imapd/internal/wire"
)

// Return is what a SEARCH is asked to answer (RFC 4731 section 3.1).
type Return struct {
	Extended bool // there was a RETURN: the answer is an ESEARCH
	Min      bool
	Max      bool
	All      bool // also of an empty list
	Count    bool
	Save     bool    // RFC 5182 section 2.1
	Partial  Partial // RFC 9394 section 3.1

	Relevancy bool // RFC 6203 section 4

	Context bool   // a hint: more will be asked of the results (RFC 5267 section 4.2)
	Update  bool   // changes of the results are to be told (RFC 5267 section 4.3)
	Fetch   *Fetch // data of messages that become results as they come (RFC 5465 section 7), or nil
}

// Partial is a part of a list of results: those from Lo to Hi, counted from 1, or
// from the end. The zero value is none.
type Partial struct {
	Lo, Hi uint32
	Last   bool
}

// String returns the range as an answer repeats it.
func (p Partial) String() string {
	if p.Last {
		return "-" + decimal(p.Lo) + ":-" + decimal(p.Hi)
	}
	return decimal(p.Lo) + ":" + decimal(p.Hi)
}

// Cut returns which of n results are meant, as a half-open range of indices.
func (p Partial) Cut(n int) (from, to int) {
	if p.Lo == 0 {
		return 0, 0
	}
	from, to = int(min(p.Lo-1, uint32(n))), int(min(p.Hi, uint32(n)))
	if p.Last {
		return n - to, n - from
	}
	return from, to
}

// parsePartial takes a range such as "1:500" or "-1:-100".
func parsePartial(s *wire.Scanner) (Partial, error) {
	lo, last, err := partialEnd(s)
	if err != nil {
		return Partial{}, err
	}
	if err := s.Expect(':'); err != nil {
		return Partial{}, err
	}
	hi, back, err := partialEnd(s)
	if err == nil && last != back {
		err = bad("invalid range of results")
	}
	return Partial{Lo: min(lo, hi), Hi: max(lo, hi), Last: last}, err
}

func partialEnd(s *wire.Scanner) (n uint32, last bool, err error) {
	last = s.Accept('-')
	n, err = s.Number()
	if err == nil && n == 0 {
		err = bad("invalid range of results")
	}
	return n, last, err
}

// maxReturns bounds the options of one RETURN.
const maxReturns = 32

// parseReturn takes the list of options behind RETURN.
func parseReturn(s *wire.Scanner) (Return, error) {
	r := Return{Extended: true}
	if err := s.Space(); err != nil {
		return r, err
	}
	if err := s.List(maxReturns, func() error { return r.option(s) }); err != nil {
		return r, err
	}
	if !r.Min && !r.Max && !r.Count && !r.Save && r.Partial == (Partial{}) {
		r.All = true // RFC 4731 section 3.1
	}
	return r, nil
}

// update takes what is behind UPDATE.
func (r *Return) update(s *wire.Scanner) error {
	if r.Update {
		return bad("one UPDATE at a time")
	}
	r.Update = true
	look := *s
	if !look.AcceptText(" (") {
		return nil
	}
	if err := s.Space(); err != nil {
		return err
	}
	f, err := ParseFetch(s)
	r.Fetch = &f
	return err
}

func (r *Return) option(s *wire.Scanner) error {
	switch s.Word() {
	case "MIN":
		r.Min = true
	case "MAX":
		r.Max = true
	case "ALL":
		r.All = true
	case "COUNT":
		r.Count = true
	case "SAVE":
		r.Save = true
	case "RELEVANCY":
		r.Relevancy = true
	case "CONTEXT":
		r.Context = true
	case "UPDATE":
		return r.update(s)
	case "PARTIAL":
		if r.Partial != (Partial{}) {
			return bad("one PARTIAL at a time")
		}
		if err := s.Space(); err != nil {
			return err
		}
		var err error
		if r.Partial, err = parsePartial(s); err != nil {
			return err
		}
	default:
		return bad("unknown option of RETURN")
	}
	if r.All && r.Partial != (Partial{}) { // RFC 9394 section 3.1
		return bad("ALL and PARTIAL exclude each other")
	}
	return nil
}
