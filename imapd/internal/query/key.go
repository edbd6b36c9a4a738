package query

import (
	"slices"
	"time"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// Op is the kind of a search key.
type Op uint8

// The kinds of keys, cheapest first: those up to Flag look at nothing but the
// view, those up to Smaller may ask a file for its size or date, those up to
// FieldText read a header, the others the whole message.
const (
	All   Op = iota
	Seq      // Set
	UIDs     // Set
	Saved    // what the last SEARCH saved (RFC 5182)
	Recent
	ModSeqs     // Num, the lowest (RFC 7162)
	EmailIs     // Text
	SavedBefore // Date (RFC 8514)
	SavedOn     // Date
	SavedSince  // Date
	Flag        // System, or Keyword if that is not empty
	Before      // Date
	On          // Date
	Since       // Date
	Older       // Num seconds (RFC 5032)
	Younger     // Num seconds
	Larger      // Num
	Smaller     // Num
	SentBefore  // Date
	SentOn      // Date
	SentSince   // Date
	AddressText // Field, one of FROM, TO, CC and BCC, contains Text in an address
	FieldText   // Field contains Text; with no Text: Field is there
	BodyText    // Text in the body
	AnyText     // Text in header or body
	And         // Sub
	Or          // Sub
	Not         // Sub, one
	Fuzzy       // Sub, one (RFC 6203)
)

// Key is a search key and, with And, Or and Not, the keys below it.
type Key struct {
	Op      Op
	Set     wire.Set
	System  mailbox.SystemFlag
	Keyword string
	Date    time.Time // midnight UTC
	Num     uint64
	Field   string
	Text    string // UTF-8
	Sub     []Key
}

// Clone returns a key that shares no list of keys with k.
func (k Key) Clone() Key {
	k.Sub = slices.Clone(k.Sub)
	for i, sub := range k.Sub {
		k.Sub[i] = sub.Clone()
	}
	return k
}

// Asks reports whether the key or one below it is of the kind op.
func (k Key) Asks(op Op) bool {
	return k.Op == op || slices.ContainsFunc(k.Sub, func(sub Key) bool { return sub.Asks(op) })
}

// flagKey returns the key of a word without arguments.
func flagKey(word string) (Key, bool) {
	has := func(f mailbox.SystemFlag) Key { return Key{Op: Flag, System: f} }
	switch word {
	case "ALL", "SAVEDATESUPPORTED":
		return Key{Op: All}, true
	case "ANSWERED":
		return has(mailbox.Answered), true
	case "DELETED":
		return has(mailbox.Deleted), true
	case "DRAFT":
		return has(mailbox.Draft), true
	case "FLAGGED":
		return has(mailbox.Flagged), true
	case "SEEN":
		return has(mailbox.Seen), true
	case "UNANSWERED":
		return not(has(mailbox.Answered)), true
	case "UNDELETED":
		return not(has(mailbox.Deleted)), true
	case "UNDRAFT":
		return not(has(mailbox.Draft)), true
	case "UNFLAGGED":
		return not(has(mailbox.Flagged)), true
	case "UNSEEN":
		return not(has(mailbox.Seen)), true
	case "RECENT":
		return Key{Op: Recent}, true
	case "OLD":
		return not(Key{Op: Recent}), true
	case "NEW":
		return Key{Op: And, Sub: []Key{{Op: Recent}, not(has(mailbox.Seen))}}, true
	}
	return Key{}, false
}

func not(k Key) Key { return Key{Op: Not, Sub: []Key{k}} }
