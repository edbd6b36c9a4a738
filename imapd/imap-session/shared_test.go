package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/imapd/internal/acl"
	"posthorn/imapd/internal/realm"
	"posthorn/internal/directory"
	"posthorn/internal/durable"
	"posthorn/internal/mailbox"
	"posthorn/internal/verdict"
)

// town is users who may show each other mailboxes.
type town struct {
	*fixture
	root string
}

// newTown returns one whose public mailboxes are pub's. Mallory's mail belongs to
// another uid.
func newTown(t *testing.T) *town {
	f := newFixture(t)
	v := &town{f, filepath.Dir(f.dir)}
	l := *f.host.limits.Load()
	l.domain, l.public = "x.example", "pub@x.example"
	f.host.limits.Store(&l)
	f.host.shares = &realm.Shares{Store: f.host.store, UID: 7, Root: v.root, Boxes: func(_ context.Context, names []string) (boxes []directory.Box, err error) {
		for _, name := range names {
			boxes = append(boxes, v.box(name))
		}
		return boxes, nil
	}}
	return v
}

func (v *town) box(user string) directory.Box {
	b := directory.Box{Name: user, UID: 7, Mail: filepath.Join(v.root, user, "Maildir"), Verdict: verdict.New(verdict.Done, "2.0.0", "ok")}
	if strings.HasPrefix(user, "mallory@") {
		b.UID = 8
	}
	return b
}

// as logs in.
func (v *town) as(user string, groups ...string) *dialogue {
	v.t.Helper()
	user += "@x.example"
	v.user = directory.Grant{User: user, Box: v.box(user), Groups: strings.Join(groups, ",")}
	return v.dialogue()
}

// needs runs a command that must be answered OK.
func (d *dialogue) needs(commands ...string) {
	d.t.Helper()
	for _, c := range commands {
		if got := d.do(c); !strings.HasPrefix(got[len(got)-1], "OK") {
			d.t.Fatalf("%s: got %q", c, got)
		}
	}
}

// TestACL follows the examples of RFC 4314 sections 2.1.1 and 3.
func TestACL(t *testing.T) {
	v := newTown(t)
	d := v.as("fred")
	d.needs("CREATE INBOX.Drafts")
	all := `"lrswipkxteacd"`
	d.want("GETACL INBOX.Drafts", `* ACL "INBOX.Drafts" "fred@x.example" `+all, "OK GETACL completed")
	d.want("MYRIGHTS INBOX", `* MYRIGHTS "INBOX" `+all, "OK MYRIGHTS completed")
	d.want("SeTacl INBOX.Drafts David lrswida", "OK SETACL completed")
	d.want("GETACL INBOX.Drafts", `* ACL "INBOX.Drafts" "fred@x.example" `+all+` "david@x.example" "lrswitead"`, "OK GETACL completed")
	d.want("SETACL INBOX.Drafts Byron lrswikda", "OK SETACL completed")
	d.want("SETACL INBOX.Drafts Chris lrswi", "OK SETACL completed")
	d.want("SETACL INBOX.Drafts chris@X.example +cda", "OK SETACL completed")
	d.want("SETACL INBOX.Drafts david -wd", "OK SETACL completed")
	d.want("SETACL INBOX.Drafts -Fred wetd", "OK SETACL completed")
	d.want("SETACL INBOX.Drafts group=team w", "OK SETACL completed")
	d.want("GETACL INBOX.Drafts", `* ACL "INBOX.Drafts" "fred@x.example" `+all+` "-fred@x.example" "wted" "byron@x.example" "lrswikteacd" "chris@x.example" "lrswikxteacd"`+
		` "david@x.example" "lrsia" "group=team" "w"`, "OK GETACL completed")
	d.want("MYRIGHTS INBOX.Drafts", `* MYRIGHTS "INBOX.Drafts" "lrsipkxac"`, "OK MYRIGHTS completed")
	d.want("DeleteAcl INBOX.Drafts -Fred", "OK DELETEACL completed")
	d.want("DELETEACL INBOX.Drafts byron", "OK DELETEACL completed")
	d.want("SETACL INBOX.Drafts chris \"\"", "OK SETACL completed")
	d.want("SETACL INBOX.Drafts fred r", "OK SETACL completed")
	d.want("GETACL INBOX.Drafts", `* ACL "INBOX.Drafts" "david@x.example" "lrsia" "group=team" "w" "fred@x.example" "r"`, "OK GETACL completed")
	d.want("MYRIGHTS INBOX.Drafts", `* MYRIGHTS "INBOX.Drafts" "lra"`, "OK MYRIGHTS completed")
	d.want("DELETEACL INBOX.Drafts fred", "OK DELETEACL completed")
	d.want("SETACL INBOX.Drafts fred -w", "OK SETACL completed") // of all that he had
	d.want("MYRIGHTS INBOX.Drafts", `* MYRIGHTS "INBOX.Drafts" "lrsipkxteacd"`, "OK MYRIGHTS completed")
	d.want("SETACL INBOX.Drafts John lrQswicda", "BAD the right 'Q' is not supported")
	d.want("SETACL INBOX.Drafts John lrqswicda", "BAD the right 'q' is not supported")
	for _, id := range []string{`""`, "-", `"a b"`, "a/b", "group=", "\"a\tb\"", "@"} {
		d.want("SETACL INBOX "+id+" l", "BAD not a possible identifier")
		d.want("LISTRIGHTS INBOX "+id, "BAD not a possible identifier")
	}
	d.want("LISTRIGHTS INBOX Smith", `* LISTRIGHTS "INBOX" "Smith" "" l r s w i p k x t e a c d`, "OK LISTRIGHTS completed")
	d.want("LISTRIGHTS INBOX fred", `* LISTRIGHTS "INBOX" "fred" "la" r s w i p k x t e c d`, "OK LISTRIGHTS completed")
	d.want("LISTRIGHTS INBOX anyone", `* LISTRIGHTS "INBOX" "anyone" "" l r s w i p k x t e a c d`, "OK LISTRIGHTS completed")
	for _, c := range []string{"GETACL Nowhere", "MYRIGHTS Nowhere", "SETACL Nowhere anyone l", "DELETEACL Nowhere anyone", "LISTRIGHTS Nowhere anyone"} {
		d.want(c, "NO [NONEXISTENT] no such mailbox")
	}
}

// TestListMyRights follows the examples of RFC 8440 section 4.
func TestListMyRights(t *testing.T) {
	d := newTown(t).as("fred")
	d.needs("CREATE foo", "CREATE bar.below", "CREATE foo.below", "SETACL foo fred lrs", "SUBSCRIBE INBOX", "SUBSCRIBE foo.below")
	d.want(`LIST "" % RETURN (MYRIGHTS)`,
		`* LIST (\HasNoChildren) "." "INBOX"`,
		`* MYRIGHTS "INBOX" "lrswipkxteacd"`,
		`* LIST (\NonExistent \HasChildren) "." "bar"`,
		`* LIST (\HasChildren) "." "foo"`,
		`* MYRIGHTS "foo" "lrsa"`,
		"OK LIST completed")
	d.want(`LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (MYRIGHTS)`,
		`* LIST (\HasNoChildren \Subscribed) "." "INBOX"`,
		`* MYRIGHTS "INBOX" "lrswipkxteacd"`,
		`* LIST (\HasChildren) "." "foo" ("CHILDINFO" ("SUBSCRIBED"))`,
		"OK LIST completed")
}

// TestShared has a user see what others show him, and nothing else.
func TestShared(t *testing.T) {
	v := newTown(t)
	ann, pub := v.as("ann"), v.as("pub")
	ann.needs("CREATE Words.2024", "CREATE Words.secret", "CREATE Team", "CREATE Shared.mine", "SETACL Words.2024 bob lr", "SETACL INBOX bob l",
		"SETACL Team group=staff lrswit")
	ann.file("Words.2024", `(\Flagged)`, simple)
	pub.needs("CREATE News", "SETACL News anyone lrs")
	mallory := v.as("mallory")
	mallory.needs("SETACL INBOX anyone lr")

	bob := v.as("bob")
	bob.want("NAMESPACE", `* NAMESPACE (("" ".")) (("Shared/" "/")) (("Public/" "/"))`, "OK NAMESPACE completed")
	bob.want(`LIST "" *`,
		`* LIST (\HasNoChildren) "." "INBOX"`,
		`* LIST (\Noselect \HasChildren) "/" "Public"`,
		`* LIST (\HasNoChildren) "/" "Public/News"`,
		`* LIST (\Noselect \HasChildren) "/" "Shared"`,
		`* LIST (\Noselect \HasChildren) "/" "Shared/ann@x.example"`,
		`* LIST (\HasNoChildren) "/" "Shared/ann@x.example/INBOX"`,
		`* LIST (\Noselect \HasChildren) "/" "Shared/ann@x.example/Words"`,
		`* LIST (\HasNoChildren) "/" "Shared/ann@x.example/Words/2024"`,
		"OK LIST completed")
	bob.want(`LIST "Shared/ann@x.example/" % RETURN (MYRIGHTS STATUS (MESSAGES))`,
		`* LIST (\HasNoChildren) "/" "Shared/ann@x.example/INBOX"`,
		`* MYRIGHTS "Shared/ann@x.example/INBOX" "l"`,
		`* LIST (\NonExistent \HasChildren) "/" "Shared/ann@x.example/Words"`,
		"OK LIST completed")
	bob.want(`LIST "" (Shared Public/%)`, `* LIST (\HasNoChildren) "/" "Public/News"`, `* LIST (\NonExistent \HasChildren) "/" "Shared"`, "OK LIST completed")
	bob.want(`LIST "Shared/ann@x.example/" ""`, `* LIST (\Noselect) "/" "Shared/"`, "OK LIST completed")
	bob.want(`LIST "" ""`, `* LIST (\Noselect) "." ""`, "OK LIST completed")
	bob.want("STATUS Shared/ann@x.example/Words/2024 (MESSAGES)", `* STATUS "Shared/ann@x.example/Words/2024" (MESSAGES 1)`, "OK STATUS completed")
	bob.want("MYRIGHTS Public/News", `* MYRIGHTS "Public/News" "lrs"`, "OK MYRIGHTS completed")
	for _, name := range []string{
		"Shared/ann@x.example/Words/secret", "Shared/ann@x.example/Team", "Shared/ann@x.example/Nowhere", "Shared/nobody@x.example/INBOX", "Shared/bob@x.example/INBOX",
		"Shared/mallory@x.example/INBOX", "Shared/pub@x.example/News", "Public/INBOX", "Shared/ann@x.example/", "Shared/ann@x.example", "Shared/", "Public/",
		"Shared/ann@x.example/Words.2024", "Shared/../ann@x.example/Words/2024",
	} {
		for _, c := range []string{"SELECT ", "MYRIGHTS ", "GETACL ", "DELETE "} {
			bob.want(c+name, "NO [NONEXISTENT] no such mailbox")
		}
	}
	staff := v.as("carl", "sales", "staff")
	staff.want(`LIST "" Shared/*`,
		`* LIST (\Noselect \HasChildren) "/" "Shared/ann@x.example"`,
		`* LIST (\HasNoChildren) "/" "Shared/ann@x.example/Team"`,
		"OK LIST completed")
	ann.want(`LIST "" (% Shared/%)`,
		`* LIST (\HasNoChildren) "." "INBOX"`, `* LIST (\NonExistent \HasChildren) "/" "Public"`, `* LIST (\NonExistent \HasChildren) "." "Shared"`,
		`* LIST (\HasNoChildren) "." "Team"`, `* LIST (\NonExistent \HasChildren) "." "Words"`, "OK LIST completed")

	bob.want("SUBSCRIBE Shared/ann@x.example/Words/2024", "OK SUBSCRIBE completed")
	bob.want(`LSUB "" *`, `* LSUB () "/" "Shared/ann@x.example/Words/2024"`, "OK LSUB completed")
	ann.needs("DELETEACL Words.2024 bob", "DELETEACL INBOX bob")
	bob.want(`LIST "" Shared/*`, "OK LIST completed")
	bob.want("SELECT Shared/ann@x.example/Words/2024", "NO [NONEXISTENT] no such mailbox")
	if got, err := os.ReadFile(filepath.Join(v.root, "posthorn-state")); err != nil || strings.Count(string(got), "share ann@x.example") == 0 {
		t.Errorf("got the list %q, %v", got, err)
	}
}

// rights is a mailbox of ann's that bob may use in one way.
func rights(t *testing.T, letters string) (ann, bob *dialogue) {
	t.Helper()
	v := newTown(t)
	ann = v.as("ann")
	ann.needs("CREATE Box", "SETACL Box bob "+letters)
	for range 2 {
		ann.file("Box", `(\Flagged)`, simple)
	}
	bob = v.as("bob")
	bob.file("INBOX", `(\Seen \Deleted \Answered word)`, simple)
	return ann, bob
}

const theirs = "Shared/ann@x.example/Box"

// TestEnforcement holds each command to the rights of RFC 4314 section 4: it is
// refused without the right, and done with it.
func TestEnforcement(t *testing.T) {
	const denied = "NO [NOPERM] no right to do that"
	for _, tt := range []struct{ need, before, command string }{
		{"r", "", "SELECT " + theirs},
		{"r", "", "EXAMINE " + theirs},
		{"r", "", "STATUS " + theirs + " (MESSAGES)"},
		{"k", "", "CREATE " + theirs + "/below"},
		{"x", "", "DELETE " + theirs},
		{"a", "", "GETACL " + theirs},
		{"a", "", "SETACL " + theirs + " carl lr"},
		{"a", "", "DELETEACL " + theirs + " carl"},
		{"a", "", "LISTRIGHTS " + theirs + " carl"},
		{"i", "", "APPEND " + theirs + " {3+}\r\nabc"},
		{"i", "SELECT INBOX", "COPY 1 " + theirs},
		{"i", "SELECT INBOX", "MOVE 1 " + theirs},
		{"r", "", "GETMETADATA " + theirs + " /shared/comment"},
		{"r", "", `SETMETADATA ` + theirs + ` (/private/comment "x")`},
		{"w", "", `SETMETADATA ` + theirs + ` (/shared/comment "x")`},
		{"re", "SELECT " + theirs, "EXPUNGE"},
		{"re", "SELECT " + theirs, "UID EXPUNGE 1"},
		{"rte", "SELECT " + theirs, "MOVE 1 INBOX"},
		{"rte", "SELECT " + theirs, "REPLACE 1 INBOX {3+}\r\nabc"},
		{"rt", "SELECT " + theirs, `STORE 1 +FLAGS (\Deleted)`},
		{"rs", "SELECT " + theirs, `STORE 1 +FLAGS (\Seen)`},
		{"rw", "SELECT " + theirs, `STORE 1 -FLAGS (\Flagged)`},
		{"rw", "SELECT " + theirs, `STORE 1 +FLAGS (word)`},
	} {
		least := strings.Trim(tt.need, "r")
		if tt.before == "" || least == "i" {
			least = tt.need
		}
		for i := range least {
			// All rights but the one, and if it is the only one, with one that helps nobody.
			without := strings.ReplaceAll("lrswipkxtea", least[i:i+1], "")
			if strings.Contains(tt.command, "METADATA") && least == "r" {
				without = "lkxtea" // any one of rswip will do
			}
			_, bob := rights(t, without)
			if tt.before != "" {
				bob.needs(tt.before)
			}
			if got := bob.do(tt.command); got[len(got)-1] != denied {
				t.Errorf("%s with %s: got %q, want %s", tt.command, without, got, denied)
			}
		}
		_, bob := rights(t, "l"+tt.need)
		if tt.before != "" {
			bob.needs(tt.before)
		}
		if got := bob.do(tt.command); !strings.HasPrefix(got[len(got)-1], "OK") {
			t.Errorf("%s with l%s: got %q, want OK", tt.command, tt.need, got)
		}
	}
}

// TestFlagsByRights: only flags that may be set are, and the others stay (RFC 4314
// section 4).
func TestFlagsByRights(t *testing.T) {
	_, bob := rights(t, "lrsi")
	bob.needs("SELECT INBOX", "COPY 1 "+theirs, "APPEND "+theirs+` (\Seen \Deleted \Draft word) {3+}`+"\r\nabc")
	bob.want("SELECT "+theirs,
		`* FLAGS (\Answered \Flagged \Deleted \Seen \Draft word)`, `* OK [PERMANENTFLAGS (\Seen)] flags that are kept`,
		"* 4 EXISTS", "* 4 RECENT", "* OK [UNSEEN 1] first unseen message", "* OK [UIDVALIDITY V] UIDs are valid", "* OK [UIDNEXT 5] next UID",
		"OK [READ-WRITE] SELECT completed")
	bob.want("FETCH 3:4 FLAGS", `* 3 FETCH (FLAGS (\Seen \Recent))`, `* 4 FETCH (FLAGS (\Seen \Recent))`, "OK FETCH completed")
	bob.want(`STORE 1 FLAGS (\Deleted \Seen)`, `* 1 FETCH (FLAGS (\Flagged \Seen \Recent))`, "OK STORE completed")
	bob.want(`STORE 1 FLAGS (\Deleted)`, `* 1 FETCH (FLAGS (\Flagged \Recent))`, "OK STORE completed")

	_, bob = rights(t, "lrw")
	bob.needs("SELECT " + theirs)
	bob.want("FETCH 1 (BODY[TEXT])", "* 1 FETCH (BODY[TEXT] {13}body of one\r\n)", "OK FETCH completed")
	bob.want("STORE 1 FLAGS (a b)", `* FLAGS (\Answered \Flagged \Deleted \Seen \Draft a b)`,
		`* OK [PERMANENTFLAGS (\Answered \Flagged \Draft a b \*)] flags that are kept`, `* 1 FETCH (FLAGS (\Recent a b))`, "OK STORE completed")
	bob.want("STORE 1 FLAGS (B)", `* 1 FETCH (FLAGS (\Recent b))`, "OK STORE completed")
	bob.want("CLOSE", "OK CLOSE completed")

	ann, bob := rights(t, "lrt")
	bob.needs("SELECT "+theirs, `STORE 1 +FLAGS (\Deleted)`, "CLOSE")
	ann.want("STATUS Box (MESSAGES)", `* STATUS "Box" (MESSAGES 2)`, "OK STATUS completed") // CLOSE removes nothing without e

	_, bob = rights(t, "lrp")
	if got := bob.do("SELECT " + theirs); got[len(got)-1] != "OK [READ-ONLY] SELECT completed" {
		t.Errorf("got %q, want READ-ONLY", got)
	}
}

// TestFetchedByRights: the keyword by which POP3 removes messages is for those who may
// remove them.
func TestFetchedByRights(t *testing.T) {
	const mark = `(\Answered $pop3fetched word)`
	arrives := "APPEND " + theirs + " " + mark + " {3+}\r\nabc"
	for letters, want := range map[string]string{"lrwi": `\Answered \Recent word`, "lrwit": `\Answered \Recent word`, "lrwite": `\Answered \Recent word $pop3fetched`} {
		_, bob := rights(t, letters)
		bob.needs("SELECT INBOX", "STORE 1 FLAGS "+mark, "COPY 1 "+theirs, arrives, "SELECT "+theirs, "STORE 1 FLAGS "+mark, "STORE 2 +FLAGS "+mark)
		want2 := strings.Replace(want, `\Answered`, `\Answered \Flagged`, 1)
		bob.want("FETCH 1:4 FLAGS", "* 1 FETCH (FLAGS ("+want+"))", "* 2 FETCH (FLAGS ("+want2+"))", "* 3 FETCH (FLAGS ("+want+"))", "* 4 FETCH (FLAGS ("+want+"))", "OK FETCH completed")
	}

	ann, bob := rights(t, "lrwi")
	ann.needs("SELECT Box", "STORE 1 FLAGS ($POP3Fetched)")
	bob.needs("SELECT "+theirs, "STORE 1 FLAGS (word)")
	bob.want("STORE 1 -FLAGS ($POP3Fetched)", "NO [NOPERM] no right to do that")
	bob.want("FETCH 1 FLAGS", "* 1 FETCH (FLAGS ($POP3Fetched word))", "OK FETCH completed")
}

// TestRightsChangeUnderASession: the next command knows.
func TestRightsChangeUnderASession(t *testing.T) {
	ann, bob := rights(t, "lrswit")
	bob.needs("SELECT "+theirs, `STORE 1 +FLAGS (\Seen)`)
	ann.needs("SETACL Box bob lr")
	bob.want(`STORE 1 -FLAGS (\Seen)`, `* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)`, `* OK [PERMANENTFLAGS ()] flags that are kept`, "NO [NOPERM] no right to do that")
	ann.needs("DELETEACL Box bob")
	bob.conn.Write([]byte("x NOOP\r\n"))
	if got := bob.line(); got != "* BYE no right to read the selected mailbox any more" {
		t.Errorf("got %q, want BYE", got)
	}
}

// TestSharedFoldersAreMade: a mailbox gets the rights of the one above it, and goes
// to no other user.
func TestSharedFoldersAreMade(t *testing.T) {
	ann, bob := rights(t, "lrikxa")
	bob.needs("CREATE " + theirs + "/new/deep")
	ann.want("GETACL Box.new.deep", `* ACL "Box.new.deep" "ann@x.example" "lrswipkxteacd" "bob@x.example" "lrikxac"`, "OK GETACL completed")
	bob.want("CREATE Shared/ann@x.example/top", "NO [NOPERM] no right to do that")
	bob.needs("CREATE Shared", "CREATE Public", "SETACL Shared anyone lrswipkxtea") // his own, above nobody else's
	for _, c := range []string{"CREATE Shared/ann@x.example/top", "RENAME " + theirs + " Shared/ann@x.example/top"} {
		bob.want(c, "NO [NOPERM] no right to do that")
	}
	bob.want("CREATE Shared/nobody@x.example/top", "NO [NONEXISTENT] no such mailbox")
	bob.want("RENAME "+theirs+" mine", "NO [CANNOT] a mailbox cannot go to another user")
	bob.want("RENAME INBOX "+theirs+"/mine", "NO [CANNOT] a mailbox cannot go to another user")
	bob.needs("RENAME "+theirs+"/new/deep "+theirs+"/renamed", "SELECT "+theirs+"/renamed", "DELETE "+theirs+"/renamed")
	bob.needs(`SETMETADATA `+theirs+` (/private/comment "bob's")`, "CREATE own", "CREATE own.below")
	bob.want("GETMETADATA "+theirs+" /private/comment", `* METADATA "`+theirs+`" ("/private/comment" "bob's")`, "OK GETMETADATA completed")
	ann.want("GETMETADATA Box /private/comment", `* METADATA "Box" ("/private/comment" NIL)`, "OK GETMETADATA completed")
	ann.needs(`SETMETADATA Box (/shared/comment "all" /private/comment "ann's")`)
	bob.want("GETMETADATA "+theirs+" (DEPTH infinity) (/private /shared)", "BAD an entry begins with /shared/ or /private/")
	bob.want("GETMETADATA "+theirs+" (/private/comment /shared/comment)", `* METADATA "`+theirs+`" ("/private/comment" "bob's" "/shared/comment" "all")`, "OK GETMETADATA completed")
}

// TestSharesTogether: two processes give rights at the same time, and both are in the
// list.
func TestSharesTogether(t *testing.T) {
	root := t.TempDir()
	give := func(disk *durable.Disk, name string, before func()) {
		store := mailbox.New(mailbox.Options{Disk: disk, Node: "test"})
		defer store.Close()
		box, err := store.Open(filepath.Join(root, "Maildir"))
		if err != nil {
			t.Fatal(err)
		}
		defer box.Close()
		err = setRights(realm.Place{Box: box, Folder: "INBOX"}, name, func(acl.Rights) (acl.Rights, bool) { return acl.Lookup, true })
		before()
		if err = errors.Join(err, (&realm.Shares{Store: store, Root: root}).Note("ann", box)); err != nil {
			t.Error(err)
		}
	}
	disk := &durable.Disk{}
	give(disk, "bob", func() {
		disk.Hook = func(durable.Op) error {
			disk.Hook = nil
			give(&durable.Disk{}, "carl", func() {})
			return nil
		}
	})
	if got, err := os.ReadFile(filepath.Join(root, "posthorn-state")); !strings.HasSuffix(string(got), "share ann bob carl\n") {
		t.Errorf("got the list %q, %v, want bob and carl in it", got, err)
	}
}

// TestListWithoutOthers: what is wrong with others' mailboxes keeps nobody from his
// own.
func TestListWithoutOthers(t *testing.T) {
	v := newTown(t)
	v.as("ann").needs("SETACL INBOX bob lr")
	v.as("carl").needs("SETACL INBOX bob lr")
	state := filepath.Join(v.root, "ann@x.example", "Maildir", "posthorn-state")
	if err := errors.Join(os.Remove(state), os.Mkdir(state, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nonexistent", filepath.Join(v.root, "ann@x.example", "Maildir", ".x")); err != nil {
		t.Fatal(err)
	}
	bob := v.as("bob")
	bob.want(`LIST "" (INBOX Shared/*/INBOX)`, `* LIST (\HasNoChildren) "." "INBOX"`, `* LIST (\HasNoChildren) "/" "Shared/carl@x.example/INBOX"`, "OK LIST completed")
	list := filepath.Join(v.root, "posthorn-state")
	if err := errors.Join(os.Remove(list), os.Mkdir(list, 0o700)); err != nil {
		t.Fatal(err)
	}
	bob.want(`LIST "" *`, `* LIST (\HasNoChildren) "." "INBOX"`, "OK LIST completed")
	bob.want("SELECT Shared/carl@x.example/INBOX", "NO [UNAVAILABLE] local problem, try again later")
}
