package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/imapd/internal/query"
)

// make creates and subscribes folders.
func (d *dialogue) make(folders, subscriptions string) {
	d.t.Helper()
	for _, name := range strings.Fields(folders) {
		d.want("CREATE "+name, "OK CREATE completed")
	}
	for _, name := range strings.Fields(subscriptions) {
		d.want("SUBSCRIBE "+name, "OK SUBSCRIBE completed")
	}
}

// listed runs a LIST and compares its responses, of which only what stands behind
// "* LIST " is given; \HasNoChildren, which each answer may have, is left out.
func (d *dialogue) listed(args string, want ...string) {
	d.t.Helper()
	got := d.do("LIST " + args)
	for i, line := range got {
		line = strings.TrimPrefix(line, "* LIST ")
		line = strings.ReplaceAll(line, `\HasNoChildren `, "")
		line = strings.ReplaceAll(line, ` \HasNoChildren`, "")
		got[i] = strings.ReplaceAll(line, `\HasNoChildren`, "")
	}
	if w := strings.Join(append(want, "OK LIST completed"), "\n"); strings.Join(got, "\n") != w {
		d.t.Errorf("LIST %s:\ngot  %s\nwant %s", args, strings.Join(got, "\n"), w)
	}
}

// TestListFruit has the examples 1 to 6 of RFC 5258 section 5, without mailboxes
// of other servers.
func TestListFruit(t *testing.T) {
	d := newFixture(t).dialogue()
	d.make("Fruit Fruit.Apple Fruit.Banana Tofu Vegetable Vegetable.Broccoli Vegetable.Corn",
		"INBOX Fruit.Banana Fruit.Peach Vegetable Vegetable.Broccoli")
	subscribed := []string{`(\Subscribed) "." "INBOX"`, `(\Subscribed) "." "Fruit.Banana"`, `(\NonExistent \Subscribed) "." "Fruit.Peach"`,
		`(\HasChildren \Subscribed) "." "Vegetable"`, `(\Subscribed) "." "Vegetable.Broccoli"`}
	d.listed(`(SUBSCRIBED) "" "*"`, subscribed...)
	d.listed(`(remote Subscribed SUBSCRIBED) "" "*"`, subscribed...)
	for _, selection := range []string{"()", "(REMOTE)"} {
		d.want(`LIST `+selection+` "" "%" RETURN (CHILDREN)`, `* LIST (\HasNoChildren) "." "INBOX"`, `* LIST (\HasChildren) "." "Fruit"`,
			`* LIST (\HasNoChildren) "." "Tofu"`, `* LIST (\HasChildren) "." "Vegetable"`, "OK LIST completed")
	}
	d.listed(`(REMOTE) "" "*" RETURN (SUBSCRIBED)`, `(\Subscribed) "." "INBOX"`, `(\HasChildren) "." "Fruit"`, `() "." "Fruit.Apple"`,
		`(\Subscribed) "." "Fruit.Banana"`, `() "." "Tofu"`, `(\HasChildren \Subscribed) "." "Vegetable"`,
		`(\Subscribed) "." "Vegetable.Broccoli"`, `() "." "Vegetable.Corn"`)
}

// TestListChildInfo has example 8 of RFC 5258 section 5.
func TestListChildInfo(t *testing.T) {
	d := newFixture(t).dialogue()
	d.make("Foo Foo.Bar Foo.Baz Moo", "Foo.Baz")
	d.listed(`(SUBSCRIBED) "" "*"`, `(\Subscribed) "." "Foo.Baz"`)
	d.listed(`(SUBSCRIBED) "" "%"`)
	d.listed(`(SUBSCRIBED RECURSIVEMATCH) "" "%"`, `(\HasChildren) "." "Foo" ("CHILDINFO" ("SUBSCRIBED"))`)
	d.want("SUBSCRIBE Foo", "OK SUBSCRIBE completed")
	d.listed(`(SUBSCRIBED RECURSIVEMATCH) "" "%"`, `(\HasChildren \Subscribed) "." "Foo" ("CHILDINFO" ("SUBSCRIBED"))`)
	d.do("UNSUBSCRIBE Foo")
	d.do("DELETE Foo")
	d.listed(`(SUBSCRIBED RECURSIVEMATCH) "" "%"`, `(\NonExistent \HasChildren) "." "Foo" ("CHILDINFO" ("SUBSCRIBED"))`)
	d.do("CREATE Foo")
	d.do("UNSUBSCRIBE Foo.Baz")
	d.listed(`(SUBSCRIBED RECURSIVEMATCH) "" "%"`)
	d.make("", "Foo Moo")
	d.listed(`(SUBSCRIBED RECURSIVEMATCH) "" "%" RETURN (CHILDREN)`, `(\HasChildren \Subscribed) "." "Foo"`, `(\Subscribed) "." "Moo"`)
}

// TestListHidden has the examples 7 and 9 to 11 of RFC 5258 section 5.
func TestListHidden(t *testing.T) {
	d := newFixture(t).dialogue()
	d.make("foo2 foo2.bar1 foo2.bar2 baz2 baz2.bar2 baz2.bar22 baz2.bar222 eps2 eps2.mamba qux2.bar2",
		"foo2.bar1 foo2.bar2 baz2.bar2 baz2.bar22 baz2.bar222 eps2 eps2.mamba qux2.bar2")
	d.listed(`(RECURSIVEMATCH SUBSCRIBED) "" "*2"`, `(\Subscribed) "." "baz2.bar2"`, `(\Subscribed) "." "baz2.bar22"`,
		`(\Subscribed) "." "baz2.bar222"`, `(\HasChildren \Subscribed) "." "eps2" ("CHILDINFO" ("SUBSCRIBED"))`,
		`(\HasChildren) "." "foo2" ("CHILDINFO" ("SUBSCRIBED"))`, `(\Subscribed) "." "foo2.bar2"`, `(\Subscribed) "." "qux2.bar2"`)
	d.listed(`"" ("INBOX" "" "qux2.%")`, `() "." "INBOX"`, `() "." "qux2.bar2"`)

	d = newFixture(t).dialogue()
	d.make("foo music.rock", "foo.bar")
	d.listed(`"" ("foo" "foo.*")`, `() "." "foo"`)
	d.listed(`(SUBSCRIBED) "" "foo.*"`, `(\NonExistent \Subscribed) "." "foo.bar"`)
	d.listed(`(SUBSCRIBED RECURSIVEMATCH) "" foo RETURN (CHILDREN)`, `() "." "foo" ("CHILDINFO" ("SUBSCRIBED"))`)
	d.listed(`() "" m%`, `(\NonExistent \HasChildren) "." "music"`)
	d.listed(`"" (m% music.rock)`, `() "." "music.rock"`)
	d.listed(`mus (ic %.rock)`, `() "." "music.rock"`)
	d.want(`LIST "" m%`, `* LIST (\Noselect \HasChildren) "." "music"`, "OK LIST completed")
}

func TestListNonsense(t *testing.T) {
	d := newFixture(t).dialogue()
	many := strings.Repeat("a ", query.MaxPatterns)
	for _, tt := range []struct{ args, want string }{
		{`(RECURSIVEMATCH) "" ""`, "BAD RECURSIVEMATCH needs another selection option"},
		{`(REMOTE RECURSIVEMATCH) "" ""`, "BAD RECURSIVEMATCH needs another selection option"},
		{`(IMAPTEST) "" ""`, "BAD unknown selection option of LIST"},
		{`"" "" RETURN (IMAPTEST)`, "BAD unknown return option of LIST"},
		{`"" "" RETURN`, "BAD missing argument"},
		{`"" "" RETURN ()  x`, "BAD unexpected argument"},
		{`"" "" NONSENSE ()`, "BAD unexpected argument"},
		{`"" "" RETURN (STATUS)`, "BAD missing argument"},
		{`"" "" RETURN (STATUS ())`, "BAD no items of STATUS"},
		{`"" "" RETURN (STATUS (FOO))`, "BAD unknown item of STATUS"},
		{`(SUBSCRIBED "" *`, "BAD unknown selection option of LIST"},
		{`"" (` + many + `a)`, "BAD list too long"},
		{`"" (` + strings.Repeat("a", 501) + ` ` + strings.Repeat("b", 500) + `)`, "BAD mailbox pattern too long"},
		{`"" (a b`, `BAD missing argument`},
		{`"" ()`, "OK LIST completed"},
		{`"" ("")`, "OK LIST completed"},
		{`"" "" RETURN ()`, "OK LIST completed"},
	} {
		d.want("LIST "+tt.args, tt.want)
	}
	d.want(`LSUB "" (a b)`, "BAD LSUB takes one mailbox pattern")
	d.want(`LSUB (SUBSCRIBED) "" *`, "BAD expected a string")
}

// TestListStatus has the examples of RFC 5819 section 3 and RFC 8438 section 3.
func TestListStatus(t *testing.T) {
	d := newFixture(t).dialogue()
	d.make("foo bar.x baz", "INBOX baz.y")
	d.file("INBOX", "", simple)
	d.file("foo", `(\Seen)`, simple)
	d.file("foo", "", "Subject: two\r\n\r\nlonger\r\n")
	d.want(`LIST "" % RETURN (STATUS (MESSAGES UNSEEN))`,
		`* LIST (\HasNoChildren) "." "INBOX"`, `* STATUS "INBOX" (MESSAGES 1 UNSEEN 1)`,
		`* LIST (\NonExistent \HasChildren) "." "bar"`,
		`* LIST (\HasNoChildren) "." "baz"`, `* STATUS "baz" (MESSAGES 0 UNSEEN 0)`,
		`* LIST (\HasNoChildren) "." "foo"`, `* STATUS "foo" (MESSAGES 2 UNSEEN 1)`, "OK LIST completed")
	d.want(`LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (STATUS (MESSAGES))`,
		`* LIST (\HasNoChildren \Subscribed) "." "INBOX"`, `* STATUS "INBOX" (MESSAGES 1)`,
		`* LIST (\HasNoChildren) "." "baz" ("CHILDINFO" ("SUBSCRIBED"))`, "OK LIST completed")
	size := len(simple) + len("Subject: two\r\n\r\nlonger\r\n")
	d.want("STATUS foo (MESSAGES SIZE UIDNEXT)", fmt.Sprintf(`* STATUS "foo" (MESSAGES 2 SIZE %d UIDNEXT 3)`, size), "OK STATUS completed")
	d.want(`LIST "" foo RETURN (STATUS (SIZE))`, `* LIST (\HasNoChildren) "." "foo"`, fmt.Sprintf(`* STATUS "foo" (SIZE %d)`, size), "OK LIST completed")
}

// TestListSpecialUse has the examples of RFC 6154 sections 5.1 and 5.2.
func TestListSpecialUse(t *testing.T) {
	f := newFixture(t)
	l := *f.host.limits.Load()
	l.specialUse = map[string][]string{"SentMail": {`\Sent`}, "MyDrafts": {`\Drafts`}, "Trash": {`\Trash`}, "None": {`\Junk`}}
	f.host.limits.Store(&l)
	d := f.dialogue()
	d.make("ToDo Projects.x SentMail MyDrafts Trash Trash.old", "SentMail None")
	d.listed(`"" "%" RETURN (SPECIAL-USE)`, `() "." "INBOX"`, `(\Drafts) "." "MyDrafts"`, `(\NonExistent \HasChildren) "." "Projects"`,
		`(\Sent) "." "SentMail"`, `() "." "ToDo"`, `(\HasChildren \Trash) "." "Trash"`)
	d.listed(`(SPECIAL-USE) "" "*"`, `(\Drafts) "." "MyDrafts"`, `(\Sent) "." "SentMail"`, `(\HasChildren \Trash) "." "Trash"`)
	d.listed(`(SPECIAL-USE SUBSCRIBED) "" "*"`, `(\Sent \Subscribed) "." "SentMail"`)
}

// TestStatusSizeUnknown measures messages whose names do not say their size.
func TestStatusSizeUnknown(t *testing.T) {
	f := newFixture(t)
	d := f.dialogue()
	d.do("NOOP")
	for name, msg := range map[string]string{"1.a.x": strings.ReplaceAll(simple, "\r\n", "\n"), "2.b.x": "a\nb\n"} {
		if err := os.WriteFile(filepath.Join(f.dir, "new", name), []byte(msg), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.want("STATUS INBOX (SIZE MESSAGES RECENT)", fmt.Sprintf(`* STATUS "INBOX" (SIZE %d MESSAGES 2 RECENT 2)`, len(simple)+6), "OK STATUS completed")
}

// TestCreateSpecialUse has the examples of RFC 6154 sections 5.3 and 5.4.
func TestCreateSpecialUse(t *testing.T) {
	f := newFixture(t)
	l := *f.host.limits.Load()
	l.specialUse = map[string][]string{"Drafts": {`\Drafts`}, "Trash": {`\Trash`}}
	f.host.limits.Store(&l)
	d := f.dialogue()
	d.want("CREATE MySpecial (USE (\\drafts \\Sent \\Sent))", "OK CREATE completed")
	d.want("CREATE Everything (USE (\\All))", "NO [USEATTR] special use not supported")
	d.want("CREATE x (USE (\\Trash \\None))", "NO [USEATTR] special use not supported")
	d.want("CREATE x (FOO)", "BAD unknown parameter of CREATE")
	d.want("CREATE x (USE \\Sent)", `BAD expected "("`)
	d.want("CREATE x USE (\\Sent)", `BAD expected "("`)
	d.want("CREATE x (USE (\\Sent)) x", "BAD unexpected argument")
	d.want("CREATE Drafts (USE ())", "OK CREATE completed")
	d.make("Trash", "")
	d.listed(`"" % RETURN (SPECIAL-USE)`, `() "." "INBOX"`, `() "." "Drafts"`, `(\Drafts \Sent) "." "MySpecial"`, `(\Trash) "." "Trash"`)
	d.want("GETMETADATA MySpecial /private/specialuse", `* METADATA "MySpecial" ("/private/specialuse" "\\Drafts \\Sent")`, "OK GETMETADATA completed")
	d.want("GETMETADATA Trash /private/specialuse", `* METADATA "Trash" ("/private/specialuse" "\\Trash")`, "OK GETMETADATA completed")
	d.want(`SETMETADATA Drafts (/private/SpecialUse "\\Drafts")`, "OK SETMETADATA completed")
	d.want("SETMETADATA MySpecial (/private/specialuse NIL)", "OK SETMETADATA completed")
	d.want("SETMETADATA Trash (/private/specialuse NIL)", "OK SETMETADATA completed")
	d.want(`SETMETADATA Trash ("/private/specialuse" "\\All")`, "NO [USEATTR] special use not supported")
	d.listed(`"" % RETURN (SPECIAL-USE)`, `() "." "INBOX"`, `(\Drafts) "." "Drafts"`, `() "." "MySpecial"`, `() "." "Trash"`)
	d.want("GETMETADATA Trash /private/specialuse", `* METADATA "Trash" ("/private/specialuse" NIL)`, "OK GETMETADATA completed")
	d.want("RENAME Drafts Entwurf", "OK RENAME completed")
	d.listed(`(SPECIAL-USE) "" *`, `(\Drafts) "." "Entwurf"`)
	d.want("LIST \"\" Trash", `* LIST (\HasNoChildren) "." "Trash"`, "OK LIST completed")
}
