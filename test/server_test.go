package test

import (
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

	"posthorn/test/instance"
)

const (
	ann = "ann@" + instance.Domain
	bob = "bob@" + instance.Domain
	eve = "eve@" + instance.Foreign
)

// limit bounds every wait for something that must happen.
const limit = 60 * time.Second

// built is the folder of the programs, made once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "posthorn-bin")
	if err != nil {
		return "", err
	}
	os.Chmod(dir, 0o755) // other uids run what a starter starts
	args := []string{"build", "-o", dir + "/"}
	for _, p := range []string{"smtpd", "queued", "queued/queue-remote", "deliver", "deliver/deliver-box", "authd", "pop3d", "pop3d/pop3-session",
		"imapd", "imapd/imap-session", "posthorn", "test/dnsd", "test/sink", "scripts/demo"} {
		args = append(args, "./"+p)
	}
	if err := readSources(); err != nil {
		return dir, err
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build: %w\n%s", err, out)
	}
	return dir, nil
})

// readSources opens every source, so that a result from the test cache is not
// used once one has changed: what a child process reads does not count.
func readSources() error {
	return filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		_, err = os.ReadFile(path)
		return err
	})
}

func TestMain(m *testing.M) {
	if os.Getenv("POSTHORN_TEST_PROBE") != "" {
		probe()
		return
	}
	code := m.Run()
	if dir, _ := built(); dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// server starts an instance that lives as long as the test.
func server(t *testing.T, o instance.Options) *instance.Instance {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves the end-to-end tests out")
	}
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	if o.Dir, err = os.MkdirTemp("", "posthorn-test"); err != nil {
		t.Fatal(err)
	}
	os.Chmod(o.Dir, 0o755) // as root the daemons are other users
	t.Cleanup(func() { os.RemoveAll(o.Dir) })
	o.Bin = bin
	if o.Users == nil {
		o.Users = []string{ann, bob}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
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

// need skips the test when a program is not installed, unless everything must
// be tested.
func need(t *testing.T, programs ...string) {
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

// command runs a client and returns what it printed.
func command(t *testing.T, stdin, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is command that has to succeed.
func must(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	out, err := command(t, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// eventually polls until have is true; it is for what no log line announces.
func eventually(t *testing.T, what string, have func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !have() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen within %v", what, limit)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// boxFiles returns the message files of a user's folder, new and cur.
func boxFiles(i *instance.Instance, user, folder string) []string {
	name, domain, _ := strings.Cut(user, "@")
	root := filepath.Join(i.Dir, "mail", domain, name, "Maildir", folder)
	var all []string
	for _, sub := range []string{"new", "cur"} {
		names, _ := filepath.Glob(filepath.Join(root, sub, "*"))
		all = append(all, names...)
	}
	return all
}

// sinkFiles returns what the foreign host took.
func sinkFiles(i *instance.Instance) []string {
	names, _ := filepath.Glob(filepath.Join(i.SinkDir, "*.msg"))
	return names
}
