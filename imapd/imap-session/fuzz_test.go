package main

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/mailbox"
	"posthorn/internal/session"
)

// deaf is a client that has said everything beforehand and hears nothing.
type deaf struct {
	net.Conn
	said io.Reader
}

func (d deaf) Read(p []byte) (int, error)     { return d.said.Read(p) }
func (deaf) Write(p []byte) (int, error)      { return len(p), nil }
func (deaf) SetReadDeadline(time.Time) error  { return nil }
func (deaf) SetWriteDeadline(time.Time) error { return nil }

// FuzzSession is best run with -fuzzminimizetime=10x: the store's goroutines make
// coverage differ from run to run, which the fuzzer tries to explain.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"a SELECT INBOX\r\nb FETCH 1 (FLAGS BODY[1.HEADER] ENVELOPE BODYSTRUCTURE)\r\nc UID SEARCH OR BODY x NOT SINCE 1-Feb-1994\r\n",
		"a SELECT INBOX\r\nb STORE 1 +FLAGS (\\Deleted x)\r\nc EXPUNGE\r\nd LOGOUT\r\n",
		"a CREATE &APw-\r\nb LIST \"\" *\r\nc APPEND INBOX (\\Seen) {3+}\r\nabc\r\nd STATUS INBOX (MESSAGES)\r\n",
		"a SELECT INBOX\r\nb UID MOVE 1:* {5+}\r\nINBOX\r\nc IDLE\r\nDONE\r\nd COPY * INBOX\r\n",
		"a APPEND INBOX {3+}\r\nabc (\\Seen) UTF8 (~{3+}\r\nabc)\r\nb SELECT INBOX\r\nc REPLACE 1 INBOX {3+}\r\nabc {2+}\r\nab\r\n",
		"a APPEND INBOX CATENATE (URL /INBOX/;UID=1/;SECTION=HEADER TEXT {3+}\r\nabc URL {13+}\r\n/INBOX/;UID=1 UTF8 (~{3+}\r\na\x00b))\r\nb APPEND x CATENATE (URL y)\r\n",
		"a SELECT INBOX\r\nx UIDBATCHES 500 1:2\r\nb UID SEARCH RETURN (SAVE MIN PARTIAL -1:-2) OR $ YOUNGER 5\r\nc UID FETCH 7,$ FLAGS (PARTIAL 1:2)\r\n",
		"a ENABLE IMAP4rev2 UIDONLY UTF8=ACCEPT\r\nb SELECT inbox\r\nc SEARCH ALL\r\nd UID SEARCH TEXT \"\xc3\xbc\"\r\ne STATUS INBOX (DELETED SIZE)\r\nf COMPRESS DEFLATE\r\n",
		"a SETACL INBOX -x@y +lrd\r\nb GETACL INBOX\r\nc LISTRIGHTS INBOX group=x\r\nd MYRIGHTS Shared/x@y/INBOX\r\ne DELETEACL INBOX anyone\r\n",
		"a SETMETADATA INBOX (/private/x {3+}\r\nabc /shared/y NIL)\r\nb GETMETADATA INBOX (DEPTH infinity MAXSIZE 2) (/private /shared/y)\r\n",
		"a ESEARCH IN (personal subtree (a b)) RETURN (COUNT) OR SEEN NOT UID 1\r\nb SELECT INBOX\r\nc ESEARCH 1\r\n",
		"a NOTIFY SET STATUS (selected (MessageNew (UID) MessageExpunge)) (personal (MailboxName))\r\nb SELECT INBOX\r\nc CREATE x\r\nd NOTIFY NONE\r\n",
		"a SELECT INBOX\r\nb SEARCH RETURN (UPDATE (UID FLAGS) COUNT) NOT 2:* UNSEEN\r\nc STORE 1 FLAGS (\\Seen)\r\nd CANCELUPDATE \"b\"\r\n",
		"a SUBSCRIBE x.y\r\nb LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (% INBOX {1+}\r\nx) RETURN (CHILDREN STATUS (SIZE MESSAGES))\r\n",
	} {
		f.Add(s)
	}
	log := evlog.New(io.Discard)
	store := mailbox.New(mailbox.Options{Disk: &durable.Disk{}, Node: "test", Log: log})
	h := newHost(store, log)
	h.limits.Store(&limits{idle: limit, progress: limit, maxSize: 1000})
	f.Cleanup(func() { store.Close() })
	f.Fuzz(func(t *testing.T, said string) {
		box, err := store.Open(filepath.Join(t.TempDir(), "Maildir"))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := box.Append("INBOX", mailbox.Incoming{Reader: strings.NewReader(simple), Size: int64(len(simple))}); err != nil {
			t.Fatal(err)
		}
		s := newSession(h, &session.Conn{Stream: deaf{said: strings.NewReader(said)}, Tag: "*"}, box)
		for why := session.Begin; !s.Turn(why).Until.IsZero(); why = session.Input {
		}
		s.Close()
	})
}
