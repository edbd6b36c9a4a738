// Package instance sets up and runs a whole server on loopback for the
// end-to-end tests and for make run: a folder with configuration, accounts and
// a self-signed certificate, name service and a host of another domain beside
// it. Nothing leaves loopback.
package instance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Domain is the local domain, Foreign the one that the sink takes mail for.
const (
	Domain   = "example.test"
	Foreign  = "other.test"
	Hostname = "mx.example.test"
	Password = "secret"
)

// Options say what to make.
type Options struct {
	Dir   string            // the instance's folder, made new
	Bin   string            // where the programs are
	Ports map[string]int    // wanted port of a service; others are free ones
	Users []string          // accounts, all with Password
	Files map[string]string // further files of the folder, such as aliases
	Zone  string            // further records of the name server
	Sink  []string          // further flags of the host of the other domain
	Conf  string            // further lines of configuration; %DIR% is the folder
	Log   io.Writer         // gets a copy of the log, unless nil
}

// Services are all that an instance listens for.
var Services = []string{"smtp", "submission", "submissions", "pop3", "pop3s", "imap", "imaps"}

// Instance is a server that runs.
type Instance struct {
	Dir, Bin string
	Addr     map[string]string // service to host:port
	Sink     string            // address of the host of the other domain
	SinkDir  string            // what the host of the other domain took, a file a message

	helpers []*exec.Cmd
	server  *exec.Cmd
	log     *journal
	stopped sync.Once
}

// Start makes an instance and returns when all its daemons serve.
func Start(ctx context.Context, o Options) (*Instance, error) {
	i := &Instance{Dir: o.Dir, Bin: o.Bin, Addr: map[string]string{}, SinkDir: filepath.Join(o.Dir, "sink")}
	if err := i.prepare(o); err != nil {
		return nil, fmt.Errorf("prepare instance: %w", err)
	}
	if err := i.start(ctx, o); err != nil {
		i.Stop()
		return nil, fmt.Errorf("start instance: %w", err)
	}
	return i, nil
}

func (i *Instance) prepare(o Options) error {
	for _, dir := range []string{o.Dir, i.SinkDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := WriteCertificate(i.path("tls.pem"), Hostname); err != nil {
		return err
	}
	files := map[string]string{"aliases": "postmaster: " + o.Users[0] + "\n", "users": "# accounts of this instance\n"}
	for name, text := range o.Files {
		files[name] = text
	}
	for name, text := range files {
		mode := os.FileMode(0o644)
		if name == "users" {
			mode = 0o640
		}
		if err := os.WriteFile(i.path(name), []byte(text), mode); err != nil {
			return err
		}
	}
	return nil
}

// UIDs are the numeric stand-ins for the users of packages that an instance
// started by root has; each has a group of the same number.
var UIDs = map[string]int{"smtpd": 61001, "queued": 61002, "queue-remote": 61003, "deliver": 61004,
	"imapd": 61005, "pop3d": 61006, "authd": 61007, "vmail": 61008}

// GIDs are the groups that open a room to several of them.
var GIDs = map[string]int{"sockets": 61020, "incoming": 61021, "tls": 61022}

// identities returns the lines of configuration that name them, and gives the
// files their owners. An ordinary user's instance needs neither.
func (i *Instance) identities() (string, error) {
	if os.Geteuid() != 0 {
		return "", nil
	}
	var b strings.Builder
	for process, uid := range UIDs {
		fmt.Fprintf(&b, "process-user %s %d\n", process, uid)
	}
	for group, gid := range GIDs {
		fmt.Fprintf(&b, "process-group %s %d\n", group, gid)
	}
	for name, gid := range map[string]int{"tls.pem": GIDs["tls"], "users": UIDs["authd"]} {
		if err := os.Chown(i.path(name), 0, gid); err != nil {
			return "", err
		}
		if err := os.Chmod(i.path(name), 0o640); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func (i *Instance) path(name string) string { return filepath.Join(i.Dir, name) }

func (i *Instance) start(ctx context.Context, o Options) error {
	dns, sink, err := i.startHelpers(o)
	if err != nil {
		return err
	}
	i.Sink = sink
	if err := i.configure(o, dns, sink); err != nil {
		return err
	}
	for _, u := range o.Users {
		add := exec.CommandContext(ctx, filepath.Join(o.Bin, "posthorn"), "-c", i.path("posthorn.conf"), "user", "add", u)
		add.Stdin = strings.NewReader(Password + "\n")
		if out, err := add.CombinedOutput(); err != nil {
			return fmt.Errorf("user add %s: %w: %s", u, err, out)
		}
	}
	return i.StartServer(o.Log)
}

// startHelpers starts the name server and the sink.
func (i *Instance) startHelpers(o Options) (dns, sink string, err error) {
	sink, err = i.helper("sink", append([]string{"-addr", "127.0.0.1:0", "-dir", i.SinkDir}, o.Sink...)...)
	if err != nil {
		return "", "", err
	}
	zone := fmt.Sprintf("%[1]s. 60 IN MX 10 mx.%[1]s.\nmx.%[1]s. 60 IN A 127.0.0.1\n%[2]s. 60 IN MX 10 %[3]s.\n%[3]s. 60 IN A 127.0.0.1\n",
		Foreign, Domain, Hostname)
	if err := os.WriteFile(i.path("zone"), []byte(zone+o.Zone), 0o644); err != nil {
		return "", "", err
	}
	dns, err = i.helper("dnsd", "-addr", "127.0.0.1:0", "-zone", i.path("zone"))
	return dns, sink, err
}

// helper starts a program that prints `ready addr=…`, and returns the address.
func (i *Instance) helper(name string, args ...string) (addr string, err error) {
	cmd := exec.Command(filepath.Join(i.Bin, name), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	i.helpers = append(i.helpers, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "ready addr=")
	if !ok {
		return "", fmt.Errorf("%s: found %q, expected a line ready addr=: %w", name, line, err)
	}
	go io.Copy(io.Discard, out)
	return addr, nil
}

// configure writes posthorn.conf.
func (i *Instance) configure(o Options, dns, sink string) error {
	bin, err := filepath.Abs(o.Bin)
	if err != nil {
		return err
	}
	_, sinkPort, err := net.SplitHostPort(sink)
	if err != nil {
		return err
	}
	ids, err := i.identities()
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "hostname %s\ndomain %s\n", Hostname, Domain)
	fmt.Fprintf(&b, "tls %s\nusers %s\naliases %s\ntransport %s\n", i.path("tls.pem"), i.path("users"), i.path("aliases"), i.path("transport"))
	fmt.Fprintf(&b, "spool %s\nrun-dir %s\nmail-root %s\nlibexec %s\n",
		i.path("spool"), i.path("sockets"), i.path("mail"), bin)
	fmt.Fprintf(&b, "resolver %s\nremote-port %s\n", dns, sinkPort)
	for _, s := range Services {
		fmt.Fprintf(&b, "listen %s 127.0.0.1:%d\n", s, freeOr(o.Ports[s]))
	}
	b.WriteString(ids)
	b.WriteString(strings.ReplaceAll(o.Conf, "%DIR%", i.Dir))
	return os.WriteFile(i.path("posthorn.conf"), []byte(b.String()), 0o644)
}

// freeOr returns port when nobody listens there, and otherwise 0.
func freeOr(port int) int {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return 0
	}
	l.Close()
	return port
}

// startTime is how long the daemons may take to serve.
const startTime = 30 * time.Second

// StartServer starts the server, for the first time or again after StopServer.
func (i *Instance) StartServer(copy io.Writer) error {
	cmd := exec.Command(filepath.Join(i.Bin, "posthorn"), "-c", i.path("posthorn.conf"), "run")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	out, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	i.server = cmd
	i.log = newJournal(out, copy)
	want := map[string]bool{"authd": true, "deliver": true, "queue-remote": true, "queued": true, "smtpd": true,
		"pop3-session": true, "pop3d": true, "imap-session": true, "imapd": true}
	_, err = i.log.wait(startTime, func(line string) bool {
		name, event, _ := strings.Cut(line, ": ")
		if strings.HasPrefix(event, "listening ") {
			i.Addr[Value(event, "service")] = Value(event, "addr")
		}
		if strings.HasPrefix(event, "started ") {
			delete(want, name)
		}
		return len(want) == 0
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, i.log.tail())
	}
	return nil
}

// WaitLog returns the first line of the log, from the server's start on, for
// which match is true.
func (i *Instance) WaitLog(limit time.Duration, match func(line string) bool) (string, error) {
	return i.log.wait(limit, match)
}

// Log returns all lines of the log, from the server's start on.
func (i *Instance) Log() []string { return i.log.all() }

// LogTail returns the last lines of the log.
func (i *Instance) LogTail() string { return i.log.tail() }

// Posthorn runs the administrator's command and returns what it printed.
func (i *Instance) Posthorn(stdin string, args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(i.Bin, "posthorn"), append([]string{"-c", i.path("posthorn.conf")}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// StopServer has the server end by itself, and kills it when it does not.
func (i *Instance) StopServer() error {
	if i.server == nil {
		return nil
	}
	server := i.server
	i.server = nil
	server.Process.Signal(syscall.SIGTERM)
	killer := time.AfterFunc(time.Minute, func() { server.Process.Kill() })
	defer killer.Stop()
	i.log.drained()
	return server.Wait()
}

// KillServer kills posthorn run itself, and waits until all daemons have ended.
func (i *Instance) KillServer() error {
	server := i.server
	i.server = nil
	if err := server.Process.Kill(); err != nil {
		return err
	}
	i.log.drained()
	server.Wait() // says that it was killed
	return nil
}

// Stop ends the server and what runs beside it.
func (i *Instance) Stop() error {
	var err error
	i.stopped.Do(func() {
		err = i.StopServer()
		for _, h := range i.helpers {
			h.Process.Signal(syscall.SIGTERM)
			h.Wait()
		}
	})
	return err
}

// PID returns the process id of a daemon, from the supervisor's log.
func (i *Instance) PID(name string) (int, error) {
	line, ok := i.log.last("posthorn: start name=" + name + " ")
	if !ok {
		return 0, errors.New("no start of " + name + " in the log")
	}
	var pid int
	_, err := fmt.Sscan(Value(line, "pid"), &pid)
	return pid, err
}

// Value returns the value of a key of a log line, unless it is quoted.
func Value(line, key string) string {
	_, rest, _ := strings.Cut(line, " "+key+"=")
	v, _, _ := strings.Cut(rest, " ")
	return v
}
