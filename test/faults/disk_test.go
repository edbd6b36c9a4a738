package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// disk is a small file system of its own in place of a folder of the server.
type disk struct{ *suite.Disk }

// mount puts a fresh file system over a folder.
func (s *site) mount(name, kind string) *disk {
	s.Helper()
	size := int64(8 << 20)
	if kind == "btrfs" {
		size = 120 << 20
	}
	return &disk{suite.Mount(s.T, filepath.Join(s.Dir, name), kind, size, 512)}
}

// fill writes until nothing is left, and returns how to take it away.
func (d *disk) fill(s *site) func() {
	name := filepath.Join(d.Folder, "fill")
	f, err := os.Create(name)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	suite.Fill(f)
	return func() { os.Remove(name) }
}

// crowd makes files until no inode is left.
func (d *disk) crowd(s *site) func() {
	dir := filepath.Join(d.Folder, "crowd")
	err := os.Mkdir(dir, 0o700)
	for n := 0; err == nil; n++ {
		err = os.WriteFile(filepath.Join(dir, strconv.Itoa(n)), nil, 0o600)
	}
	if !errors.Is(err, unix.ENOSPC) {
		s.Fatal(err)
	}
	return func() { os.RemoveAll(dir) }
}

// readOnly remounts it read-only, as an administrator does who saves what can
// be saved: while nobody writes.
func (d *disk) readOnly(s *site) func() {
	s.Helper()
	again(s, func() { suite.Must(s.T, "", "mount", "-o", "remount,ro", d.Folder) })()
	return func() { suite.Must(s.T, "", "mount", "-o", "remount,rw", d.Folder) }
}

// goingDown is FS_IOC_SHUTDOWN: from now on every access is an error, as where a
// disk has gone.
func (d *disk) goingDown(s *site) {
	s.Helper()
	f, err := os.Open(d.Folder)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	const shutdown, flushed = 0x8004587d, 0
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdown, flushed); err != nil {
		s.Fatal(err)
	}
}

// broken makes the disk fail.
func (d *disk) broken(s *site) func() {
	s.Helper()
	d.goingDown(s)
	return d.mend(s)
}

// aborted makes it read-only while files are open for writing, as ext4 itself
// does when it meets an error.
func (d *disk) aborted(s *site) func() {
	s.Helper()
	suite.Must(s.T, "", "mount", "-o", "remount,abort", d.Folder)
	return d.mend(s)
}

// mend returns what an administrator does: stop the server, unmount, check,
// mount.
func (d *disk) mend(s *site) func() {
	return again(s, func() {
		if err := unix.Unmount(d.Folder, 0); err != nil {
			s.Error(err)
		}
		// A copy, for another mount namespace may still hold the broken one.
		suite.Must(s.T, "", "cp", "--sparse=always", d.Image, d.Image+".mended")
		d.Image += ".mended"
		exec.Command("e2fsck", "-fy", d.Image).Run() // it ends with 1 when it mended something
		d.Attach(s.T)
	})
}

// again is heal with the server stopped meanwhile.
func again(s *site, heal func()) func() {
	return func() {
		s.StopServer()
		heal()
		if err := s.StartServer(nil); err != nil {
			s.Error(err)
		}
		s.mark = 0 // it is another log
	}
}

func onDisks(t *testing.T, kind string) (s *site, spool, mail *disk) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount small file systems")
	}
	s = newSite(t, instance.Options{})
	s.StopServer()
	if err := os.RemoveAll(filepath.Join(s.Dir, "mail", instance.Domain)); err != nil {
		t.Fatal(err)
	}
	spool, mail = s.mount("spool", "ext4"), s.mount("mail", kind)
	if err := s.StartServer(nil); err != nil {
		t.Fatal(err)
	}
	return s, spool, mail
}

const (
	imapGood = "OK OK OK OK OK"
	popGood  = "+OK +OK +OK +OK +OK"
)

// TestSpool has the disk of the spool fail.
func TestSpool(t *testing.T) {
	s, spool, _ := onDisks(t, "ext4")
	hold(t, s, []fault{
		{name: "full", strike: spool.fill, smtp: "data 452 4.3.1 not enough space", imap: imapGood, pop: popGood,
			log: []string{`^smtpd: rejected .*stage=data .*status=4\.3\.1 .*err=.*no space left on device`}},
		{name: "no inodes", strike: spool.crowd, smtp: "data 452 4.3.1 not enough space", imap: imapGood, pop: popGood,
			log: []string{`^smtpd: rejected .*stage=data .*status=4\.3\.1 .*err=.*no space left on device`}},
		{name: "broken", strike: spool.broken, smtp: "data 451 4.3.0 ", imap: imapGood, pop: popGood,
			log:  []string{`^smtpd: rejected .*stage=data .*status=4\.3\.0 .*err=.*input/output error`},
			dies: "all"},
		{name: "read-only", strike: spool.aborted, smtp: "data 451 4.3.0 ", imap: imapGood, pop: popGood,
			log: []string{`^smtpd: rejected .*stage=data .*status=4\.3\.0 .*err=.*read-only file system`}, dies: "all"},
	})
}

// TestMail has the disk of the mailboxes fail.
func TestMail(t *testing.T) {
	s, _, mail := onDisks(t, "ext4")
	full := fmt.Sprintf(`^deliver: undelivered .*box=%s .*verdict=later status=4\.3\.1 text="the mail system is full" .*err=.*no space left`, suite.Bob)
	hold(t, s, []fault{
		{name: "full", strike: mail.fill, smtp: "data 250 ", imap: "OK OK OK NO [UNAVAILABLE] OK", pop: popGood,
			log: []string{full, `^imap-session: imap-failed .*command=APPEND err=.*no space left`}},
		{name: "no inodes", strike: mail.crowd, smtp: "data 250 ", imap: "OK OK OK NO [UNAVAILABLE] OK", pop: popGood,
			log: []string{full, `^imap-session: imap-failed .*command=APPEND err=.*no space left`}},
		{name: "read-only", strike: mail.readOnly, dies: "all", smtp: "data 250 ", imap: "OK OK OK NO [UNAVAILABLE] NO [UNAVAILABLE]", pop: "+OK +OK +OK +OK -ERR [SYS/TEMP]",
			log: []string{`^deliver: undelivered .*status=4\.3\.0 .*err=.*read-only file system`, `^imap-session: imap-failed .*command=APPEND err=.*read-only`}},
		{name: "broken", strike: mail.broken, dies: "all", smtp: "data 250 ", imap: "OK OK NO [UNAVAILABLE] NO [UNAVAILABLE] NO [UNAVAILABLE]", pop: "+OK -ERR [SYS/TEMP]",
			log: []string{`^deliver: undelivered .*status=4\.3\.0 .*err=.*input/output error`}},
	})
}

// limited lets the folder of the mailboxes have no more than it has now: the
// file system's quota.
func limited(s *site, d *disk) func() {
	s.Helper()
	suite.Must(s.T, "", "btrfs", "quota", "enable", d.Folder)
	suite.Must(s.T, "", "btrfs", "qgroup", "limit", "1", d.Folder)
	return func() { suite.Must(s.T, "", "btrfs", "quota", "disable", d.Folder) }
}

// TestQuota has the file system refuse more to the owner of the mailboxes.
func TestQuota(t *testing.T) {
	t.Parallel()
	s, _, mail := onDisks(t, "btrfs")
	hold(t, s, []fault{
		{name: "quota", strike: func(s *site) func() { return limited(s, mail) }, smtp: "data 250 ", imap: "OK OK OK NO [OVERQUOTA] NO [OVERQUOTA]", pop: popGood,
			log: []string{`^deliver: undelivered .*verdict=later status=4\.2\.2 text="the mailbox is full" .*err=.*disk quota exceeded`,
				`^imap-session: imap-failed .*command=APPEND err=.*disk quota exceeded`}},
	})
}
