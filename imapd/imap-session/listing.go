package main

import (
	"slices"

	"posthorn/imapd/internal/wire"
)

// Bounds of one LIST: matching a name takes its length times that of all
// patterns.
const (
	maxPattern  = 1000 // bytes of all patterns, each with the reference
	maxPatterns = 64
	maxOptions  = 32
)

// listing is what a LIST asks for.
type listing struct {
	extended  bool     // in any of the ways of RFC 5258 section 1
	patterns  []string // the reference in front, in the encoding of the wire
	reference string

	// What selects names besides the patterns.
	onlySubscribed, onlySpecial, recursive bool

	// What is told of them.
	subscription bool
	items        []string // of STATUS (RFC 5819)
	rights       bool     // of MYRIGHTS (RFC 8440)
	metadata     wanted   // of METADATA (RFC 9590)
}

// parseListing takes the arguments of LIST (RFC 5258 section 6).
func parseListing(args *wire.Scanner) (listing, error) {
	var l listing
	if err := args.Space(); err != nil {
		return l, err
	}
	if args.Peek() == '(' {
		if err := l.selection(args); err != nil {
			return l, err
		}
		if err := args.Space(); err != nil {
			return l, err
		}
	}
	if err := l.names(args); err != nil {
		return l, err
	}
	if args.Accept(' ') {
		if err := l.returns(args); err != nil {
			return l, err
		}
	}
	return l, args.End()
}

// selection takes the list of selection options.
func (l *listing) selection(args *wire.Scanner) error {
	l.extended = true
	err := args.List(maxOptions, func() error {
		switch args.Word() {
		case "SUBSCRIBED":
			l.onlySubscribed, l.subscription = true, true // RFC 5258 section 3.1
		case "SPECIAL-USE":
			l.onlySpecial = true
		case "RECURSIVEMATCH":
			l.recursive = true
		case "REMOTE": // there are no mailboxes of other servers
		default:
			return &wire.SyntaxError{Text: "unknown selection option of LIST"}
		}
		return nil
	})
	if err == nil && l.recursive && !l.selects() {
		err = &wire.SyntaxError{Text: "RECURSIVEMATCH needs another selection option"} // RFC 5258 section 3.1
	}
	return err
}

// selects reports whether names are selected by more than the patterns.
func (l *listing) selects() bool { return l.onlySubscribed || l.onlySpecial }

// names takes the reference and the patterns. A pattern is the reference with the
// mailbox name behind it (RFC 3501 section 6.3.8).
func (l *listing) names(args *wire.Scanner) error {
	ref, err := args.AString()
	if err != nil {
		return err
	}
	l.reference = ref
	if err := args.Space(); err != nil {
		return err
	}
	size := 0
	one := func() error {
		pattern, err := args.Pattern()
		if err != nil {
			return err
		}
		if size += len(ref) + len(pattern); size > maxPattern {
			return &wire.SyntaxError{Text: "mailbox pattern too long"}
		}
		if pattern != "" {
			l.patterns = append(l.patterns, ref+pattern)
		}
		return nil
	}
	if args.Peek() != '(' {
		return one()
	}
	l.extended = true
	return args.List(maxPatterns, one)
}

// returns takes RETURN with its list of options.
func (l *listing) returns(args *wire.Scanner) error {
	if args.Word() != "RETURN" {
		return &wire.SyntaxError{Text: "unexpected argument"}
	}
	if err := args.Space(); err != nil {
		return err
	}
	l.extended = true
	return args.List(maxOptions, func() error {
		switch args.Word() {
		case "SUBSCRIBED":
			l.subscription = true
		case "CHILDREN", "SPECIAL-USE": // always told
		case "STATUS":
			if err := args.Space(); err != nil {
				return err
			}
			items, err := statusItems(args)
			l.items = items
			return err
		case "MYRIGHTS":
			l.rights = true
		case "METADATA":
			return l.annotations(args)
		default:
			return &wire.SyntaxError{Text: "unknown return option of LIST"}
		}
		return nil
	})
}

// annotations takes the entries of METADATA, and options in front of them.
func (l *listing) annotations(args *wire.Scanner) error {
	l.metadata = wanted{maxSize: -1}
	for l.metadata.entries == nil {
		if err := args.Space(); err != nil {
			return err
		}
		if err := l.metadata.take(args, false); err != nil {
			return err
		}
	}
	return nil
}

// reached reports whether a name, in the encoding of the wire, matches one of
// the patterns.
func (l *listing) reached(name string) bool {
	return slices.ContainsFunc(l.patterns, func(p string) bool { return matchName(p, name) })
}

// criteria names what selects, for CHILDINFO (RFC 5258 section 3.5).
func (l *listing) criteria() string {
	switch {
	case !l.onlySpecial:
		return `"SUBSCRIBED"`
	case !l.onlySubscribed:
		return `"SPECIAL-USE"`
	}
	return `"SUBSCRIBED" "SPECIAL-USE"`
}
