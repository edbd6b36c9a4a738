package query

import "posthorn/imapd/internal/wire"

// Bounds of one LIST: matching a name takes its length times that of all
// patterns.
const (
	maxPattern  = 1000 // bytes of all patterns, each with the reference
	MaxPatterns = 64   // of one LIST
	maxOptions  = 32
)

// List is what a LIST or LSUB asks for.
type List struct {
	Extended  bool     // in any of the ways of RFC 5258 section 1
	Patterns  []string // the reference in front, in the encoding of the wire
	Reference string

	// What selects names besides the patterns.
	OnlySubscribed, OnlySpecial, Recursive bool

	// What is told of them.
	Subscription bool
	Items        []string // of STATUS (RFC 5819)
	Rights       bool     // of MYRIGHTS (RFC 8440)
	Metadata     Metadata // of METADATA (RFC 9590)
}

// ParseList takes the arguments of LIST (RFC 5258 section 6).
func ParseList(args *wire.Scanner) (List, error) {
	var l List
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

// ParseLSub takes the arguments of LSUB: a reference and one pattern.
func ParseLSub(args *wire.Scanner) (List, error) {
	var l List
	if err := args.Space(); err != nil {
		return l, err
	}
	if err := l.names(args); err != nil {
		return l, err
	}
	if l.Extended {
		return l, bad("LSUB takes one mailbox pattern")
	}
	return l, args.End()
}

// selection takes the list of selection options.
func (l *List) selection(args *wire.Scanner) error {
	l.Extended = true
	err := args.List(maxOptions, func() error {
		switch args.Word() {
		case "SUBSCRIBED":
			l.OnlySubscribed, l.Subscription = true, true // RFC 5258 section 3.1
		case "SPECIAL-USE":
			l.OnlySpecial = true
		case "RECURSIVEMATCH":
			l.Recursive = true
		case "REMOTE": // there are no mailboxes of other servers
		default:
			return bad("unknown selection option of LIST")
		}
		return nil
	})
	if err == nil && l.Recursive && !l.Selects() {
		err = bad("RECURSIVEMATCH needs another selection option") // RFC 5258 section 3.1
	}
	return err
}

// Selects reports whether names are selected by more than the patterns.
func (l *List) Selects() bool { return l.OnlySubscribed || l.OnlySpecial }

// names takes the reference and the patterns. A pattern is the reference with the
// mailbox name behind it (RFC 3501 section 6.3.8).
func (l *List) names(args *wire.Scanner) error {
	ref, err := args.AString()
	if err != nil {
		return err
	}
	l.Reference = ref
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
			return bad("mailbox pattern too long")
		}
		if pattern != "" {
			l.Patterns = append(l.Patterns, ref+pattern)
		}
		return nil
	}
	if args.Peek() != '(' {
		return one()
	}
	l.Extended = true
	return args.List(MaxPatterns, one)
}

// returns takes RETURN with its list of options.
func (l *List) returns(args *wire.Scanner) error {
	if args.Word() != "RETURN" {
		return bad("unexpected argument")
	}
	if err := args.Space(); err != nil {
		return err
	}
	l.Extended = true
	return args.List(maxOptions, func() error {
		switch args.Word() {
		case "SUBSCRIBED":
			l.Subscription = true
		case "CHILDREN", "SPECIAL-USE": // always told
		case "STATUS":
			if err := args.Space(); err != nil {
				return err
			}
			items, err := ParseStatus(args)
			l.Items = items
			return err
		case "MYRIGHTS":
			l.Rights = true
		case "METADATA":
			return l.annotations(args)
		default:
			return bad("unknown return option of LIST")
		}
		return nil
	})
}

// annotations takes the entries of METADATA, and options in front of them.
func (l *List) annotations(args *wire.Scanner) error {
	l.Metadata = Metadata{MaxSize: -1}
	for l.Metadata.Entries == nil {
		if err := args.Space(); err != nil {
			return err
		}
		if err := l.Metadata.Take(args, false); err != nil {
			return err
		}
	}
	return nil
}

// Criteria names what selects, for CHILDINFO (RFC 5258 section 3.5).
func (l *List) Criteria() string {
	switch {
	case !l.OnlySpecial:
		return `"SUBSCRIBED"`
	case !l.OnlySubscribed:
		return `"SPECIAL-USE"`
	}
	return `"SUBSCRIBED" "SPECIAL-USE"`
}
