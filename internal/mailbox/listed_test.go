package mailbox

import (
	"os"
	"testing"
)

// TestListed: it is what At says, for views as the folder is and others.
func TestListed(t *testing.T) {
	root := t.TempDir()
	for _, sub := range []string{"/cur", "/new", "/tmp"} {
		if err := os.Mkdir(root+sub, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"1.a.host,S=19,W=22:2,S", "2.b.host:2,", "3.c.host,W=22:2,"} {
		if err := os.WriteFile(root+"/cur/"+name, []byte("From: a\n\nhello you\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	box := openBox(t, newStore(t, Options{}), root)
	one, two := sel(t, box, "INBOX", false), sel(t, box, "INBOX", false)
	defer one.Close()
	defer two.Close()
	check := func(when string, v *View, want int) {
		t.Helper()
		list, err := v.List()
		if err != nil || len(list) != want {
			t.Errorf("%s: got %v, %v, want %d messages", when, list, err, want)
		}
		for _, l := range list {
			if m := v.At(l.Seq); m.UID != l.UID || m.Size != l.Size || m.Gone {
				t.Errorf("%s: got %+v, want %+v", when, l, m)
			}
		}
	}
	check("at first", one, 3)
	if err := two.Remove([]uint32{two.At(2).UID}); err != nil {
		t.Fatal(err)
	}
	check("one is gone", one, 2)
	if _, err := two.Sync(true); err != nil {
		t.Fatal(err)
	}
	check("and was told so", two, 2)
}
