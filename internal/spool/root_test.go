package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/id"
	"posthorn/internal/priv"
)

// Ids that no account of the machine has.
const (
	queueID    = 61021
	smtpdID    = 61022
	incomingID = 61023
)

// TestMain lets the test binary be queued with an uid of its own: it takes the
// probe in descriptor 3 through the door of the spool.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SPOOL_TEST_DIR"); dir != "" {
		fmt.Println(doorCheck(dir, os.Getenv("SPOOL_TEST_HOW"), os.Getenv("SPOOL_TEST_WRITE")))
		return
	}
	os.Exit(m.Run())
}

func doorCheck(dir, how, write string) string {
	f := os.NewFile(3, "probe")
	if write != "" {
		if _, err := priv.Confine(priv.Rules{Read: []string{"/"}, Write: strings.Fields(write), AnyTCP: true}); err != nil {
			return err.Error()
		}
	}
	var err error
	switch name := filepath.Join(dir, "queue", id.New()); how {
	case "link":
		err = new(durable.Disk).LinkFile(f, name)
	case "empty path":
		err = unix.Linkat(int(f.Fd()), "", unix.AT_FDCWD, name, unix.AT_EMPTY_PATH)
	default:
		var s *Spool
		if s, err = Open(dir, &durable.Disk{}, evlog.New(io.Discard)); err == nil {
			err = s.Probe(f)
		}
	}
	var errno syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// What the kernel makes of a file of smtpd's in queued's hands.
func TestDoorBetweenUids(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for two uids")
	}
	for _, c := range []struct {
		name   string
		how    string
		mode   uint32
		gid    int
		member bool
		write  string // what Landlock lets queued write, below the spool
		want   string
	}{
		{"as it is meant", "probe", 0o660, incomingID, true, "", "ok"},
		{"umask 022", "probe", 0o640, incomingID, true, "", "EACCES"},
		{"umask 022, the link alone", "link", 0o640, incomingID, true, "", "EPERM"},
		{"private file", "probe", 0o600, incomingID, true, "", "EACCES"},
		{"private file, the link alone", "link", 0o600, incomingID, true, "", "EPERM"},
		{"folder without setgid", "probe", 0o660, smtpdID, true, "", "EACCES"},
		{"queued not in the group", "probe", 0o660, incomingID, false, "", "EACCES"},
		{"the link by AT_EMPTY_PATH, which is its opener's", "empty path", 0o660, incomingID, true, "", "ENOENT"},
		{"no /proc", "no /proc", 0o660, incomingID, true, "", "ENOENT"},
		{"confined to the spool", "probe", 0o660, incomingID, true, ".", "ok"},
		{"confined to the queue", "probe", 0o660, incomingID, true, "queue", "EACCES"},
		{"confined to the queue, the link alone", "link", 0o660, incomingID, true, "queue", "EXDEV"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.write != "" && priv.LandlockABI() < 2 {
				t.Skip("needs Landlock with REFER")
			}
			if c.want == "EPERM" && !protectedHardlinks(t) {
				t.Skip("needs fs.protected_hardlinks=1")
			}
			dir := rootSpool(t)
			f, err := new(durable.Disk).Unnamed(filepath.Join(dir, "incoming"), 0o600)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := errors.Join(f.Chown(smtpdID, c.gid), f.Chmod(os.FileMode(c.mode))); err != nil {
				t.Fatal(err)
			}
			ro, err := attr.ReadOnly(f)
			if err != nil {
				t.Fatal(err)
			}
			defer ro.Close()
			write := ""
			if c.write != "" {
				write = filepath.Join(dir, c.write)
			}
			if got := asQueued(t, dir, c.how, write, c.member, ro); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func protectedHardlinks(t *testing.T) bool {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/fs/protected_hardlinks")
	return err == nil && strings.TrimSpace(string(b)) == "1"
}

// rootSpool makes a spool for queued's uid that others can reach.
func rootSpool(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	for _, d := range []string{base, filepath.Dir(base)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(base, "spool")
	if err := Prepare(dir, &durable.Disk{}, Owner{UID: queueID, GID: queueID, Incoming: incomingID}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// asQueued runs doorCheck with queued's uid.
func asQueued(t *testing.T, dir, how, write string, member bool, f *os.File) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test binary may lie where only root may go.
	copied := filepath.Join(filepath.Dir(dir), "queued")
	b, err := os.ReadFile(exe)
	if err == nil {
		err = os.WriteFile(copied, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copied)
	if how == "no /proc" { // in a mount namespace of its own
		cmd = exec.Command("unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /proc && exec setpriv --reuid=$1 --regid=$1 --groups=$2 $0",
			copied, strconv.Itoa(queueID), strconv.Itoa(incomingID))
	}
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SPOOL_TEST_DIR=" + dir, "SPOOL_TEST_HOW=" + how, "SPOOL_TEST_WRITE=" + write}
	cmd.ExtraFiles = []*os.File{f}
	cred := &syscall.Credential{Uid: queueID, Gid: queueID, Groups: []uint32{}}
	if member {
		cred.Groups = []uint32{incomingID}
	}
	if how != "no /proc" {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestPreparedFolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "spool")
	o := Owner{UID: os.Geteuid(), GID: os.Getegid(), Incoming: os.Getegid()}
	for range 2 { // the second time nothing is to be made
		if err := Prepare(dir, &durable.Disk{}, o); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]os.FileMode{"incoming": 0o770 | os.ModeSetgid | os.ModeSticky, "queue": 0o700, "odd": 0o700} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode()&^os.ModeDir != want {
			t.Errorf("%s: got %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}
