package tables

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMailFolders(t *testing.T) {
	dir := t.TempDir()
	home := filepath.Join(dir, "home", "bob")
	os.MkdirAll(home, 0o700)
	table := filepath.Join(dir, "users")
	os.WriteFile(table, []byte("ann@a.test:x:::::\nbob@a.test:x::::"+home+"::\ncat@a.test:x::::"+filepath.Join(dir, "home", "cat")+"::\n"+
		"sys@a.test:x:2000:2000::/elsewhere::\ntwo@a.test:x:2000:2000::/shared::\n"), 0o600)
	want := []string{"/mail", filepath.Join(dir, "home"), home}
	f := MailFolders(table, "a.test", "/mail", 5000)
	for _, c := range []struct {
		uid  int
		mail string
		want []string
	}{
		{5000, "/mail/a.test/ann/Maildir", want},
		{5000, home + "/Maildir", want},
		{5000, "/new/Maildir", []string{"/new/Maildir"}},
		{2000, "/elsewhere/Maildir", []string{"/elsewhere/Maildir", "/shared/Maildir"}},
		{2000, "/shared/Maildir", []string{"/elsewhere/Maildir", "/shared/Maildir"}},
		{2000, "/elsewhere", []string{"/elsewhere"}},
		{2001, "/elsewhere/Maildir", []string{"/elsewhere/Maildir"}},
	} {
		if got := f.Of(c.uid, c.mail); !slices.Equal(got, c.want) {
			t.Errorf("%s of %d: got %q, want %q", c.mail, c.uid, got, c.want)
		}
	}
	if got := MailFolders("/nonexistent", "a.test", "/mail", 5000).Of(5000, "/mail/x"); !slices.Equal(got, []string{"/mail"}) {
		t.Errorf("no table: got %q", got)
	}
}

func TestCollapse(t *testing.T) {
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("/srv/d%d/u%d", i%7, i))
	}
	for _, c := range []struct{ in, want []string }{
		{[]string{"/b", "/a", "/b"}, []string{"/a", "/b"}},
		{many, []string{"/srv/d0", "/srv/d1", "/srv/d2", "/srv/d3", "/srv/d4", "/srv/d5", "/srv/d6"}},
		{nil, nil},
	} {
		if got := collapse(c.in); !slices.Equal(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}
