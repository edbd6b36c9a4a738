package priv

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain lets the test binary be the process that drops its rights, since
// nothing of it can be undone.
func TestMain(m *testing.M) {
	switch os.Getenv("PRIV_TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "drop":
		childDrop()
	case "confine":
		childConfine()
	case "any port":
		childAnyPort()
	case "keep":
		childKeep()
	}
	os.Exit(0)
}

// child runs this binary in a role and returns what it printed.
func child(t *testing.T, role string, env ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "PRIV_TEST_CHILD="+role), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("child %s: %v\n%s", role, err, out)
	}
	return string(out)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: run the tests as root to include it")
	}
}

// needDrop skips a test of processes that give rights away where this build
// cannot, as under the race detector.
func needDrop(t *testing.T) {
	t.Helper()
	if err := Able(); err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func say(what string, err error) { fmt.Printf("%s: %v\n", what, err) }

func childDrop() {
	say("drop", Drop(61001, 61002, []int{61003}))
	say("no new privs", NoNewPrivs())
	say("hide", Hide())
	groups, _ := syscall.Getgroups()
	fmt.Println("ids:", os.Geteuid(), os.Getegid(), groups)
	_, err := os.ReadFile("/etc/shadow")
	say("shadow", err)
	f, err := os.Open("/proc/self/fd/1")
	say("own descriptors", err)
	if err == nil {
		f.Close()
	}
}

func TestDrop(t *testing.T) {
	needRoot(t)
	needDrop(t)
	got := child(t, "drop")
	for _, want := range []string{"drop: <nil>", "no new privs: <nil>", "hide: <nil>", "ids: 61001 61002 [61003]", "shadow: open /etc/shadow: permission denied"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %q in it", got, want)
		}
	}
}

func TestDropRefusesRoot(t *testing.T) {
	for _, ids := range [][2]int{{0, 1}, {1, 0}, {-1, 1}} {
		if err := Drop(ids[0], ids[1], nil); err == nil {
			t.Fatalf("Drop(%v): got no error", ids)
		}
	}
}

func childKeep() {
	say("keep", KeepOnly(StarterCapabilities(false, false)...))
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "CapEff") || strings.HasPrefix(line, "CapBnd") {
			fmt.Print(line)
		}
	}
}

func TestKeepOnly(t *testing.T) {
	needRoot(t)
	needDrop(t)
	got := child(t, "keep")
	for _, want := range []string{"keep: <nil>", "CapEff:\t00000000000000c0", "CapBnd:\t00000000000000c0"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %q in it", got, want)
		}
	}
}

func childConfine() {
	dir := os.Getenv("PRIV_TEST_DIR")
	readable, writable, other := filepath.Join(dir, "read"), filepath.Join(dir, "write"), filepath.Join(dir, "other")
	abi, err := Confine(Rules{Read: []string{readable}, Write: []string{writable, "/nonexistent"}, Connect: []uint16{1}})
	say("confine", err)
	fmt.Println("abi:", abi)
	_, err = os.ReadFile(filepath.Join(readable, "f"))
	say("read", err)
	say("write where only reading is", os.WriteFile(filepath.Join(readable, "g"), nil, 0o600))
	say("write", os.WriteFile(filepath.Join(writable, "g"), nil, 0o600))
	say("rename", os.Rename(filepath.Join(writable, "g"), filepath.Join(writable, "sub", "h")))
	_, err = os.ReadFile(filepath.Join(other, "f"))
	say("other", err)
	_, err = net.Dial("tcp", os.Getenv("PRIV_TEST_ADDR"))
	say("connect", map[bool]error{true: errors.New("EACCES"), false: err}[errors.Is(err, syscall.EACCES)])
}

func TestConfine(t *testing.T) {
	if LandlockABI() < 4 {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatalf("Landlock ABI %d, expected 4 or more", LandlockABI())
		}
		t.Skipf("needs Landlock with TCP rules (Linux 6.7): the kernel has ABI %d", LandlockABI())
	}
	dir := t.TempDir()
	for _, name := range []string{"read", "write", "other", "write/sub"} {
		os.Mkdir(filepath.Join(dir, name), 0o700)
		os.WriteFile(filepath.Join(dir, name, "f"), nil, 0o600)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := child(t, "confine", "PRIV_TEST_DIR="+dir, "PRIV_TEST_ADDR="+l.Addr().String())
	for _, want := range []string{"confine: <nil>", "read: <nil>", "write: <nil>", "rename: <nil>", "connect: EACCES"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %q in it", got, want)
		}
	}
	for _, want := range []string{"write where only reading is: open", "other: open"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want it to be denied: %q", got, want)
		}
	}
}

func childAnyPort() {
	_, err := Confine(Rules{Connect: []uint16{1}, AnyTCP: true})
	say("confine", err)
	_, err = net.Dial("tcp", os.Getenv("PRIV_TEST_ADDR"))
	say("connect", err)
	_, err = os.ReadFile("/etc/passwd")
	say("file", map[bool]error{true: errors.New("EACCES"), false: err}[errors.Is(err, syscall.EACCES)])
}

// TestConfineAnyPort: files are withheld, ports are not, whatever Connect says.
func TestConfineAnyPort(t *testing.T) {
	if LandlockABI() == 0 {
		t.Skip("needs Landlock")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := child(t, "any port", "PRIV_TEST_ADDR="+l.Addr().String())
	for _, want := range []string{"confine: <nil>", "connect: <nil>", "file: EACCES"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %q in it", got, want)
		}
	}
}
