package main

import (
	"strconv"
	"strings"
	"testing"
)

// TestQResync follows the examples of RFC 7162 sections 3.2.5 to 3.2.10.
func TestQResync(t *testing.T) {
	f := newFixture(t)
	s := newSeqs(f, 9)
	s.want("ENABLE QRESYNC", "* ENABLED QRESYNC", "OK ENABLE completed")
	first := s.raw("SELECT INBOX")
	validity := validityOf(t, f)
	s.want("FETCH 9 MODSEQ", "* 9 FETCH (MODSEQ (m1))", "OK FETCH completed")
	if len(first) < 8 {
		t.Fatalf("got %q", first)
	}

	other := f.dialogue()
	other.do("SELECT INBOX")
	other.do(`STORE 4,6 +FLAGS (\Seen)`)
	other.do(`STORE 2,3,8 +FLAGS (\Deleted)`)
	s.want("NOOP",
		`* 2 FETCH (UID 2 FLAGS (\Deleted \Recent) MODSEQ (m2))`, `* 3 FETCH (UID 3 FLAGS (\Deleted \Recent) MODSEQ (m3))`,
		`* 4 FETCH (UID 4 FLAGS (\Seen \Recent) MODSEQ (m4))`, `* 6 FETCH (UID 6 FLAGS (\Seen \Recent) MODSEQ (m5))`,
		`* 8 FETCH (UID 8 FLAGS (\Deleted \Recent) MODSEQ (m6))`, "OK NOOP completed")
	other.do("EXPUNGE")
	s.want("NOOP", "* VANISHED 2:3,8", "* 6 RECENT", "OK NOOP completed")
	s.want(`UID FETCH 1:* (FLAGS) (CHANGEDSINCE `+s.at(1)+` VANISHED)`,
		"* VANISHED (EARLIER) 2:3,8", `* 2 FETCH (UID 4 FLAGS (\Seen \Recent) MODSEQ (m4))`, `* 4 FETCH (UID 6 FLAGS (\Seen \Recent) MODSEQ (m5))`, "OK UID FETCH completed")
	s.want("UID FETCH 3:5 (FLAGS) (CHANGEDSINCE "+s.at(4)+" VANISHED)", "* VANISHED (EARLIER) 3", "OK UID FETCH completed")
	s.want(`STORE 1 +FLAGS.SILENT (\Deleted)`, "* 1 FETCH (UID 1 MODSEQ (m7))", "OK STORE completed")
	s.want("EXPUNGE", "* VANISHED 1", "* 5 RECENT", "OK [HIGHESTMODSEQ m8] EXPUNGE completed")
	s.want("UID MOVE 9 INBOX", "* OK [COPYUID V 9 10] copied", "* VANISHED 9", "* 5 EXISTS", "* 5 RECENT", "OK [HIGHESTMODSEQ m9] UID MOVE completed")
	s.do("CLOSE")

	// The same client later, with what it knew at the beginning.
	begin := "* 5 EXISTS"
	for _, q := range []struct{ params, want string }{
		{s.at(1), "* VANISHED (EARLIER) 1:3,8:9|* 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (m4))|* 3 FETCH (UID 6 FLAGS (\\Seen) MODSEQ (m5))|* 5 FETCH (UID 10 FLAGS () MODSEQ (?))"},
		{s.at(1) + " 1:3,6", "* VANISHED (EARLIER) 1:3|* 3 FETCH (UID 6 FLAGS (\\Seen) MODSEQ (m5))"},
		{s.at(1) + " 1:3,6 (1:2 1:2)", "* VANISHED (EARLIER) 1:3|* 3 FETCH (UID 6 FLAGS (\\Seen) MODSEQ (m5))"},
		{s.at(8), "* VANISHED (EARLIER) 9|* 5 FETCH (UID 10 FLAGS () MODSEQ (?))"},
		{s.at(9), ""},
		{"1", "* VANISHED (EARLIER) 1:3,8:9|* 1 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (m4))|* 2 FETCH (UID 5 FLAGS () MODSEQ (m1))|* 3 FETCH (UID 6 FLAGS (\\Seen) MODSEQ (m5))|* 4 FETCH (UID 7 FLAGS () MODSEQ (m1))|* 5 FETCH (UID 10 FLAGS () MODSEQ (?))"},
	} {
		c := f.dialogue()
		c.do("ENABLE QRESYNC")
		var got []string
		for _, line := range c.do("SELECT INBOX (QRESYNC (" + validity + " " + q.params + "))") {
			if strings.HasPrefix(line, "* VANISHED") || strings.Contains(line, " FETCH ") {
				line = modSeqs.ReplaceAllStringFunc(strings.ReplaceAll(line, `\Recent`, ""), s.copied)
				got = append(got, strings.ReplaceAll(line, `Seen )`, `Seen)`))
			}
			if strings.Contains(line, "EXISTS") && line != begin {
				t.Errorf("got %s, want %s", line, begin)
			}
		}
		if g := strings.Join(got, "|"); g != q.want {
			t.Errorf("%s:\ngot  %s\nwant %s", q.params, g, q.want)
		}
	}

	// Of another UIDVALIDITY nothing is known.
	c := f.dialogue()
	c.do("ENABLE QRESYNC")
	for _, line := range c.do("SELECT INBOX (QRESYNC (1 1))") {
		if strings.HasPrefix(line, "* VANISHED") || strings.Contains(line, " FETCH ") {
			t.Errorf("another UIDVALIDITY: got %s", line)
		}
	}
	if got := c.do("SELECT Nowhere"); !strings.HasPrefix(got[0], "* OK [CLOSED]") { // RFC 7162 section 3.2.11
		t.Errorf("got %q, want CLOSED", got)
	}
}

// copied names a modseq like the others, but for that of the message that MOVE made: it
// has any that is not above what MOVE said, or none did before.
func (s *seqs) copied(text string) string {
	m := modSeqs.FindStringSubmatch(text)
	n, _ := strconv.ParseUint(m[2], 10, 64)
	if s.known[8-1] < n && n <= s.known[9-1] {
		return m[1] + "?"
	}
	return s.name(text)
}

// validityOf returns the UIDVALIDITY of the INBOX.
func validityOf(t *testing.T, f *fixture) string {
	t.Helper()
	box, err := f.host.store.Open(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	st, err := box.Status("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(uint64(st.UIDValidity), 10)
}

// TestResyncUID has UIDs in all FETCH responses about flags that change (RFC 7162
// section 3.2.4).
func TestResyncUID(t *testing.T) {
	f := newFixture(t)
	s := newSeqs(f, 3)
	s.want("ENABLE QRESYNC", "* ENABLED QRESYNC", "OK ENABLE completed")
	s.raw("SELECT INBOX")
	s.want(`STORE 2 FLAGS (\Flagged)`, `* 2 FETCH (UID 2 FLAGS (\Flagged \Recent) MODSEQ (m1))`, "OK STORE completed")
	s.want(`UID STORE 2 FLAGS (\Seen)`, `* 2 FETCH (UID 2 FLAGS (\Seen \Recent) MODSEQ (m2))`, "OK UID STORE completed")
	s.want("FETCH 2:3 BODY[]<0.1>", `* 2 FETCH (BODY[]<0> {1}F)`, `* 3 FETCH (UID 3 FLAGS (\Seen \Recent) MODSEQ (m3) BODY[]<0> {1}F)`, "OK FETCH completed")
}
