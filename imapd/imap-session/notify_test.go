package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/evlog"
)

var statusNumbers = regexp.MustCompile(`(UIDVALIDITY|HIGHESTMODSEQ|MODSEQ) (\()?\d+`)

// hears reads what the client is told between commands.
func (d *dialogue) hears(want ...string) {
	d.t.Helper()
	for _, w := range want {
		if got := statusNumbers.ReplaceAllString(d.line(), "$1 ${2}V"); got != w {
			d.t.Errorf("got  %s\nwant %s", got, w)
		}
	}
}

// silent makes sure that nothing more was said.
func (d *dialogue) silent() {
	d.t.Helper()
	d.want("NOOP", "OK NOOP completed")
}

func status(name string, messages, next, unseen int) string {
	return fmt.Sprintf(`* STATUS "%s" (MESSAGES %d UIDNEXT %d UIDVALIDITY V UNSEEN %d)`, name, messages, next, unseen)
}

// TestNotify follows the examples of RFC 5465 sections 3.1 and 5.
func TestNotify(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	a.needs("CREATE misc", "CREATE Lists", "CREATE Lists.Lemonade", "SELECT INBOX")
	got := strings.Join(a.do("NOTIFY SET STATUS (selected (MessageNew (uid body.peek[header.fields (from subject)]) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge))"), "\n")
	want := status("Lists", 0, 1, 0) + "\n" + status("Lists.Lemonade", 0, 1, 0) + "\nOK NOTIFY completed"
	if got = statusNumbers.ReplaceAllString(got, "$1 V"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	b.file("Lists.Lemonade", "", simple)
	a.hears(status("Lists.Lemonade", 1, 2, 1))
	b.file("INBOX", "", simple)
	a.hears("* 1 EXISTS", "* 1 RECENT",
		"* 1 FETCH (UID 1 BODY[HEADER.FIELDS (from subject)] {39}From: ann@example.org\r\nSubject: one\r\n\r\n)")
	b.file("misc", "", simple) // nobody wants to know
	b.needs("SELECT INBOX", "STORE 1 +FLAGS.SILENT (\\Deleted)", "EXPUNGE")
	a.hears("* 1 EXPUNGE", "* 0 RECENT")
	b.needs("SELECT Lists.Lemonade", "STORE 1 +FLAGS.SILENT (\\Seen)")
	b.file("Lists", `(\Seen)`, simple)
	a.hears(status("Lists", 1, 2, 0))
	a.silent()

	a.needs("NOTIFY NONE")
	b.file("INBOX", "", simple)
	b.file("Lists", "", simple)
	a.want("NOOP", "OK NOOP completed")
	a.want("NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) (mailboxes misc (MessageNew MessageExpunge FlagChange))",
		"* 1 EXISTS", "* 1 RECENT", "OK NOTIFY completed")
	b.needs("SELECT INBOX", "STORE 1 +FLAGS.SILENT (\\Flagged)")
	a.hears(`* 1 FETCH (UID 2 FLAGS (\Flagged \Recent))`)
	b.needs("SELECT misc", "STORE 1 +FLAGS.SILENT (\\Seen)")
	a.hears(strings.Replace(status("misc", 1, 2, 0), "UNSEEN 0", "UNSEEN 0 HIGHESTMODSEQ V", 1))
	a.silent()
	a.needs("SELECT misc")
	b.needs("STORE 1 -FLAGS.SILENT (\\Seen)")
	a.hears("* 1 FETCH (UID 1 FLAGS ())")
	a.needs("SELECT INBOX")
	a.hears(strings.Replace(status("misc", 1, 2, 1), "UNSEEN 1", "UNSEEN 1 HIGHESTMODSEQ V", 1))
	b.file("INBOX", "", simple)
	a.hears("* 2 EXISTS", "* 1 RECENT")
}

// TestNotifyRefused: a NOTIFY that is refused leaves what was asked for before.
func TestNotifyRefused(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	a.needs("NOTIFY SET (personal (MessageNew MessageExpunge))")
	a.want("NOTIFY SET (personal (MessageNew MessageExpunge AnnotationChange))", "NO [BADEVENT (MessageNew MessageExpunge FlagChange "+
		"MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)] not all of these events are known")
	a.want("NOTIFY SET (personal (MessageNew))", "BAD MessageNew and MessageExpunge belong together, and to FlagChange")
	b.file("INBOX", "", simple)
	a.hears(status("INBOX", 1, 2, 1))
}

// TestNotifyDelayed: removals wait for a command that may tell of them (RFC 5465
// section 6.1.2).
func TestNotifyDelayed(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	b.file("INBOX", "", simple)
	a.needs("SELECT INBOX", "NOTIFY SET (selected-delayed (MessageNew MessageExpunge))")
	b.needs("SELECT INBOX", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "UNSELECT")
	b.file("INBOX", "", simple)
	a.hears("* 2 EXISTS", "* 2 RECENT")
	a.want("FETCH 2 FLAGS", `* 2 FETCH (FLAGS (\Recent))`, "OK FETCH completed")
	a.want("NOOP", "* 1 EXPUNGE", "* 1 RECENT", "OK NOOP completed")
	b.needs("SELECT INBOX", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "UNSELECT")
	fmt.Fprint(a.conn, "x IDLE\r\n")
	a.hears("+ idling", "* 1 EXPUNGE", "* 0 RECENT")
	b.file("INBOX", "", simple)
	a.hears("* 1 EXISTS", "* 1 RECENT")
	fmt.Fprint(a.conn, "DONE\r\n")
	a.hears("x OK IDLE completed")
}

// TestNotifySelectedNone: of the selected mailbox nothing is told but what the client
// removes itself; not in an IDLE either (RFC 5465 section 4).
func TestNotifySelectedNone(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	b.file("INBOX", "", simple)
	a.needs("CREATE other", "SELECT INBOX", "NOTIFY SET (personal (MessageNew MessageExpunge))")
	b.file("INBOX", "", simple)
	fmt.Fprint(a.conn, "x IDLE\r\n")
	a.hears("+ idling")
	b.file("other", "", simple)
	a.hears(status("other", 1, 2, 1))
	fmt.Fprint(a.conn, "DONE\r\n")
	a.hears("x OK IDLE completed")
	a.want("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK STORE completed")
	a.want("EXPUNGE", "* 1 EXPUNGE", "* 1 EXISTS", "* 1 RECENT", "OK EXPUNGE completed")
	b.file("other", "", simple)
	a.hears(status("other", 2, 3, 2))
	a.needs("UNSELECT") // what was told of it is not known any more
	a.hears(status("INBOX", 1, 3, 1))
	b.file("INBOX", "", simple)
	a.hears(status("INBOX", 2, 4, 2))
}

// TestNotifyNames follows the examples of RFC 5465 sections 5.4 and 5.5; one mailbox is
// made by another program, part by part.
func TestNotifyNames(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	a.needs("CREATE old.sub", "NOTIFY SET (personal (MailboxName SubscriptionChange MessageNew MessageExpunge))")
	b.needs("CREATE NewMailbox")
	a.hears(`* LIST (\HasNoChildren) "." "NewMailbox"`)
	b.needs("RENAME NewMailbox Renamed")
	a.hears(`* LIST (\HasNoChildren) "." "Renamed" ("OLDNAME" ("NewMailbox"))`)
	b.file("Renamed", "", simple)
	a.hears(status("Renamed", 1, 2, 1))
	b.needs("RENAME old now")
	a.hears(`* LIST (\HasNoChildren) "." "now.sub" ("OLDNAME" ("old.sub"))`)
	b.needs("DELETE Renamed")
	a.hears(`* LIST (\NonExistent \HasNoChildren) "." "Renamed"`)
	b.needs("SUBSCRIBE now.sub")
	a.hears(`* LIST (\HasNoChildren \Subscribed) "." "now.sub"`)
	b.needs("UNSUBSCRIBE now.sub")
	a.hears(`* LIST (\HasNoChildren) "." "now.sub"`)
	for _, part := range []string{"", "tmp", "cur"} {
		if err := os.Mkdir(filepath.Join(f.dir, ".Theirs", part), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	a.hears(`* LIST (\HasNoChildren) "." "Theirs"`)
	if err := os.MkdirAll(filepath.Join(f.dir, ".Theirs/new"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.dir, ".Theirs/new/1700000000.x.y"), []byte("Subject: x\n\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.hears(status("Theirs", 1, 2, 1))
	a.silent()
}

// TestNotifySubscribed: the mailboxes of the list are looked up as it changes (RFC 5465
// section 6.4).
func TestNotifySubscribed(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	a.needs("CREATE one", "CREATE two", "SUBSCRIBE one", "NOTIFY SET (subscribed (SubscriptionChange MessageNew MessageExpunge))")
	b.file("two", "", simple)
	b.file("one", "", simple)
	a.hears(status("one", 1, 2, 1))
	b.needs("SUBSCRIBE two")
	a.hears(status("two", 1, 2, 1), `* LIST (\HasNoChildren \Subscribed) "." "two"`)
	b.needs("UNSUBSCRIBE one")
	a.hears(`* LIST (\HasNoChildren) "." "one"`)
	b.file("one", "", simple)
	b.file("two", "", simple)
	a.hears(status("two", 2, 3, 2))
	a.silent()
}

// logLines takes what is logged.
type logLines chan string

func (l logLines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// TestNotifyAfterFailure: what could not be found out is told later, and only that.
func TestNotifyAfterFailure(t *testing.T) {
	f := newFixture(t)
	logged := make(logLines, 100)
	f.host.log = evlog.New(logged)
	a := f.dialogue()
	a.needs("CREATE one", "CREATE two", "SUBSCRIBE one", "NOTIFY SET (personal (SubscriptionChange))")
	list, aside := filepath.Join(f.dir, "subscriptions"), filepath.Join(f.dir, "aside")
	if err := os.Mkdir(aside, 0o700); err != nil {
		t.Fatal(err)
	}
	exchange := func() {
		t.Helper()
		if err := unix.Renameat2(unix.AT_FDCWD, list, unix.AT_FDCWD, aside, unix.RENAME_EXCHANGE); err != nil {
			t.Fatal(err)
		}
	}
	exchange()
	for line := range logged {
		if strings.Contains(line, "command=NOTIFY") {
			break
		}
	}
	if err := os.WriteFile(aside, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	exchange()
	a.hears(`* LIST (\HasNoChildren \Subscribed) "." "two"`)
	a.silent()
}

// TestNotifyMetadata follows RFC 5465 sections 5.6 and 5.7.
func TestNotifyMetadata(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	a.needs("CREATE one", "SETMETADATA one (/private/x \"a\" /private/z \"a\")", "NOTIFY SET (mailboxes one (MailboxMetadataChange)) (personal (ServerMetadataChange))")
	b.needs(`SETMETADATA one (/private/x "b" /shared/y "c" /private/z "a")`)
	a.hears(`* METADATA "one" "/private/x" "/shared/y"`)
	b.needs("SETMETADATA one (/private/x NIL)")
	a.hears(`* METADATA "one" "/private/x"`)
	b.needs(`SETMETADATA "" (/private/vendor/v "x")`)
	a.hears(`* METADATA "" "/private/vendor/v"`)
	b.needs(`SETMETADATA INBOX (/private/x "b")`)
	a.silent()
}

// TestNotifyConstore: modseqs are told once the client asked for any, and UIDs with
// QRESYNC and UIDONLY.
func TestNotifyModSeqs(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	b.file("INBOX", "", simple)
	a.needs("ENABLE QRESYNC", "CREATE one", "SELECT INBOX", "NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge))")
	b.file("one", "", simple)
	a.hears(strings.Replace(status("one", 1, 2, 1), ")", " HIGHESTMODSEQ V)", 1))
	b.needs("SELECT INBOX", "STORE 1 +FLAGS.SILENT (\\Deleted)")
	a.hears(`* 1 FETCH (UID 1 FLAGS (\Deleted \Recent) MODSEQ (V))`)
	b.needs("EXPUNGE")
	a.hears("* VANISHED 1", "* 0 RECENT")
	b.needs("UNSELECT")
	a.needs("ENABLE UIDONLY")
	b.file("INBOX", "", simple)
	a.hears("* 1 EXISTS", "* 1 RECENT", `* 2 UIDFETCH (FLAGS (\Recent))`)
	a.silent()
}

// TestNotifyOthers: nothing is told of what the user may not see, and what he is shown
// is like a new mailbox (RFC 5465 sections 5.4 and 5.9).
func TestNotifyOthers(t *testing.T) {
	v := newTown(t)
	bob := v.as("bob")
	bob.needs("CREATE open", "CREATE closed", "CREATE later", "CREATE name", "SETACL open ann lr", "SETACL name ann l")
	ann := v.as("ann")
	const top = "Shared/bob@x.example/"
	ann.want("NOTIFY SET (subtree (Shared) (MessageNew MessageExpunge MailboxName MailboxMetadataChange))",
		`* LIST (\HasNoChildren \NoAccess) "/" "`+top+`name"`, "OK NOTIFY completed")
	bob.file("closed", "", simple)
	bob.file("name", "", simple)
	bob.file("later", "", simple)
	bob.needs("CREATE closed2", `SETMETADATA closed (/shared/x "y")`, `SETMETADATA open (/private/x "y")`)
	bob.file("open", "", simple)
	ann.hears(status(top+"open", 1, 2, 1))
	ann.silent()
	bob.needs("SETACL later ann lr")
	ann.hears(`* LIST (\HasNoChildren) "/" "`+top+`later"`, status(top+"later", 1, 2, 1))
	bob.needs("SETACL open ann l")
	ann.hears(`* LIST (\HasNoChildren \NoAccess) "/" "` + top + `open"`)
	bob.file("open", "", simple)
	bob.file("later", "", simple)
	ann.hears(status(top+"later", 2, 3, 2)) // and nothing of the other
	bob.needs("SETACL open ann lr")
	ann.hears(`* LIST (\HasNoChildren) "/" "`+top+`open"`, status(top+"open", 2, 3, 2))
	bob.needs("DELETEACL later ann")
	ann.hears(`* LIST (\NonExistent \HasNoChildren) "/" "` + top + `later"`)
	bob.file("later", "", simple)
	bob.needs("RENAME open still")
	ann.hears(`* LIST (\HasNoChildren) "/" "` + top + `still" ("OLDNAME" ("` + top + `open"))`)
	ann.silent()

	carl := v.as("carl") // who shows nothing to anybody yet
	carl.needs("CREATE x", "SETACL x ann lr")
	ann.hears(`* LIST (\HasNoChildren) "/" "Shared/carl@x.example/x"`)
}

// TestNotifyOverflow: of more mailboxes than the bound nothing is told (RFC 5465
// sections 3.1 and 5.8).
func TestNotifyOverflow(t *testing.T) {
	f := newFixture(t)
	a, b := f.dialogue(), f.dialogue()
	for n := range maxHeeded - 1 { // beside INBOX
		if err := os.MkdirAll(fmt.Sprintf("%s/.f%d/cur", f.dir, n), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const wish = "NOTIFY SET (personal (MailboxName)) (mailboxes INBOX (MessageNew MessageExpunge))"
	a.want(wish, "OK NOTIFY completed")
	b.needs("CREATE more")
	a.hears("* OK [NOTIFICATIONOVERFLOW] too many mailboxes, nothing is told from now on")
	a.want(wish, "NO [NOTIFICATIONOVERFLOW] too many mailboxes")
	a.want("NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge))", "OK NOTIFY completed")
	b.file("f1", "", simple)
	b.file("INBOX", "", simple)
	a.hears(status("INBOX", 1, 2, 1))
}

// TestNotifyHidden: mailboxes of others that the user may not see do not count.
func TestNotifyHidden(t *testing.T) {
	v := newTown(t)
	bob := v.as("bob")
	bob.needs("CREATE open", "SETACL open ann lr")
	for n := range maxHeeded {
		if err := os.MkdirAll(fmt.Sprintf("%s/.f%d/cur", v.box("bob@x.example").Mail, n), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ann := v.as("ann")
	ann.want("NOTIFY SET (subtree (Shared) (MessageNew MessageExpunge MailboxName))", "OK NOTIFY completed")
	bob.file("open", "", simple)
	ann.hears(status("Shared/bob@x.example/open", 1, 2, 1))
	bob.needs("SETACL f9 ann lr")
	ann.hears(`* LIST (\HasNoChildren) "/" "Shared/bob@x.example/f9"`)
}

// TestNotifyParks: sessions that hear of many mailboxes have no goroutine for one, nor
// for themselves while they wait.
func TestNotifyParks(t *testing.T) {
	f := newFixture(t)
	f.lot.Moment = time.Millisecond
	b := f.dialogue()
	for n := range 20 {
		b.needs(fmt.Sprintf("CREATE f%d", n))
	}
	first := f.dialogue()
	first.needs("NOTIFY SET (personal (MessageNew MessageExpunge FlagChange MailboxName))")
	before := runtime.NumGoroutine()
	var all []*dialogue
	for range 10 {
		d := f.dialogue()
		d.needs("NOTIFY SET (personal (MessageNew MessageExpunge FlagChange MailboxName)) (selected (MessageNew MessageExpunge))")
		all = append(all, d)
	}
	for deadline := time.Now().Add(limit); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("got %d goroutines while sessions wait, want the %d of before", runtime.NumGoroutine(), before)
		}
	}
	b.file("f7", "", simple)
	for _, d := range all {
		d.hears(strings.Replace(status("f7", 1, 2, 1), ")", " HIGHESTMODSEQ V)", 1))
	}
}
