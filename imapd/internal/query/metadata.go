package query

import (
	"strconv"
	"strings"

	"posthorn/imapd/internal/wire"
)

// Bounds of annotations.
const (
	MaxEntries = 250 // of a mailbox, of the account, or of a command
	maxEntry   = 900 // octets of an entry's name
)

// Metadata is which annotations a client asks for (RFC 5464 section 4.2).
type Metadata struct {
	Entries []string
	MaxSize int // octets of a value; -1: any
	Depth   int // levels below an entry; -1: all
}

// Take takes a list of options or of entries, or one entry.
func (w *Metadata) Take(args *wire.Scanner, options bool) error {
	var words []string
	one := func() error {
		word, err := args.AString()
		words = append(words, word)
		return err
	}
	var err error
	if args.Peek() == '(' {
		err = args.List(MaxEntries, one)
	} else {
		err = one()
	}
	switch {
	case err != nil:
		return err
	case len(words) == 0:
		return bad("no entries")
	case options || words[0] != "" && words[0][0] != '/':
		return w.option(words)
	}
	for _, entry := range words {
		if err := CheckEntry(entry); err != nil {
			return err
		}
	}
	w.Entries = words
	return nil
}

// option takes the words of a list of options.
func (w *Metadata) option(words []string) error {
	for len(words) >= 2 {
		name, value := strings.ToUpper(words[0]), strings.ToLower(words[1])
		words = words[2:]
		switch {
		case name == "MAXSIZE":
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return bad("MAXSIZE needs a number")
			}
			w.MaxSize = int(n)
		case name == "DEPTH" && (value == "0" || value == "1"):
			w.Depth = int(value[0] - '0')
		case name == "DEPTH" && value == "infinity":
			w.Depth = -1
		default:
			return bad("unknown option of GETMETADATA")
		}
	}
	if len(words) > 0 {
		return bad("unknown option of GETMETADATA")
	}
	return nil
}

// CheckEntry holds an entry's name to RFC 5464 sections 3.2 and 6.
func CheckEntry(entry string) error {
	low := strings.ToLower(entry)
	if !strings.HasPrefix(low, "/shared/") && !strings.HasPrefix(low, "/private/") || len(entry) > maxEntry ||
		strings.HasSuffix(entry, "/") || strings.Contains(entry, "//") ||
		strings.ContainsFunc(entry, func(r rune) bool { return r < ' ' || r > '~' || r == '*' || r == '%' }) {
		return bad("an entry begins with /shared/ or /private/")
	}
	return nil
}
