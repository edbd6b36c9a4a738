package mailbox

import (
	"errors"
	"io"
	"time"
)

// Errors that a session answers in its own way. Any other error is a local
// problem and temporary.
var (
	ErrNoFolder   = errors.New("no such folder")
	ErrExists     = errors.New("folder exists already")
	ErrBadName    = errors.New("not a possible folder name")
	ErrReadOnly   = errors.New("folder is open read-only")
	ErrExpunged   = errors.New("message is gone")
	ErrKeywords   = errors.New("this folder has no room for another keyword")
	ErrBadKeyword = errors.New("not a possible keyword")
	ErrReset      = errors.New("folder got a new UIDVALIDITY while it was open")
	ErrLocked     = errors.New("mailbox is in use by another POP3 session")
	ErrTooLarge   = errors.New("message is too large")
	ErrShort      = errors.New("message ended before its announced size")
	ErrOverQuota  = errors.New("mailbox has no room for more")
	ErrClosed     = errors.New("closed")
)

// SystemFlag is a set of the flags of RFC 3501 2.3.2, without \Recent.
type SystemFlag uint8

// The system flags.
const (
	Answered SystemFlag = 1 << iota
	Deleted
	Draft
	Flagged
	Seen
)

// Flags are a message's flags; keywords compare without case and keep the
// spelling of their first use in the folder.
type Flags struct {
	System   SystemFlag
	Keywords []string
}

// Message is what is known of a message without opening it.
type Message struct {
	UID    uint32
	Flags  Flags
	Recent bool // this session is the one that is told (RFC 3501 2.3.2)
	Gone   bool // removed, and not announced yet: only UID stands
	ModSeq uint64

	// Size counts octets with CRLF line ends; -1 until asked by View.Measure.
	Size int64
	// Date is the internal date; zero until asked by View.Measure.
	Date time.Time
}

// Status is what STATUS answers, without selecting the folder.
type Status struct {
	Messages, Recent, Unseen int
	Deleted                  int // \Deleted
	UIDNext, UIDValidity     uint32
	HighestModSeq            uint64
	ID                       string // what the folder is known by, whatever its name (RFC 8474 section 4)
	Size                     int64  // sum of the messages' sizes with CRLF line ends; -1 when some are unknown
}

// Incoming is a message to be filed.
type Incoming struct {
	Reader io.Reader // with CRLF line ends; bare LF is taken as a line end too
	Size   int64     // octets that Reader gives; fewer is ErrShort; below 0: until its end
	Flags  Flags
	Date   time.Time // internal date; zero: now

	// A message that had a place elsewhere brings what it was known by.
	ID   string // for the file's name; "": a new one
	UIDL string // that POP3 goes on showing; "": none
}

// Op says how View.Store combines flags.
type Op int

// The ways of STORE (RFC 3501 6.4.6).
const (
	Replace Op = iota
	Add
	Remove
)

// Changes is what a View learned in Sync, ready to be announced in the order
// of the fields.
type Changes struct {
	// Expunged are sequence numbers from the highest to the lowest, so that
	// each is right at the moment it is announced.
	Expunged []int
	// Vanished are the UIDs of these, rising.
	Vanished []uint32
	// Exists is the new number of messages when messages came, else -1.
	Exists int
	// Recent is the new number of recent messages when messages came, or recent
	// ones went, else -1.
	Recent int
	// Flags are the sequence numbers, after the above, of messages whose flags
	// others changed.
	Flags []int
	// KeywordsChanged says that the folder has keywords not known before.
	KeywordsChanged bool
}

// Empty reports whether there is nothing to announce.
func (c Changes) Empty() bool {
	return len(c.Expunged) == 0 && c.Exists < 0 && len(c.Flags) == 0 && !c.KeywordsChanged
}
