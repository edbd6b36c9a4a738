package test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestExpireAsTheOwners: root's expire goes through the mail of several owners with
// the rights of each, and through none of root's.
func TestExpireAsTheOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: run the tests as root to include it")
	}
	i := suite.Server(t, instance.Options{Conf: "autoexpunge INBOX 1s\nundelete 1d\n"})
	table := filepath.Join(i.Dir, "users")
	users, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	boxes := map[string]int{"zoe": 61500, "yan": 61501, "root": 0}
	for name, uid := range boxes {
		home := filepath.Join(i.Dir, name)
		users = fmt.Appendf(users, "%s@%s:{PLAIN}x:61502:61502::%s::\n", name, instance.Domain, home)
		if err := os.MkdirAll(filepath.Join(home, "Maildir/cur"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(home, "Maildir/cur/1700000000.a.x:2,"), []byte("Subject: old\n\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		suite.Must(t, "", "chown", "-R", fmt.Sprintf("%d:%d", uid, uid), home)
	}
	if err := os.WriteFile(table, users, 0o640); err != nil {
		t.Fatal(err)
	}
	left := func(name string) int {
		files, _ := filepath.Glob(filepath.Join(i.Dir, name, "Maildir/cur/*"))
		return len(files)
	}
	said := ""
	suite.Eventually(t, "old mail goes", func() bool {
		var err error
		if said, err = i.Posthorn("", "expire"); err == nil {
			t.Fatalf("got no error, want one of root's mail: %s", said)
		}
		return left("zoe") == 0 && left("yan") == 0
	})
	if left("root") != 1 {
		t.Errorf("root's mail was touched: %s", said)
	}
	for name, uid := range boxes {
		err := filepath.WalkDir(filepath.Join(i.Dir, name), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			fi, err := d.Info()
			if err != nil {
				return err
			}
			if st := fi.Sys().(*syscall.Stat_t); int(st.Uid) != uid {
				t.Errorf("%s: got the owner %d, want %d", path, st.Uid, uid)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
