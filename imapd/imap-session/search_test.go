package main

import (
	"strings"
	"testing"

	"posthorn/imapd/internal/charset"
)

func TestSearch(t *testing.T) {
	d := newFixture(t).dialogue()
	d.file("INBOX", `(\Seen) "17-Jul-1996 02:44:25 +0000"`, simple)
	d.file("INBOX", `(\Flagged) "18-Jul-1996 12:00:00 +0000"`, "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nSubject: =?utf-8?q?gr=C3=BCn?=\r\n\r\nsecond "+strings.Repeat("x", 1000)+"\r\n")
	d.file("INBOX", `(\Deleted $k)`, "To: bob@example.org\r\n\r\nthird\r\n")
	d.do("EXAMINE INBOX")
	for _, tt := range []struct{ keys, want string }{
		{"ALL", " 1 2 3"},
		{"SEEN", " 1"},
		{"UNSEEN", " 2 3"},
		{"NOT DELETED", " 1 2"},
		{"OR SEEN FLAGGED", " 1 2"},
		{"SEEN FLAGGED", ""},
		{"2:*", " 2 3"},
		{"UID 1,3 UNSEEN", " 3"},
		{"UID 77", ""},
		{"(SEEN) (UNFLAGGED)", " 1"},
		{"LARGER 1000", " 2"},
		{"SMALLER 60", " 1 3"},
		{"BEFORE 18-Jul-1996", " 1"},
		{"ON 18-Jul-1996", " 2"},
		{"SINCE 18-Jul-1996", " 2 3"},
		{"SENTON 7-Feb-1994", " 2"},
		{"SENTSINCE 8-Feb-1994", ""},
		{"KEYWORD $K", " 3"},
		{"FROM ann", " 1"},
		{"TO BOB", " 3"},
		{`HEADER Subject ""`, " 1 2"},
		{"CHARSET UTF-8 SUBJECT {5+}\r\nGRÜN", " 2"},
		{"CHARSET iso-8859-1 SUBJECT {4+}\r\ngr\xfcn", " 2"},
		{"CHARSET iso-8859-1 OR SEEN (SUBJECT \"gr\xfcn\")", " 1 2"},
		{"CHARSET US-ASCII SUBJECT gr", " 2"},
		{"BODY second", " 2"},
		{"TEXT example.org", " 1 3"},
		{"NOT BODY third", " 1 2"},
	} {
		d.want("SEARCH "+tt.keys, "* SEARCH"+tt.want, "OK SEARCH completed")
	}
	d.want("UID SEARCH 3 DELETED", "* SEARCH 3", "OK UID SEARCH completed")
	d.want("SEARCH CHARSET X-NONE FROM x", "NO [BADCHARSET ("+strings.Join(charset.Names(), " ")+")] charset not supported")
	d.want("SEARCH CHARSET Shift_JIS NOT SUBJECT \"\x82\"", "NO text does not follow its charset")
	d.want(`SEARCH KEYWORD \Seen`, "BAD invalid keyword")
	d.want("SEARCH 4,77:99", "* SEARCH", "OK SEARCH completed")
	d.want("SEARCH 4:*", "* SEARCH 3", "OK SEARCH completed") // "*" is 3
	d.want("SEARCH NOT 2:99", "* SEARCH 1", "OK SEARCH completed")
	d.want("SEARCH", "BAD missing argument")
}
