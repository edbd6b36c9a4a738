package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAnsweredFromTheIndex: what was looked at once is not read again, and the
// answers stay the same.
func TestAnsweredFromTheIndex(t *testing.T) {
	f := newFixture(t)
	d := f.dialogue()
	message := "From: \"Ä\" <ann@example.org>\r\nTo: bob@example.org\r\nSubject: Tea\r\n at five\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\n\r\nbody\r\n"
	d.file("INBOX", "(\\Seen)", message)
	d.do("SELECT INBOX")
	commands := []string{
		"FETCH 1 (ENVELOPE BODYSTRUCTURE)",
		"FETCH 1 BODY.PEEK[HEADER.FIELDS (subject From X-Priority)]",
		"UID FETCH 1 (RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS (DATE)])",
		"SEARCH SUBJECT \"tea at five\"", "SEARCH FROM ANN@", "SEARCH FROM bob", "SEARCH SENTON 7-Feb-1994", "SEARCH SENTBEFORE 7-Feb-1994",
		"SEARCH HEADER Subject tea", "SEARCH HEADER X-Priority \"\"", "SEARCH TO bob NOT CC bob",
	}
	var want []string
	for _, c := range commands {
		want = append(want, strings.Join(d.do(c), "\n"))
	}
	for i, w := range []string{"Tea at five", "{56}\r\n", "{", "SEARCH 1", "SEARCH 1", "SEARCH\n", "SEARCH 1", "SEARCH\n", "SEARCH 1", "SEARCH\n", "SEARCH 1"} {
		if !strings.Contains(strings.ReplaceAll(want[i], "}", "}\r\n"), w) {
			t.Errorf("%s: got %q, want %q in it", commands[i], want[i], w)
		}
	}
	names, err := filepath.Glob(f.dir + "/cur/*")
	if err != nil || len(names) != 1 {
		t.Fatalf("got %v, %v, want one message", names, err)
	}
	st, err := os.Stat(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(names[0], make([]byte, st.Size()), 0o600); err != nil { // whoever reads it now sees nothing
		t.Fatal(err)
	}
	for round := range 2 {
		var got []string
		for _, c := range commands {
			got = append(got, strings.Join(d.do(c), "\n"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("round %d:\ngot  %q\nwant %q", round, got, want)
		}
		other := newFixture(t) // the same mailbox in another process
		other.dir = f.dir
		d = other.dialogue()
		d.do("SELECT INBOX")
	}
}
