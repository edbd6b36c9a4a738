package main

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/imapd/internal/charset"
)

// letters is a mailbox for SORT and THREAD.
func letters(t *testing.T) *dialogue {
	t.Helper()
	d := newFixture(t).dialogue()
	for i, m := range []string{
		"Date: 3 Feb 2026 10:00:00 +0000|From: zoe@example.org|Subject: tea|Message-ID: <1@x>",
		"Date: 1 Feb 2026 10:00:00 +0000|From: Ann <x@example.org>|Subject: Re: Coffee|Message-ID: <2@x>|References: <4@x>",
		"Date: 2 Feb 2026 10:00:00 +0000|From: bob@example.org|Subject: Re: tea|In-Reply-To: <1@x>",
		"Date: 1 Feb 2026 09:00:00 +0000|From: carl@example.org|Subject: coffee|Message-ID: <4@x>",
	} {
		d.file("INBOX", fmt.Sprintf(`(\Seen) "0%d-Mar-2026 00:00:00 +0000"`, 9-i), strings.ReplaceAll(m, "|", "\r\n")+"\r\n\r\n"+strings.Repeat("x", i))
	}
	d.do("STORE 4 +FLAGS (\\Flagged)")
	d.do("SELECT INBOX")
	d.do("STORE 1 +FLAGS (\\Flagged)")
	return d
}

func TestSort(t *testing.T) {
	d := letters(t)
	for _, tt := range []struct{ args, want string }{
		{"(ARRIVAL) UTF-8 ALL", "* SORT 4 3 2 1"},
		{"(DATE) US-ASCII ALL", "* SORT 4 2 3 1"},
		{"(SUBJECT) utf-8 ALL", "* SORT 2 4 1 3"},
		{"(SUBJECT REVERSE DATE) utf-8 ALL", "* SORT 2 4 1 3"},
		{"(SUBJECT DATE) utf-8 2:4", "* SORT 4 2 3"},
		{"(FROM) utf-8 ALL", "* SORT 3 4 2 1"},
		{"(DISPLAYFROM) utf-8 ALL", "* SORT 2 3 4 1"},
		{"(SIZE) utf-8 ALL", "* SORT 1 3 4 2"},
		{"(DATE) utf-8 FLAGGED", "* SORT 1"},
		{"(DATE) utf-8 TEXT nowhere", "* SORT"},
		{"RETURN () (DATE) utf-8 ALL", `* ESEARCH (TAG "TAG") ALL 4,2:3,1`},
		{"RETURN (MIN MAX COUNT) (DATE) utf-8 ALL", `* ESEARCH (TAG "TAG") MIN 4 MAX 1 COUNT 4`},
		{"RETURN (MAX) (REVERSE DATE) utf-8 ALL", `* ESEARCH (TAG "TAG") MAX 4`},
		{"RETURN (PARTIAL 2:3) (DATE) utf-8 ALL", `* ESEARCH (TAG "TAG") PARTIAL (2:3 2:3)`},
		{"RETURN (PARTIAL -1:-2) (DATE) utf-8 ALL", `* ESEARCH (TAG "TAG") PARTIAL (-1:-2 3,1)`},
		{"RETURN (ALL COUNT) (DATE) utf-8 TEXT nowhere", `* ESEARCH (TAG "TAG") COUNT 0`},
	} {
		want := strings.Replace(tt.want, "TAG\"", fmt.Sprintf("t%d\"", d.n+1), 1)
		d.want("SORT "+tt.args, want, "OK SORT completed")
	}
	d.want("SORT RETURN (SAVE MIN) (REVERSE DATE) UTF-8 ALL", fmt.Sprintf(`* ESEARCH (TAG "t%d") MIN 1`, d.n+1), "OK SORT completed")
	d.want("SEARCH $", "* SEARCH 1", "OK SEARCH completed")
	d.want("SORT RETURN (SAVE) (DATE) UTF-8 2:4", "OK SORT completed")
	d.want("SEARCH $", "* SEARCH 2 3 4", "OK SEARCH completed")
	d.want("SORT (DATE) X-NONE ALL", "NO [BADCHARSET ("+strings.Join(charset.Names(), " ")+")] charset not supported")
	d.want("SORT (SUBJECT) ALL", "BAD missing argument")
	d.want("SORT (COLOUR) UTF-8 ALL", "BAD unknown sort key")
	d.want("SORT (DATE) UTF-8 5", "* SORT", "OK SORT completed")
	d.want("SORT", "BAD missing argument")
	d.do("STORE 1 +FLAGS.SILENT (\\Deleted)")
	d.do("EXPUNGE")
	d.want("UID SORT (SUBJECT DATE) UTF-8 ALL", "* SORT 4 2 3", "OK UID SORT completed")
	d.want("UID SORT RETURN (ALL) (SUBJECT DATE) UTF-8 UID 3:4", fmt.Sprintf(`* ESEARCH (TAG "t%d") UID ALL 4,3`, d.n+1), "OK UID SORT completed")
}

func TestThread(t *testing.T) {
	d := letters(t)
	d.want("THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (4 2)(3 1)", "OK THREAD completed")
	d.want("THREAD REFERENCES UTF-8 ALL", "* THREAD (4 2)(1 3)", "OK THREAD completed")
	d.want("THREAD REFS UTF-8 ALL", "* THREAD (4 2)(1 3)", "OK THREAD completed")
	d.want("THREAD REFERENCES UTF-8 NOT 4", "* THREAD (2)(1 3)", "OK THREAD completed")
	d.want(`THREAD ORDEREDSUBJECT US-ASCII TEXT "gewp"`, "* THREAD", "OK THREAD completed")
	d.want("THREAD JWZ UTF-8 ALL", "BAD unknown way to thread")
	d.want("THREAD REFERENCES X-NONE ALL", "NO [BADCHARSET ("+strings.Join(charset.Names(), " ")+")] charset not supported")
	d.want("THREAD REFERENCES UTF-8", "BAD missing argument")
	d.do("STORE 1 +FLAGS.SILENT (\\Deleted)")
	d.do("EXPUNGE")
	d.want("UID THREAD REFERENCES UTF-8 ALL", "* THREAD (4 2)(3)", "OK UID THREAD completed")
}

// TestSortKeepsNumbers removes a message beside a SORT and a THREAD (RFC 5256
// section 3: no EXPUNGE then, but with UID SORT and UID THREAD).
func TestSortKeepsNumbers(t *testing.T) {
	d := letters(t)
	other := d.f.dialogue()
	other.do("SELECT INBOX")
	other.do("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
	d.do("NOOP")
	other.do("UID EXPUNGE 1")
	const gone = "OK [EXPUNGEISSUED] SORT completed, but some messages are gone"
	d.want("SORT (DATE) UTF-8 ALL", "* SORT 4 2 3", gone)
	d.want("THREAD REFERENCES UTF-8 ALL", "* THREAD (4 2)(3)", strings.Replace(gone, "SORT", "THREAD", 1))
	d.want("UID SORT (DATE) UTF-8 ALL", "* SORT 4 2 3", "* 1 EXPUNGE", "* 3 RECENT", strings.Replace(gone, "SORT", "UID SORT", 1))
}
