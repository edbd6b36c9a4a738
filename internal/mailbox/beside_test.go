package mailbox

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestFilingBesideDovecot: a message gets the UID that Dovecot gave it in a list that it
// wrote anew, though one of ours is filed before the folder is looked at, in which list
// N has to be raised.
func TestFilingBesideDovecot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Maildir")
	b := openBox(t, newStore(t, Options{}), path)
	appendText(t, b, "INBOX", "one", Flags{})
	v := sel(t, b, "INBOX", false)
	deliver(t, path, "1700000002.b.x", "theirs")
	name := filepath.Join(path, "dovecot-uidlist")
	list, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	list = regexp.MustCompile(` N\d+`).ReplaceAll(list, []byte(" N3")) // as Dovecot writes it
	list = fmt.Append(list, "2 :1700000002.b.x\n")
	if err := os.WriteFile(name+".lock", list, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".lock", name); err != nil {
		t.Fatal(err)
	}
	uid := appendText(t, b, "INBOX", "ours", Flags{})
	if _, err := v.Sync(true); err != nil {
		t.Fatal(err)
	}
	for seq, want := range map[int]string{1: text("one"), 2: text("theirs"), 3: text("ours")} {
		if got := content(t, v, seq); got != want {
			t.Errorf("message %d: got %q, want %q", seq, got, want)
		}
	}
	if got, want := []uint32{v.At(2).UID, v.At(3).UID}, []uint32{2, uid}; got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got the UIDs %v, want %v", got, want)
	}
}
