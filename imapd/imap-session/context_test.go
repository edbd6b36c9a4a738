package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestContext follows RFC 5267 section 4.3.
func TestContext(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	for _, flags := range []string{`(\Deleted)`, `(\Deleted)`, "", ""} {
		a.file("INBOX", flags, simple)
	}
	a.needs("SELECT INBOX", "EXPUNGE") // UIDs 3 and 4 are left
	a.n = 0
	a.want("UID SEARCH RETURN (CONTEXT UPDATE COUNT) FLAGGED", `* ESEARCH (TAG "t1") UID COUNT 0`, "OK UID SEARCH completed")
	a.want("SEARCH RETURN (UPDATE MIN) UNSEEN", `* ESEARCH (TAG "t2") MIN 1`, "OK SEARCH completed")
	a.want("STORE 2 +FLAGS.SILENT (\\Flagged)", `* ESEARCH (TAG "t1") UID ADDTO (0 4)`, "OK STORE completed")
	a.want("STORE 1 +FLAGS (\\Flagged \\Seen)", `* 1 FETCH (FLAGS (\Flagged \Seen \Recent))`,
		`* ESEARCH (TAG "t1") UID ADDTO (0 3)`, `* ESEARCH (TAG "t2") REMOVEFROM (0 1)`, "OK STORE completed")
	a.want("STORE 1 +FLAGS.SILENT (\\Answered)", "OK STORE completed")

	fmt.Fprint(a.conn, "x IDLE\r\n")
	a.hears("+ idling")
	b.file("INBOX", `(\Flagged)`, simple)
	a.hears("* 3 EXISTS", "* 3 RECENT", `* ESEARCH (TAG "t1") UID ADDTO (0 5)`, `* ESEARCH (TAG "t2") ADDTO (0 3)`)
	b.needs("SELECT INBOX", "STORE 1,3 +FLAGS.SILENT (\\Deleted)")
	a.hears(`* 1 FETCH (FLAGS (\Answered \Flagged \Deleted \Seen \Recent))`, `* 3 FETCH (FLAGS (\Flagged \Deleted \Recent))`)
	b.needs("EXPUNGE")
	a.hears(`* ESEARCH (TAG "t1") UID REMOVEFROM (0 3,5)`, `* ESEARCH (TAG "t2") REMOVEFROM (0 3)`, "* 3 EXPUNGE", "* 1 EXPUNGE", "* 1 RECENT")
	fmt.Fprint(a.conn, "DONE\r\n")
	a.hears("x OK IDLE completed")

	a.want(`CANCELUPDATE "t2" "t9"`, "NO no such search is kept up to date")
	a.want(`CANCELUPDATE "t2"`, "OK CANCELUPDATE completed")
	a.want("STORE 1 FLAGS (\\Seen)", `* 1 FETCH (FLAGS (\Seen \Recent))`, `* ESEARCH (TAG "t1") UID REMOVEFROM (0 4)`, "OK STORE completed")
	a.needs("SELECT INBOX")
	a.want("STORE 1 FLAGS (\\Flagged)", `* 1 FETCH (FLAGS (\Flagged))`, "OK STORE completed")
}

// TestContextNumbers: the numbers of messages in a search are those of the moment.
func TestContextNumbers(t *testing.T) {
	f := newFixture(t)
	a := f.dialogue()
	for range 4 {
		a.file("INBOX", "", simple)
	}
	a.needs("SELECT INBOX")
	a.want("SEARCH RETURN (UPDATE) NOT 1 FLAGGED", `* ESEARCH (TAG "t6")`, "OK SEARCH completed")
	a.want("UID SEARCH RETURN (UPDATE) OR 3:* UID 1 FLAGGED", `* ESEARCH (TAG "t7") UID`, "OK UID SEARCH completed")
	a.want("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK STORE completed")
	a.want("EXPUNGE", "* 1 EXPUNGE", "* 3 RECENT", "OK EXPUNGE completed")
	a.want("STORE 1:2 +FLAGS.SILENT (\\Flagged)", `* ESEARCH (TAG "t6") ADDTO (0 1:2)`, `* ESEARCH (TAG "t7") UID ADDTO (0 3)`, "OK STORE completed")
}

// TestContextRefused: a search beyond the bound is answered and not kept up to date
// (RFC 5267 section 4.3.1), nor is one of many mailboxes, and no SORT.
func TestContextRefused(t *testing.T) {
	f := newFixture(t)
	a := f.dialogue()
	a.file("INBOX", "", simple)
	a.want(`CANCELUPDATE "t1"`, "BAD no mailbox is selected")
	a.needs("SELECT INBOX")
	a.want(`CANCELUPDATE "t1"`, "NO no such search is kept up to date")
	a.want(`CANCELUPDATE t1`, "BAD expected a string")
	a.want(`CANCELUPDATE`, "BAD missing argument")
	a.n = 0
	for i := range maxStanding {
		a.want("SEARCH RETURN (UPDATE) ALL", fmt.Sprintf(`* ESEARCH (TAG "t%d") ALL 1`, i+1), "OK SEARCH completed")
	}
	a.want("SEARCH RETURN (UPDATE) ALL", `* ESEARCH (TAG "t9") ALL 1`, `* NO [NOUPDATE "t9"] results are not kept up to date`, "OK SEARCH completed")
	a.n = 0
	a.want("SEARCH RETURN (UPDATE) ALL", "BAD tag of a search that is kept up to date")
	a.want("SORT RETURN (UPDATE) (ARRIVAL) UTF-8 ALL", "BAD only a SEARCH is kept up to date")
	a.want("SEARCH RETURN (UPDATE UPDATE) ALL", "BAD one UPDATE at a time")
	a.n = 20
	a.want("ESEARCH IN (personal) RETURN (UPDATE COUNT) ALL", `* NO [NOUPDATE "t21"] results are not kept up to date`,
		`* ESEARCH (TAG "t21" MAILBOX "INBOX" UIDVALIDITY V) UID COUNT 1`, "OK ESEARCH completed")
	a.want(`CANCELUPDATE "t1" "t2" "t3" "t4" "t5" "t6" "t7" "t8"`, "OK CANCELUPDATE completed")
	a.want("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK STORE completed")
	a.want("EXPUNGE", "* 1 EXPUNGE", "* 0 RECENT", "OK EXPUNGE completed")
}

// TestContextFetch: data of new results are told with NOTIFY, and those only (RFC 5465
// section 7).
func TestContextFetch(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	a.file("INBOX", "", simple)
	a.needs("SELECT INBOX", "NOTIFY SET (selected (MessageNew (UID) MessageExpunge))")
	a.n = 0
	a.want(`SEARCH RETURN (COUNT UPDATE (UID BODY.PEEK[HEADER.FIELDS (TO)])) TO boss`, `* ESEARCH (TAG "t1") COUNT 0`, "OK SEARCH completed")
	a.want("SEARCH RETURN (COUNT UPDATE (FLAGS)) FLAGGED", `* ESEARCH (TAG "t2") COUNT 0`, "OK SEARCH completed")
	b.file("INBOX", "", "To: boss@example.org\r\n\r\nx\r\n")
	a.hears("* 2 EXISTS", "* 2 RECENT", "* 2 FETCH (UID 2)",
		"* 2 FETCH (UID 2 BODY[HEADER.FIELDS (TO)] {24}To: boss@example.org\r\n\r\n)", `* ESEARCH (TAG "t1") ADDTO (0 2)`)
	b.needs("SELECT INBOX", "STORE 1 +FLAGS.SILENT (\\Flagged)")
	a.hears(`* ESEARCH (TAG "t2") ADDTO (0 1)`)
	b.needs("STORE 2 +FLAGS.SILENT (\\Deleted)", "EXPUNGE")
	a.hears(`* ESEARCH (TAG "t1") REMOVEFROM (0 2)`, "* 2 EXPUNGE", "* 1 RECENT")
	a.silent()
}

// TestContextLost: a search that could not look at a message is not kept up to date any
// more, and the client is told so.
func TestContextLost(t *testing.T) {
	f := newFixture(t)
	a := f.dialogue()
	a.file("INBOX", "", simple)
	a.needs("SELECT INBOX")
	a.n = 0
	a.want("SEARCH RETURN (UPDATE COUNT) BODY one", `* ESEARCH (TAG "t1") COUNT 1`, "OK SEARCH completed")
	a.want("SEARCH RETURN (UPDATE COUNT) FLAGGED", `* ESEARCH (TAG "t2") COUNT 0`, "OK SEARCH completed")
	files, err := filepath.Glob(filepath.Join(f.dir, "cur", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("got %q, %v, want one file", files, err)
	}
	if err := errors.Join(os.Remove(files[0]), os.Mkdir(files[0], 0o700)); err != nil { // it cannot be read
		t.Fatal(err)
	}
	got := a.do(`STORE 1 +FLAGS.SILENT (\Flagged)`)
	want := []string{`* NO [NOUPDATE "t1"] results are not kept up to date`, `* ESEARCH (TAG "t2") ADDTO (0 1)`, "OK STORE completed"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	a.want(`CANCELUPDATE "t1"`, "NO no such search is kept up to date")
	a.want(`STORE 1 -FLAGS.SILENT (\Flagged)`, `* ESEARCH (TAG "t2") REMOVEFROM (0 1)`, "OK STORE completed")
}

// TestContextChange: results that leave and join at once.
func TestContextChange(t *testing.T) {
	for _, tt := range []struct{ was, left, joined, want []uint32 }{
		{[]uint32{1, 3, 5}, nil, nil, []uint32{1, 3, 5}},
		{[]uint32{1, 3, 5}, []uint32{1, 5}, []uint32{2, 4, 9}, []uint32{2, 3, 4, 9}},
		{nil, nil, []uint32{7}, []uint32{7}},
		{[]uint32{7}, []uint32{7}, nil, nil},
	} {
		u := standingSearch{uids: slices.Clone(tt.was)}
		if u.change(tt.left, tt.joined); !slices.Equal(u.uids, tt.want) {
			t.Errorf("%v without %v and with %v: got %v, want %v", tt.was, tt.left, tt.joined, u.uids, tt.want)
		}
	}
}
