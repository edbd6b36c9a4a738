// Package scope parses the ways in which a client says which mailboxes it means
// without naming each (RFC 5465 section 6, RFC 7377 section 2.2). What is meant then
// is the session's to find out. Errors are those of package wire, for a BAD answer.
package scope

import (
	"strings"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// maxNames bounds the names of one filter.
const maxNames = 1000

// maxFilters bounds the filters of one ESEARCH.
const maxFilters = 64

// Kind is what a filter means.
type Kind uint8

// The filters. A name of a mailbox is behind the last three only.
const (
	Selected        Kind = iota + 1
	SelectedDelayed      // of NOTIFY
	Inboxes
	Personal
	Subscribed
	Subtree    // the mailboxes named and all below them
	SubtreeOne // only the next level below; of ESEARCH
	Mailboxes
)

// Filter is some mailboxes.
type Filter struct {
	Kind  Kind
	Names []string // in UTF-8, as the client has them; those that no mailbox can have are left out
}

// Parse takes one filter.
func Parse(s *wire.Scanner) (Filter, error) {
	switch word := s.Word(); word {
	case "SELECTED":
		return Filter{Kind: Selected}, nil
	case "SELECTED-DELAYED":
		return Filter{Kind: SelectedDelayed}, nil
	case "INBOXES":
		return Filter{Kind: Inboxes}, nil
	case "PERSONAL":
		return Filter{Kind: Personal}, nil
	case "SUBSCRIBED":
		return Filter{Kind: Subscribed}, nil
	case "SUBTREE":
		return named(Subtree, s)
	case "SUBTREE-ONE":
		return named(SubtreeOne, s)
	case "MAILBOXES":
		return named(Mailboxes, s)
	}
	return Filter{}, &wire.SyntaxError{Text: "unknown mailbox filter"}
}

// named takes one name or a list of them (RFC 5465 section 8, one-or-more-mailbox).
func named(kind Kind, s *wire.Scanner) (Filter, error) {
	f := Filter{Kind: kind}
	given := false
	one := func() error {
		name, ok, err := s.Mailbox()
		if ok && err == nil {
			f.Names = append(f.Names, mailbox.Canonical(name))
		}
		given = true
		return err
	}
	err := s.Space()
	switch {
	case err != nil:
	case s.Peek() == '(':
		err = s.List(maxNames, one)
	default:
		err = one()
	}
	if err == nil && !given {
		err = &wire.SyntaxError{Text: "no mailbox is named"}
	}
	return f, err
}

// ParseSources takes what stands in the parentheses behind IN in an ESEARCH, and
// these (RFC 7377 section 4, source-mbox). There are no scope options.
func ParseSources(s *wire.Scanner) ([]Filter, error) {
	var all []Filter
	err := s.List(maxFilters, func() error {
		f, err := Parse(s)
		if err == nil && f.Kind == SelectedDelayed {
			err = &wire.SyntaxError{Text: "selected-delayed is for NOTIFY"}
		}
		all = append(all, f)
		return err
	})
	if err == nil && all == nil {
		err = &wire.SyntaxError{Text: "no mailboxes to search"}
	}
	return all, err
}

// Means reports whether a mailbox is one of those that the names of the filter mean;
// sep is what stands between the levels of its name.
func (f Filter) Means(name, sep string) bool {
	for _, top := range f.Names {
		if name == top {
			return true
		}
		below, ok := strings.CutPrefix(name, strings.TrimSuffix(top, sep)+sep)
		if ok && (f.Kind == Subtree || f.Kind == SubtreeOne && !strings.Contains(below, sep)) {
			return true
		}
	}
	return false
}
