package units

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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
	resting       func(status string) bool            // down, and not to be started again
	end           syscall.Signal                      // has what runs them leave, and tell them to
	await         func(t *testing.T, services string) // waits for them to have ended
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
		end: syscall.SIGHUP,
		await: func(t *testing.T, services string) {
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
		end:   syscall.SIGTERM,
		await: func(*testing.T, string) {}, // it has waited itself
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

// supervised is a server that a supervisor runs.
type supervised struct {
	supervisor
	*testing.T
	i              *instance.Instance
	services, logs string
	boxed          int // messages in bob's box
}

func (s supervisor) test(t *testing.T, i *instance.Instance) {
	dir := t.TempDir()
	r := &supervised{s, t, i, filepath.Join(dir, "services"), filepath.Join(dir, "logs"), len(suite.BoxFiles(i, suite.Bob, ""))}
	s.prepare(t, i, r.services, r.logs)
	stop := r.start()
	for _, program := range programs {
		r.logged(program, "started", 1)
	}
	if fi, err := os.Stat(r.logs); err != nil || fi.Mode().Perm()&0o007 != 0 {
		t.Errorf("the folder of the logs: got %v, %v, want it closed to strangers", fi, err)
	}
	mail(t, i)
	r.arrives()
	for _, program := range programs {
		r.say(s.hangup, program)
		r.logged(program, "reloaded", 1)
	}
	r.say(s.down, "queued")
	r.rests("queued")
	mail(t, i) // kept by smtpd
	r.say(s.up, "queued")
	r.arrives()
	r.mistake()
	syscall.Kill(processID(t, i, "deliver"), syscall.SIGKILL)
	r.logged("deliver", "started", 2)
	mail(t, i)
	r.arrives()
	stop()
	for _, program := range programs {
		suite.Eventually(t, program+" to end by itself", func() bool { return strings.Contains(r.log(program), " stopping\n") })
	}
}

// start runs all services until the function it returns is called, or the test
// ends, whichever way.
func (r *supervised) start() (stop func()) {
	scan := exec.Command(r.scan[0], append(r.scan[1:], r.services)...)
	scan.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: r.end}
	if err := scan.Start(); err != nil {
		r.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		scan.Process.Signal(r.end)
		scan.Wait()
		r.await(r.T, r.services)
	})
	r.Cleanup(func() {
		stop()
		if r.Failed() {
			for _, program := range programs {
				r.Logf("%s:\n%s", program, r.log(program))
			}
		}
	})
	return stop
}

func (r *supervised) log(program string) string {
	return readFile(filepath.Join(r.logs, program, "current"))
}

// say gives a command of the supervisor about a program.
func (r *supervised) say(words []string, program string) string {
	r.Helper()
	return strings.TrimSpace(suite.Must(r.T, "", words[0], append(words[1:], filepath.Join(r.services, program))...))
}

// logged waits for an event to be logged so many times.
func (r *supervised) logged(program, event string, count int) {
	r.Helper()
	suite.Eventually(r.T, fmt.Sprintf("%s to log %s %d times", program, event, count), func() bool {
		log := r.log(program)
		return strings.Count(log, " "+event+" ")+strings.Count(log, " "+event+"\n") == count
	})
}

// arrives waits for one more message.
func (r *supervised) arrives() {
	r.Helper()
	r.boxed++
	suite.Eventually(r.T, "the message in the box", func() bool { return len(suite.BoxFiles(r.i, suite.Bob, "")) == r.boxed })
}

// rests waits for a program to be down, and to stay so.
func (r *supervised) rests(program string) {
	r.Helper()
	suite.Eventually(r.T, program+" at rest", func() bool { return r.resting(r.say(r.status, program)) })
}

// mistake: what does not get along with its configuration is not tried again and
// again.
func (r *supervised) mistake() {
	file := filepath.Join(r.i.Dir, "posthorn.conf")
	good := readFile(file)
	os.WriteFile(file, []byte("nonsense\n"), 0o644)
	r.say(r.down, "authd")
	r.rests("authd")
	r.say(r.up, "authd")
	r.logged("authd", "fatal", 1)
	r.rests("authd")
	os.WriteFile(file, []byte(good), 0o644)
	r.say(r.up, "authd")
	r.logged("authd", "started", 2)
	if got := strings.Count(r.log("authd"), " fatal "); got != 1 {
		r.Errorf("authd with a mistake: started in vain %d times, want once", got)
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
