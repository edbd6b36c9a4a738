package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

func TestFolders(t *testing.T) {
	d := newFixture(t).dialogue()
	d.want(`LIST "" ""`, `* LIST (\Noselect) "." ""`, "OK LIST completed")
	d.want(`LIST "" *`, `* LIST (\HasNoChildren) "." "INBOX"`, "OK LIST completed")
	d.want("CREATE Work.2024.Q1", "OK CREATE completed")
	d.want("CREATE Entw&APw-rfe.", "OK CREATE completed")
	d.want("CREATE inbox", "NO [ALREADYEXISTS] mailbox exists already")
	d.want("CREATE Work.2024.Q1", "NO [ALREADYEXISTS] mailbox exists already")
	d.want("CREATE x&y", "NO [CANNOT] mailbox name is neither UTF-8 nor modified UTF-7")
	d.want("CREATE a..b", "NO [CANNOT] not a possible mailbox name")
	d.want("CREATE a/../b", "NO [CANNOT] not a possible mailbox name")
	d.want("CREATE a%", "BAD unexpected argument")
	d.want("CREATE", "BAD missing argument")
	d.want(`LIST "" %`, `* LIST (\HasNoChildren) "." "INBOX"`, `* LIST (\HasNoChildren) "." "Entw&APw-rfe"`,
		`* LIST (\Noselect \HasChildren) "." "Work"`, "OK LIST completed")
	d.want(`LIST Work. %`, `* LIST (\Noselect \HasChildren) "." "Work.2024"`, "OK LIST completed")
	d.want(`LIST "" w*`, "OK LIST completed")
	d.want(`LIST "" Wo*Q1`, `* LIST (\HasNoChildren) "." "Work.2024.Q1"`, "OK LIST completed")
	d.want(`LIST "" "inbo%"`, `* LIST (\HasNoChildren) "." "INBOX"`, "OK LIST completed")
	d.want(`LIST "" (`, "BAD expected a mailbox pattern")
	d.want(`LIST "" `+strings.Repeat("*", 2000), "BAD mailbox pattern too long")

	d.want("SUBSCRIBE Work.2024.Q1", "OK SUBSCRIBE completed")
	d.want("SUBSCRIBE INBOX", "OK SUBSCRIBE completed")
	d.want(`LSUB "" *`, `* LSUB () "." "INBOX"`, `* LSUB () "." "Work.2024.Q1"`, "OK LSUB completed")
	d.want(`LSUB "" %`, `* LSUB () "." "INBOX"`, `* LSUB (\Noselect) "." "Work"`, "OK LSUB completed")
	d.want(`LSUB "" *%`, `* LSUB () "." "INBOX"`, `* LSUB () "." "Work.2024.Q1"`, "OK LSUB completed")
	d.want(`LSUB Work. %`, `* LSUB (\Noselect) "." "Work.2024"`, "OK LSUB completed")
	d.want("SUBSCRIBE Work", "OK SUBSCRIBE completed") // nothing of that name is there
	d.want(`LSUB "" %`, `* LSUB () "." "INBOX"`, `* LSUB () "." "Work"`, "OK LSUB completed")
	d.want("UNSUBSCRIBE Work", "OK UNSUBSCRIBE completed")
	d.want("UNSUBSCRIBE Work.2024.Q1", "OK UNSUBSCRIBE completed")
	d.want(`LSUB "" *`, `* LSUB () "." "INBOX"`, "OK LSUB completed")

	d.want("STATUS INBOX (MESSAGES RECENT UIDNEXT UNSEEN UIDVALIDITY)", `* STATUS "INBOX" (MESSAGES 0 RECENT 0 UIDNEXT 1 UNSEEN 0 UIDVALIDITY V)`, "OK STATUS completed")
	d.want("STATUS Work (MESSAGES)", "NO [NONEXISTENT] no such mailbox")
	d.want("STATUS INBOX ()", "BAD no items of STATUS")
	d.want("STATUS INBOX (FOO)", "BAD unknown item of STATUS")
	d.want("SELECT Work", "NO [NONEXISTENT] no such mailbox")
	d.want(`SELECT "a*b%"`, "NO [NONEXISTENT] no such mailbox")
	d.want(`SELECT &&&`, "NO [CANNOT] mailbox name is neither UTF-8 nor modified UTF-7")
	d.want(`SELECT ../../etc`, "NO [CANNOT] not a possible mailbox name")

	// Where no mailbox can be made, TRYCREATE would mislead (RFC 3501 section 6.3.11).
	d.want("APPEND none {3+}\r\nabc", "NO [TRYCREATE] no such mailbox")
	d.want("APPEND a..b {3+}\r\nabc", "NO [CANNOT] not a possible mailbox name")
	d.want(`APPEND "" {3+}`+"\r\nabc", "NO [CANNOT] not a possible mailbox name")

	// INBOX has no case, and so the names below it.
	d.want("CREATE inbox.a", "OK CREATE completed")
	d.want("SELECT Inbox.A", "NO [NONEXISTENT] no such mailbox")
	d.want("CREATE INBOX.a", "NO [ALREADYEXISTS] mailbox exists already")
	d.want(`LIST "" inb%`, `* LIST (\HasChildren) "." "INBOX"`, "OK LIST completed")
	d.want(`LIST inbox. %`, `* LIST (\HasNoChildren) "." "INBOX.a"`, "OK LIST completed")
	d.want(`LIST inbox. A`, "OK LIST completed")
	d.want("RENAME iNBOX.a InBox.b", "OK RENAME completed")
	d.want("DELETE inbox.b", "OK DELETE completed")
}

// TestSpecialUse: LIST says what a folder is for, when it is there (RFC 6154
// section 2).
func TestSpecialUse(t *testing.T) {
	f := newFixture(t)
	l := *f.host.limits.Load()
	l.specialUse = map[string][]string{"Trash": {`\Trash`}, "Gelöscht": {`\Trash`, `\Junk`}, "Old": {`\Archive`}}
	f.host.limits.Store(&l)
	d := f.dialogue()
	d.want(`LIST "" *`, `* LIST (\HasNoChildren) "." "INBOX"`, "OK LIST completed")
	for _, name := range []string{"Trash.1", "Trash", "Gel&APY-scht", "Old.1"} {
		d.want("CREATE "+name, "OK CREATE completed")
	}
	d.want(`LIST "" *`, `* LIST (\HasNoChildren) "." "INBOX"`, `* LIST (\HasNoChildren \Trash \Junk) "." "Gel&APY-scht"`,
		`* LIST (\Noselect \HasChildren) "." "Old"`, `* LIST (\HasNoChildren) "." "Old.1"`,
		`* LIST (\HasChildren \Trash) "." "Trash"`, `* LIST (\HasNoChildren) "." "Trash.1"`, "OK LIST completed")
}

// TestSelectedFolderEnds: a session is not left with numbers that stand for
// other messages, or for none.
func TestSelectedFolderEnds(t *testing.T) {
	for name, ends := range map[string]struct {
		by   func(path string) error
		want string
	}{
		"removed":  {os.RemoveAll, "* BYE selected mailbox was deleted or renamed"},
		"new UIDs": {func(path string) error { return os.WriteFile(path+"/dovecot-uidlist", []byte("3 V7 N1\n"), 0o600) }, "* BYE selected mailbox has other UIDs now"},
	} {
		f := newFixture(t)
		d := f.dialogue()
		d.do("CREATE a")
		d.do("SELECT a")
		if err := ends.by(f.dir + "/.a"); err != nil {
			t.Fatal(err)
		}
		// Whatever the command, a look at the folder finds it.
		os.WriteFile(f.dir+"/.a/new/1.a.x", []byte(simple), 0o600)
		fmt.Fprint(d.conn, "a NOOP\r\n")
		if got := d.line(); got != ends.want {
			t.Errorf("%s: got %s, want %s", name, got, ends.want)
		}
		if rest, err := io.ReadAll(d.r); err != nil || len(rest) > 0 {
			t.Errorf("%s: got %q, %v, want the end", name, rest, err)
		}
	}
}

// TestDeleteAndRename: RFC 3501 sections 6.3.4 and 6.3.5, and what becomes of
// the sessions that have the folder selected.
func TestDeleteAndRename(t *testing.T) {
	f := newFixture(t)
	d, other := f.dialogue(), f.dialogue()
	for _, name := range []string{"A", "A.b", "C"} {
		d.want("CREATE "+name, "OK CREATE completed")
	}
	d.file("A.b", `(\Flagged)`, simple)
	d.file("INBOX", "", simple)
	d.want("DELETE inbox", "NO [CANNOT] INBOX cannot be deleted")
	d.want("DELETE A", "OK DELETE completed")
	d.want(`LIST "" A*`, `* LIST (\Noselect \HasChildren) "." "A"`, `* LIST (\HasNoChildren) "." "A.b"`, "OK LIST completed")
	d.want("DELETE A", "NO [NONEXISTENT] no such mailbox")
	d.want("RENAME A C", "OK RENAME completed") // C.b was free
	d.do("SELECT C.b")
	other.do("SELECT C.b")
	d.want("RENAME C C", "NO [ALREADYEXISTS] mailbox exists already")
	d.want("SEARCH ALL", "* SEARCH 1", "OK SEARCH completed") // still selected
	d.want("RENAME C A", "OK RENAME completed")
	d.want("NOOP", "OK NOOP completed")
	d.want("FETCH 1 FLAGS", "BAD no mailbox is selected")
	fmt.Fprint(other.conn, "a FETCH 1 (UID FLAGS)\r\n")
	if got, want := other.line(), "* BYE selected mailbox was deleted or renamed"; got != want {
		t.Errorf("the other session: got %s, want %s", got, want)
	}
	d.want(`LIST "" A*`, `* LIST (\HasChildren) "." "A"`, `* LIST (\HasNoChildren) "." "A.b"`, "OK LIST completed")
	d.want("STATUS A.b (MESSAGES)", `* STATUS "A.b" (MESSAGES 1)`, "OK STATUS completed")
	d.do("SELECT INBOX")
	d.want("RENAME INBOX Old", "* 1 EXPUNGE", "* 0 RECENT", "OK RENAME completed")
	d.want("STATUS Old (MESSAGES)", `* STATUS "Old" (MESSAGES 1)`, "OK STATUS completed")
	d.want("RENAME Old A.b", "NO [ALREADYEXISTS] mailbox exists already")
	d.want("RENAME Old", "BAD missing argument")
	d.want("DELETE Old x", "BAD unexpected argument")
}
