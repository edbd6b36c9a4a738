package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// say sends text as it is.
func (d *dialogue) say(text string) { io.WriteString(d.conn, text) }

// literal returns msg as a literal that needs no invitation.
func literal(msg string) string { return fmt.Sprintf("{%d+}\r\n%s", len(msg), msg) }

// TestMultiAppend has the example of RFC 3502 section 6.3.11.
func TestMultiAppend(t *testing.T) {
	d := newFixture(t).dialogue()
	d.do("CREATE saved-messages")
	one, two := "Subject: afternoon meeting\r\n\r\nHello Joe\r\n", "Subject: Re: afternoon meeting\r\n\r\n3:30 is fine with me.\r\n"
	d.say(fmt.Sprintf("A003 APPEND saved-messages (\\Seen) {%d}\r\n", len(one)))
	for _, step := range []struct{ want, say string }{
		{"+ OK", one + fmt.Sprintf(" (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" {%d}\r\n", len(two))},
		{"+ OK", two + "\r\n"},
		{"A003 OK [APPENDUID V 1:2] APPEND completed", "A004 APPEND bogusname (\\Flagged) {1023}\r\n"},
		{"A004 NO [TRYCREATE] no such mailbox", ""},
	} {
		if got := numbers.ReplaceAllString(d.line(), "$1 V"); got != step.want {
			t.Fatalf("got %s, want %s", got, step.want)
		}
		d.say(step.say)
	}
	d.do("EXAMINE saved-messages")
	d.want("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
		`* 1 FETCH (FLAGS (\Seen \Recent) BODY[HEADER.FIELDS (SUBJECT)] {30}`+one[:30]+")",
		`* 2 FETCH (FLAGS (\Seen \Recent) BODY[HEADER.FIELDS (SUBJECT)] {34}`+two[:34]+")", "OK FETCH completed")
	d.want("SEARCH BEFORE 9-Feb-1994", "* SEARCH 2", "OK SEARCH completed")
}

// TestMultiAppendRefused: none of the messages is filed when one is refused.
func TestMultiAppendRefused(t *testing.T) {
	d := newFixture(t).dialogue()
	ok := literal("a: b\r\n\r\nx LOGOUT\r\n")
	for _, tt := range []struct{ args, want string }{
		{ok + " (\\Foo) " + ok, "BAD unknown system flag"},
		{ok + " {0+}\r\n", "NO a message cannot be empty"},
		{ok + " {0}", "NO a message cannot be empty"},
		{ok + " {1048577}", "NO [TOOBIG] message too large"},
		{ok + " {99000000000}", "NO [TOOBIG] message too large"},
		{ok + " " + ok + " x " + ok + " " + ok, "BAD unexpected argument"},
		{ok + " " + ok + ok, "BAD text behind the message"},
		{ok + " " + ok + " x", "BAD a message is expected as literal"},
		{ok + " (" + strings.Repeat("k ", 200) + "k) " + ok, "BAD list too long"},
		{strings.Repeat("{1+}\r\nx ", 20) + "{1+}\r\nx", "NO [LIMIT] too many messages for one command"},
	} {
		d.want("APPEND INBOX "+tt.args, tt.want)
	}
	d.want("STATUS INBOX (MESSAGES)", `* STATUS "INBOX" (MESSAGES 0)`, "OK STATUS completed")
	d.want("APPEND INBOX "+ok+" "+ok+" ($x) "+ok, "OK [APPENDUID V 1:3] APPEND completed")
}

// TestAppendUTF8 files a message the way of RFC 6855 section 4.
func TestAppendUTF8(t *testing.T) {
	d := newFixture(t).dialogue()
	d.do("ENABLE UTF8=ACCEPT")
	msg := "Subject: grün\r\n\r\nx\r\n"
	d.want("APPEND INBOX (\\Seen) UTF8 (~"+literal(msg)+")", "OK [APPENDUID V 1] APPEND completed")
	d.want("APPEND INBOX utf8 (~"+literal(msg)+") \"17-Jul-1996 02:44:25 -0700\" UTF8 (~"+literal(msg)+") "+literal(msg), "OK [APPENDUID V 2:4] APPEND completed")
	d.want("APPEND INBOX UTF8 (~"+literal(msg)+" "+literal(msg), "BAD text behind the message")
	d.want("APPEND INBOX UTF8 (~"+literal(msg), "BAD text behind the message")
	d.do("EXAMINE INBOX")
	d.want("FETCH 3 BODY[]", fmt.Sprintf("* 3 FETCH (BODY[] {%d}%s)", len(msg), msg), "OK FETCH completed")
}

// TestReplace has the examples of RFC 8508 sections 3.2 and 3.3.
func TestReplace(t *testing.T) {
	d := smiths(t, 4)
	d.do("CREATE Drafts")
	d.want("REPLACE 4 INBOX (\\Seen \\Draft) "+literal("Subject: happy new year !!\r\n\r\n1\r\n"),
		"* OK [APPENDUID V 6] replacement is filed", "* 4 EXPUNGE", "* 4 EXISTS", "* 4 RECENT", "OK REPLACE completed")
	d.want("UID REPLACE 6 INBOX (\\Seen \\Draft) "+literal("Subject: happy new year !!\r\n\r\n2\r\n"),
		"* OK [APPENDUID V 7] replacement is filed", "* 4 EXPUNGE", "* 4 EXISTS", "* 4 RECENT", "OK UID REPLACE completed")
	d.want("FETCH 4 (UID FLAGS BODY.PEEK[TEXT])", `* 4 FETCH (UID 7 FLAGS (\Seen \Draft \Recent) BODY[TEXT] {3}2`+"\r\n)", "OK FETCH completed")
	d.want("UID REPLACE * Drafts "+literal("a: b\r\n"), "* OK [APPENDUID V 1] replacement is filed", "* 4 EXPUNGE", "* 3 RECENT", "OK UID REPLACE completed")
	d.want("STATUS Drafts (MESSAGES)", `* STATUS "Drafts" (MESSAGES 1)`, "OK STATUS completed")
}

func TestReplaceRefused(t *testing.T) {
	d := smiths(t, 2)
	msg := literal("a: b\r\n\r\nx LOGOUT\r\n")
	for _, tt := range []struct{ args, want string }{
		{"REPLACE 3 INBOX " + msg, "BAD no such message"},
		{"REPLACE 1:2 INBOX " + msg, "BAD one message is replaced at a time"},
		{"REPLACE 1,2 INBOX " + msg, "BAD one message is replaced at a time"},
		{"REPLACE $ INBOX " + msg, "BAD invalid message set"},
		{"REPLACE 1 INBOX", "BAD a message is expected as literal"},
		{"REPLACE 1 " + msg, "NO [CANNOT] mailbox name is neither UTF-8 nor modified UTF-7"},
		{"REPLACE INBOX " + msg, "BAD invalid message set"},
		{"REPLACE 1 INBOX " + msg + " " + msg, "NO [LIMIT] too many messages for one command"},
		{"REPLACE 1 Other " + msg, "NO [TRYCREATE] no such mailbox"},
		{"REPLACE 1 INBOX (\\Foo) " + msg, "BAD unknown system flag"},
		{"UID REPLACE 77 INBOX " + msg, "NO [NONEXISTENT] no such message"},
	} {
		d.want(tt.args, tt.want)
	}
	d.want("STATUS INBOX (MESSAGES UIDNEXT)", `* STATUS "INBOX" (MESSAGES 2 UIDNEXT 4)`, "OK STATUS completed")
	d.do("EXAMINE INBOX")
	d.want("REPLACE 1 INBOX "+msg, "NO mailbox is open read-only")
	d.do("UNSELECT")
	d.want("REPLACE 1 INBOX "+msg, "BAD no mailbox is selected")
}

// TestReplaceGone: a message that another session removed is not replaced.
func TestReplaceGone(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	a.file("INBOX", "", simple)
	a.do("SELECT INBOX")
	b.do("SELECT INBOX")
	b.do(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	b.do("EXPUNGE")
	a.want("REPLACE 1 INBOX "+literal(simple), "* 1 EXPUNGE", "* 0 RECENT", "NO [EXPUNGEISSUED] messages are gone")
}

// TestAppendLimit has the examples of RFC 7889 section 3.
func TestAppendLimit(t *testing.T) {
	d := newFixture(t).dialogue()
	d.want("STATUS INBOX (APPENDLIMIT)", `* STATUS "INBOX" (APPENDLIMIT 1048576)`, "OK STATUS completed")
	d.want(`LIST "" % RETURN (STATUS (APPENDLIMIT))`, `* LIST (\HasNoChildren) "." "INBOX"`, `* STATUS "INBOX" (APPENDLIMIT 1048576)`, "OK LIST completed")
}
