package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/mailbox"
)

// aged has messages in a box, read or not, of which one has an old internal date.
func aged(t *testing.T, store *mailbox.Store, path string, now time.Time) {
	t.Helper()
	box, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	for _, folder := range []string{"Trash", "Junk", "Work", "Other"} {
		if err := box.Create(folder); err != nil {
			t.Fatal(err)
		}
		for _, m := range []mailbox.Incoming{
			{Flags: mailbox.Flags{System: mailbox.Seen}}, {}, {Flags: mailbox.Flags{System: mailbox.Seen}, Date: now.AddDate(-1, 0, 0)},
		} {
			m.Reader, m.Size = strings.NewReader("\r\n"), 2
			if _, _, err := box.Append(folder, m); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestExpire(t *testing.T) {
	file, dir := instance(t, "")
	path := filepath.Join(dir, "mail-root/test/ann/Maildir")
	c, err := conf.Load(file)
	if err == nil {
		c.Autoexpunge, err = conf.Autoexpunge{}.With("Trash:2d,Junk:1d:seen,Work:30d:received,INBOX:1d")
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Undelete = 10 * 24 * time.Hour
	store := mailbox.New(mailbox.Options{})
	defer store.Close()
	store.KeepRemoved(c.Undelete)
	now := time.Now()
	aged(t, store, path, now)
	var out strings.Builder
	e := &env{conf: c, stdout: &out, stderr: &out}
	a := account{name: "ann@test", path: path, rules: c.Autoexpunge}
	for _, tt := range []struct {
		name string
		days int
		dry  bool
		want string
		left string
	}{
		{"now, dry", 0, true, "Work: 1 messages older than 30d00h\n", "Junk 3 Other 3 Trash 3 Work 3"},
		{"now", 0, false, "Work: 1 messages older than 30d00h\n", "Junk 3 Other 3 Trash 3 Work 2"},
		{"tomorrow", 1, false, "Junk: 2 messages older than 24h00m\n", "Junk 1 Other 3 Trash 3 Work 2"},
		{"in two days", 2, false, "Trash: 3 messages older than 2d00h\n", "Junk 1 Other 3 Trash 0 Work 2"},
		{"again", 2, false, "", "Junk 1 Other 3 Trash 0 Work 2"},
	} {
		out.Reset()
		if err := a.expire(e, store, now.AddDate(0, 0, tt.days).Add(time.Minute), tt.dry); err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(out.String(), "ann@test: ", ""); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if got := messages(t, path); got != tt.left {
			t.Errorf("%s: left %s, want %s", tt.name, got, tt.left)
		}
	}
	// What went was kept, and is gone when it is old itself.
	attic, err := os.ReadDir(filepath.Join(path, mailbox.Attic))
	if err != nil || len(attic) != 1 {
		t.Errorf("attic: got %v, %v, want a day", attic, err)
	}
	if err := a.expire(e, store, now.AddDate(0, 0, 12), false); err != nil {
		t.Fatal(err)
	}
	if attic, err = os.ReadDir(filepath.Join(path, mailbox.Attic)); err != nil || len(attic) != 0 {
		t.Errorf("attic later: got %v, %v, want none", attic, err)
	}
}

// messages counts those of each folder but the INBOX.
func messages(t *testing.T, path string) string {
	t.Helper()
	var all []string
	for _, name := range []string{"Junk", "Other", "Trash", "Work"} {
		files, err := filepath.Glob(path + "/." + name + "/[cn]??/*")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(name, " ", len(files)))
	}
	return strings.Join(all, " ")
}

func TestExpireAccounts(t *testing.T) {
	file, dir := instance(t, "")
	users := "ann@test:{PLAIN}x\nbob@test:{PLAIN}x::::::autoexpunge=Trash:1d\nnew@test:{PLAIN}x\n"
	if err := os.WriteFile(filepath.Join(dir, "users"), []byte(users), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob"} {
		if err := os.MkdirAll(filepath.Join(dir, "mail-root/test", name, "Maildir/cur"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c, err := conf.Load(file)
	if err == nil {
		c.Autoexpunge, err = conf.Autoexpunge{}.With("Trash:30d")
	}
	if err != nil {
		t.Fatal(err)
	}
	e := &env{conf: c, stdout: os.Stdout, stderr: os.Stderr}
	all, err := accounts(e, nil)
	if err != nil || len(all) != 2 || all[0].name != "ann@test" || len(all[0].rules) != 1 || len(all[1].rules) != 2 || all[1].rules[0].Age != 24*time.Hour {
		t.Errorf("got %+v, %v, want ann with the rule for all and bob with his before", all, err)
	}
	if all, err := accounts(e, []string{"bob", dir + "/mail-root/test/ann/Maildir"}); err != nil || len(all) != 2 || len(all[0].rules) != 2 {
		t.Errorf("named: got %+v, %v", all, err)
	}
	for _, name := range []string{"new", "nobody", "/none/Maildir"} {
		if all, err := accounts(e, []string{name}); err == nil {
			t.Errorf("%s: got %v, want an error", name, all)
		}
	}
}
