package power

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/power/disk"
	"posthorn/test/suite"
)

// host is a machine that a state is put on and started. One state is tried on
// it at a time.
type host struct {
	i *instance.Instance
}

// found is where the mail of a state is when the daemons have done what they
// can.
type found struct {
	boxes  map[string][][]byte // of each user, the files in new/ and cur/
	remote [][]byte            // what the other host got
	odd    []string            // what queued put aside
	log    string
	err    error // the daemons did not come to an end
}

// newHost makes a server and stops its daemons again, but the one that keeps
// nothing and asks no disk. more are lines of its configuration.
func newHost(t *testing.T, more string) *host {
	t.Helper()
	bin, err := suite.Built()
	if err != nil {
		t.Fatal(err)
	}
	o := options(bin, memory(t))
	o.Conf += more
	h := &host{i: suite.Server(t, o)}
	if err := h.i.StopServer(); err != nil {
		t.Fatal(err)
	}
	authd, err := h.start("authd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authd.stop)
	return h
}

// try puts a tree on the host's disk, starts the daemons of the mail's way, and
// waits until there is no message left in the spool.
func (h *host) try(tree *disk.Tree) *found {
	if err := h.put(tree); err != nil {
		return &found{err: err}
	}
	var running []*process
	stop := func() {
		for _, p := range running {
			p.stop()
		}
	}
	defer stop()
	for _, names := range [][]string{{"deliver", "queue-remote"}, {"queued"}} { // queued asks the others at once
		more, err := h.startAll(names)
		running = append(running, more...)
		if err != nil {
			return &found{err: err}
		}
	}
	err := h.emptied()
	stop()
	f := h.found()
	for _, p := range running {
		f.log += p.log.String()
	}
	running = nil
	f.err = cmp.Or(f.err, err)
	return f
}

// put replaces what stands on the host's disk.
func (h *host) put(tree *disk.Tree) error {
	for _, dir := range []string{"spool", "mail", "sink"} {
		if err := os.RemoveAll(filepath.Join(h.i.Dir, dir)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(h.i.Dir, "sink"), 0o755); err != nil {
		return err
	}
	return tree.Write(h.i.Dir)
}

// emptied waits until the spool is empty.
func (h *host) emptied() error {
	deadline := time.Now().Add(suite.Limit)
	for !empty(h.i.Dir) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the spool is not empty after %v", suite.Limit)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

// found looks where the mail is.
func (h *host) found() *found {
	f := &found{boxes: map[string][][]byte{}}
	for _, user := range []string{suite.Ann, suite.Bob, carl} {
		f.boxes[user] = f.read(suite.BoxFiles(h.i, user, ""))
	}
	f.remote = f.read(suite.SinkFiles(h.i))
	f.odd, _ = filepath.Glob(filepath.Join(h.i.Dir, "spool/odd/*"))
	return f
}

func (f *found) read(names []string) (files [][]byte) {
	for _, name := range names {
		b, err := os.ReadFile(name)
		f.err = cmp.Or(f.err, err)
		files = append(files, b)
	}
	return files
}

// process is a daemon that serves.
type process struct {
	cmd   *exec.Cmd
	log   *lines
	ended chan struct{}
}

// lines keeps a log and tells when a line of it says that the daemon serves.
type lines struct {
	mu      sync.Mutex
	text    bytes.Buffer
	started chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	select {
	case <-l.started:
	default:
		if strings.Contains(l.text.String(), "started ") {
			close(l.started)
		}
	}
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// startAll starts daemons together.
func (h *host) startAll(names []string) ([]*process, error) {
	all, errs := make([]*process, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for n, name := range names {
		wg.Go(func() { all[n], errs[n] = h.start(name) })
	}
	wg.Wait()
	return slices.DeleteFunc(all, func(p *process) bool { return p == nil }), errors.Join(errs...)
}

// start starts a daemon and returns when it serves.
func (h *host) start(name string) (*process, error) {
	p := &process{log: &lines{started: make(chan struct{})}, ended: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(h.i.Bin, name), "-c", filepath.Join(h.i.Dir, "posthorn.conf"))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	go func() {
		io.Copy(p.log, stderr)
		p.cmd.Wait()
		close(p.ended)
	}()
	select {
	case <-p.log.started:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("%s ended:\n%s", name, p.log)
	case <-time.After(suite.Limit):
		p.stop()
		return nil, fmt.Errorf("%s does not serve after %v:\n%s", name, suite.Limit, p.log)
	}
}

// stop kills the daemon: nothing that it would do at its end is asked for.
func (p *process) stop() {
	p.cmd.Process.Kill()
	<-p.ended
}
