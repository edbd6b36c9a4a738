package mailbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// nobody is the uid and gid under which Dovecot touches the mail when the test
// runs as root: it refuses uid 0.
const nobody = 65534

// TestDovecotBeside works on one Maildir in turn and together with Dovecot's
// own tools and compares what both see.
func TestDovecotBeside(t *testing.T) {
	if _, err := exec.LookPath("doveadm"); err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") == "1" {
			t.Fatal("doveadm is missing (Debian: dovecot-core)")
		}
		t.Skip("doveadm is missing (Debian: dovecot-core): not compared with Dovecot")
	}
	dir, err := os.MkdirTemp("", "posthorn-dovecot-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.Command("/proc/self/exe") // the test's own path may be closed to nobody
	cmd.Env = append(os.Environ(), childVariable+"=dovecot "+dir)
	if os.Getuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// doveadm runs Dovecot's tool on one Maildir.
type doveadm struct{ dir, mail string }

func newDoveadm(dir string) (*doveadm, error) {
	d := &doveadm{dir: dir, mail: dir + "/Maildir"}
	version, err := exec.Command("doveconf", "--version").Output()
	if err != nil {
		version, err = exec.Command("dovecot", "--version").Output()
	}
	location := "mail_location = maildir:" + d.mail
	if bytes.HasPrefix(version, []byte("2.4")) {
		location = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\nmail_driver = maildir\nmail_path = " + d.mail
	}
	config := fmt.Sprintf(`%s
base_dir = %s/run
state_dir = %s/run
log_path = %s/log
mail_home = %s
mail_uid = %d
mail_gid = %d
first_valid_uid = 1
ssl = no
namespace inbox {
  inbox = yes
  separator = .
}
`, location, dir, dir, dir, dir, os.Getuid(), os.Getgid())
	return d, errors.Join(err, os.Mkdir(dir+"/run", 0o700), os.WriteFile(dir+"/conf", []byte(config), 0o600))
}

// run returns what doveadm says.
func (d *doveadm) run(input string, args ...string) (string, error) {
	cmd := exec.Command("doveadm", append([]string{"-c", d.dir + "/conf", "-f", "tab"}, args...)...)
	cmd.Env = []string{"USER=nobody", "HOME=" + d.dir, "PATH=" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(d.dir + "/log")
		return "", fmt.Errorf("doveadm %s: %w\n%s\n%s", strings.Join(args, " "), err, out, log)
	}
	return string(out), nil
}

// list returns what Dovecot sees, in the form of compareView.
func (d *doveadm) list(folder string) (string, error) {
	out, err := d.run("", "fetch", "uid flags size.virtual", "mailbox", folder, "all")
	var lines []string
	for i, line := range strings.Split(strings.TrimSpace(out), "\n") {
		columns := strings.Split(line, "\t")
		if i == 0 || len(columns) != 3 {
			continue
		}
		flags := slices.DeleteFunc(strings.Fields(columns[1]), func(f string) bool { return f == `\Recent` })
		slices.Sort(flags)
		lines = append(lines, fmt.Sprintln(columns[0], flags, columns[2]))
	}
	return strings.Join(lines, ""), err
}

// ours returns what we see of a folder, sizes by reading.
func ours(v *View) (string, error) {
	var lines []string
	for seq := 1; seq <= v.Len(); seq++ {
		b, err := v.Open(seq)
		if err != nil {
			return "", err
		}
		m := v.At(seq)
		flags := slices.Clone(m.Flags.Keywords)
		for i, name := range []string{`\Answered`, `\Deleted`, `\Draft`, `\Flagged`, `\Seen`} { // in the order of the constants
			if m.Flags.System&(1<<i) != 0 {
				flags = append(flags, name)
			}
		}
		slices.Sort(flags)
		lines = append(lines, fmt.Sprintln(m.UID, flags, b.Size()))
		b.Close()
	}
	return strings.Join(lines, ""), nil
}

// same compares both sights of a folder, and UIDVALIDITY and UIDNEXT.
func (d *doveadm) same(b *Box, folder, when string) error {
	v, err := b.Select(folder, false)
	if err != nil {
		return err
	}
	defer v.Close()
	mine, err := ours(v)
	if err != nil {
		return err
	}
	theirs, err := d.list(folder)
	if err != nil {
		return err
	}
	if mine != theirs {
		return fmt.Errorf("%s, %s: we see\n%s\nDovecot sees\n%s", when, folder, mine, theirs)
	}
	status, err := d.run("", "mailbox", "status", "uidvalidity uidnext messages", folder)
	if err != nil {
		return err
	}
	for _, want := range []string{fmt.Sprint(v.UIDValidity()), fmt.Sprint(v.UIDNext()), fmt.Sprint(v.Len())} {
		if !slices.Contains(strings.Fields(status), want) {
			return fmt.Errorf("%s, %s: we have UIDVALIDITY %d, UIDNEXT %d, %d messages, Dovecot says %s", when, folder, v.UIDValidity(), v.UIDNext(), v.Len(), status)
		}
	}
	return nil
}

// besideDovecot is the child's part, as the owner of the mail.
func besideDovecot(dir string) error {
	d, err := newDoveadm(dir)
	if err != nil {
		return err
	}
	s := New(Options{Node: "beside", Shared: true})
	defer s.Close()
	for _, step := range []func(*doveadm, *Store) error{dovecotFirst, weFirst, bothAtOnce} {
		if err := step(d, s); err != nil {
			return err
		}
	}
	log, err := os.ReadFile(dir + "/log")
	if len(log) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("Dovecot complains: %s%w", log, err)
	}
	return nil
}

// dovecotFirst reads what Dovecot made.
func dovecotFirst(d *doveadm, s *Store) error {
	for _, args := range [][]string{
		{"save", "-m", "INBOX"}, {"save", "-m", "INBOX"}, {"save", "-m", "INBOX"},
		{"mailbox", "create", "Sent", "Work.2024", "Entwürfe"},
		{"mailbox", "subscribe", "Sent", "Work.2024", "Entwürfe", "INBOX"},
		{"save", "-m", "Sent"},
		{"flags", "add", `\Seen foo $Junk`, "mailbox", "INBOX", "1"},
		{"expunge", "mailbox", "INBOX", "2"},
	} {
		if _, err := d.run("From: a@example.org\nSubject: x\n\nhello\n", args...); err != nil {
			return err
		}
	}
	b, err := s.Open(d.mail)
	if err != nil {
		return err
	}
	defer b.Close()
	folders, ferr := b.Folders()
	subscribed, serr := b.Subscriptions()
	if fmt.Sprint(folders) != "[INBOX Entwürfe Sent Work.2024]" || fmt.Sprint(subscribed) != "[Entwürfe INBOX Sent Work.2024]" || ferr != nil || serr != nil {
		return fmt.Errorf("got folders %q, %w, subscriptions %q, %w", folders, ferr, subscribed, serr)
	}
	return errors.Join(d.same(b, "INBOX", "as Dovecot made it"), d.same(b, "Sent", "as Dovecot made it"), d.same(b, "Work.2024", "as Dovecot made it"))
}

// weFirst lets Dovecot read what we change.
func weFirst(d *doveadm, s *Store) error {
	b, err := s.Open(d.mail)
	if err != nil {
		return err
	}
	defer b.Close()
	v, err := b.Select("INBOX", false)
	if err != nil {
		return err
	}
	defer v.Close()
	_, err = v.Store([]int{1, 2}, Add, Flags{System: Flagged | Draft, Keywords: []string{"ours"}})
	for i := range 5 {
		m := text(fmt.Sprint(i))
		_, _, aerr := b.Append("INBOX", Incoming{Reader: strings.NewReader(m), Size: int64(len(m)), Flags: Flags{System: SystemFlag(i)}})
		err = errors.Join(err, aerr)
	}
	_, cerr := v.Sync(true)
	err = errors.Join(err, cerr, b.Create("Ablage.ä&x"), b.Subscribe("Ablage.ä&x", true), b.Subscribe("Sent", false))
	_, _, _, cerr = v.Copy([]int{1, 2, 3}, "Ablage.ä&x")
	err = errors.Join(err, cerr, v.Remove([]uint32{1}))
	if err != nil {
		return err
	}
	putName := filepath.Join(d.mail, "cur", "1.foreign.x,S=99,W=99:2,S")
	if err := os.WriteFile(putName, []byte("From: a\n\nlying\n"), 0o600); err != nil {
		return err
	}
	if w, err := b.Select("INBOX", false); err != nil {
		return err
	} else if _, err := ours(w); err != nil {
		return err
	} else if _, err := w.Sync(true); err != nil { // corrects the name
		return err
	} else {
		w.Close()
	}
	out, err := d.run("", "mailbox", "list", "-s")
	if err != nil || !strings.Contains(out, "Ablage.ä&x") || strings.Contains(out, "Sent") {
		return fmt.Errorf("got subscriptions %q, %w", out, err)
	}
	return errors.Join(d.same(b, "INBOX", "after our changes"), d.same(b, "Ablage.ä&x", "after our changes"))
}

// bothAtOnce changes flags on both sides for a while.
func bothAtOnce(d *doveadm, s *Store) error {
	b, err := s.Open(d.mail)
	if err != nil {
		return err
	}
	defer b.Close()
	for i := range 300 {
		m := text(fmt.Sprint(i))
		if _, _, err := b.Append("INBOX", Incoming{Reader: strings.NewReader(m), Size: int64(len(m))}); err != nil {
			return err
		}
	}
	v, err := b.Select("INBOX", false)
	if err != nil {
		return err
	}
	defer v.Close()
	before := slices.Clone(uidsOf(v))
	done := make(chan error)
	go func() {
		defer close(done)
		for i := range 8 {
			word := []string{"add", "remove"}[i%2]
			if _, err := d.run("", "flags", word, `\Flagged theirs`, "mailbox", "INBOX", "all"); err != nil {
				done <- err
			}
			if _, err := d.list("INBOX"); err != nil {
				done <- err
			}
		}
	}()
	for seq, running := 0, true; running; seq++ {
		select {
		case err, failed := <-done:
			if failed {
				return err
			}
			running = false
		default:
			op := Op(1 + seq/v.Len()%2)
			if _, err := v.Store([]int{1 + seq%v.Len()}, op, Flags{System: Answered, Keywords: []string{"mine"}}); err != nil {
				return err
			}
		}
	}
	if c, err := v.Sync(true); err != nil || len(c.Expunged) > 0 || !slices.Equal(before, uidsOf(v)) {
		return fmt.Errorf("got %d expunged, %d messages of %d, %w: the UIDs did not stay", len(c.Expunged), len(uidsOf(v)), len(before), err)
	}
	return d.same(b, "INBOX", "after both at once")
}
