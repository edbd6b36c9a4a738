package main

import (
	"fmt"
	"testing"
)

// TestFuzzy is made after the examples of RFC 6203.
func TestFuzzy(t *testing.T) {
	d := newFixture(t).dialogue()
	for _, subject := range []string{"IMAP break", "IMAP is to break", "a breakage", "Helo", "hello", "nothing"} {
		d.file("INBOX", `(\Seen)`, "From: Jürgen <j@example.org>\r\nSubject: "+subject+"\r\n\r\nsome words of text about "+subject+"\r\n")
	}
	d.do("EXAMINE INBOX")
	tag := func() string { return fmt.Sprintf(`* ESEARCH (TAG "t%d")`, d.n+1) }
	d.want(`SEARCH FUZZY (SUBJECT "IMAP break")`, "* SEARCH 1 2", "OK SEARCH completed")
	d.want(`SEARCH FUZZY SUBJECT braek`, "* SEARCH", "OK SEARCH completed")
	d.want(`SEARCH FUZZY SUBJECT breal FROM jurgen`, "* SEARCH", "OK SEARCH completed")
	d.want(`SEARCH FUZZY (SUBJECT breal FROM jurgen)`, "* SEARCH 1 2", "OK SEARCH completed")
	d.want(`SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT "Helo"`, tag()+" ALL 4:5 RELEVANCY (100 75)", "OK SEARCH completed")
	d.want(`UID SEARCH RETURN (RELEVANCY) FUZZY BODY "break"`, tag()+" UID ALL 1:3 RELEVANCY (100 100 100)", "OK UID SEARCH completed")
	d.want(`SEARCH RETURN (RELEVANCY COUNT) FUZZY HEADER Subject "to break IMAP"`, tag()+" COUNT 1 RELEVANCY (95)", "OK SEARCH completed")
	d.want(`SEARCH RETURN (RELEVANCY) FUZZY TEXT nowhere`, tag()+" RELEVANCY ()", "OK SEARCH completed")
	d.want(`SEARCH RETURN (RELEVANCY PARTIAL 2:2) FUZZY OR SUBJECT helo SUBJECT IMOP`, tag()+" PARTIAL (2:2 2) RELEVANCY (75)", "OK SEARCH completed")
	d.want(`SEARCH RETURN (RELEVANCY) FUZZY SEEN 1:2`, tag()+" ALL 1:2 RELEVANCY (100 100)", "OK SEARCH completed")
	d.want(`SORT (RELEVANCY) UTF-8 FUZZY SUBJECT "Helo"`, "* SORT 4 5", "OK SORT completed")
	d.want(`SORT (REVERSE RELEVANCY) UTF-8 FUZZY SUBJECT "Helo"`, "* SORT 5 4", "OK SORT completed")
	d.want(`SORT RETURN (RELEVANCY ALL) (REVERSE RELEVANCY) UTF-8 FUZZY TEXT "hello"`, tag()+" ALL 4:5 RELEVANCY (75 100)", "OK SORT completed")
	d.want(`THREAD ORDEREDSUBJECT UTF-8 FUZZY SUBJECT "Helo"`, "* THREAD (4)(5)", "OK THREAD completed")
	d.want(`SEARCH RETURN (RELEVANCY) TEXT "Helo"`, "BAD RELEVANCY needs a FUZZY key")
	d.want(`SORT (RELEVANCY) UTF-8 TEXT "Helo"`, "BAD RELEVANCY needs a FUZZY key")
	d.want("SEARCH FUZZY", "BAD missing argument")
}
