package main

import (
	"strconv"
	"strings"
	"testing"

	"posthorn/internal/conf"
)

// rationed returns a mailbox of n messages, of which one command may be for ten.
func rationed(t *testing.T, n int, save bool) *fixture {
	t.Helper()
	f := crowd(t, n)
	l := *f.host.limits.Load()
	l.perCommand = conf.MessageLimit{Most: 10, Save: save}
	f.host.limits.Store(&l)
	f.also = " MESSAGELIMIT=10"
	if save {
		f.also = " SAVELIMIT=10"
	}
	return f
}

// many returns responses that differ in a number, which goes from one to the other.
func many(from, to int, format string) (out []string) {
	step := 1
	if to < from {
		step = -1
	}
	for i := from; i != to+step; i += step {
		out = append(out, strings.ReplaceAll(format, "#", strconv.Itoa(i)))
	}
	return out
}

// TestMessageLimit has the examples of RFC 9738 sections 3.1 and 3.4 on a smaller scale.
func TestMessageLimit(t *testing.T) {
	d := rationed(t, 40, false).dialogue()
	d.do("CREATE Trash")
	d.do("SELECT INBOX")
	d.do(`STORE 32,34,36 +FLAGS.SILENT (\Deleted)`)
	d.want("FETCH 5:30 UID", append(many(30, 21, "* # FETCH (UID #)"), "OK [MESSAGELIMIT 10 21] FETCH completed for the last 10 messages")...)
	d.want("UID FETCH 1:20 UID", append(many(20, 11, "* # FETCH (UID #)"), "OK [MESSAGELIMIT 10 11] UID FETCH completed for the last 10 messages")...)
	d.want("UID FETCH 1:10 UID", append(many(1, 10, "* # FETCH (UID #)"), "OK UID FETCH completed")...)
	d.want("UID FETCH 1:* UID (PARTIAL -1:-15)", "NO [MESSAGELIMIT 10] too many messages for one command")
	d.want("UID FETCH 1:* UID (PARTIAL -1:-10)", append(many(31, 40, "* # FETCH (UID #)"), "OK UID FETCH completed")...)
	d.want("UID SEARCH UID 25:40 UNDELETED", "* SEARCH 31 33 35 37 38 39 40", "OK [MESSAGELIMIT 10 31] UID SEARCH completed for the last 10 messages")
	d.want("UID SEARCH UNDELETED UID 7:9,14", "* SEARCH 7 8 9 14", "OK UID SEARCH completed")
	d.want("SEARCH 12:30 UID 1:21 (UIDBEFORE 19)", "* SEARCH 12 13 14 15 16 17 18", "OK SEARCH completed")
	d.want("SEARCH OR 1 2", "* SEARCH", "OK [MESSAGELIMIT 10 31] SEARCH completed for the last 10 messages")
	d.want("UID SEARCH RETURN (COUNT MIN) DELETED", `* ESEARCH (TAG "t13") UID MIN 32 COUNT 3`, "OK [MESSAGELIMIT 10 31] UID SEARCH completed for the last 10 messages")
	d.want("UID SEARCH RETURN (SAVE) UID 2:25", "OK [MESSAGELIMIT 10 16] UID SEARCH completed for the last 10 messages")
	d.want("UID SEARCH RETURN (COUNT) $", `* ESEARCH (TAG "t15") UID COUNT 10`, "OK UID SEARCH completed")
	d.want("SORT (ARRIVAL) UTF-8 ALL", "NO [MESSAGELIMIT 10] too many messages for one command")
	d.want("SORT (ARRIVAL) UTF-8 1:3", "* SORT 1 2 3", "OK SORT completed")
	d.want("THREAD REFERENCES UTF-8 ALL", "NO [MESSAGELIMIT 10] too many messages for one command")
	d.want("ESEARCH IN (mailboxes INBOX) SEEN", "NO [MESSAGELIMIT 10] too many messages for one command")
	d.want("UID COPY 18:37 Trash", "NO [MESSAGELIMIT 10 28] too many messages for one command")
	d.want("UID COPY 21:30 Trash", "OK [COPYUID V 21:30 1:10] UID COPY completed")
	d.want(`UID STORE 18:29 +FLAGS (\Seen)`, append(many(29, 20, `* # FETCH (UID # FLAGS (\Seen))`), "OK [MESSAGELIMIT 10 20] UID STORE completed for the last 10 messages")...)
	d.want("UID MOVE 8:21 Trash", append(append([]string{"* OK [COPYUID V 12:21 11:20] copied"}, many(21, 12, "* # EXPUNGE")...),
		"OK [MESSAGELIMIT 10 12] UID MOVE completed for the last 10 messages")...)
	d.do(`STORE 9:18 +FLAGS.SILENT (\Deleted)`)
	d.do(`STORE 19:28 +FLAGS.SILENT (\Deleted)`)
	d.want("UID EXPUNGE 1:36", append(many(26, 17, "* # EXPUNGE"), "OK [MESSAGELIMIT 10 27] UID EXPUNGE completed for the last 10 messages")...)
	msg := literal("a: b\r\n")
	d.want("APPEND Trash "+strings.TrimSuffix(strings.Repeat(msg+" ", 11), " "), "NO [MESSAGELIMIT 10] too many messages for one command")
	d.want("EXPUNGE", append(many(18, 9, "* # EXPUNGE"), "OK EXPUNGE completed")...)
}

// TestMessageLimitGone: what a command says beside goes first (RFC 9738 section 3.1).
func TestMessageLimitGone(t *testing.T) {
	f := rationed(t, 20, false)
	a, b := f.dialogue(), f.dialogue()
	a.do("SELECT INBOX")
	b.do("SELECT INBOX")
	b.do(`STORE 20 +FLAGS.SILENT (\Deleted)`)
	b.do("EXPUNGE")
	over := "* NO [MESSAGELIMIT 10 11] too many messages for one command"
	gone := "OK [EXPUNGEISSUED] FETCH completed, but some messages are gone"
	a.want("FETCH 1:20 BODY.PEEK[TEXT]<0.1>", append(many(19, 11, "* # FETCH (BODY[TEXT]<0> {0})"), over, gone)...)
	a.do("NOOP")
	a.do("ENABLE CONDSTORE")
	got := a.do(`STORE 1:19 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\Seen)`)
	if w := []string{"* NO [MESSAGELIMIT 10 10] too many messages for one command", "OK [MODIFIED 10:19] STORE completed, but some messages had changed"}; strings.Join(got, "\n") != strings.Join(w, "\n") {
		t.Errorf("got %q, want %q", got, w)
	}
}

// TestSaveLimit: only what is filed has a limit then.
func TestSaveLimit(t *testing.T) {
	f := rationed(t, 20, true)
	d := f.dialogue()
	d.do("SELECT INBOX")
	d.want("SEARCH SEEN", "* SEARCH", "OK SEARCH completed")
	d.want("FETCH 1:11 UID", append(many(1, 11, "* # FETCH (UID #)"), "OK FETCH completed")...)
	d.want("UID FETCH 1:* UID (PARTIAL 1:11)", append(many(1, 11, "* # FETCH (UID #)"), "OK UID FETCH completed")...)
	d.want("COPY 1:11 INBOX", "NO [MESSAGELIMIT 10 2] too many messages for one command")
	d.want("APPEND INBOX"+strings.Repeat(" "+literal("a: b\r\n"), 11), "NO [MESSAGELIMIT 10] too many messages for one command")
	d.want("REPLACE 1 INBOX"+strings.Repeat(" "+literal("a: b\r\n"), 2), "NO [LIMIT] too many messages for one command")
	f.off, f.also = []string{"SAVELIMIT"}, ""
	d = f.dialogue()
	d.do("CREATE More")
	d.do("SELECT INBOX")
	d.want("COPY 1:11 More", "OK [COPYUID V 1:11 1:11] COPY completed")
}
