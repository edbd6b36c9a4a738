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

// TestHeaderAlone: what a header says is made without the message, and once.
func TestHeaderAlone(t *testing.T) {
	f := newFixture(t)
	d := f.dialogue()
	d.file("INBOX", "(\\Seen)", "Subject: Tea\r\n\r\nbody\r\n")
	d.do("SELECT INBOX")
	kept := func(column string) int64 {
		st, err := os.Stat(filepath.Join(f.dir, column))
		if err != nil {
			return 0
		}
		return st.Size()
	}
	d.do("FETCH 1 ENVELOPE")
	d.do("NOOP")
	size := kept("posthorn.envelope")
	if size == 0 || kept("posthorn.parts") != 0 {
		t.Errorf("ENVELOPE: got %d octets of envelopes, %d of structures, want no structure", size, kept("posthorn.parts"))
	}
	d.want("FETCH 1 BODYSTRUCTURE", "* 1 FETCH (BODYSTRUCTURE (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 6 1 NIL NIL NIL NIL))", "OK FETCH completed")
	d.do("NOOP")
	if kept("posthorn.envelope") != size || kept("posthorn.parts") == 0 {
		t.Errorf("BODYSTRUCTURE: got %d octets of envelopes, %d of structures, want %d and some", kept("posthorn.envelope"), kept("posthorn.parts"), size)
	}
}

// TestWholeHeaders: a header is the same from the front of its file and from the
// message.
func TestWholeHeaders(t *testing.T) {
	f := newFixture(t)
	d := f.dialogue()
	messages := []string{
		"Subject: one\n\ntext\n", "Subject: one\r\n\r\ntext\r\n", "Subject: both\r\n\ntext\n", "Subject: a\x00b\n folded\n\n\x00",
		"Subject: no empty line\n", "\nno header", "", "X: " + strings.Repeat("long\n ", 1<<14) + "\n\ntext\n",
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nX: y\n\ntext\n--b--\n",
		"A: b\n\r\ntext\n", "A: b\r\r\n\r\ntext", "A: b\n \n\ntext\n", "\r\ntext", "\r\n", "\r", "A: b\r\n\r",
	}
	for _, end := range []string{"\n\n", "\r\n\r\n"} { // some end just in front of what is read, some just behind
		for _, read := range []int{8 << 10, 32 << 10} {
			for size := read - 5; size < read+2; size++ {
				messages = append(messages, "A: "+strings.Repeat("x", size-len("A: ")-len(end))+end+"text")
			}
		}
	}
	for i, message := range messages {
		name := filepath.Join(f.dir, "cur", strconv.Itoa(1700000000+i)+".m.x:2,")
		if err := os.WriteFile(name, []byte(message), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.do("EXAMINE INBOX")
	want := strings.ReplaceAll(strings.Join(d.do("FETCH 1:* BODY.PEEK[HEADER]<0.999999>"), "\n"), "[HEADER]<0>", "[HEADER]")
	for range 2 {
		if got := strings.Join(d.do("FETCH 1:* BODY.PEEK[HEADER]"), "\n"); got != want {
			t.Errorf("got  %.80q\nwant %.80q", got, want)
		}
		d.do("FETCH 1:* ENVELOPE")
	}
	d.want("FETCH 1 (BODY.PEEK[HEADER] BODY.PEEK[HEADER.FIELDS (Subject)])",
		"* 1 FETCH (BODY[HEADER] {16}Subject: one\r\n\r\n BODY[HEADER.FIELDS (Subject)] {16}Subject: one\r\n\r\n)", "OK FETCH completed")
	if err := os.Remove(filepath.Join(f.dir, "cur", "1700000001.m.x:2,")); err != nil {
		t.Fatal(err)
	}
	d.want("FETCH 2 BODY.PEEK[HEADER]", "OK [EXPUNGEISSUED] FETCH completed, but some messages are gone")
}

// TestHeaderThatIsNotKept: fields behind so many others that the index has not all of
// them, or behind some that are too long for it, are found in the message.
func TestHeaderThatIsNotKept(t *testing.T) {
	for _, front := range []string{strings.Repeat("To: a@b\r\nX: y\r\n", 10_001), "To: " + strings.Repeat("a@b,\r\n ", 50_000) + "a@b\r\n"} {
		f := newFixture(t)
		d := f.dialogue()
		d.file("INBOX", "(\\Seen)", front+"List-Id: here\r\nSubject: there\r\n\r\nbody\r\n")
		d.do("SELECT INBOX")
		for range 2 {
			for command, want := range map[string]string{
				"FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]": "Subject: there",
				"SEARCH HEADER LIST-ID here":                 "SEARCH 1",
				"SEARCH SUBJECT there":                       "SEARCH 1",
			} {
				if got := strings.Join(d.do(command), "\n"); !strings.Contains(got, want) {
					t.Errorf("%s: got %q, want %q in it", command, got, want)
				}
			}
		}
	}
}
