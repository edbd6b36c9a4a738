package dovecot

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestQuotaOfBoth: both keep one maildirsize. What one files the other counts,
// without counting the messages again.
func TestQuotaOfBoth(t *testing.T) {
	i := suite.Server(t, instance.Options{Conf: "quota 100K messages=50\n"})
	s := ours(t, i)
	s.do("CREATE Sent")
	for n := range 3 {
		s.file("INBOX", "", message(n))
	}
	root := func() string { return strings.Join(s.do("GETQUOTAROOT INBOX"), " ") }
	if got, want := root(), `(STORAGE 1 100 MESSAGE 3 50)`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	file := filepath.Join(bobs(i), "maildirsize")
	made := inode(t, file)

	p := newPeer(t, bobs(i))
	quota := "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:bytes=102400:messages=50\n}\n" +
		"protocol imap {\n  mail_plugins = quota imap_quota\n}\n"
	conf, err := os.OpenFile(filepath.Join(p.dir, "conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conf, quota)
	conf.Close()
	d := p.imap(t)
	const theirs = `(STORAGE 1 100 MESSAGE 3 50)`
	if got := strings.Join(d.do("GETQUOTAROOT INBOX"), " "); !strings.Contains(got, theirs) {
		t.Errorf("Dovecot: got %s, want %s", got, theirs)
	}
	d.file("Sent", "", message(4))
	d.logout()
	if got, want := root(), `(STORAGE 1 100 MESSAGE 4 50)`; !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	if inode(t, file) != made {
		t.Error("maildirsize was made anew")
	}
}

func inode(t *testing.T, file string) uint64 {
	t.Helper()
	st, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return st.Sys().(*syscall.Stat_t).Ino
}
