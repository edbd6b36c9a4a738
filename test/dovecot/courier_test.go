package dovecot

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// courier is Debian's Courier, unpacked, on one Maildir; as with Dovecot no
// daemon runs.
type courier struct{ root, mail, libraries string }

func newCourier(t *testing.T, mail string) *courier {
	t.Helper()
	root := cmp.Or(os.Getenv("POSTHORN_PEERS"), "/var/lib/posthorn-peers")
	if _, err := os.Stat(root + "/courier-imap"); err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatalf("%v, and POSTHORN_TEST_ALL is set", err)
		}
		t.Skip("needs POSTHORN_PEERS: scripts/peers unpacks it")
	}
	var dirs []string
	for _, package_ := range []string{"courier-authlib", "libcourier-unicode4", "libgamin0", "libpcre3"} {
		filepath.WalkDir(filepath.Join(root, package_), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.Contains(d.Name(), ".so") {
				dirs = append(dirs, filepath.Dir(path))
			}
			return err
		})
	}
	slices.Sort(dirs)
	return &courier{root, mail, strings.Join(slices.Compact(dirs), ":")}
}

// command is one of Courier's programs, for a client that has logged in.
func (c *courier) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.root, name), args...)
	cmd.Dir = filepath.Dir(c.mail)
	cmd.Env = []string{"LD_LIBRARY_PATH=" + c.libraries, "AUTHENTICATED=bob", "AUTHADDR=bob", "MAILDIR=" + c.mail, "HOME=" + cmd.Dir,
		"IMAP_CAPABILITY=IMAP4rev1", "IMAP_KEYWORDS=1", "IMAP_USELOCKS=0", "IMAP_CHECK_ALL_FOLDERS=0", "TCPREMOTEIP=127.0.0.1", "PATH=/usr/bin:/bin"}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(owner()), Gid: uint32(owner())}}
	}
	return cmd
}

func (c *courier) imap(t *testing.T) *session {
	t.Helper()
	s := piped(t, c.command("courier-imap/usr/bin/imapd", filepath.Base(c.mail)))
	for !strings.HasPrefix(s.line(), "* PREAUTH") { // before it says that there is no famd
	}
	return s
}

// uidls returns the unique-ids of the messages that a POP3 session lists.
func (c *courier) uidls(t *testing.T) string {
	t.Helper()
	cmd := c.command("courier-pop/usr/lib/courier/courier/courierpop3d", filepath.Base(c.mail))
	cmd.Stdin = strings.NewReader("UIDL\r\nQUIT\r\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("courierpop3d: %v\n%s", err, out)
	}
	return uniqueIDs(string(out))
}

// plainSight is what a client sees of subscriptions, folders and messages, but
// for the prefix that Courier has in front of all folders.
func (s *session) plainSight() string {
	s.t.Helper()
	short := func(name string) string { return strings.TrimPrefix(name, "INBOX.") }
	var b strings.Builder
	var subscribed []string
	for _, name := range s.names("LSUB") {
		subscribed = append(subscribed, short(name))
	}
	slices.Sort(subscribed)
	fmt.Fprintf(&b, "subscribed %q\n", subscribed)
	names := s.names("LIST")
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(short(a), short(b)) })
	for _, name := range names {
		fmt.Fprintf(&b, "%s\n", short(name))
		for _, line := range s.folder(name) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	return b.String()
}

// TestFromCourierAndBack takes a mailbox from Courier, changes it and gives it
// back: at each stage the new server shows what the old one left.
func TestFromCourierAndBack(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	c := newCourier(t, bobs(i))
	for _, sub := range []string{"", "cur", "new", "tmp"} {
		dir := filepath.Join(c.mail, sub)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for dir := c.mail; dir != i.Dir; dir = filepath.Dir(dir) {
		os.Chown(dir, owner(), group())
	}
	for _, sub := range []string{"cur", "new", "tmp"} {
		os.Chown(filepath.Join(c.mail, sub), owner(), group())
	}
	s := c.imap(t)
	fillCourier(s)
	want := s.plainSight()
	s.logout()
	uidls := c.uidls(t)

	s = ours(t, i)
	same(t, "we, after Courier", s.plainSight(), want)
	if got := ourUIDLs(t, i); got != uidls || !strings.Contains(got, "UID1-") {
		t.Errorf("we, after Courier: got UIDLs %q, want %q", got, uidls)
	}
	edit(s, "Ours")
	want = s.plainSight()
	s.logout()
	i.StopServer()

	if out, err := i.Posthorn("", "mailbox", "export", "--courier", suite.Bob); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := c.command("courier-base/usr/bin/maildirmake.courier", "--convutf8", c.mail).CombinedOutput(); err != nil {
		t.Fatalf("maildirmake: %v\n%s", err, out)
	}
	s = c.imap(t)
	same(t, "Courier, after us", s.plainSight(), want)
	s.logout()
	now := c.uidls(t)
	var gone []string // Courier numbers for POP3 in an order of its own
	for _, id := range strings.Fields(uidls) {
		if !strings.Contains(now+" ", id+" ") {
			gone = append(gone, id)
		}
	}
	if len(gone) != 1 {
		t.Errorf("Courier, after us: got other UIDLs for %q, want one gone, which edit moved", gone)
	}
}

// fillCourier is fill for Courier, whose folders are all below INBOX.
func fillCourier(s *session) {
	for _, name := range []string{drafts, taipeh, special, "Sent", "Work.2023"} {
		s.do("CREATE %q", "INBOX."+name)
	}
	for _, name := range []string{"INBOX", "INBOX." + drafts, "INBOX." + taipeh, "INBOX." + special} {
		s.do("SUBSCRIBE %q", name)
	}
	for n := range 10 {
		flags := []string{"()", `(\Seen)`, `(\Answered $Forwarded)`, `(\Flagged Later NonJunk)`, `(\Draft \Seen later)`}[n%5]
		s.file("INBOX", fmt.Sprintf(`%s "%2d-Jan-2020 03:04:05 +0%d30"`, flags, n+1, n%9), message(n))
	}
	for _, name := range []string{drafts, taipeh, special, "Sent"} {
		s.file("INBOX."+name, `(\Seen Work)`, message(1))
		s.file("INBOX."+name, "", message(2))
	}
	s.do("SELECT INBOX")
	s.do("UID STORE 3 -FLAGS ($Forwarded)") // has a file of its own beside the list
	s.do("UID STORE 9 +FLAGS (Todo)")
	s.do(`UID STORE 6 +FLAGS (\Deleted)`)
	s.do("EXPUNGE")
	s.do("CLOSE")
}
