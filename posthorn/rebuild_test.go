package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
)

// asOwner runs a command of mailboxes on path without giving rights away, as root
// would have to.
func asOwner(t *testing.T, file, path string, do func(*env, string) error) (string, error) {
	t.Helper()
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = do(&env{conf: c, stdout: &out, stderr: &out}, path)
	return out.String(), err
}

func TestRebuild(t *testing.T) {
	file, dir := instance(t, "")
	path := dir + "/Maildir"
	for _, name := range []string{"/cur", "/new", "/tmp", "/.Work/cur", "/.Work/tmp"} {
		if err := os.MkdirAll(path+name, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	shell(t, path, `umask 077; printf 'Subject: one\n\none\n' > cur/1.a.test:2,S; printf '3 V1700000000 N5 G\njunk\n3 :1.a.test\n' > dovecot-uidlist; echo junk > posthorn.index`)
	out, err := asOwner(t, file, path, rebuildMailbox)
	if want := "INBOX: messages=1 uidvalidity=1700000000 uidnext="; err != nil || !strings.Contains(out, want) ||
		!strings.Contains(out, "left out 1 lines of the uidlist") || !strings.Contains(out, "Work: messages=0 ") {
		t.Errorf("got %v and %q, want %q and both folders", err, out, want)
	}
	if out, err := asOwner(t, file, path, checkMailbox); err != nil {
		t.Errorf("check afterwards: got %v and %q", err, out)
	}
	if _, err := asOwner(t, file, dir, rebuildMailbox); err == nil {
		t.Error("a folder that is no Maildir was rebuilt")
	}
}

func TestRootFollowsNoLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	theirs, link := dir+"/theirs", dir+"/mine"
	err := errors.Join(os.Mkdir(theirs, 0o700), os.Chown(theirs, 5002, 5002), os.Symlink(theirs, link))
	if err != nil {
		t.Fatal(err)
	}
	if err := becomeOwner(new(conf.Config), link); err == nil || !strings.Contains(err.Error(), "is a symbolic link") {
		t.Errorf("got %v, want the link refused", err)
	}
}

// TestOwnsMail: root becomes nobody whom its daemons would not become for mail.
func TestOwnsMail(t *testing.T) {
	file, _ := instance(t, "")
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	vmail, err := c.Identity("vmail")
	if err != nil {
		t.Fatal(err)
	}
	c.MinUID = vmail.UID + 1000
	least, own := uint32(c.MinUID), uint32(vmail.UID)
	for _, tt := range []struct {
		name string
		uid  uint32
		mode uint32
		want string
	}{
		{"a user", least, unix.S_IFDIR, ""},
		{"vmail", own, unix.S_IFDIR, ""},
		{"a daemon", own + 1, unix.S_IFDIR, fmt.Sprintf("belongs to uid %d, expected vmail's or at least %d (min-uid)", own+1, least)},
		{"just below", least - 1, unix.S_IFDIR, "(min-uid)"},
		{"root", 0, unix.S_IFDIR, "belongs to root"},
		{"a link", least, unix.S_IFLNK, "is a symbolic link"},
	} {
		err := ownsMail(c, "/m", &unix.Stat_t{Uid: tt.uid, Mode: tt.mode})
		if got := fmt.Sprint(err); (err == nil) != (tt.want == "") || !strings.Contains(got, tt.want) && err != nil {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}
