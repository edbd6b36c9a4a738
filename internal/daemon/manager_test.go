package daemon

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/conf"
)

// listenAs listens as a supervisor does at the socket that NOTIFY_SOCKET names.
func listenAs(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if !strings.HasPrefix(name, "@") {
		os.Chmod(name, 0o777)
	}
	return c
}

// heard returns the next message, its lines joined by blanks.
func heard(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 4096)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b[:n]), "\n", " ")
}

// TestManagerIsTold: the supervisor hears of each step, also through an abstract
// socket, which Landlock lets nobody connect to after the start.
func TestManagerIsTold(t *testing.T) {
	needDrop(t)
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	os.Chmod(filepath.Dir(dir), 0o755)
	for _, name := range []string{filepath.Join(dir, "notify"), fmt.Sprintf("@posthorn-test-%d", os.Getpid())} {
		t.Run(name[:1], func(t *testing.T) {
			c := listenAs(t, name)
			file := instance(t, "")
			cmd := exec.Command(program(t), "-c", file)
			cmd.Env = append(os.Environ(), "DAEMON_TEST_CHILD=1", "NOTIFY_SOCKET="+name)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			want := func(text string) {
				t.Helper()
				if got := heard(t, c); !strings.HasPrefix(got, text) {
					t.Fatalf("got %q, want %q", got, text)
				}
			}
			want("READY=1 STATUS=serving")
			cmd.Process.Signal(syscall.SIGHUP)
			want("RELOADING=1 MONOTONIC_USEC=")
			want("READY=1 STATUS=serving")
			os.WriteFile(file, []byte("nonsense\n"), 0o644)
			cmd.Process.Signal(syscall.SIGHUP)
			want("RELOADING=1 MONOTONIC_USEC=")
			want("READY=1 STATUS=reload refused: " + file + ":1: found the unknown word")
			cmd.Process.Signal(syscall.SIGTERM)
			want("STOPPING=1 STATUS=stopping")
			if err := cmd.Wait(); err != nil {
				t.Errorf("after SIGTERM: got %v, want exit 0", err)
			}
		})
	}
}

// TestManagerVariable: it is gone for children, and a socket that is not there
// is an error of the start.
func TestManagerVariable(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	if m, err := openManager(); err == nil || m != nil {
		t.Errorf("a socket that nobody has: got %v, %v, want an error", m, err)
	}
	if got, ok := os.LookupEnv("NOTIFY_SOCKET"); ok {
		t.Errorf("got NOTIFY_SOCKET=%s after the start, want none", got)
	}
	if m, err := openManager(); err != nil || m != nil {
		t.Errorf("no variable: got %v, %v, want nobody to tell", m, err)
	}
}

// TestRunDir: who may make sockets is the group, and none replaces another's.
func TestRunDir(t *testing.T) {
	c, err := conf.Load(instance(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{Name: "smtpd", Conf: c, Root: os.Geteuid() == 0}
	if err := d.openControl(); err != nil {
		t.Fatal(err)
	}
	defer d.control.Close()
	uid, gid := os.Geteuid(), os.Getegid()
	if d.Root {
		uid, gid = 0, 61010
	}
	for path, mode := range map[string]os.FileMode{c.RunDir: 0o775, filepath.Join(c.RunDir, "control"): 0o770} {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		st := fi.Sys().(*syscall.Stat_t)
		if fi.Mode() != os.ModeDir|os.ModeSticky|mode || int(st.Uid) != uid || int(st.Gid) != gid {
			t.Errorf("%s: got %v of %d:%d, want %v of %d:%d", path, fi.Mode(), st.Uid, st.Gid, os.ModeSticky|mode, uid, gid)
		}
	}
}

// TestNoRightToBind: a supervisor that starts the daemon without root must pass
// its ports; the error says so, and a restart is of no use.
func TestNoRightToBind(t *testing.T) {
	needDrop(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root: to give the right to bind away")
	}
	if first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err != nil || strings.TrimSpace(string(first)) != "1024" {
		t.Skipf("needs root alone to bind ports below 1024: %s %v", first, err)
	}
	cmd := exec.Command(program(t), "-c", instance(t, ""))
	cmd.Env = append(os.Environ(), "DAEMON_TEST_CHILD=1", "DAEMON_TEST_ADDR=127.0.0.1:1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 61001, Gid: 61001, Groups: []uint32{}}}
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != ExitConfig || !strings.Contains(string(out), "no socket named smtp was inherited") {
		t.Errorf("got exit %d, %s, want %d and the reason", got, out, ExitConfig)
	}
}
