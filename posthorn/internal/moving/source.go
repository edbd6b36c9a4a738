// Package moving brings mail from elsewhere into a user's mailbox: every message
// once, with its flags and dates, and where the folder here is new with its UIDs.
//
// What was brought is known in two ways. The name of a message's file has an id
// that is made of what the message was known by, so that a second try finds what
// an interrupted one has filed. And posthorn-state of each folder says which
// messages of which folder elsewhere are here; it is written after them, a batch at
// a time, and holds too where somebody has moved or removed them since. So an import
// may be killed at any point, and run again at any time for what is new.
package moving

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"time"

	"posthorn/internal/id"
	"posthorn/internal/mailbox"
)

// ErrLost is an error of the source as a whole: the connection to it, or what it
// says cannot be understood any more. The next call may try it anew.
var ErrLost = errors.New("lost the source")

// ErrUnread is an error of a Body that concerns its message alone.
var ErrUnread = errors.New("message cannot be read")

// Source is where mail comes from. It is used by one goroutine.
type Source interface {
	// Name is what the source is known by in the notes of what was brought.
	Name() string
	// Folders lists the folders, and what of them cannot be read.
	Folders() ([]Folder, error)
	// List lists the messages of a folder. Fetch is of the one listed last.
	List(f Folder) (*Listing, error)
	// Fetch reads messages of the Listing, in any order. One belongs to one message, unless it is ErrLost, which is the last.
	Fetch(items []Item) iter.Seq2[Letter, error]
	// Close gives the source back.
	Close() error
}

// Folder is a folder elsewhere.
type Folder struct {
	Levels     []string // its name in UTF-8, level by level; INBOX is one level
	Raw        string   // its name as the source has it, for Source's own use and the notes
	Uses       []string // attributes of RFC 6154
	Subscribed bool
	Missing    bool // it only has folders below it, or a subscription
}

// Listing is what is in a folder.
type Listing struct {
	UIDValidity uint32 // of the items' numbers; 0: they are no UIDs
	UIDNext     uint32 // above all of them
	Token       string // another one when the numbers mean other messages
	Items       []Item // numbers rise
	Notes       []string
	Unlisted    int // messages that are there, and of which this says nothing but a note
}

// Item is what is known of a message before it is read.
type Item struct {
	Number uint32 // UID, or place in the folder; 0: it has none yet
	ID     string // see ID
	Ref    string // for the Source's own use
	UIDL   string // by which POP3 clients know it; "": by nothing but its UID
	Size   int64  // about; -1: not known
	Flags  mailbox.Flags
	Date   time.Time
}

// Letter is a message that can be read: until the next is asked for. A Body that
// was cut off ends with an error, never with io.EOF.
type Letter struct {
	Item
	Body io.Reader
}

// ID returns an id for a message that elsewhere is known by words, all of them
// together. Ids of numbers other than 0 rise with them.
func ID(number uint32, words ...string) string {
	h := sha256.New()
	for _, word := range words {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(word)))
		h.Write(n[:])
		io.WriteString(h, word)
	}
	var k id.Key
	sum := h.Sum(nil)
	if number == 0 {
		copy(k[:], sum)
		return k.String()
	}
	// An id begins with a time: numbers as times are far in the past, so that these
	// are nobody else's.
	binary.BigEndian.PutUint32(k[2:], number)
	copy(k[6:], sum)
	return k.String()
}
