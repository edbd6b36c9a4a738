package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// TestWholeHeaders: with and without an index a header is the same.
func TestWholeHeaders(t *testing.T) {
	f := newFixture(t)
	d := f.dialogue()
	for i, message := range []string{
		"Subject: one\n\ntext\n", "Subject: one\r\n\r\ntext\r\n", "Subject: both\r\n\ntext\n", "Subject: a\x00b\n folded\n\n\x00",
		"Subject: no empty line\n", "\nno header", "", "X: " + strings.Repeat("long\n ", maxHeader/4) + "\n\ntext\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nX: y\n\ntext\n--b--\n",
	} {
		name := filepath.Join(f.dir, "cur", strconv.Itoa(1700000000+i)+".m.x:2,")
		if err := os.WriteFile(name, []byte(message), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.do("EXAMINE INBOX")
	want := d.do("FETCH 1:* BODY.PEEK[HEADER]")
	if len(want) != 10 {
		t.Fatalf("got %d answers, want 10", len(want))
	}
	d.do("FETCH 1:* ENVELOPE")
	for range 2 {
		if got := d.do("FETCH 1:* BODY.PEEK[HEADER]"); !slices.Equal(got, want) {
			t.Errorf("got  %.80q\nwant %.80q", got, want)
		}
	}
	d.want("FETCH 1 (BODY.PEEK[HEADER] BODY.PEEK[HEADER.FIELDS (Subject)])",
		"* 1 FETCH (BODY[HEADER] {16}Subject: one\r\n\r\n BODY[HEADER.FIELDS (Subject)] {16}Subject: one\r\n\r\n)", "OK FETCH completed")
	if err := os.Remove(filepath.Join(f.dir, "cur", "1700000001.m.x:2,")); err != nil {
		t.Fatal(err)
	}
	d.want("FETCH 2 BODY.PEEK[HEADER]", "OK [EXPUNGEISSUED] FETCH completed, but some messages are gone")
}
