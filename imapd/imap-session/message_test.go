package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestSelectAppendFetch(t *testing.T) {
	d := newFixture(t).dialogue()
	d.file("INBOX", `(\Seen $label) "17-Jul-1996 02:44:25 -0700"`, simple)
	d.want("APPEND INBOX {3+}\r\nx\r\n", "OK [APPENDUID V 2] APPEND completed")
	const permanent = `\Answered \Flagged \Deleted \Seen \Draft $label`
	d.want("SELECT INBOX",
		"* FLAGS ("+permanent+")", "* OK [PERMANENTFLAGS ("+permanent+` \*)] flags that are kept`,
		"* 2 EXISTS", "* 2 RECENT", "* OK [UNSEEN 2] first unseen message",
		"* OK [UIDVALIDITY V] UIDs are valid", "* OK [UIDNEXT 3] next UID", "OK [READ-WRITE] SELECT completed")
	d.want("FETCH 1 (FLAGS UID RFC822.SIZE)", fmt.Sprintf(`* 1 FETCH (UID 1 FLAGS (\Seen \Recent $label) RFC822.SIZE %d)`, len(simple)), "OK FETCH completed")
	d.want("FETCH 1 BODY[]", fmt.Sprintf("* 1 FETCH (BODY[] {%d}%s)", len(simple), simple), "OK FETCH completed")
	d.want("FETCH 1 RFC822.HEADER", "* 1 FETCH (RFC822.HEADER {39}From: ann@example.org\r\nSubject: one\r\n\r\n)", "OK FETCH completed")
	d.want("FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]<0.9>", "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)]<0> {9}Subject: )", "OK FETCH completed")
	d.want("FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]<13.9>", "* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)]<13> {3}\n\r\n)", "OK FETCH completed")
	d.want("FETCH 1 BODY[HEADER.FIELDS (X)]", "* 1 FETCH (BODY[HEADER.FIELDS (X)] {2}\r\n)", "OK FETCH completed")
	d.want("FETCH 1 BODY.PEEK[TEXT]<8.100>", "* 1 FETCH (BODY[TEXT]<8> {5}one\r\n)", "OK FETCH completed")
	d.want("FETCH 1 BODY.PEEK[1]", "* 1 FETCH (BODY[1] {13}body of one\r\n)", "OK FETCH completed")
	d.want("FETCH 1 BODY.PEEK[TEXT]<99.5>", "* 1 FETCH (BODY[TEXT]<99> {0})", "OK FETCH completed")
	d.want("FETCH 1 (BODY.PEEK[2] BODY.PEEK[1.HEADER])", "* 1 FETCH (BODY[2] NIL BODY[1.HEADER] NIL)", "OK FETCH completed")
	d.want("FETCH 1 ENVELOPE", `* 1 FETCH (ENVELOPE (NIL "one" ((NIL NIL "ann" "example.org")) ((NIL NIL "ann" "example.org")) ((NIL NIL "ann" "example.org")) NIL NIL NIL NIL NIL))`, "OK FETCH completed")
	d.want("FETCH 1 BODY", `* 1 FETCH (BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 13 1))`, "OK FETCH completed")
	// A body marks the message, a peek does not (RFC 3501 section 6.4.5).
	d.want("FETCH 2 BODY.PEEK[TEXT]", "* 2 FETCH (BODY[TEXT] {0})", "OK FETCH completed")
	d.want("UID FETCH 2 BODY[TEXT]", `* 2 FETCH (UID 2 FLAGS (\Seen \Recent) BODY[TEXT] {0})`, "OK UID FETCH completed")
	d.want("UID FETCH 2:* FLAGS", `* 2 FETCH (UID 2 FLAGS (\Seen \Recent))`, "OK UID FETCH completed")
	d.want("UID FETCH 99:* UID", `* 2 FETCH (UID 2)`, "OK UID FETCH completed")
	d.want("UID FETCH 3:98 UID", "OK UID FETCH completed")
	d.want("FETCH 3 UID", "BAD no such message")
	d.want("FETCH 1 (UID", "BAD missing argument")
	d.want("FETCH 1 BODY[9x]", "BAD invalid part number in a section")
}

func TestInternalDate(t *testing.T) {
	d := newFixture(t).dialogue()
	d.file("INBOX", `"17-Jul-1996 02:44:25 -0700"`, simple)
	d.do("EXAMINE INBOX")
	got := d.do("FETCH 1 INTERNALDATE")[0]
	value := strings.TrimSuffix(strings.TrimPrefix(got, `* 1 FETCH (INTERNALDATE "`), `")`)
	date, err := time.Parse("_2-Jan-2006 15:04:05 -0700", value)
	if want := time.Date(1996, 7, 17, 9, 44, 25, 0, time.UTC); err != nil || !date.Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAppendRefused(t *testing.T) {
	d := newFixture(t).dialogue()
	run := "x APPEND INBOX {4}\r\n"
	d.want("APPEND none {30}", "NO [TRYCREATE] no such mailbox")
	d.want("APPEND none {40+}\r\n"+run+run, "NO [TRYCREATE] no such mailbox")
	d.want("APPEND INBOX (\\Foo) {20+}\r\n"+run, "BAD unknown system flag")
	d.want("APPEND INBOX (a b {20+}\r\n"+run, "BAD invalid flag")
	d.want("APPEND INBOX \"yesterday\" {20+}\r\n"+run, "BAD invalid date")
	d.want("APPEND INBOX {0+}\r\n", "NO a message cannot be empty")
	d.want("APPEND INBOX", "BAD a message is expected as literal")
	d.want("APPEND INBOX {1048577}", "NO [TOOBIG] message too large")
	large := strings.Repeat("y LOGOUT\r\n", 110000)
	d.want(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(large), large), "NO [TOOBIG] message too large")
	d.want("APPEND INBOX {3+}\r\nabc x {3+}\r\nabc", "BAD unexpected argument")
	d.want("APPEND INBOX {3+}\r\nabc{3+}\r\nabc", "BAD text behind the message")
	d.want("APPEND INBOX UTF8 {3+}\r\nabc", "BAD unexpected argument")
	d.want("APPEND INBOX UTF8 (~{3+}\r\nabc", "BAD text behind the message")
	d.want("APPEND INBOX UTF8 ~{3+}\r\nabc", `BAD expected "("`)
	d.want("STATUS INBOX (MESSAGES)", `* STATUS "INBOX" (MESSAGES 0)`, "OK STATUS completed")
	io.WriteString(d.conn, "z APPEND INBOX {99000000000+}\r\ny LOGOUT\r\n")
	if got := []string{d.line(), d.line()}; got[0] != "z NO [TOOBIG] message too large" || got[1] != "* BYE literal too large" {
		t.Errorf("got %q", got)
	}
}

func TestAppendContinuation(t *testing.T) {
	d := newFixture(t).dialogue()
	io.WriteString(d.conn, "a APPEND {5}\r\n")
	if got := d.line(); got != "+ OK" {
		t.Fatalf("got %s", got)
	}
	io.WriteString(d.conn, fmt.Sprintf("INBOX {%d}\r\n", len(simple)))
	if got := d.line(); got != "+ OK" {
		t.Fatalf("got %s", got)
	}
	io.WriteString(d.conn, simple+"\r\n")
	if got := d.line(); !strings.HasPrefix(got, "a OK [APPENDUID ") {
		t.Fatalf("got %s", got)
	}
}

func TestStoreExpunge(t *testing.T) {
	d := newFixture(t).dialogue()
	for range 5 {
		d.file("INBOX", "", simple)
	}
	d.do("SELECT INBOX")
	d.want(`STORE 1:2 +FLAGS (\Deleted)`, `* 1 FETCH (FLAGS (\Deleted \Recent))`, `* 2 FETCH (FLAGS (\Deleted \Recent))`, "OK STORE completed")
	d.want(`UID STORE 4 FLAGS \Deleted`, `* 4 FETCH (UID 4 FLAGS (\Deleted \Recent))`, "OK UID STORE completed")
	d.want(`STORE 5 FLAGS.SILENT (\Seen \Flagged)`, "OK STORE completed")
	d.want(`STORE 5 -FLAGS (\Seen)`, `* 5 FETCH (FLAGS (\Flagged \Recent))`, "OK STORE completed")
	d.want(`STORE 1 FLAGS (\Foo)`, "BAD unknown system flag")
	d.want(`STORE 1 FOO (x)`, "BAD unknown item of STORE")
	d.want(`STORE 9 FLAGS (x)`, "BAD no such message")
	d.want("UID EXPUNGE 2:3", "* 2 EXPUNGE", "* 4 RECENT", "OK UID EXPUNGE completed")
	d.want("EXPUNGE", "* 3 EXPUNGE", "* 1 EXPUNGE", "* 2 RECENT", "OK EXPUNGE completed")
	d.want("UID FETCH 1:* FLAGS", `* 1 FETCH (UID 3 FLAGS (\Recent))`, `* 2 FETCH (UID 5 FLAGS (\Flagged \Recent))`, "OK UID FETCH completed")
	d.want(`STORE 1:* +FLAGS.SILENT \Deleted`, "OK STORE completed")
	d.want("UNSELECT", "OK UNSELECT completed")
	d.want("STATUS INBOX (MESSAGES)", `* STATUS "INBOX" (MESSAGES 2)`, "OK STATUS completed")
	d.do("EXAMINE INBOX")
	d.want(`STORE 1 +FLAGS (x)`, "NO mailbox is open read-only")
	d.want("EXPUNGE", "NO mailbox is open read-only")
	d.want("CLOSE", "OK CLOSE completed")
	d.do("SELECT INBOX")
	d.want("CLOSE", "OK CLOSE completed")
	d.want("STATUS INBOX (MESSAGES)", `* STATUS "INBOX" (MESSAGES 0)`, "OK STATUS completed")
}

func TestKeywords(t *testing.T) {
	d := newFixture(t).dialogue()
	d.file("INBOX", "", simple)
	d.do("SELECT INBOX")
	const known = `\Answered \Flagged \Deleted \Seen \Draft $x`
	other := d.f.dialogue()
	other.do("EXAMINE INBOX")
	// A client learns of a keyword before it meets it with a message.
	d.want(`STORE 1 +FLAGS ($x)`, "* FLAGS ("+known+")", "* OK [PERMANENTFLAGS ("+known+` \*)] flags that are kept`,
		`* 1 FETCH (FLAGS (\Recent $x))`, "OK STORE completed")
	other.want(`FETCH 1 FLAGS`, "* FLAGS ("+known+")", "* OK [PERMANENTFLAGS ()] flags that are kept",
		`* 1 FETCH (FLAGS ($x))`, `* 1 FETCH (FLAGS ($x))`, "OK FETCH completed")
	d.want("SEARCH KEYWORD $X", "* SEARCH 1", "OK SEARCH completed")
	d.want("SEARCH UNKEYWORD $x", "* SEARCH", "OK SEARCH completed")
	d.want(`STORE 1 +FLAGS (a]b)`, "BAD missing argument")
}

func TestCopy(t *testing.T) {
	d := newFixture(t).dialogue()
	d.file("INBOX", `(\Seen)`, simple)
	d.file("INBOX", "", simple)
	d.file("INBOX", "", simple)
	d.do("CREATE Dest")
	d.do("SELECT INBOX")
	d.want("COPY 1,3 Dest", "OK [COPYUID V 1,3 1:2] COPY completed")
	d.want("UID COPY 2 Dest", "OK [COPYUID V 2 3] UID COPY completed")
	d.want("UID COPY 99:100 Dest", "OK UID COPY completed, no messages")
	d.want("COPY 1 None", "NO [TRYCREATE] no such mailbox")
	d.want("COPY 4 Dest", "BAD no such message")
	d.do("EXAMINE Dest")
	d.want("FETCH 1:* (FLAGS RFC822.TEXT)",
		"* 1 FETCH (FLAGS (\\Seen \\Recent) RFC822.TEXT {13}body of one\r\n)",
		"* 2 FETCH (FLAGS (\\Recent) RFC822.TEXT {13}body of one\r\n)",
		"* 3 FETCH (FLAGS (\\Recent) RFC822.TEXT {13}body of one\r\n)", "OK FETCH completed")
}

func TestMove(t *testing.T) {
	d := newFixture(t).dialogue()
	for range 4 {
		d.file("INBOX", `(\Seen)`, simple)
	}
	d.do("CREATE Dest")
	d.do("SELECT INBOX")
	d.want("MOVE 1,3 Dest", "* OK [COPYUID V 1,3 1:2] copied", "* 3 EXPUNGE", "* 1 EXPUNGE", "* 2 RECENT", "OK MOVE completed")
	d.want("UID MOVE 4 Dest", "* OK [COPYUID V 4 3] copied", "* 2 EXPUNGE", "* 1 RECENT", "OK UID MOVE completed")
	d.want("UID MOVE 99 Dest", "OK UID MOVE completed, no messages")
	d.want("MOVE 1 None", "NO [TRYCREATE] no such mailbox")
	d.want("STATUS Dest (MESSAGES UNSEEN)", `* STATUS "Dest" (MESSAGES 3 UNSEEN 0)`, "OK STATUS completed")
	d.do("EXAMINE INBOX")
	d.want("MOVE 1 Dest", "NO mailbox is open read-only")
}
