package main

import (
	"fmt"
	"strings"
	"testing"
)

// rev2 is a client that enabled IMAP4rev2.
func (f *fixture) rev2() *dialogue {
	d := f.dialogue()
	d.want("ENABLE IMAP4rev2", "* ENABLED IMAP4rev2", "OK ENABLE completed")
	return d
}

const systemFive = `\Answered \Flagged \Deleted \Seen \Draft`

// TestRev2Session follows RFC 9051 section 8, and the examples of section 6.3.2.
func TestRev2Session(t *testing.T) {
	f := newFixture(t)
	l := *f.host.limits.Load()
	l.specialUse = map[string][]string{"Drafts": {`\Drafts`}}
	f.host.limits.Store(&l)
	d := f.rev2()
	d.file("INBOX", `(\Seen)`, simple)
	d.want("CREATE Drafts.old", "OK CREATE completed")
	d.want("CREATE Drafts", "OK CREATE completed")
	d.want("select inbox", "* FLAGS ("+systemFive+")", "* OK [PERMANENTFLAGS ("+systemFive+` \*)] flags that are kept`, "* 1 EXISTS",
		"* OK [UIDVALIDITY V] UIDs are valid", "* OK [UIDNEXT 2] next UID", `* LIST (\HasNoChildren) "." "INBOX" ("OLDNAME" ("inbox"))`,
		"OK [READ-WRITE] SELECT completed")
	d.want("fetch 1 (flags rfc822.size)", fmt.Sprintf(`* 1 FETCH (FLAGS (\Seen) RFC822.SIZE %d)`, len(simple)), "OK FETCH completed")
	d.want(`store 1 +flags \deleted`, `* 1 FETCH (FLAGS (\Deleted \Seen))`, "OK STORE completed")
	d.want("EXAMINE Drafts", "* OK [CLOSED] previous mailbox is closed", "* FLAGS ("+systemFive+")", "* OK [PERMANENTFLAGS ()] flags that are kept", "* 0 EXISTS",
		"* OK [UIDVALIDITY V] UIDs are valid", "* OK [UIDNEXT 1] next UID", `* LIST (\HasChildren \Drafts) "." "Drafts"`, "OK [READ-ONLY] EXAMINE completed")
	d.want("SELECT nowhere", "* OK [CLOSED] previous mailbox is closed", "NO [NONEXISTENT] no such mailbox")
	d.want("SELECT nowhere", "NO [NONEXISTENT] no such mailbox")
	d.want("STATUS INBOX (MESSAGES DELETED SIZE)", fmt.Sprintf(`* STATUS "INBOX" (MESSAGES 1 DELETED 1 SIZE %d)`, len(simple)), "OK STATUS completed")
}

// TestRev2Search: every SEARCH has an ESEARCH (RFC 9051 section 6.4.4).
func TestRev2Search(t *testing.T) {
	f := newFixture(t)
	d := f.rev2()
	d.file("INBOX", "", simple)
	d.file("INBOX", `(\Flagged)`, "Subject: отпуск\r\n\r\nx\r\n")
	d.do("SELECT INBOX")
	for _, tt := range []struct{ search, want string }{
		{"SEARCH FLAGGED", "ALL 2"},
		{"UID SEARCH ALL", "UID ALL 1:2"},
		{`SEARCH TEXT "string not in mailbox"`, ""},
		{"UID SEARCH TEXT {6+}\r\nnobody", "UID"},
		{"SEARCH CHARSET UTF-8 TEXT {12+}\r\nотпуск", "ALL 2"},
		{"SEARCH TEXT \"ОТПУСК\"", "ALL 2"},
		{"SEARCH RETURN (COUNT) DELETED", "COUNT 0"},
		{"SEARCH RETURN (SAVE) FLAGGED", "-"},
		{"UID SEARCH UID $ SMALLER 4096", "UID ALL 2"},
	} {
		d.esearch(tt.search, tt.want)
	}
}

// TestRev2Numbers: sizes have 63 bits (RFC 9051 section 9, number64).
func TestRev2Numbers(t *testing.T) {
	d := newFixture(t).rev2()
	d.file("INBOX", "", simple)
	d.do("EXAMINE INBOX")
	d.esearch("SEARCH SMALLER 9223372036854775807 LARGER 1", "ALL 1")
	d.want("FETCH 1 BODY.PEEK[TEXT]<9.9223372036854775807>", "* 1 FETCH (BODY[TEXT]<9> {4}ne\r\n)", "OK FETCH completed")
	d.want("FETCH 1 (BODY.PEEK[]<9223372036854775807.9223372036854775807> BINARY.PEEK[1]<9223372036854775807.9>)",
		"* 1 FETCH (BODY[]<9223372036854775807> {0} BINARY[1]<9223372036854775807> {0})", "OK FETCH completed")
	d.want("FETCH 1 BODY[]<0.9223372036854775808>", "BAD invalid size of a partial")
}

// TestRev2Updates: what others do is told with the UID, and without \Recent.
func TestRev2Updates(t *testing.T) {
	f := newFixture(t)
	d, other := f.rev2(), f.dialogue()
	for range 3 {
		d.file("INBOX", "", simple)
	}
	d.do("SELECT INBOX")
	other.do("SELECT INBOX")
	other.do(`STORE 2 +FLAGS.SILENT (\Seen $Junk)`)
	d.want("NOOP", "* FLAGS ("+systemFive+" $Junk)", "* OK [PERMANENTFLAGS ("+systemFive+` $Junk \*)] flags that are kept`,
		`* 2 FETCH (UID 2 FLAGS (\Seen $Junk))`, "OK NOOP completed")
	other.do(`STORE 2 +FLAGS.SILENT (\Deleted)`)
	other.do("EXPUNGE")
	other.file("INBOX", "", simple)
	d.want("NOOP", "* 2 EXPUNGE", "* 3 EXISTS", "OK NOOP completed")
}

// TestRev2Names: names are Net-Unicode, and those that do not exist say so (RFC 9051
// sections 5.1 and 6.3.9).
func TestRev2Names(t *testing.T) {
	f := newFixture(t)
	d, old := f.rev2(), f.dialogue()
	d.want("CREATE \"Entwürfe.é\"", "OK CREATE completed")
	d.want("CREATE \"e\u0301\"", "NO [CANNOT] mailbox name is not in Normalization Form C")
	d.want("RENAME \"Entwürfe.é\" \"e\u0301\"", "NO [CANNOT] mailbox name is not in Normalization Form C")
	d.want("LIST \"\" *", `* LIST (\HasNoChildren) "." "INBOX"`, "* LIST (\\NonExistent \\HasChildren) \".\" \"Entwürfe\"", "* LIST (\\HasNoChildren) \".\" \"Entwürfe.é\"", "OK LIST completed")
	d.want("SELECT \"gr\xfcn\"", "BAD quoted string is not UTF-8")
	old.want(`LIST "" E%`, `* LIST (\Noselect \HasChildren) "." "Entw&APw-rfe"`, "OK LIST completed")
	d.want("ENABLE UTF8=ACCEPT", "* ENABLED UTF8=ACCEPT", "OK ENABLE completed")
}

// TestRev2Global: a message/global has the structure of its message (RFC 9051 section
// 7.5.2); for other clients it is a part like any.
func TestRev2Global(t *testing.T) {
	f := newFixture(t)
	d, old := f.rev2(), f.dialogue()
	inner := "Subject: grün\r\n\r\nx\r\n"
	d.file("INBOX", "", "Content-Type: message/global\r\n\r\n"+inner)
	d.file("INBOX", "", "Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA==\r\n")
	d.do("EXAMINE INBOX")
	old.do("EXAMINE INBOX")
	d.want("FETCH 1 BODY", fmt.Sprintf(`* 1 FETCH (BODY ("message" "global" NIL NIL NIL "7bit" %d (NIL "grün" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1) 3))`, len(inner)), "OK FETCH completed")
	d.want("FETCH 1 BODY.PEEK[1.1]", "* 1 FETCH (BODY[1.1] {3}x\r\n)", "OK FETCH completed")
	old.want("FETCH 1 BODY", fmt.Sprintf(`* 1 FETCH (BODY ("message" "global" NIL NIL NIL "7bit" %d))`, len(inner)), "OK FETCH completed")
	const structure = `* 2 FETCH (BODYSTRUCTURE ("%s" "%s" NIL NIL NIL "base64" 18 NIL NIL NIL NIL))`
	for range 2 { // the second time from the index
		old.want("FETCH 2 BODYSTRUCTURE", fmt.Sprintf(structure, "message", "global"), "OK FETCH completed")
		d.want("FETCH 2 BODYSTRUCTURE", fmt.Sprintf(structure, "application", "octet-stream"), "OK FETCH completed")
	}
	d.want("FETCH 2 BODY", `* 2 FETCH (BODY ("application" "octet-stream" NIL NIL NIL "base64" 18))`, "OK FETCH completed")
	old.want("FETCH 2 BODY", `* 2 FETCH (BODY ("message" "global" NIL NIL NIL "base64" 18))`, "OK FETCH completed")
}

// TestUIDOnly: messages have no numbers any more (RFC 9586).
func TestUIDOnly(t *testing.T) {
	f := newFixture(t)
	d, other := f.dialogue(), f.dialogue()
	for range 4 {
		d.file("INBOX", "", simple)
	}
	d.want("ENABLE UIDONLY", "* ENABLED UIDONLY", "OK ENABLE completed")
	d.want("SELECT INBOX", "* FLAGS ("+systemFive+")", "* OK [PERMANENTFLAGS ("+systemFive+` \*)] flags that are kept`, "* 4 EXISTS", "* 4 RECENT",
		"* OK [UIDVALIDITY V] UIDs are valid", "* OK [UIDNEXT 5] next UID", "OK [READ-WRITE] SELECT completed")
	other.do("SELECT INBOX")
	for _, command := range []string{"FETCH 1 FLAGS", "SEARCH ALL", "STORE 1 FLAGS ()", "COPY 1 INBOX", "MOVE * INBOX", "SORT (DATE) UTF-8 ALL",
		"THREAD REFERENCES UTF-8 ALL", "REPLACE 1 INBOX " + literal("x"), "UID SEARCH 1:*", "UID SEARCH OR SEEN (NOT 5)", "UID SEARCH RETURN (SAVE) 1"} {
		d.want(command, "BAD [UIDREQUIRED] messages are named by UID")
	}
	d.want("UID FETCH 2 FLAGS", `* 2 UIDFETCH (FLAGS (\Recent))`, "OK UID FETCH completed")
	d.want("UID FETCH 3 (UID RFC822.SIZE)", fmt.Sprintf(`* 3 UIDFETCH (UID 3 RFC822.SIZE %d)`, len(simple)), "OK UID FETCH completed")
	d.want("UID STORE 4 +FLAGS (\\Flagged)", `* 4 UIDFETCH (FLAGS (\Flagged \Recent))`, "OK UID STORE completed")
	d.want("UID SEARCH UID 2:*", "* SEARCH 2 3 4", "OK UID SEARCH completed")
	d.want("UID FETCH 1 (FLAGS BODY[TEXT])", `* 1 UIDFETCH (FLAGS (\Seen \Recent) BODY[TEXT] {13}body of one`+"\r\n)", "OK UID FETCH completed")
	other.do(`STORE 1,3 +FLAGS.SILENT (\Deleted)`)
	other.do("STORE 2 +FLAGS.SILENT (\\Seen)")
	other.do("EXPUNGE")
	d.want("NOOP", "* VANISHED 1,3", "* 2 RECENT", `* 2 UIDFETCH (FLAGS (\Seen \Recent))`, "OK NOOP completed")
	d.do("UID STORE 4 +FLAGS.SILENT (\\Deleted)")
	d.want("EXPUNGE", "* VANISHED 4", "* 1 RECENT", "OK EXPUNGE completed")
	d.want("UID MOVE 2 INBOX", "* OK [COPYUID V 2 5] copied", "* VANISHED 2", "* 1 EXISTS", "* 1 RECENT", "OK UID MOVE completed")
}

// TestInProgress: a client hears of a search that takes long (RFC 9585).
func TestInProgress(t *testing.T) {
	f := newFixture(t)
	l := *f.host.limits.Load()
	l.report = 1
	f.host.limits.Store(&l)
	d := f.dialogue()
	d.do("APPEND INBOX" + strings.Repeat(" "+literal(simple), 20))
	d.do("APPEND INBOX" + strings.Repeat(" "+literal(simple), 20))
	d.do("EXAMINE INBOX")
	d.want("SEARCH BODY other", `* OK [INPROGRESS ("t4" 16 40)] still searching`, `* OK [INPROGRESS ("t4" 32 40)] still searching`, "* SEARCH", "OK SEARCH completed")
	d.want("SEARCH RETURN (MIN) BODY one", `* ESEARCH (TAG "t5") MIN 1`, "OK SEARCH completed")
	d.say("a] SEARCH BODY other\r\n")
	if got, want := d.line(), "* OK [INPROGRESS (NIL 16 40)] still searching"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
