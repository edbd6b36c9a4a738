package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var modSeqs = regexp.MustCompile(`(MODSEQ \(?)(\d+)`)

// seqs is do with the modseqs as m1, m2 and so on, in the order in which they
// appear; a line that tells HIGHESTMODSEQ stays.
type seqs struct {
	*dialogue
	known []uint64
}

func (s *seqs) want(command string, want ...string) {
	s.t.Helper()
	var got []string
	for _, line := range s.raw(command) {
		if !strings.HasPrefix(line, "* OK [MAILBOXID ") {
			got = append(got, modSeqs.ReplaceAllStringFunc(line, s.name))
		}
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		s.t.Errorf("%s:\ngot  %s\nwant %s", command, g, w)
	}
}

// name returns the modseq in text by its place among those that appeared.
func (s *seqs) name(text string) string {
	m := modSeqs.FindStringSubmatch(text)
	n, _ := strconv.ParseUint(m[2], 10, 64)
	for i, have := range s.known {
		if have == n {
			return fmt.Sprint(m[1], "m", i+1)
		}
	}
	s.known = append(s.known, n)
	return fmt.Sprint(m[1], "m", len(s.known))
}

// at returns the n-th modseq.
func (s *seqs) at(n int) string { return strconv.FormatUint(s.known[n-1], 10) }

func newSeqs(f *fixture, messages int) *seqs {
	f.t.Helper()
	d := f.dialogue()
	for i := range messages {
		d.file("INBOX", "()", strings.ReplaceAll(simple, "one", fmt.Sprint(i+1)))
	}
	return &seqs{dialogue: d}
}

const selected = `* FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
* OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \*)] flags that are kept
* 3 EXISTS
* 3 RECENT
* OK [UNSEEN 1] first unseen message
* OK [UIDVALIDITY V] UIDs are valid
* OK [UIDNEXT 4] next UID
* OK [HIGHESTMODSEQ m1] highest modseq
`

// TestCondStore follows the examples of RFC 7162 sections 3.1.2 to 3.1.8.
func TestCondStore(t *testing.T) {
	if !strings.Contains(capabilities, " CONDSTORE QRESYNC ") {
		t.Error("not announced")
	}
	f := newFixture(t)
	s := newSeqs(f, 3)
	s.want("SELECT INBOX (CONDSTORE)", selected+"OK [READ-WRITE] SELECT completed")
	s.want(`STORE 1 +FLAGS.SILENT (\Deleted)`, "* 1 FETCH (MODSEQ (m2))", "OK STORE completed")
	s.want("FETCH 1 (UID MODSEQ)", "* 1 FETCH (UID 1 MODSEQ (m2))", "OK FETCH completed")
	s.want("STORE 2,3 (UNCHANGEDSINCE "+s.at(1)+`) +FLAGS (\Seen)`,
		`* 2 FETCH (FLAGS (\Seen \Recent) MODSEQ (m3))`, `* 3 FETCH (FLAGS (\Seen \Recent) MODSEQ (m4))`, "OK STORE completed")
	s.want("UID STORE 1:3 (UNCHANGEDSINCE "+s.at(3)+`) +FLAGS.SILENT (\Draft)`,
		"* 1 FETCH (UID 1 MODSEQ (m5))", "* 2 FETCH (UID 2 MODSEQ (m6))", "OK [MODIFIED 3] UID STORE completed, but some messages had changed")
	s.want(`STORE 1 (UNCHANGEDSINCE 0) +FLAGS.SILENT (\Draft)`, "OK [MODIFIED 1] STORE completed, but some messages had changed")
	s.want("FETCH 1:* (FLAGS) (CHANGEDSINCE "+s.at(4)+")",
		`* 1 FETCH (FLAGS (\Deleted \Draft \Recent) MODSEQ (m5))`, `* 2 FETCH (FLAGS (\Seen \Draft \Recent) MODSEQ (m6))`, "OK FETCH completed")
	s.want("SEARCH MODSEQ "+s.at(5), "* SEARCH 1 2 (MODSEQ m6)", "OK SEARCH completed")
	s.want(`SEARCH MODSEQ "/flags/\\draft" all `+s.at(4), "* SEARCH 1 2 3 (MODSEQ m6)", "OK SEARCH completed")
	s.want("SEARCH OR NOT MODSEQ "+s.at(6)+" LARGER 50000", "* SEARCH 1 3 (MODSEQ m5)", "OK SEARCH completed")
	s.want("SEARCH MODSEQ 9223372036854775807", "* SEARCH", "OK SEARCH completed")
	s.want("UID SEARCH RETURN (MAX) MODSEQ "+s.at(4), `* ESEARCH (TAG "t`+strconv.Itoa(s.n+1)+`") UID MAX 3 MODSEQ m4`, "OK UID SEARCH completed")
	s.want("SORT (SUBJECT) utf-8 MODSEQ "+s.at(5), "* SORT 1 2 (MODSEQ m6)", "OK SORT completed")
	s.want("STATUS INBOX (HIGHESTMODSEQ UIDNEXT)", "* STATUS \"INBOX\" (HIGHESTMODSEQ m6 UIDNEXT 4)", "OK STATUS completed")
	s.want("FETCH 3 BODY[TEXT]", "* 3 FETCH (BODY[TEXT] {11}body of 3\r\n)", "OK FETCH completed")
	s.want("FETCH 1 BODY[TEXT]", `* 1 FETCH (FLAGS (\Deleted \Seen \Draft \Recent) MODSEQ (m7) BODY[TEXT] {11}body of 1`+"\r\n)", "OK FETCH completed")

	// What another changes comes with its modseq, and never a lower one.
	other := f.dialogue()
	other.do("SELECT INBOX")
	other.do(`STORE 2 -FLAGS (\Seen)`)
	s.want("NOOP", `* 2 FETCH (FLAGS (\Draft \Recent) MODSEQ (m8))`, "OK NOOP completed")

	for _, bad := range []string{
		"FETCH 1 FLAGS (CHANGEDSINCE x)", "FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)", "FETCH 1 FLAGS (VANISHED)",
		"UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", "STORE 1 () FLAGS ()", "STORE 1 (UNCHANGEDSINCE) FLAGS ()", "STORE 1 (SINCE 1) FLAGS ()",
		`SEARCH MODSEQ "/flags/\\seen" mine 1`, "SEARCH MODSEQ", "SELECT INBOX (QRESYNC (1 2))", "SELECT INBOX (X)", "SELECT INBOX CONDSTORE",
	} {
		if got := s.do(bad); !strings.HasPrefix(got[len(got)-1], "BAD ") {
			t.Errorf("%s: got %q, want BAD", bad, got)
		}
	}
}

// TestCondStoreIsEnabledByUse: until a client asks for modseqs it is told none (RFC
// 7162 section 3.1).
func TestCondStoreIsEnabledByUse(t *testing.T) {
	for command, want := range map[string]string{
		"ENABLE CONDSTORE":             "* OK [HIGHESTMODSEQ m] highest modseq|* ENABLED CONDSTORE|OK ENABLE completed",
		"STATUS INBOX (HIGHESTMODSEQ)": "* OK [HIGHESTMODSEQ m] highest modseq|* STATUS \"INBOX\" (HIGHESTMODSEQ m)|OK STATUS completed",
		"FETCH 1 (MODSEQ)":             "* OK [HIGHESTMODSEQ m] highest modseq|* 1 FETCH (MODSEQ (m))|OK FETCH completed",
		"SEARCH MODSEQ 1":              "* OK [HIGHESTMODSEQ m] highest modseq|* SEARCH 1 (MODSEQ m)|OK SEARCH completed",
	} {
		s := newSeqs(newFixture(t), 1)
		s.do("SELECT INBOX")
		s.dialogue.want("STORE 1 +FLAGS ()", `* 1 FETCH (FLAGS (\Recent))`, "OK STORE completed")
		if got := modSeqs.ReplaceAllString(strings.Join(s.raw(command), "|"), "${1}m"); got != want {
			t.Errorf("%s: got %s, want %s", command, got, want)
		}
		got := modSeqs.ReplaceAllString(s.do(`STORE 1 +FLAGS (\Seen)`)[0], "${1}m")
		if want := `* 1 FETCH (FLAGS (\Seen \Recent) MODSEQ (m))`; got != want {
			t.Errorf("after %s: got %s, want %s", command, got, want)
		}
	}
}
