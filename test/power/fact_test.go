package power

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"posthorn/test/power/disk"
)

// fact is a command of an IMAP or POP3 client that is about to be sent, or that
// was answered OK. It stands in the record as a note.
type fact struct {
	Client   string // who has one command on its way at a time
	Began    bool   // not answered yet
	Do       string // view append copy move flags expunge letter create delete rename subscribe unsubscribe
	Folder   string
	To       string  `json:",omitempty"` // of copy, move and rename
	Validity uint32  `json:",omitempty"` // of the folder in which Messages have their UIDs
	Next     uint32  `json:",omitempty"` // UIDNEXT, of view
	Messages []filed `json:",omitempty"`
}

// filed is a message in a folder.
type filed struct {
	Token string // its subject, which no other message has
	UID   uint32 // where the answer says it: of copy and move in the folder To
	Flags string // sorted
}

// byStore is who notes facts.
const byStore = "store"

// note appends the fact to the record.
func (f fact) note(t *testing.T, record string) {
	t.Helper()
	b, err := json.Marshal(f)
	if err == nil {
		err = disk.Append(record, byStore, string(b))
	}
	if err != nil {
		t.Error(err)
	}
}

func (f fact) String() string {
	when := "answered"
	if f.Began {
		when = "sent"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s %v", f.Client, f.Do, f.Folder, f.To, when, f.Messages))
}

// textOf is the message of a token as a client files it, with LF line ends.
func textOf(token string) string {
	line := token + " has a line that is no other's and not short either\n"
	return "From: <ann@example.test>\nSubject: " + token + "\n\n" + strings.Repeat(line, 20)
}
