package query

import (
	"slices"
	"strings"

	"posthorn/imapd/internal/wire"
)

// By is what a SORT compares.
type By uint8

// The sort keys of RFC 5256 section 3, RFC 5957 section 4 and RFC 6203 section 6.
const (
	ByArrival By = iota + 1
	ByCc
	ByDate
	ByFrom
	BySize
	BySubject
	ByTo
	ByDisplayFrom
	ByDisplayTo
	ByRelevancy
)

// Criterion is one of the criteria of a SORT.
type Criterion struct {
	By      By
	Reverse bool
}

// Sort is a parsed SORT.
type Sort struct {
	By []Criterion
	Search
}

// ParseSort takes the arguments of SORT (RFC 5256 section 5, RFC 5267 section 5).
func ParseSort(s *wire.Scanner) (q Sort, err error) {
	if s.Peek() != '(' {
		if s.Word() != "RETURN" {
			return q, bad("expected sort keys")
		}
		if q.Return, err = parseReturn(s); err != nil {
			return q, err
		}
		if q.Return.Context || q.Return.Update {
			return q, bad("only a SEARCH is kept up to date")
		}
		if err := s.Space(); err != nil {
			return q, err
		}
	}
	if q.By, err = parseCriteria(s); err != nil {
		return q, err
	}
	fuzzy, err := q.criteria(s)
	scored := q.Return.Relevancy || slices.ContainsFunc(q.By, func(c Criterion) bool { return c.By == ByRelevancy })
	if err == nil && scored && !fuzzy {
		err = errRelevancy
	}
	return q, err
}

// Thread is a parsed THREAD.
type Thread struct {
	Algorithm Algorithm
	Search
}

// ParseThread takes the arguments of THREAD (RFC 5256 section 5).
func ParseThread(s *wire.Scanner) (q Thread, err error) {
	if q.Algorithm, err = parseAlgorithm(s); err != nil {
		return q, err
	}
	_, err = q.criteria(s)
	return q, err
}

// criteria takes a charset, which has to be named, and keys; fuzzy says that a
// FUZZY is among them.
func (q *Search) criteria(s *wire.Scanner) (fuzzy bool, err error) {
	p := searchParser{s: s}
	name, err := p.text()
	if err != nil {
		return false, err
	}
	q.Charset = strings.ToUpper(name)
	if err := s.Space(); err != nil {
		return false, err
	}
	q.Key, err = p.all("")
	return p.fuzzy, err
}

// maxCriteria bounds the criteria of one SORT; there are no more keys.
const maxCriteria = 16

// parseCriteria takes the criteria of a SORT (RFC 5256 section 5).
func parseCriteria(s *wire.Scanner) ([]Criterion, error) {
	var all []Criterion
	err := s.List(maxCriteria, func() error {
		c := Criterion{}
		word := s.Word()
		if word == "REVERSE" {
			c.Reverse = true
			if err := s.Space(); err != nil {
				return err
			}
			word = s.Word()
		}
		if c.By = sortKey(word); c.By == 0 {
			return bad("unknown sort key")
		}
		all = append(all, c)
		return nil
	})
	if err == nil && all == nil {
		err = bad("no sort keys")
	}
	return all, err
}

// sortKey returns the key of a name, 0 if there is none.
func sortKey(word string) By {
	switch word {
	case "ARRIVAL":
		return ByArrival
	case "CC":
		return ByCc
	case "DATE":
		return ByDate
	case "FROM":
		return ByFrom
	case "SIZE":
		return BySize
	case "SUBJECT":
		return BySubject
	case "TO":
		return ByTo
	case "DISPLAYFROM":
		return ByDisplayFrom
	case "DISPLAYTO":
		return ByDisplayTo
	case "RELEVANCY":
		return ByRelevancy
	}
	return 0
}

// Algorithm is a way to thread messages.
type Algorithm uint8

// The algorithms of RFC 5256 section 3, and that of draft-ietf-morg-inthread.
const (
	OrderedSubject Algorithm = iota + 1
	References
	Refs
)

// parseAlgorithm takes the name of an algorithm.
func parseAlgorithm(s *wire.Scanner) (Algorithm, error) {
	name, err := s.Atom()
	if err != nil {
		return 0, err
	}
	switch strings.ToUpper(name) {
	case "ORDEREDSUBJECT":
		return OrderedSubject, nil
	case "REFERENCES":
		return References, nil
	case "REFS":
		return Refs, nil
	}
	return 0, bad("unknown way to thread")
}
