// Package kills tests that daemons can be killed at any moment, one or several,
// and be started again in any order: what was acknowledged is where it belongs,
// and no more often than doc/spool.md says.
package kills

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// path are the daemons that a message meets.
var path = []string{"smtpd", "queued", "deliver", "authd", "queue-remote"}

// fleet runs the daemons of an instance itself, for a supervisor would choose
// when and in which order they are started again.
type fleet struct {
	t    *testing.T
	i    *instance.Instance
	log  string // file of all lines, each with time and daemon in front; kept with -artifacts
	out  *os.File
	mine map[string]*process // those that run; of one goroutine

	mu     sync.Mutex
	kills  []kill
	full   []kill   // times when a disk was
	failed []string // daemons that ended though nobody killed them
}

// kill is one SIGKILL.
type kill struct {
	name          string
	before, after time.Time // around it: dead for certain after
}

// process is a daemon that was started.
type process struct {
	name   string
	cmd    *exec.Cmd
	served chan struct{} // closed when it serves, or has ended
	doomed atomic.Bool   // set before it is killed
	ended  chan struct{} // closed when its log is complete and it is gone
}

// newFleet makes an instance and starts its daemons without a supervisor.
func newFleet(t *testing.T, o instance.Options) *fleet {
	t.Helper()
	f := idleFleet(t, o)
	f.start(true, path...)
	return f
}

// idleFleet is newFleet with no daemon started yet.
func idleFleet(t *testing.T, o instance.Options) *fleet {
	t.Helper()
	i := suite.Server(t, o)
	if err := i.StopServer(); err != nil { // it made the folders
		t.Fatal(err)
	}
	f := &fleet{t: t, i: i, log: filepath.Join(t.ArtifactDir(), "log"), mine: map[string]*process{}}
	var err error
	if f.out, err = os.OpenFile(f.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return f
}

// start starts daemons in this order, each when the one before serves or all at
// once, and returns when all serve.
func (f *fleet) start(inTurn bool, names ...string) {
	f.t.Helper()
	var started []*process
	for _, name := range names {
		p := f.launch(name)
		if inTurn {
			f.await(p)
		}
		started = append(started, p)
	}
	for _, p := range started {
		f.await(p)
	}
}

func (f *fleet) launch(name string, env ...string) *process {
	f.t.Helper()
	p := &process{name: name, served: make(chan struct{}), ended: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(f.i.Bin, name), "-c", filepath.Join(f.i.Dir, "posthorn.conf"))
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	log, err := p.cmd.StderrPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.say("test", fmt.Sprintf("start name=%s pid=%d %s", name, p.cmd.Process.Pid, strings.Join(env, " ")))
	f.mine[name] = p
	go f.watch(p, log)
	return p
}

// watch copies the log of a daemon until it ends.
func (f *fleet) watch(p *process, log io.Reader) {
	defer close(p.ended)
	served := sync.OnceFunc(func() { close(p.served) })
	defer served()
	in := bufio.NewScanner(log)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		f.say(p.name, in.Text())
		if strings.HasPrefix(in.Text(), "started ") {
			served()
		}
	}
	err := p.cmd.Wait()
	if p.doomed.Load() {
		return
	}
	f.say("test", fmt.Sprintf("ended name=%s pid=%d %v", p.name, p.cmd.Process.Pid, err))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = append(f.failed, fmt.Sprintf("%s: %v", p.name, err))
}

// say writes a line to the log of all.
func (f *fleet) say(name, line string) {
	fmt.Fprintf(f.out, "%s %s: %s\n", time.Now().Format(stamp), name, line) // one Write
}

// stamp is the time in front of a line.
const stamp = "2006-01-02T15:04:05.000000"

// await returns when the daemon serves, or has ended.
func (f *fleet) await(p *process) {
	f.t.Helper()
	select {
	case <-p.served:
	case <-time.After(suite.Limit):
		f.t.Fatalf("%s: not started within %v", p.name, suite.Limit)
	}
}

// kill kills the daemons at the same moment and returns when they are gone.
func (f *fleet) kill(names ...string) {
	before := time.Now()
	var dead []*process
	for _, name := range names {
		p := f.mine[name]
		p.doomed.Store(true)
		p.cmd.Process.Signal(syscall.SIGKILL)
		dead = append(dead, p)
	}
	for _, p := range dead {
		<-p.ended
		f.buried(p, before)
	}
}

// pause stops daemons where they are, as a debugger does or a machine that is
// short of memory.
func (f *fleet) pause(names ...string) {
	for _, name := range names {
		f.mine[name].cmd.Process.Signal(syscall.SIGSTOP)
		f.say("test", "stopped name="+name)
	}
}

// goOn lets the daemons go on that run.
func (f *fleet) goOn() {
	for name, p := range f.mine {
		p.cmd.Process.Signal(syscall.SIGCONT)
		f.say("test", "continued name="+name)
	}
}

// buried notes that a daemon was killed.
func (f *fleet) buried(p *process, before time.Time) {
	delete(f.mine, p.name)
	f.say("test", fmt.Sprintf("killed name=%s pid=%d", p.name, p.cmd.Process.Pid))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kills = append(f.kills, kill{p.name, before, time.Now()})
}

// wasFull notes that a disk was full until now.
func (f *fleet) wasFull(since time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = append(f.full, kill{"disk", since, time.Now()})
}

// fullMeanwhile reports whether a disk was full at some time between.
func (f *fleet) fullMeanwhile(from, to time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.full, func(k kill) bool { return k.before.Before(to) && k.after.After(from) })
}

// killed says how often each daemon was killed.
func (f *fleet) killed() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := map[string]int{}
	for _, k := range f.kills {
		n[k.name]++
	}
	return n
}

// underWay is how long a request may go on whose asker is dead.
const underWay = 2 * time.Second

// cutShort returns the kill for which a message came to a place again: the
// first one behind it of a daemon that had the answer and had not passed it on;
// else one of who asked while the request was under way.
func (f *fleet) cutShort(first, second time.Time, asker string, others ...string) (cut kill, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.kills {
		switch {
		case k.name != asker && !slices.Contains(others, k.name) || k.before.After(second):
		case !k.after.Before(first) && (!ok || cut.after.Before(first)):
			cut, ok = k, true
		case k.name == asker && k.after.Before(first) && k.after.After(first.Add(-underWay)):
			cut, ok = k, true
		}
	}
	return cut, ok
}

// checkLives wants no daemon to have ended by itself.
func (f *fleet) checkLives() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.failed {
		f.t.Errorf("ended without being killed: %s", s)
	}
}

// close ends all together, for one may wait for another, and each must end well.
func (f *fleet) close() {
	for _, p := range f.mine {
		p.doomed.Store(true)
		p.cmd.Process.Signal(syscall.SIGTERM)
		p.cmd.Process.Signal(syscall.SIGCONT)
	}
	for name, p := range f.mine {
		killer := time.AfterFunc(suite.Limit, func() { p.cmd.Process.Kill() })
		<-p.ended
		killer.Stop()
		if !p.cmd.ProcessState.Success() {
			f.t.Errorf("%s: ended with %v", name, p.cmd.ProcessState)
		}
	}
	f.out.Close()
}

// journey returns what the logs say of an id or a daemon's life.
func (f *fleet) journey(words ...string) string {
	file, err := os.Open(f.log)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	var b strings.Builder
	in := bufio.NewScanner(file)
	in.Buffer(nil, 1<<20)
	const most = 80
	for n := 0; in.Scan() && n < most; {
		for _, w := range words {
			if bytes.Contains(in.Bytes(), []byte(w)) {
				n++
				fmt.Fprintf(&b, "\t%s\n", in.Text())
				break
			}
		}
	}
	return b.String()
}

// logged yields what stands behind words in lines of the log, up to the next
// space, and when each was written.
func (f *fleet) logged(words string) iter.Seq2[time.Time, string] {
	return func(yield func(time.Time, string) bool) {
		file, err := os.Open(f.log)
		if err != nil {
			f.t.Error(err)
			return
		}
		defer file.Close()
		in := bufio.NewScanner(file)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			when, line, _ := strings.Cut(in.Text(), " ")
			rest, ok := strings.CutPrefix(line, words)
			if !ok {
				continue
			}
			at, err := time.ParseInLocation(stamp, when, time.Local)
			if err != nil {
				f.t.Errorf("log: %v", err)
			}
			word, _, _ := strings.Cut(rest, " ")
			if !yield(at, word) {
				return
			}
		}
	}
}
