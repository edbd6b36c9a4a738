package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// smiths returns a mailbox with count messages of which those numbered in flagged
// are \Flagged, and a gap in its UIDs: that of message n is n+1.
func smiths(t *testing.T, count int, flagged ...int) *dialogue {
	t.Helper()
	d := newFixture(t).dialogue()
	for range count + 1 {
		d.file("INBOX", "", simple)
	}
	d.do("SELECT INBOX")
	d.do(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	d.do("EXPUNGE")
	for _, seq := range flagged {
		d.do(fmt.Sprintf(`STORE %d +FLAGS.SILENT (\Flagged)`, seq))
	}
	return d
}

// TestESearch has the examples of RFC 4731 section 3.1.
func TestESearch(t *testing.T) {
	d := smiths(t, 12, 2, 10, 11)
	for _, tt := range []struct{ search, want string }{
		{"SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM Smith", "MIN 2 COUNT 3"},
		{"SEARCH RETURN () FLAGGED SINCE 1-Feb-1994 NOT FROM Smith", "ALL 2,10:11"},
		{"SEARCH RETURN (MIN) UNFLAGGED", "MIN 1"},
		{"UID SEARCH RETURN (MIN MAX) 1:12", "UID MIN 2 MAX 13"},
		{"SEARCH RETURN (COUNT) FLAGGED", "COUNT 3"},
		{"SEARCH RETURN (MAX) FLAGGED", "MAX 11"},
		{"SEARCH RETURN (ALL MIN MAX COUNT) FLAGGED", "MIN 2 MAX 11 COUNT 3 ALL 2,10:11"},
		{"UID SEARCH RETURN (ALL) FLAGGED", "UID ALL 3,11:12"},
		{"UID SEARCH RETURN () UID 77", "UID"},
		{"SEARCH RETURN (MIN MAX) SEEN", ""},
		{"SEARCH RETURN (COUNT ALL MIN MAX) SEEN", "COUNT 0"},
	} {
		d.esearch(tt.search, tt.want)
	}
	d.want("SEARCH RETURN (ALL COUNTS) ALL", "BAD unknown option of RETURN")
	d.want("SEARCH RETURN ALL", `BAD expected "("`)
}

// esearch runs a SEARCH and compares what its ESEARCH has behind the tag; "-" means
// that none is to come.
func (d *dialogue) esearch(search, want string) {
	d.t.Helper()
	name := "SEARCH"
	if strings.HasPrefix(search, "UID ") {
		name = "UID SEARCH"
	}
	lines := []string{strings.TrimRight(fmt.Sprintf(`* ESEARCH (TAG "t%d") %s`, d.n+1, want), " "), "OK " + name + " completed"}
	if want == "-" {
		lines = lines[1:]
	}
	d.want(search, lines...)
}

// TestESearchEmpty searches where there are no messages.
func TestESearchEmpty(t *testing.T) {
	d := newFixture(t).dialogue()
	d.do("SELECT INBOX")
	d.esearch("SEARCH RETURN (MIN MAX COUNT ALL) ALL", "COUNT 0")
	d.esearch("SEARCH RETURN (MIN PARTIAL -1:-10) ALL", "PARTIAL (-1:-10 NIL)")
	d.esearch("SEARCH RETURN (SAVE) ALL", "-")
	d.want("FETCH $ FLAGS", "OK FETCH completed")
	d.want("SEARCH $", "* SEARCH", "OK SEARCH completed")
}

// TestSearchRes has the examples of RFC 5182 sections 2.2 and 2.4.
func TestSearchRes(t *testing.T) {
	d := smiths(t, 12, 2, 10, 11, 12)
	d.want("FETCH $ UID", "OK FETCH completed")
	d.esearch("SEARCH RETURN (SAVE) FLAGGED NOT FROM Smith", "-")
	d.want("FETCH $ UID", "* 2 FETCH (UID 3)", "* 10 FETCH (UID 11)", "* 11 FETCH (UID 12)", "* 12 FETCH (UID 13)", "OK FETCH completed")
	d.want("UID FETCH 5,$ UID", "* 2 FETCH (UID 3)", "* 4 FETCH (UID 5)", "* 10 FETCH (UID 11)", "* 11 FETCH (UID 12)", "* 12 FETCH (UID 13)", "OK UID FETCH completed")
	d.want("UID SEARCH UID $ SMALLER 4096", "* SEARCH 3 11 12 13", "OK UID SEARCH completed")
	d.want("UID SEARCH $ SMALLER 4096", "* SEARCH 3 11 12 13", "OK UID SEARCH completed")
	d.want("SEARCH CHARSET UTF-8 (OR $ 1,3:4) TEXT {3+}\r\none", "* SEARCH 1 2 3 4 10 11 12", "OK SEARCH completed")
	d.want("SEARCH NOT $", "* SEARCH 1 3 4 5 6 7 8 9", "OK SEARCH completed")
	for _, tt := range []struct{ options, want, saved string }{
		{"ALL SAVE", "ALL 2,10:12", "3,11:13"},
		{"SAVE MIN", "MIN 2", "3"},
		{"SAVE MAX", "MAX 12", "13"},
		{"MAX SAVE MIN", "MIN 2 MAX 12", "3,13"},
		{"MAX SAVE MIN COUNT", "MIN 2 MAX 12 COUNT 4", "3,11:13"},
		{"ALL SAVE MIN", "MIN 2 ALL 2,10:12", "3,11:13"},
		// RFC 9394 section 3.2
		{"SAVE PARTIAL 2:3", "PARTIAL (2:3 10:11)", "11:12"},
		{"SAVE PARTIAL 2:3 MIN", "MIN 2 PARTIAL (2:3 10:11)", "3,11:12"},
		{"SAVE PARTIAL 2:3 MAX", "MAX 12 PARTIAL (2:3 10:11)", "11:13"},
		{"SAVE PARTIAL 2:3 MIN MAX", "MIN 2 MAX 12 PARTIAL (2:3 10:11)", "3,11:13"},
		{"SAVE PARTIAL 2:2 COUNT MIN", "MIN 2 COUNT 4 PARTIAL (2:2 10)", "3,11:13"},
	} {
		d.esearch("SEARCH RETURN ("+tt.options+") FLAGGED", tt.want)
		d.esearch("UID SEARCH RETURN () $", "UID ALL "+tt.saved)
	}
}

// TestSearchResChanges: what a saved result does when messages go, another search
// fails, and the mailbox is left (RFC 5182 section 2.1).
func TestSearchResChanges(t *testing.T) {
	d := smiths(t, 4, 1, 3, 4)
	d.do("CREATE Other")
	d.esearch("SEARCH RETURN (SAVE) FLAGGED", "-")
	d.do(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	d.want("UID EXPUNGE $", "* 1 EXPUNGE", "* 3 RECENT", "OK UID EXPUNGE completed")
	d.want("SEARCH $", "* SEARCH 2 3", "OK SEARCH completed")
	d.want("SEARCH RETURN (SAVE) FOO", "BAD unknown search key")
	d.esearch("SEARCH RETURN (COUNT MIN) 99", "COUNT 0")
	d.want("COPY $ Other", "OK [COPYUID V 4:5 1:2] COPY completed")
	if got := d.do("SEARCH RETURN (SAVE) CHARSET X-NONE (OR $ 1) TEXT x"); !strings.HasPrefix(got[0], "NO [BADCHARSET") {
		t.Errorf("got %s", got)
	}
	d.want("SEARCH $", "* SEARCH", "OK SEARCH completed")
	d.want("COPY $ Other", "OK COPY completed, no messages")
	d.esearch("SEARCH RETURN (SAVE) ALL", "-")
	d.do("SELECT INBOX")
	d.want("SEARCH $", "* SEARCH", "OK SEARCH completed")
	d.want("FETCH $,1 FLAGS", "BAD missing argument")
	d.want("FETCH 9,$ FLAGS", "BAD no such message")
}

// TestPartial has the cases of RFC 9394 sections 3.1 and 3.3.
func TestPartial(t *testing.T) {
	d := smiths(t, 10, 1, 2, 4, 5, 9)
	for _, tt := range []struct{ options, want string }{
		{"PARTIAL 1:1", "PARTIAL (1:1 1)"},
		{"PARTIAL 2:4", "PARTIAL (2:4 2,4:5)"},
		{"PARTIAL 4:2", "PARTIAL (2:4 2,4:5)"},
		{"PARTIAL 5:100", "PARTIAL (5:100 9)"},
		{"PARTIAL 6:100", "PARTIAL (6:100 NIL)"},
		{"PARTIAL -1:-3", "PARTIAL (-1:-3 4:5,9)"},
		{"PARTIAL -3:-1", "PARTIAL (-1:-3 4:5,9)"},
		{"PARTIAL -5:-9", "PARTIAL (-5:-9 1)"},
		{"PARTIAL -6:-9", "PARTIAL (-6:-9 NIL)"},
		{"PARTIAL 2:3 COUNT MAX", "MAX 9 COUNT 5 PARTIAL (2:3 2,4)"},
		{"PARTIAL -2:-3 MIN", "MIN 1 PARTIAL (-2:-3 4:5)"},
	} {
		d.esearch("SEARCH RETURN ("+tt.options+") FLAGGED", tt.want)
	}
	d.esearch("UID SEARCH RETURN (PARTIAL -1:-2) FLAGGED", "UID PARTIAL (-1:-2 6,10)")
	d.want("SEARCH RETURN (PARTIAL 1:5 ALL) ALL", "BAD ALL and PARTIAL exclude each other")
	d.want("UID FETCH 3:9 UID (PARTIAL -1:-3)", "* 6 FETCH (UID 7)", "* 7 FETCH (UID 8)", "* 8 FETCH (UID 9)", "OK UID FETCH completed")
	d.want("UID FETCH 3,5:99 (UID) (PARTIAL 1:2)", "* 2 FETCH (UID 3)", "* 4 FETCH (UID 5)", "OK UID FETCH completed")
	d.want("UID FETCH 3:9 UID (PARTIAL 8:9)", "OK UID FETCH completed")
	d.want("FETCH 1:2 UID (PARTIAL 1:1)", "BAD PARTIAL is for UID FETCH")
	d.want("UID FETCH 1:2 UID (PARTIAL *:1)", "BAD expected a number")
	d.want("UID FETCH 1:2 UID (FOO)", "BAD unknown modifier of FETCH")
	d.want("UID FETCH 1:2 UID FOO", `BAD expected "("`)
}

// TestWithin has the example of RFC 5032 section 4.
func TestWithin(t *testing.T) {
	d := newFixture(t).dialogue()
	for _, age := range []time.Duration{100 * time.Hour, 50 * time.Hour, time.Hour} {
		d.file("INBOX", time.Now().Add(-age).Format(`"_2-Jan-2006 15:04:05 -0700"`), simple)
	}
	d.do("SELECT INBOX")
	d.want("SEARCH UNSEEN YOUNGER 259200", "* SEARCH 2 3", "OK SEARCH completed")
	d.want("SEARCH OLDER 259200", "* SEARCH 1", "OK SEARCH completed")
	d.want("SEARCH OLDER 7200 YOUNGER 259200", "* SEARCH 2", "OK SEARCH completed")
	d.want("SEARCH YOUNGER 4294967295", "* SEARCH 1 2 3", "OK SEARCH completed")
	d.want("SEARCH YOUNGER 0", "BAD expected a number above 0, of 32 bits")
}
