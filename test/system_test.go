package test

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// systemUser is made for this test; its home must hold nothing of value.
const systemUser = "posthorn-user"

// TestSystemUsers: mail for a user of the system is written and read under his
// own uid, while the daemons that take the requests have no right to it.
func TestSystemUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: run the tests as root to include it")
	}
	suite.Need(t, "swaks", "curl")
	u, err := user.Lookup(systemUser)
	if err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs a user to deliver to: useradd --create-home %s", systemUser)
	}
	maildir := filepath.Join(u.HomeDir, "Maildir")
	os.RemoveAll(maildir)
	t.Cleanup(func() { os.RemoveAll(maildir) })
	uid, _ := strconv.Atoi(u.Uid)
	i := suite.Server(t, instance.Options{Conf: "system-users yes\nindex-dir %DIR%/indexes\n"})

	address := systemUser + "@" + instance.Domain
	suite.Must(t, "", "swaks", "--server", i.Addr["smtp"], "--from", suite.Eve, "--to", address+","+suite.Bob, "--header", "Subject: for both kinds")
	var files []string
	suite.Eventually(t, "the system user's mail", func() bool {
		files, _ = filepath.Glob(filepath.Join(maildir, "new", "*"))
		return len(files) == 1
	})
	suite.Eventually(t, "the virtual user's mail", func() bool { return len(suite.BoxFiles(i, suite.Bob, "")) == 1 })
	for file, want := range map[string]int{files[0]: uid, suite.BoxFiles(i, suite.Bob, "")[0]: instance.UIDs["vmail"]} {
		fi, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := int(fi.Sys().(*syscall.Stat_t).Uid); got != want || fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: got owner %d and mode %v, want %d and nobody else", file, got, fi.Mode(), want)
		}
	}
	checkStatusOf(t, i, "deliver", instance.UIDs["deliver"])

	// A password in the table, with uid, gid and home, lets the user log in.
	table := filepath.Join(i.Dir, "users")
	text, _ := os.ReadFile(table)
	line := fmt.Sprintf("%s:{PLAIN}secret:%s:%s::%s::\n", address, u.Uid, u.Gid, u.HomeDir)
	os.WriteFile(table, append(text, line...), 0o640)
	if out, err := i.Posthorn("", "reload"); err != nil {
		t.Fatalf("reload: %v: %s", err, out)
	}
	for _, login := range []string{address, suite.Bob} {
		for _, url := range []string{"imaps://" + i.Addr["imaps"] + "/INBOX;MAILINDEX=1", "pop3s://" + i.Addr["pop3s"] + "/1"} {
			out := suite.Must(t, "", "curl", "-sS", "-k", "--user", login+":"+instance.Password, url)
			if !strings.Contains(out, "Subject: for both kinds") {
				t.Errorf("%s at %s: got %s", login, url, out)
			}
		}
	}
	for _, owner := range []int{0, uid, instance.UIDs["vmail"]} {
		path, mode := filepath.Join(i.Dir, "indexes"), fs.ModeDir|0o711
		if owner > 0 {
			path, mode = filepath.Join(path, strconv.Itoa(owner)), fs.ModeDir|0o700
			if got := indexFiles(t, path); len(got) == 0 {
				t.Errorf("%s: got no index", path)
			}
		}
		if st, err := os.Stat(path); err != nil || int(st.Sys().(*syscall.Stat_t).Uid) != owner || st.Mode() != mode {
			t.Errorf("%s: got %v, %v, want a folder of %d with %v", path, st, err, owner, mode)
		}
	}
	if got := append(indexFiles(t, maildir), indexFiles(t, filepath.Join(i.Dir, "mail"))...); got != nil {
		t.Errorf("got in the Maildirs %q", got)
	}
	if out, err := suite.Command(t, "", "swaks", "--server", i.Addr["smtp"], "--from", suite.Eve, "--to", "root@"+instance.Domain); err == nil {
		t.Errorf("mail for root without an alias was taken: %s", out)
	}
}

// checkStatusOf is checkStatus for a process whose uid depends on the
// configuration.
func checkStatusOf(t *testing.T, i *instance.Instance, name string, uid int) {
	t.Helper()
	pid, err := i.PID(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	want := fmt.Sprintf("Uid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", uid)
	if err != nil || !strings.Contains(string(text), want) {
		t.Errorf("%s: got no %q in its status: %v", name, want, err)
	}
}
