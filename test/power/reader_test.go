package power

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/power/disk"
	"posthorn/test/suite"
)

// own gives a file the owner of another.
func own(path string, like fs.FileInfo) error {
	st := like.Sys().(*syscall.Stat_t)
	return os.Chown(path, int(st.Uid), int(st.Gid))
}

// reader is a host whose mailboxes are read by IMAP.
type reader struct {
	*host
	addr string
}

// newReader makes a host on which imapd runs, which keeps nothing either.
func newReader(t *testing.T, more string) *reader {
	t.Helper()
	r := &reader{host: newHost(t, more)}
	var users strings.Builder
	for _, u := range []string{suite.Ann, suite.Bob, carl} {
		fmt.Fprintf(&users, "%s:{PLAIN}%s\n", u, instance.Password) // quick to check
	}
	name := filepath.Join(r.i.Dir, "users")
	info, err := os.Stat(name)
	if err == nil {
		err = os.WriteFile(name, []byte(users.String()), info.Mode())
	}
	if err != nil {
		t.Fatal(err)
	}
	imapd, err := r.start("imapd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(imapd.stop)
	for line := range strings.SplitSeq(imapd.log.String(), "\n") {
		if strings.Contains(line, "service=imap ") {
			r.addr = instance.Value(line, "addr")
		}
	}
	return r
}

// try puts a tree on the host's disk, has its mail delivered, and reads Ann's
// mailbox.
func (r *reader) try(tree *disk.Tree) *seen {
	s := &seen{folders: map[string]*shown{}, given: map[string]filed{}}
	if len(tree.Mail()) > 0 {
		f := r.host.try(tree)
		s.log, s.err, s.odd = f.log, f.err, f.odd
	} else {
		s.err = r.put(tree)
	}
	if s.err == nil {
		s.err = r.age()
	}
	if s.err != nil {
		return s
	}
	session, err := r.start("imap-session")
	if err != nil {
		s.err = err
		return s
	}
	err = cmp.Or(r.read(s), r.removed(s))
	session.stop()
	s.log += session.log.String()
	s.err = cmp.Or(s.err, err)
	return s
}

// age makes lock files old: a dotlock whose content is lost, or whose process's
// number another one has now, holds for two minutes.
func (r *reader) age() error {
	return filepath.WalkDir(filepath.Join(r.i.Dir, "mail"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".lock") {
			then := time.Now().Add(-time.Hour)
			err = os.Chtimes(path, then, then)
		}
		return err
	})
}

// removed reads what is kept of what was removed.
func (r *reader) removed(s *seen) error {
	s.kept = map[string]string{}
	return filepath.WalkDir(filepath.Join(r.i.Dir, "mail", instance.Domain, "ann", "Maildir", "posthorn-undelete"), func(path string, e fs.DirEntry, err error) error {
		sub := filepath.Base(filepath.Dir(path))
		if errors.Is(err, fs.ErrNotExist) || err == nil && (e.IsDir() || sub != "cur" && sub != "new") {
			return nil
		}
		text, rerr := os.ReadFile(path)
		if m := tokenOf.FindStringSubmatch(strings.ReplaceAll(string(text), "\n", "\r\n")); m != nil {
			s.kept[m[1]] = string(text)
		}
		return cmp.Or(err, rerr)
	})
}

// read reads all folders and files a message in each.
func (r *reader) read(s *seen) error {
	w, err := login(r.addr, suite.Ann)
	if err != nil {
		return err
	}
	defer w.conn.Close()
	names, err := w.names("LIST")
	if err != nil {
		return err
	}
	if s.names, err = w.names("LSUB"); err != nil {
		return err
	}
	for _, name := range names {
		if s.folders[name], err = w.open(name); err != nil {
			return err
		}
		g := filed{Token: "given"}
		if _, g.UID, err = w.file(name, g.Token, ""); err != nil {
			return err
		}
		s.given[name] = g
	}
	return nil
}
