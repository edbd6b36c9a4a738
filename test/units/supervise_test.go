package units

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"posthorn/internal/attr"
	"posthorn/internal/daemon"
	"posthorn/internal/sock"
	"posthorn/test/instance"
	"posthorn/test/suite"
)

// supervisor is what runs the service folders.
type supervisor struct {
	name, folders string   // of the installed folders
	drop          string   // what has run start a program under other ids; "" for nothing
	scan          []string // runs all of a folder, whose path is added
	hangup        []string // a service's path is added to these
	down, up      []string
	status        []string
	resting       func(status string) bool // down, and not to be started again
	stop          func(t *testing.T, scan *exec.Cmd, services string)
}

var supervisors = []supervisor{runit("runit", ""), runit("runit, nothing is root", "chpst -u :%d:%d%s "), s6("s6", ""),
	s6("s6, nothing is root", "s6-applyuidgid -u %d -g %d -G %s ")}

func runit(name, drop string) supervisor {
	return supervisor{
		name: name, folders: "runit", drop: drop, scan: []string{"runsvdir"},
		hangup: []string{"sv", "hup"}, down: []string{"sv", "down"}, up: []string{"sv", "up"}, status: []string{"sv", "status"},
		resting: func(status string) bool {
			return strings.HasPrefix(status, "down: ") && !strings.Contains(status, "want up")
		},
		stop: func(t *testing.T, scan *exec.Cmd, services string) {
			scan.Process.Signal(syscall.SIGHUP) // it leaves, and tells them to
			scan.Wait()
			all, _ := filepath.Glob(services + "/*")
			if out, err := exec.Command("sv", append([]string{"-w", "60", "shutdown"}, all...)...).CombinedOutput(); err != nil {
				t.Errorf("sv shutdown: %v\n%s", err, out)
			}
		},
	}
}

func s6(name, drop string) supervisor {
	return supervisor{
		name: name, folders: "s6", drop: drop, scan: []string{"s6-svscan"},
		hangup: []string{"s6-svc", "-h"}, down: []string{"s6-svc", "-d"}, up: []string{"s6-svc", "-u"}, status: []string{"s6-svstat"},
		resting: func(status string) bool {
			return strings.HasPrefix(status, "down ") && !strings.Contains(status, "want up")
		},
		stop: func(_ *testing.T, scan *exec.Cmd, _ string) {
			scan.Process.Signal(syscall.SIGTERM)
			scan.Wait()
		},
	}
}

// ids returns the word that drops to a program's ids, or nothing.
func (s supervisor) ids(t *testing.T, program string) string {
	if s.drop == "" {
		return ""
	}
	p := processOf(t, program)
	uid := instance.UIDs[p.Name]
	var groups []string
	for _, g := range p.Groups {
		name := map[string]string{"posthorn": "sockets", "posthorn-in": "incoming", "posthorn-tls": "tls"}[g]
		groups = append(groups, fmt.Sprint(instance.GIDs[name]))
	}
	if s.folders == "runit" {
		return fmt.Sprintf(s.drop, uid, uid, ":"+strings.Join(groups, ":"))
	}
	return fmt.Sprintf(s.drop, uid, uid, strings.Join(groups, ","))
}

// prepare copies the installed folders, for the programs and the configuration
// of i and with logs in a folder of their own.
func (s supervisor) prepare(t *testing.T, i *instance.Instance, services, logs string) {
	t.Helper()
	suite.Must(t, "", "cp", "-r", filepath.Join(install(t), "usr/share/posthorn", s.folders), services)
	for _, program := range programs {
		edit := func(file, old, new string) {
			path := filepath.Join(services, program, file)
			text, err := os.ReadFile(path)
			if err != nil || strings.Count(string(text), old) == 0 {
				t.Fatalf("%s: %v, no %q in\n%s", file, err, old, text)
			}
			os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, new)), 0o755)
		}
		edit("run", "exec /usr/libexec/posthorn/"+program,
			"exec "+s.ids(t, program)+filepath.Join(i.Bin, program)+" -c "+filepath.Join(i.Dir, "posthorn.conf"))
		edit("log/run", "/var/log/posthorn", logs)
	}
}

// TestSupervisors runs the service folders with the real runit and s6: mail goes
// through, and signals, stops and mistakes are as an administrator expects.
func TestSupervisors(t *testing.T) {
	suite.Need(t, "runsvdir", "sv", "chpst", "svlogd", "s6-svscan", "s6-svc", "s6-svstat", "s6-log", "s6-applyuidgid")
	i := suite.Server(t, instance.Options{})
	if err := i.StopServer(); err != nil { // it made the folders
		t.Fatal(err)
	}
	file := filepath.Join(i.Dir, "posthorn.conf")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for service, addr := range i.Addr { // the same ports each time
		text = []byte(strings.Replace(string(text), "listen "+service+" 127.0.0.1:0\n", "listen "+service+" "+addr+"\n", 1))
	}
	os.WriteFile(file, text, 0o644)
	for _, s := range supervisors {
		t.Run(s.name, func(t *testing.T) {
			if s.drop != "" && os.Geteuid() != 0 {
				t.Skip("needs root: to change to other ids")
			}
			s.test(t, i)
		})
	}
}

func (s supervisor) test(t *testing.T, i *instance.Instance) {
	dir := t.TempDir()
	services, logs := filepath.Join(dir, "services"), filepath.Join(dir, "logs")
	s.prepare(t, i, services, logs)
	scan := exec.Command(s.scan[0], append(s.scan[1:], services)...)
	scan.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := scan.Start(); err != nil {
		t.Fatal(err)
	}
	log := func(program string) string { return readFile(filepath.Join(logs, program, "current")) }
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			s.stop(t, scan, services)
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			for _, program := range programs {
				t.Logf("%s:\n%s", program, log(program))
			}
		}
	})
	say := func(words []string, program string) string {
		return strings.TrimSpace(suite.Must(t, "", words[0], append(words[1:], filepath.Join(services, program))...))
	}
	logged := func(program, event string, count int) {
		t.Helper()
		suite.Eventually(t, fmt.Sprintf("%s to log %s %d times", program, event, count), func() bool {
			return strings.Count(log(program), " "+event+" ")+strings.Count(log(program), " "+event+"\n") == count
		})
	}
	for _, program := range programs {
		logged(program, "started", 1)
	}
	boxes := len(suite.BoxFiles(i, suite.Bob, ""))
	arrives := func() {
		t.Helper()
		boxes++
		suite.Eventually(t, "the message in the box", func() bool { return len(suite.BoxFiles(i, suite.Bob, "")) == boxes })
	}
	mail(t, i)
	arrives()

	for _, program := range programs {
		say(s.hangup, program)
		logged(program, "reloaded", 1)
	}

	say(s.down, "queued")
	suite.Eventually(t, "queued down", func() bool { return s.resting(say(s.status, "queued")) })
	mail(t, i) // kept by smtpd
	say(s.up, "queued")
	arrives()

	// A mistake: it rests, and is not tried again and again.
	file := filepath.Join(i.Dir, "posthorn.conf")
	good := readFile(file)
	os.WriteFile(file, []byte("nonsense\n"), 0o644)
	say(s.down, "authd")
	suite.Eventually(t, "authd down", func() bool { return s.resting(say(s.status, "authd")) })
	say(s.up, "authd")
	logged("authd", "fatal", 1)
	suite.Eventually(t, "authd at rest", func() bool { return s.resting(say(s.status, "authd")) })
	os.WriteFile(file, []byte(good), 0o644)
	say(s.up, "authd")
	logged("authd", "started", 2)
	if got := strings.Count(log("authd"), " fatal "); got != 1 {
		t.Errorf("authd with a mistake: started in vain %d times, want once", got)
	}

	// A death: it is started again.
	pid := processID(t, i, "deliver")
	syscall.Kill(pid, syscall.SIGKILL)
	logged("deliver", "started", 2)
	mail(t, i)
	arrives()
	stop()
	for _, program := range programs {
		suite.Eventually(t, program+" to end by itself", func() bool { return strings.Contains(log(program), " stopping\n") })
	}
}

// processID asks a daemon's control socket.
func processID(t *testing.T, i *instance.Instance, program string) int {
	t.Helper()
	c := &sock.Client{Path: filepath.Join(i.Dir, "sockets/control", program+".sock"), Proto: daemon.ControlProto}
	defer c.Close()
	l, err := c.Do(t.Context(), attr.List{{Name: "request", Value: "status"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := l.Int("pid")
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// mail sends bob a message.
func mail(t *testing.T, i *instance.Instance) {
	t.Helper()
	c, err := net.Dial("tcp", i.Addr["smtp"])
	if err != nil {
		t.Fatal(err)
	}
	send(t, c, suite.Bob, t.Name())
}
