package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// crowd puts n small messages in the mailbox of a fixture, whose UIDs are 1 to n.
func crowd(t *testing.T, n int) *fixture {
	t.Helper()
	f := newFixture(t)
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(f.dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		name := fmt.Sprintf("%d.M%dP1.test:2,", 1_000_000_000+i, i)
		if err := os.WriteFile(filepath.Join(f.dir, "cur", name), []byte("a: b\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// TestBatches has the forms of the examples of RFC 10022 section 3.1.
func TestBatches(t *testing.T) {
	d := crowd(t, 1712).dialogue()
	d.want("UIDBATCHES 500", "BAD no mailbox is selected")
	d.do("SELECT INBOX")
	d.do(`STORE 3:14 +FLAGS.SILENT (\Deleted)`)
	d.do("EXPUNGE") // 1,700 messages are left, with the UIDs 1, 2 and from 15 on
	for _, tt := range []struct{ args, want string }{
		{"500", "1712:1213,1212:713,712:213,212:1"},
		{"850", "1712:863,862:1"},
		{"1699", "1712:2,1:1"},
		{"1700", "1712:1"},
		{"4294967295", "1712:1"},
		{"500 2:3", "1212:713,712:213"},
		{"500 4:9", "212:1"},
		{"500 1:4294967295", "1712:1213,1212:713,712:213,212:1"},
		{"500 5:6", ""},
	} {
		want := "* UIDBATCHES (TAG \"t" + fmt.Sprint(d.n+1) + "\")"
		if tt.want != "" {
			want += " " + tt.want
		}
		d.want("UIDBATCHES "+tt.args, want, "OK UIDBATCHES completed")
	}
	d.want("UIDBATCHES 499", "NO [TOOFEW] minimum batch size is 500")
	d.want("UIDBATCHES 2000 4:1", "BAD [CLIENTBUG] invalid batch range")
	d.want("UIDBATCHES 0", "BAD a batch has messages")
	d.want("UIDBATCHES", "BAD missing argument")
	d.want("UID UIDBATCHES 500", "BAD unknown command")
	d.do("ENABLE UIDONLY")
	d.want("UIDBATCHES 2000", fmt.Sprintf(`* UIDBATCHES (TAG "t%d") 1712:1`, d.n+1), "OK UIDBATCHES completed")
	d.do("CREATE Empty")
	d.do("SELECT Empty")
	d.want("UIDBATCHES 2000", fmt.Sprintf(`* UIDBATCHES (TAG "t%d")`, d.n+1), "OK UIDBATCHES completed")
}
