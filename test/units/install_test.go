// Package units holds the tests of what a package installs: the table of paths,
// systemd's units, and the service folders of runit and s6, run by the real ones.
package units

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"posthorn/internal/conf"
	"posthorn/test/suite"
)

// folders are what a distribution's package sets, as scripts/install knows them.
var folders = strings.NewReplacer("@SBINDIR@", "/usr/sbin", "@BINDIR@", "/usr/bin", "@LIBEXECDIR@", "/usr/libexec/posthorn",
	"@MANDIR@", "/usr/share/man", "@DOCDIR@", "/usr/share/doc/posthorn", "@DATADIR@", "/usr/share/posthorn",
	"@SYSCONFDIR@", "/etc", "@RUNDIR@", "/run/posthorn", "@SPOOLDIR@", "/var/spool/posthorn", "@MAILROOT@", "/var/mail/posthorn",
	"@UNITDIR@", "/usr/lib/systemd/system", "@SYSUSERSDIR@", "/usr/lib/sysusers.d", "@TMPFILESDIR@", "/usr/lib/tmpfiles.d")

// entry is a line of etc/install.txt.
type entry struct {
	kind         string
	mode         fs.FileMode
	owner, group string
	path, from   string
}

// table reads etc/install.txt.
func table(t *testing.T) []entry {
	t.Helper()
	root, err := suite.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "etc/install.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var all []entry
	for line := range strings.Lines(folders.Replace(string(text))) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 5 && len(f) != 6 {
			t.Fatalf("install.txt: found %q, expected kind mode owner group path from", line)
		}
		n, err := strconv.ParseUint(f[1], 8, 12)
		if err != nil {
			t.Fatalf("install.txt: %q: %v", line, err)
		}
		mode := fs.FileMode(n & 0o777)
		for bit, m := range map[uint64]fs.FileMode{0o1000: fs.ModeSticky, 0o2000: fs.ModeSetgid, 0o4000: fs.ModeSetuid} {
			if n&bit != 0 {
				mode |= m
			}
		}
		all = append(all, entry{f[0], mode, f[2], f[3], f[4], strings.Join(f[5:], "")})
	}
	return all
}

// installed is the folder below which make install has put everything, once for
// all tests.
var installed = sync.OnceValues(func() (string, error) {
	root, err := suite.Root()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "posthorn-install")
	if err != nil {
		return "", err
	}
	made = append(made, dir)
	os.Chmod(dir, 0o755)
	cmd := exec.Command("make", "-s", "install", "DESTDIR="+dir, "PREFIX=/usr", "VERSION=test")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make install: %w\n%s", err, out)
	}
	return dir, nil
})

// made are the folders to remove when all tests are done.
var made []string

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range made {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// install returns that folder.
func install(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves make install out")
	}
	suite.Need(t, "make", "sed", "install")
	// It reads every source, so that a result from the cache is not used once
	// one has changed.
	if _, err := suite.Built(); err != nil {
		t.Fatal(err)
	}
	dir, err := installed()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestInstall compares what make install makes with the table, both ways.
func TestInstall(t *testing.T) {
	dest := install(t)
	want := map[string]entry{}
	parents := map[string]bool{}
	for _, e := range table(t) {
		if e.kind == "run" {
			continue
		}
		if _, twice := want[e.path]; twice {
			t.Errorf("install.txt: %s stands there twice", e.path)
		}
		want[e.path] = e
		for dir := filepath.Dir(e.path); dir != "/"; dir = filepath.Dir(dir) {
			parents[dir] = true
		}
	}
	filepath.WalkDir(dest, func(file string, d fs.DirEntry, err error) error {
		path := strings.TrimPrefix(file, dest)
		e, ok := want[path]
		switch {
		case err != nil:
			t.Error(err)
		case ok:
			delete(want, path)
			e.compare(t, dest)
		case path != "" && !parents[path]:
			t.Errorf("%s: installed, but not in install.txt", path)
		}
		return nil
	})
	for path := range want {
		t.Errorf("%s: in install.txt, but not installed", path)
	}
}

// compare holds a path below root to the table.
func (e entry) compare(t *testing.T, root string) {
	t.Helper()
	fi, err := os.Lstat(root + e.path)
	if err != nil {
		t.Error(err)
		return
	}
	if e.kind == "link" {
		if to, err := os.Readlink(root + e.path); err != nil || to != e.from {
			t.Errorf("%s: got a link to %q, %v, want %s", e.path, to, err, e.from)
		}
		return
	}
	folder := e.kind == "dir" || e.kind == "run"
	if fi.IsDir() != folder || fi.Mode()&^fs.ModeDir != e.mode {
		t.Errorf("%s: got %v, want a %s of mode %v", e.path, fi.Mode(), e.kind, e.mode)
	}
	if fi.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 && !folder {
		t.Errorf("%s: got %v, want nothing setuid or setgid", e.path, fi.Mode())
	}
	u, uerr := user.Lookup(e.owner)
	g, gerr := user.LookupGroup(e.group)
	if os.Geteuid() != 0 || uerr != nil || gerr != nil {
		return // not given away
	}
	st := fi.Sys().(*syscall.Stat_t)
	if got, want := fmt.Sprintf("%d:%d", st.Uid, st.Gid), u.Uid+":"+g.Gid; got != want && e.kind != "run" {
		t.Errorf("%s: got owner %s, want %s", e.path, got, want)
	}
}

// TestInstallKeepsConfiguration: what the administrator wrote stays.
func TestInstallKeepsConfiguration(t *testing.T) {
	install(t) // builds
	root, err := suite.Root()
	if err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	again := func() {
		out, err := exec.Command("make", "-s", "-C", root, "install", "DESTDIR="+dest, "VERSION=test",
			"PREFIX=/opt/posthorn", "SYSCONFDIR=/opt/etc", "RUNDIR=/opt/run", "SPOOLDIR=/opt/spool", "MAILROOT=/opt/mail").CombinedOutput()
		if err != nil {
			t.Fatalf("make install: %v\n%s", err, out)
		}
	}
	again()
	file := filepath.Join(dest, "opt/etc/posthorn/posthorn.conf")
	if err := os.WriteFile(file, []byte("hostname mine.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again()
	if text, err := os.ReadFile(file); err != nil || string(text) != "hostname mine.example\n" {
		t.Errorf("got %q, %v, want what was written before", text, err)
	}
	// The folders of the build stand in what names them.
	for path, want := range map[string]string{
		"lib/systemd/system/posthorn-smtpd.service":   "\nExecStart=/opt/posthorn/libexec/posthorn/smtpd\n",
		"lib/systemd/system/posthorn-deliver.service": "\nReadWritePaths=/opt/mail\n",
		"lib/sysusers.d/posthorn.conf":                " /opt/mail\n",
		"lib/tmpfiles.d/posthorn.conf":                "\nd /opt/run/control ",
		"share/posthorn/runit/queue-remote/run":       "\nexec /opt/posthorn/libexec/posthorn/queue-remote\n",
		"share/posthorn/s6/queued/log/run":            " /var/log/posthorn/queued\n",
		"share/posthorn/examples/dehydrated":          "\nexec /opt/posthorn/sbin/posthorn cert install ",
		"share/man/man5/posthorn.conf.5":              "\nDefault: /opt/posthorn/libexec/posthorn.\n",
	} {
		text, err := os.ReadFile(filepath.Join(dest, "opt/posthorn", path))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: got %v and no %q in\n%s", path, err, want, text)
		}
	}
}

// processOf returns the row of the rights table that a program runs as.
func processOf(t *testing.T, program string) conf.Process {
	t.Helper()
	name := map[string]string{"deliver": "vmail", "imap-session": "vmail", "pop3-session": "vmail"}[program]
	if name == "" {
		name = program
	}
	for _, p := range conf.Processes() {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("%s: no process of the table", program)
	return conf.Process{}
}

// programs are the daemons of a whole server.
var programs = []string{"authd", "deliver", "imap-session", "imapd", "pop3-session", "pop3d", "queue-remote", "queued", "smtpd"}
