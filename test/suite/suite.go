// Package suite is what the end-to-end tests of every folder share: the programs
// Built once a test binary, a server that lives as long as its test, and the
// clients run against it.
package suite

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/test/instance"
)

const (
	Ann = "ann@" + instance.Domain
	Bob = "bob@" + instance.Domain
	Eve = "eve@" + instance.Foreign
)

// Limit bounds every wait for something that must happen.
const Limit = 60 * time.Second

// programs are all that the tests run.
var programs = []string{"smtpd", "queued", "queued/queue-remote", "deliver", "deliver/deliver-box", "authd", "pop3d", "pop3d/pop3-session",
	"imapd", "imapd/imap-session", "posthorn", "sendmail", "test/dnsd", "test/sink", "scripts/demo"}

// Built is the folder of the programs, made once for all tests of a binary.
// Other test binaries build into the same one: what is up to date there is not
// linked again.
var Built = sync.OnceValues(func() (string, error) { return builtIn("test") })

// Proof is Built of programs that the environment steers: internal/durable
// says how.
var Proof = sync.OnceValues(func() (string, error) { return builtIn("prove", "-tags=prove") })

func builtIn(name string, flags ...string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "bin", fmt.Sprintf("%s.%d", name, os.Getuid()))
	if err := os.MkdirAll(dir, 0o755); err != nil { // other uids run what a starter starts
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", err
	}
	return dir, build(root, dir, flags...)
}

// Root returns the folder of go.mod, from the folder of any test.
func Root() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("find go.mod above the test: %w", cmp.Or(err, fs.ErrNotExist))
}

func build(root, dir string, flags ...string) error {
	if err := readSources(root); err != nil {
		return err
	}
	args := append([]string{"build", "-o", dir + "/"}, flags...)
	for _, p := range programs {
		args = append(args, "./"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// readSources opens every source, so that a result from the test cache is not
// used once one has changed: what a child process reads does not count.
func readSources(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		_, err = os.ReadFile(path)
		return err
	})
}

// Server starts an instance that lives as long as the test, as its folder does.
func Server(t *testing.T, o instance.Options) *instance.Instance {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves the end-to-end tests out")
	}
	var err error
	if o.Bin == "" {
		o.Bin, err = Built()
	}
	if err == nil && o.Dir == "" {
		o.Dir, err = os.MkdirTemp("", "posthorn-test")
	}
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(o.Dir, 0o755) // as root the daemons are other users
	t.Cleanup(func() { os.RemoveAll(o.Dir) })
	if o.Users == nil {
		o.Users = []string{Ann, Bob}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*Limit)
	defer cancel()
	i, err := instance.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Stop(); err != nil {
			t.Errorf("stop: %v\n%s", err, i.LogTail())
		}
		if t.Failed() {
			t.Logf("the log ends:\n%s", i.LogTail())
		}
	})
	return i
}

// Sink starts a host of its own that takes mail, and returns its address and
// its folder.
func Sink(t *testing.T, args ...string) (addr, dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves the end-to-end tests out")
	}
	bin, err := Built()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	cmd := exec.Command(filepath.Join(bin, "sink"), append([]string{"-addr", "127.0.0.1:0", "-dir", dir}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(strings.TrimSpace(line), "ready addr="), dir
}

// Need skips the test when a program is not installed, unless everything must
// be tested.
func Need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatalf("%s is not installed, and POSTHORN_TEST_ALL is set", p)
		}
		t.Skipf("needs %s: on Debian .ci/run names the package", p)
	}
}

// Command runs a client and returns what it printed.
func Command(t *testing.T, stdin, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Must is command that has to succeed.
func Must(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	out, err := Command(t, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// Eventually polls until have is true; it is for what no log line announces.
func Eventually(t *testing.T, what string, have func() bool) {
	t.Helper()
	deadline := time.Now().Add(Limit)
	for !have() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen within %v", what, Limit)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// BoxFiles returns the message files of a user's folder, new and cur.
func BoxFiles(i *instance.Instance, user, folder string) []string {
	name, domain, _ := strings.Cut(user, "@")
	root := filepath.Join(i.Dir, "mail", domain, name, "Maildir", folder)
	var all []string
	for _, sub := range []string{"new", "cur"} {
		names, _ := filepath.Glob(filepath.Join(root, sub, "*"))
		all = append(all, names...)
	}
	return all
}

// SinkFiles returns what the foreign host took.
func SinkFiles(i *instance.Instance) []string {
	names, _ := filepath.Glob(filepath.Join(i.SinkDir, "*.msg"))
	return names
}
