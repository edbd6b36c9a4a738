package main

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
)

// TestUTF8 speaks as RFC 9755 section 3 has it.
func TestUTF8(t *testing.T) {
	f := newFixture(t)
	old, d := f.dialogue(), f.dialogue()
	d.want("ENABLE UTF8=ACCEPT", "* ENABLED UTF8=ACCEPT", "OK ENABLE completed")
	d.want("CREATE \"Entwürfe.日本語\"", "OK CREATE completed")
	d.want("CREATE "+literal("R&D"), "OK CREATE completed")
	d.want("SUBSCRIBE \"Entwürfe.日本語\"", "OK SUBSCRIBE completed")
	d.want("LIST \"Ent\" \"*ü%.%語\"", "* LIST (\\HasNoChildren) \".\" \"Entwürfe.日本語\"", "OK LIST completed")
	d.want("LSUB \"\" *", "* LSUB () \".\" \"Entwürfe.日本語\"", "OK LSUB completed")
	d.want("STATUS \"Entwürfe.日本語\" (MESSAGES)", "* STATUS \"Entwürfe.日本語\" (MESSAGES 0)", "OK STATUS completed")
	d.want("CREATE &APw-", "OK CREATE completed") // no modified UTF-7 any more
	old.want(`LIST "" *`, `* LIST (\HasNoChildren) "." "INBOX"`, `* LIST (\HasNoChildren) "." "&-APw-"`, `* LIST (\Noselect \HasChildren) "." "Entw&APw-rfe"`,
		`* LIST (\HasNoChildren) "." "Entw&APw-rfe.&ZeVnLIqe-"`, `* LIST (\HasNoChildren) "." "R&-D"`, "OK LIST completed")
	old.want("STATUS \"Entwürfe.日本語\" (MESSAGES)", `* STATUS "Entw&APw-rfe.&ZeVnLIqe-" (MESSAGES 0)`, "OK STATUS completed")
	for _, name := range []string{"\"\x80\"", "\"gr\xfcn\"", "\"\xed\xa0\x80\""} { // a lone byte, Latin-1, half a surrogate pair
		d.want("CREATE "+name, "BAD quoted string is not UTF-8")
	}
	for _, name := range []string{"\"a\u0085\"", "\"a\u2028b\"", "\"a\u2029\"", "\"\x1f\""} {
		d.want("CREATE "+name, "NO [CANNOT] not a possible mailbox name")
	}
	d.want("CREATE {1+}\r\n\xfc", "NO [CANNOT] mailbox name is neither UTF-8 nor modified UTF-7")
}

// TestUTF8Messages: strings of messages are quoted only for who reads them so.
func TestUTF8Messages(t *testing.T) {
	f := newFixture(t)
	old, d := f.dialogue(), f.dialogue()
	d.do("ENABLE UTF8=ACCEPT")
	d.file("INBOX", "", "Subject: grün\r\nFrom: <jösé@exämple.org>\r\n\r\nx\r\n")
	d.file("INBOX", "", "Subject: gr\xfcn\r\n\r\nx\r\n")
	d.do("SELECT INBOX")
	old.do("SELECT INBOX")
	subject := func(d *dialogue, seq int) string {
		got := d.do(fmt.Sprintf("FETCH %d ENVELOPE", seq))[0]
		got, _, _ = strings.Cut(strings.TrimPrefix(got, fmt.Sprintf("* %d FETCH (ENVELOPE (NIL ", seq)), " (")
		return got
	}
	for _, tt := range []struct {
		d    *dialogue
		seq  int
		want string
	}{{d, 1, `"grün"`}, {d, 2, "{4}gr\xfcn NIL"}, {old, 1, "{5}grün"}} {
		if got := subject(tt.d, tt.seq); !strings.HasPrefix(got, tt.want) {
			t.Errorf("message %d: got %q, want %q", tt.seq, got, tt.want)
		}
	}
	d.want("SEARCH SUBJECT \"GRÜN\"", "* SEARCH 1", "OK SEARCH completed")
	d.want("SEARCH CHARSET UTF-8 SUBJECT x", "BAD all text is UTF-8")
	d.want("SEARCH SUBJECT \"gr\xfcn\"", "BAD quoted string is not UTF-8")
	old.want("SEARCH CHARSET UTF-8 SUBJECT \"grün\"", "* SEARCH 1", "OK SEARCH completed")
}

// TestSwitchedOff: what an account is not offered is not enabled either.
func TestSwitchedOff(t *testing.T) {
	f := newFixture(t)
	f.off = []string{"UTF8=ACCEPT", "APPENDLIMIT", "MOVE", "IDLE", "NO-SUCH-THING"}
	conn, _ := f.connect()
	d := &dialogue{t: t, f: f, conn: conn, r: bufio.NewReader(conn)}
	want := "[CAPABILITY " + strings.NewReplacer(" UTF8=ACCEPT", "", " APPENDLIMIT=1048576", "", " MOVE", "", " IDLE", "").Replace(announced) + "]"
	if got := d.line(); !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	d.want("ENABLE UTF8=ACCEPT", "* ENABLED", "OK ENABLE completed")
	d.want("CREATE Entw&APw-rfe", "OK CREATE completed")
	d.want(`LIST "" E*`, `* LIST (\HasNoChildren) "." "Entw&APw-rfe"`, "OK LIST completed")
}
