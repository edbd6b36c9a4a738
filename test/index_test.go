package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// indexFiles returns the files of indexes beneath root.
func indexFiles(t *testing.T, root string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if ok, _ := filepath.Match("posthorn.*", filepath.Base(path)); err == nil && ok {
			found = append(found, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sightOf is what clients of both protocols see of Bob's mail.
func sightOf(t *testing.T, i *instance.Instance) string {
	t.Helper()
	c := enter(t, i, suite.Bob)
	defer c.Close()
	var b strings.Builder
	for _, folder := range []string{"INBOX", "Work", `"Odd (deleted) &- &AOk-"`} {
		b.WriteString(say(t, c, "SELECT "+folder))
		b.WriteString(say(t, c, "UID FETCH 1:* (FLAGS ENVELOPE EMAILID BODYSTRUCTURE)"))
		b.WriteString(say(t, c, "UID SEARCH RETURN (ALL) TEXT more"))
		say(t, c, "UNSELECT")
	}
	// What counts up at a start, or is for the first session only.
	seen := regexp.MustCompile(`\[(HIGHESTMODSEQ|UIDNEXT) \d+\]|\d+ RECENT| \\Recent|\\Recent ?`).ReplaceAllString(b.String(), "")
	return seen + suite.Must(t, "", "curl", "-sS", "-k", "--user", suite.Bob+":"+instance.Password, "-X", "UIDL", "pop3s://"+i.Addr["pop3s"]+"/")
}

// TestIndexDir: with index-dir clients see the same as without, the files of the
// indexes lie there and nowhere else, and commands keep to that.
func TestIndexDir(t *testing.T) {
	suite.Need(t, "curl")
	const line = "index-dir %DIR%/indexes\n"
	i := suite.Server(t, instance.Options{Conf: line})
	c := enter(t, i, suite.Bob)
	say(t, c, "CREATE Work")
	say(t, c, `CREATE "Odd (deleted) &- &AOk-"`)
	for _, command := range []string{"APPEND INBOX", "APPEND Work (k1)", `APPEND "Odd (deleted) &- &AOk-" (\Seen)`, `APPEND INBOX (\Flagged)`} {
		say(t, c, command+" {29+}\r\nSubject: one\r\n\r\none and more")
	}
	c.Close()
	mail, home := filepath.Join(i.Dir, "mail"), filepath.Join(i.Dir, "indexes")
	own := os.Geteuid()
	if own == 0 {
		own = instance.UIDs["vmail"]
	}
	whole, err := filepath.EvalSymlinks(mail)
	if err != nil {
		t.Fatal(err)
	}
	maildir := filepath.Join("/", strconv.Itoa(own), whole, instance.Domain, "bob", "Maildir")
	there := func(when string) {
		t.Helper()
		if got := indexFiles(t, mail); got != nil {
			t.Errorf("%s: got in the Maildirs %q", when, got)
		}
		got := indexFiles(t, home)
		for _, folder := range []string{"", ".Work", ".Odd (deleted) &- &AOk-"} {
			if path := filepath.Join(maildir, folder, "posthorn.index"); !slices.Contains(got, path) {
				t.Errorf("%s: got no %s in %q", when, path, got)
			}
		}
	}
	want := sightOf(t, i)
	there("at first")
	st, err := os.Stat(filepath.Join(home, strconv.Itoa(own)))
	if err != nil || st.Mode() != fs.ModeDir|0o700 || int(st.Sys().(*syscall.Stat_t).Uid) != own {
		t.Errorf("got %v, %v, want a folder of %d with mode 0700", st, err, own)
	}

	file := filepath.Join(i.Dir, "posthorn.conf")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	with := string(text)
	without := strings.Replace(with, strings.ReplaceAll(line, "%DIR%", i.Dir), "", 1)
	for _, conf := range []string{without, with} {
		if err := i.StopServer(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := i.StartServer(nil); err != nil {
			t.Fatal(err)
		}
		if got := sightOf(t, i); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if conf == without && len(indexFiles(t, mail)) == 0 {
			t.Error("without index-dir: got no index in the Maildirs")
		}
	}
	there("again")
	for _, command := range [][]string{{"mailbox", "check", "bob"}, {"mailbox", "stat", "bob"}, {"mailbox", "rebuild", "bob"}, {"expire", "bob"}, {"undelete", "bob"}, {"check"}} {
		if out, err := i.Posthorn("", command...); err != nil && command[0] != "check" || strings.Contains(out, "indexes") {
			t.Errorf("%q: got %v: %s", command, err, out)
		}
		if got := indexFiles(t, mail); got != nil {
			t.Errorf("%q: got in the Maildirs %q", command, got)
		}
	}
	if got := sightOf(t, i); got != want {
		t.Errorf("after the commands: got\n%s\nwant\n%s", got, want)
	}
	there("after the commands")
	for _, line := range i.Log() {
		if strings.Contains(line, "folder-unindexed") {
			t.Error(line)
		}
	}
}
