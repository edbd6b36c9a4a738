package daemon

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/evlog"
	"posthorn/internal/priv"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// TestMain lets the test binary be a daemon.
func TestMain(m *testing.M) {
	if os.Getenv("DAEMON_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	Main("smtpd", func(d *Daemon) (Service, error) {
		l, err := d.Listen("smtp", cmp.Or(os.Getenv("DAEMON_TEST_ADDR"), "127.0.0.1:0"))
		if err != nil {
			return nil, err
		}
		d.Rights = Rights{Identity: "smtpd", Read: []string{"/dev/null"}}
		return &hello{l}, nil
	})
}

// hello says its uid to whoever connects.
type hello struct{ l net.Listener }

func (h *hello) Serve(ctx context.Context) error {
	context.AfterFunc(ctx, func() { h.l.Close() })
	for {
		c, err := h.l.Accept()
		if err != nil {
			return nil
		}
		fmt.Fprintln(c, os.Geteuid())
		c.Close()
	}
}

func (h *hello) Reload(c *conf.Config) error {
	if c.MaxReceived == 13 {
		return errors.New("unlucky number")
	}
	return nil
}

// instance writes a configuration into a new folder.
func instance(t *testing.T, extra string) (file string) {
	t.Helper()
	dir := t.TempDir()
	os.Chmod(dir, 0o755)
	os.Chmod(filepath.Dir(dir), 0o755) // the daemon is another user when the test is root
	file = filepath.Join(dir, "posthorn.conf")
	text := "hostname mx.test\ndomain test\nrun-dir " + filepath.Join(dir, "run") + "\n" +
		"process-user smtpd 61001\nprocess-group sockets 61010\nprocess-group incoming 61011\nprocess-group tls 61012\n" + extra
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// needDrop skips a test of processes that give rights away where this build
// cannot, as under the race detector.
func needDrop(t *testing.T) {
	t.Helper()
	if err := priv.Able(); err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// program copies this binary to where every uid may execute it.
func program(t *testing.T) string {
	t.Helper()
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o755)
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a daemon in a process of its own.
type process struct {
	*exec.Cmd
	log *bufio.Scanner
}

func start(t *testing.T, file string) *process {
	t.Helper()
	return startAs(t, nil, file)
}

// startAs starts a daemon with the uid that as names.
func startAs(t *testing.T, as *syscall.SysProcAttr, file string) *process {
	t.Helper()
	needDrop(t)
	cmd := exec.Command(program(t), "-c", file)
	cmd.Env = append(os.Environ(), "DAEMON_TEST_CHILD=1")
	cmd.SysProcAttr = as
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	t.Cleanup(func() { watchdog.Stop(); cmd.Process.Kill(); cmd.Wait() })
	return &process{cmd, bufio.NewScanner(out)}
}

// wait reads the log until an event begins with prefix.
func (p *process) wait(t *testing.T, prefix string) string {
	t.Helper()
	for p.log.Scan() {
		if strings.HasPrefix(p.log.Text(), prefix) {
			return p.log.Text()
		}
	}
	t.Fatalf("the daemon ended before it logged %q", prefix)
	return ""
}

func value(line, key string) string {
	_, rest, _ := strings.Cut(line, " "+key+"=")
	v, _, _ := strings.Cut(rest, " ")
	return v
}

func TestLifeOfADaemon(t *testing.T) {
	file := instance(t, "")
	p := start(t, file)
	addr := value(p.wait(t, "listening"), "addr")
	started := p.wait(t, "started")
	want := fmt.Sprint(os.Geteuid())
	if os.Geteuid() == 0 {
		want = "61001"
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); strings.TrimSpace(string(got)) != want || err != nil {
		t.Errorf("uid: got %q, %v, want %s (%s)", got, err, want, started)
	}
	t.Run("reload", func(t *testing.T) { testReload(t, p, file) })
	p.Process.Signal(syscall.SIGTERM)
	p.wait(t, "stopping")
	if err := p.Wait(); err != nil {
		t.Errorf("after SIGTERM: got %v, want exit 0", err)
	}
}

func testReload(t *testing.T, p *process, file string) {
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	control := &sock.Client{Path: c.ControlSocket("smtpd"), Proto: ControlProto}
	defer control.Close()
	ask := func(request string) verdict.Verdict {
		l, err := control.Do(t.Context(), attr.List{{Name: "request", Value: request}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		v, err := sock.Verdict(l)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	original, _ := os.ReadFile(file)
	if v := ask("status"); v.Kind != verdict.Done {
		t.Errorf("status: got %v", v)
	}
	if v := ask("dance"); v.Kind != verdict.Never {
		t.Errorf("unknown request: got %v", v)
	}
	os.WriteFile(file, append(bytes.Clone(original), "spool /else\n"...), 0o644)
	p.Process.Signal(syscall.SIGHUP)
	if got := value(p.wait(t, "reloaded"), "restart"); got != "spool" {
		t.Errorf("reload: got restart=%q, want spool", got)
	}
	os.WriteFile(file, append(bytes.Clone(original), "max-received 13\n"...), 0o644)
	if v := ask("reload"); v.Kind != verdict.Never || !strings.Contains(v.Text, "unlucky") {
		t.Errorf("a configuration that the service refuses: got %v", v)
	}
	os.WriteFile(file, []byte("nonsense\n"), 0o644)
	if v := ask("reload"); v.Kind != verdict.Never || !strings.Contains(v.Text, ":1: found the unknown word") {
		t.Errorf("a configuration with a mistake: got %v", v)
	}
	os.WriteFile(file, original, 0o644)
	if v := ask("reload"); v.Kind != verdict.Done {
		t.Errorf("the first one again: got %v", v)
	}
}

// TestReloadOfAnIncludeElsewhere: Landlock lets a reload read all that the start
// read.
func TestReloadOfAnIncludeElsewhere(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "site.conf")
	os.Chmod(filepath.Dir(elsewhere), 0o755)
	if err := os.WriteFile(elsewhere, []byte("max-received 20\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := start(t, instance(t, "include "+elsewhere+"\n"))
	p.wait(t, "started")
	p.Process.Signal(syscall.SIGHUP)
	if line := p.wait(t, "reload"); !strings.HasPrefix(line, "reloaded ") {
		t.Errorf("got %s, want it reloaded", line)
	}
}

// TestStartedWithoutRoot: under the uid of its process a daemon serves as after
// a drop, under that of another process it refuses.
func TestStartedWithoutRoot(t *testing.T) {
	needDrop(t)
	uid, gid := os.Geteuid(), os.Getegid()
	as := &syscall.SysProcAttr{}
	if uid == 0 {
		uid, gid = 61001, 61001
		as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{}}
	}
	for _, tc := range []struct {
		name        string
		smtpd, rest int
		want        string
	}{
		{"its own uid", uid, uid + 1, fmt.Sprintf("started version=devel uid=%d ", uid)},
		{"another's uid", uid + 1, uid, fmt.Sprintf("fatal err=\"smtpd: found uid %d, which is another process's, expected %d or root\"", uid, uid+1)},
	} {
		lines := fmt.Sprintf("process-group sockets %d\nprocess-group incoming %d\nprocess-group tls %d\nprocess-user smtpd %d\n", gid, gid, gid, tc.smtpd)
		for _, p := range []string{"queued", "queue-remote", "deliver", "imapd", "pop3d", "authd", "vmail"} {
			lines += fmt.Sprintf("process-user %s %d\n", p, tc.rest)
		}
		file := instance(t, lines)
		run := filepath.Join(filepath.Dir(file), "run", "control")
		if err := os.MkdirAll(run, 0o755); err != nil {
			t.Fatal(err)
		}
		os.Chown(run, uid, gid)
		p := startAs(t, as, file)
		if line := p.wait(t, strings.Fields(tc.want)[0]); !strings.HasPrefix(line, tc.want) {
			t.Errorf("%s: got %s, want %s", tc.name, line, tc.want)
		}
	}
}

// TestSocketsGroup: whoever makes a socket, the group of those who may reach it
// is the configuration's.
func TestSocketsGroup(t *testing.T) {
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		gid = 61010
	}
	lines := fmt.Sprintf("process-user smtpd %d\nprocess-group sockets %d\nprocess-group incoming %d\nprocess-group tls %d\n", uid, gid, gid, gid)
	for _, p := range []string{"queued", "queue-remote", "deliver", "imapd", "pop3d", "authd", "vmail"} {
		lines += fmt.Sprintf("process-user %s %d\n", p, uid+1)
	}
	c, err := conf.Load(instance(t, lines))
	if err != nil {
		t.Fatal(err)
	}
	d := &Daemon{Name: "smtpd", Conf: c}
	l, err := d.ListenUnix("queue")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fi, err := os.Stat(c.Socket("queue"))
	if err != nil {
		t.Fatal(err)
	}
	if st := fi.Sys().(*syscall.Stat_t); int(st.Gid) != gid || fi.Mode().Perm() != 0o660 {
		t.Errorf("got gid %d, %v, want %d and 0660", st.Gid, fi.Mode(), gid)
	}
}

func TestExitCodes(t *testing.T) {
	good, bad := instance(t, ""), instance(t, "colour red\n")
	for _, tc := range []struct {
		name, file string
		args       []string
		want       int
	}{
		{"a good configuration checked", good, []string{"-n"}, 0},
		{"the version", good, []string{"-V"}, 0},
		{"a bad configuration", bad, nil, ExitConfig},
		{"a bad flag", good, []string{"-x"}, ExitConfig},
		{"no configuration", "/nonexistent", nil, ExitConfig},
	} {
		cmd := exec.Command(os.Args[0], append([]string{"-c", tc.file}, tc.args...)...)
		cmd.Env = append(os.Environ(), "DAEMON_TEST_CHILD=1")
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != tc.want {
			t.Errorf("%s: got exit %d, want %d\n%s", tc.name, got, tc.want, out)
		}
	}
}

// TestInheritedSocket: one of two sockets of a name is served, and the log tells
// of the other, which the parent opened for nothing.
func TestInheritedSocket(t *testing.T) {
	needDrop(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// A shell sets LISTEN_PID to its own pid and becomes the daemon.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -c "$1"`, os.Args[0], instance(t, ""))
	cmd.Env = append(os.Environ(), "DAEMON_TEST_CHILD=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=smtp:smtp")
	cmd.ExtraFiles = []*os.File{f, f}
	out, _ := cmd.StderrPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, bufio.NewScanner(out)}
	watchdog := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	t.Cleanup(func() { watchdog.Stop(); cmd.Process.Kill(); cmd.Wait() })
	if got := value(p.wait(t, "listening"), "addr"); got != l.Addr().String() {
		t.Errorf("got %s, want the inherited %s", got, l.Addr())
	}
	p.wait(t, "inherited-unused name=smtp")
}

// TestListeners: what the parent passed is what is offered where no line says
// more; a listen line counts in any case.
func TestListeners(t *testing.T) {
	one := []*os.File{os.Stdin}
	for _, tc := range []struct {
		name, lines string
		passed      map[string][]*os.File
		want, log   string
	}{
		{"nothing passed", "", nil, "smtp submission", ""},
		{"both", "", map[string][]*os.File{"smtp": one, "submission": one}, "smtp submission", ""},
		{"one", "", map[string][]*os.File{"smtp": one}, "smtp", "not-passed service=submission\n"},
		{"one that was taken", "", map[string][]*os.File{"smtp": one[1:], "submission": one}, "submission", "not-passed service=smtp\n"},
		{"sockets of other kinds", "", map[string][]*os.File{"submit": one}, "smtp submission", ""},
		{"lines", "listen smtp 127.0.0.1:25\nlisten submission 127.0.0.1:587\n", map[string][]*os.File{"smtp": one}, "smtp submission", ""},
	} {
		c, err := conf.Load(instance(t, tc.lines))
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		d := &Daemon{Conf: c, Log: evlog.New(&log), inherited: tc.passed}
		var got []string
		for _, l := range d.Listeners("smtp", "submission") {
			got = append(got, l.Service)
		}
		if strings.Join(got, " ") != tc.want || log.String() != tc.log {
			t.Errorf("%s: got %q and the log %q, want %q and %q", tc.name, got, log.String(), tc.want, tc.log)
		}
	}
}
