package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// idIn returns the id that pattern finds in a command's responses.
func idIn(t *testing.T, pattern string, responses []string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(strings.Join(responses, "\n"))
	if found == nil {
		t.Fatalf("got %q, want %s", responses, pattern)
	}
	return found[1]
}

// objectid is what RFC 8474 section 7 allows.
const objectid = `([A-Za-z0-9_-]{1,255})`

// TestMailboxID follows RFC 8474 sections 4.1 to 4.4: an id is told by CREATE,
// SELECT, EXAMINE and STATUS, stays with a rename, and is not used again.
func TestMailboxID(t *testing.T) {
	d := newFixture(t).dialogue()
	foo := idIn(t, `^OK \[MAILBOXID \(`+objectid+`\)\] CREATE completed$`, d.raw("create foo"))
	bar := idIn(t, `^OK \[MAILBOXID \(`+objectid+`\)\] CREATE completed$`, d.raw("create bar"))
	if foo == bar {
		t.Errorf("got %s twice", foo)
	}
	told := func(want, command string) {
		t.Helper()
		if got := idIn(t, `MAILBOXID \(`+objectid+`\)`, d.raw(command)); got != want {
			t.Errorf("%s: got %s, want %s", command, got, want)
		}
	}
	told(foo, "select foo")
	told(foo, "examine foo")
	told(foo, "status foo (mailboxid)")
	d.want("status foo (messages mailboxid unseen)", `* STATUS "foo" (MESSAGES 0 MAILBOXID (`+foo+`) UNSEEN 0)`, "OK STATUS completed")
	d.do("rename foo renamed")
	told(foo, "status renamed (mailboxid)")
	d.do("delete renamed")
	told(bar, "select bar")
	d.do("create foo")
	if got := idIn(t, `MAILBOXID \(`+objectid+`\)`, d.raw("select foo")); got == foo {
		t.Errorf("got %s again for another mailbox of that name", got)
	}
	got := d.raw(`list "" bar return (status (mailboxid))`)
	if id := idIn(t, `\* STATUS "bar" \(MAILBOXID \(`+objectid+`\)\)`, got); id != bar {
		t.Errorf("got %s in LIST, want %s", id, bar)
	}
	inbox := idIn(t, `MAILBOXID \(`+objectid+`\)`, d.raw("select inbox"))
	d.file("INBOX", "", simple)
	moved := idIn(t, `MAILBOXID \(`+objectid+`\)`, append(d.raw("rename inbox moved"), d.raw("select moved")...))
	told(inbox, "select inbox")
	if moved == inbox {
		t.Errorf("got INBOX's id %s for what INBOX was renamed to", moved)
	}
}

// TestEmailID follows RFC 8474 section 5.1: different messages have different
// ids, a copy and a moved one have that of the original, also a copy of a copy.
func TestEmailID(t *testing.T) {
	f := newFixture(t)
	d := f.dialogue()
	d.do("create foo")
	d.do("create bar")
	for range 3 {
		d.file("INBOX", `(\Seen)`, simple)
	}
	ids := func(d *dialogue, box string, n int) (ids []string) {
		t.Helper()
		d.do("select " + box)
		for seq := 1; seq <= n; seq++ {
			ids = append(ids, idIn(t, fmt.Sprintf(`\* %d FETCH \(UID \d+ EMAILID \(`, seq)+objectid+`\) THREADID NIL\)`, d.raw(fmt.Sprintf("fetch %d (uid emailid threadid)", seq))))
		}
		return ids
	}
	inbox := ids(d, "inbox", 3)
	if inbox[0] == inbox[1] || inbox[1] == inbox[2] || inbox[0] == inbox[2] {
		t.Errorf("got %v, want three ids", inbox)
	}
	d.do("copy 1 foo")
	d.do("move 2 foo")
	d.want("uid store 1 +flags.silent (\\Flagged)", "OK UID STORE completed")
	foo := ids(d, "foo", 2)
	d.do("move 1:2 bar")
	for name, got := range map[string][]string{"foo": foo, "bar": ids(d, "bar", 2), "another session": ids(f.dialogue(), "bar", 2)} {
		if fmt.Sprint(got) != fmt.Sprint(inbox[:2]) {
			t.Errorf("%s: got %v, want %v", name, got, inbox[:2])
		}
	}
	if got := ids(d, "inbox", 2); got[0] != inbox[0] || got[1] != inbox[2] {
		t.Errorf("got %v, want %v and %v", got, inbox[0], inbox[2])
	}
	d.want("search emailid "+inbox[2], "* SEARCH 2", "OK SEARCH completed")
	d.want("search or emailid "+inbox[2]+" emailid "+inbox[0], "* SEARCH 1 2", "OK SEARCH completed")
	d.want("search emailid "+inbox[1], "* SEARCH", "OK SEARCH completed")
	d.want("search threadid T123", "* SEARCH", "OK SEARCH completed")
	d.want("search emailid", "BAD missing argument")
}

// TestSaveDate follows the examples of RFC 8514 section 4: a message filed with an
// old internal date was saved today, a foreign name that tells no time is NIL and
// found by its internal date.
func TestSaveDate(t *testing.T) {
	f := newFixture(t)
	d := f.dialogue()
	got := d.do(fmt.Sprintf("APPEND INBOX \"01-Jan-2010 00:00:00 +0000\" {%d+}\r\n%s", len(simple), simple))
	if !strings.HasPrefix(got[len(got)-1], "OK") {
		t.Fatal(got)
	}
	name := filepath.Join(f.dir, "cur", "strange:2,S")
	if err := os.WriteFile(name, []byte("Subject: x\n\ny\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Date(2011, 2, 3, 12, 0, 0, 0, time.Local)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, "cur", "1300000000.M1P1.host:2,"), []byte("Subject: x\n\ny\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.do("select inbox")
	now := idIn(t, `SAVEDATE "([^"]*)"`, d.do("fetch 1 savedate"))
	if at, err := time.Parse("_2-Jan-2006 15:04:05 -0700", now); err != nil || time.Since(at) > time.Hour {
		t.Errorf("got %s, %v, want now", now, err)
	}
	today := time.Now().Format("2-Jan-2006")
	then := time.Unix(1300000000, 0)
	for seq := 2; seq <= 3; seq++ {
		got := d.do(fmt.Sprintf("fetch %d (uid savedate)", seq))[0]
		strange := fmt.Sprintf("* %d FETCH (UID %d SAVEDATE NIL)", seq, seq)
		named := fmt.Sprintf("* %d FETCH (UID %d SAVEDATE %q)", seq, seq, then.Format("_2-Jan-2006 15:04:05 -0700"))
		if got != strange && got != named {
			t.Errorf("got %s, want %s or %s", got, strange, named)
		}
	}
	for keys, want := range map[string]int{
		"savedsince " + today: 1, "savedon 3-Feb-2011": 1, "on 1-Jan-2010": 1, "savedbefore 1-Jan-2011": 0,
		"savedon " + then.Format("2-Jan-2006"): 1, "savedbefore " + today: 2, "savedatesupported": 3, "not savedatesupported": 0,
		"savedsince 3-Feb-2011": 3,
	} {
		got := d.do("search " + keys)[0]
		if n := len(strings.Fields(got)) - 2; n != want {
			t.Errorf("%s: got %s, want %d messages", keys, got, want)
		}
	}
}
