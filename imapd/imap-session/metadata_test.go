package main

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/imapd/internal/query"
)

// TestMetadata follows the examples of RFC 5464 sections 4.2 to 4.4.
func TestMetadata(t *testing.T) {
	f := newFixture(t)
	l := *f.host.limits.Load()
	l.postmaster = "root@example.org"
	f.host.limits.Store(&l)
	d := f.dialogue()
	done := "OK SETMETADATA completed"
	got := "OK GETMETADATA completed"
	d.want("GETMETADATA INBOX /private/comment", `* METADATA "INBOX" ("/private/comment" NIL)`, got)
	d.want(`SETMETADATA INBOX (/private/comment "My own comment" /shared/comment "Shared comment")`, done)
	d.want("GETMETADATA INBOX /private/comment", `* METADATA "INBOX" ("/private/comment" "My own comment")`, got)
	d.want(`GETMETADATA "INBOX" (/shared/comment /PRIVATE/Comment)`,
		`* METADATA "INBOX" ("/shared/comment" "Shared comment" "/PRIVATE/Comment" "My own comment")`, got)
	d.want("SETMETADATA INBOX (/private/comment {33+}\r\nMy new comment across\r\ntwo lines.)", done)
	d.want("GETMETADATA INBOX /private/comment", "* METADATA \"INBOX\" (\"/private/comment\" {33}My new comment across\r\ntwo lines.)", got)
	d.want("SETMETADATA INBOX (/private/comment NIL)", done)
	d.want("GETMETADATA INBOX /private/comment", `* METADATA "INBOX" ("/private/comment" NIL)`, got)

	long := strings.Repeat("x", 2199)
	d.want(fmt.Sprintf(`SETMETADATA INBOX (/shared/comment {%d+}`+"\r\n%s"+` /private/comment "My own comment")`, len(long), long), done)
	for _, options := range []string{`"INBOX" (MAXSIZE 1024)`, `(MAXSIZE 1024) "INBOX"`} {
		d.want("GETMETADATA "+options+" (/shared/comment /private/comment)",
			`* METADATA "INBOX" ("/private/comment" "My own comment")`, "OK [METADATA LONGENTRIES 2199] GETMETADATA completed")
	}
	d.want(`SETMETADATA INBOX (/private/filters/values/small "SMALLER 5000" /private/filters/values/boss "FROM \"boss@example.com\"" /private/filters/values/deep/er "x")`, done)
	d.want(`GETMETADATA INBOX (DEPTH 1) (/private/filters/values)`,
		`* METADATA "INBOX" ("/private/filters/values/boss" "FROM \"boss@example.com\"" "/private/filters/values/small" "SMALLER 5000")`, got)
	d.want(`GETMETADATA (DEPTH infinity MAXSIZE 5) INBOX (/private/filters)`,
		`* METADATA "INBOX" ("/private/filters/values/deep/er" "x")`, "OK [METADATA LONGENTRIES 23] GETMETADATA completed")
	d.want(`GETMETADATA INBOX (DEPTH 1) (/private/filters)`, got)

	d.want(`GETMETADATA "" (/shared/admin /private/vendor/x)`, `* METADATA "" ("/shared/admin" "mailto:root@example.org" "/private/vendor/x" NIL)`, got)
	d.want(`SETMETADATA "" (/private/vendor/x "mine")`, done)
	d.want(`GETMETADATA "" /private/vendor/x`, `* METADATA "" ("/private/vendor/x" "mine")`, got)
	d.want(`GETMETADATA INBOX /private/vendor/x`, `* METADATA "INBOX" ("/private/vendor/x" NIL)`, got)
	d.want(`SETMETADATA "" (/shared/admin "me")`, "NO [NOPERM] the server's shared entries are its administrator's")

	d.want("SETMETADATA INBOX (/private/binary ~{5+}\r\na\x00b\r\n)", done)
	d.want("GETMETADATA INBOX /private/binary", "* METADATA \"INBOX\" (\"/private/binary\" ~{5}a\x00b\r\n)", got)
	d.want(`SETMETADATA Nowhere (/private/comment "x")`, "NO [NONEXISTENT] no such mailbox")
	d.want(`GETMETADATA Nowhere /private/comment`, "NO [NONEXISTENT] no such mailbox")
}

// TestMetadataTravels: annotations go where their mailbox goes, stay with INBOX
// and are copied from it when it is renamed (RFC 5464 section 4.1), and end with
// their mailbox.
func TestMetadataTravels(t *testing.T) {
	d := newFixture(t).dialogue()
	d.do("CREATE one")
	for _, name := range []string{"one", "INBOX"} {
		d.do(`SETMETADATA ` + name + ` (/shared/comment "of ` + name + `" /private/comment "mine")`)
	}
	d.do("RENAME one two")
	d.do("RENAME INBOX three")
	for name, want := range map[string]string{"two": `"of one"`, "three": `"of INBOX"`, "INBOX": `"of INBOX"`} {
		d.want("GETMETADATA "+name+" /shared/comment", `* METADATA "`+name+`" ("/shared/comment" `+want+`)`, "OK GETMETADATA completed")
	}
	d.do("DELETE two")
	d.do("CREATE two")
	d.want("GETMETADATA two (DEPTH 1) (/shared)", "BAD an entry begins with /shared/ or /private/")
	d.want("GETMETADATA two /shared/comment", `* METADATA "two" ("/shared/comment" NIL)`, "OK GETMETADATA completed")
}

// TestMetadataLimits: one value too many or too long, and none is set.
func TestMetadataLimits(t *testing.T) {
	d := newFixture(t).dialogue()
	for i := range query.MaxEntries {
		if got := d.do(fmt.Sprintf(`SETMETADATA INBOX (/private/n%d "x")`, i)); got[0] != "OK SETMETADATA completed" {
			t.Fatal(got)
		}
	}
	d.want(`SETMETADATA INBOX (/private/n1 "y" /private/more "x")`, "NO [METADATA TOOMANY] too many annotations")
	d.want(`SETMETADATA INBOX (/private/n2 NIL /private/more "x")`, "OK SETMETADATA completed")
	d.want("GETMETADATA INBOX /private/n1", `* METADATA "INBOX" ("/private/n1" "x")`, "OK GETMETADATA completed")
	long := strings.Repeat("x", maxValue+1)
	d.want(fmt.Sprintf("SETMETADATA INBOX (/private/n1 \"y\" /private/n3 {%d+}\r\n%s)", len(long), long),
		fmt.Sprintf("NO [METADATA MAXSIZE %d] value too long", maxValue))
	d.want("GETMETADATA INBOX /private/n1", `* METADATA "INBOX" ("/private/n1" "x")`, "OK GETMETADATA completed")
	for _, bad := range []string{
		"GETMETADATA INBOX", "GETMETADATA INBOX ()", "GETMETADATA INBOX /other/x", "GETMETADATA INBOX /private/", "GETMETADATA INBOX /private//x",
		`GETMETADATA INBOX "/private/*"`, "GETMETADATA INBOX (DEPTH 2) /private/x", "GETMETADATA (MAXSIZE) INBOX /private/x", "GETMETADATA (MAXSIZE a) INBOX /private/x",
		"GETMETADATA INBOX /private/x more",
	} {
		if got := d.do(bad); !strings.HasPrefix(got[0], "BAD ") {
			t.Errorf("%s: got %q, want BAD", bad, got)
		}
	}
	d = newFixture(t).dialogue()
	for _, bad := range []string{
		"SETMETADATA INBOX ()", "SETMETADATA INBOX (/private/x)", "SETMETADATA INBOX /private/x y", "SETMETADATA INBOX (/private/x y)", `SETMETADATA INBOX (/x "y")`,
		`SETMETADATA INBOX (/private/x "y") z`,
	} {
		if got := d.do(bad); !strings.HasPrefix(got[0], "BAD ") {
			t.Errorf("%s: got %q, want BAD", bad, got)
		}
	}
}

// TestMetadataOfGuests: nobody fills a mailbox with what only he sees.
func TestMetadataOfGuests(t *testing.T) {
	ann, bob := rights(t, "lrsw")
	fill := func(d *dialogue, name, entry string, n int) {
		t.Helper()
		var set []string
		for i := range n {
			set = append(set, fmt.Sprintf(`/%s/n%d "x"`, entry, i))
		}
		d.needs("SETMETADATA " + name + " (" + strings.Join(set, " ") + ")")
	}
	const full = "NO [METADATA TOOMANY] too many annotations"
	fill(bob, theirs, "private", maxGuest)
	bob.want("SETMETADATA "+theirs+` (/private/more "x")`, full)
	bob.needs("SETMETADATA " + theirs + ` (/private/n0 NIL /private/more "x")`)
	fill(ann, "Box", "private", query.MaxEntries-1)
	bob.needs("SETMETADATA " + theirs + ` (/shared/one "x" /private/more "y")`)
	ann.want(`SETMETADATA Box (/private/more "x")`, full)
	bob.want("SETMETADATA "+theirs+` (/shared/two "x")`, full)

	all := map[string]string{}
	for i := range query.MaxEntries {
		all[fmt.Sprintf("user%d/private/x", i)] = "x"
	}
	if got, want := count(all, "user1"), (tally{guests: query.MaxEntries, guest: 1}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestListMetadata follows RFC 9590 section 4.
func TestListMetadata(t *testing.T) {
	d := newFixture(t).dialogue()
	d.do("CREATE foo")
	d.do("CREATE bar.below")
	d.do(`SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/color "#b71c1c")`)
	d.want(`LIST "" % RETURN (METADATA ("/shared/vendor/cmu/cyrus-imapd/color"))`,
		`* LIST (\HasNoChildren) "." "INBOX"`,
		`* METADATA "INBOX" ("/shared/vendor/cmu/cyrus-imapd/color" "#b71c1c")`,
		`* LIST (\NonExistent \HasChildren) "." "bar"`,
		`* LIST (\HasNoChildren) "." "foo"`,
		`* METADATA "foo" ("/shared/vendor/cmu/cyrus-imapd/color" NIL)`,
		"OK LIST completed")
	d.want(`LIST "" INBOX RETURN (METADATA (DEPTH infinity) (/shared/vendor/cmu) STATUS (MESSAGES))`,
		`* LIST (\HasNoChildren) "." "INBOX"`,
		`* STATUS "INBOX" (MESSAGES 0)`,
		`* METADATA "INBOX" ("/shared/vendor/cmu/cyrus-imapd/color" "#b71c1c")`,
		"OK LIST completed")
	d.want(`LIST "" % RETURN (METADATA)`, "BAD missing argument")
}
