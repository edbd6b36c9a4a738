package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/evlog"
)

// daemons returns the programs that a configuration needs, those first that
// others ask. Programs of the host submit to smtpd wherever it listens.
func daemons(c *conf.Config) []string {
	names := []string{"authd", "deliver", "queue-remote", "queued", "smtpd"}
	if len(c.Listeners("pop3", "pop3s")) > 0 {
		names = append(names, "pop3-session", "pop3d")
	}
	if len(c.Listeners("imap", "imaps")) > 0 {
		names = append(names, "imap-session", "imapd")
	}
	return names
}

// Waits between the starts of a daemon that dies, and how long a daemon has to
// stop.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = 10 * time.Second
	goodLife  = time.Second // one that served so long did not die of its start
	stopTime  = 30 * time.Second
)

// runDaemons runs all daemons until a signal ends them. A daemon that dies is
// started again, unless it says that its configuration is wrong.
func runDaemons(e *env, args []string) error {
	if len(args) > 0 {
		return usage("run takes no words")
	}
	if err := makeFolders(e.conf); err != nil {
		return err
	}
	alone, err := occupy(e.conf.RunDir)
	if err != nil {
		return err
	}
	defer alone.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	s := newSupervisor(e)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	go func() {
		for range hangup {
			s.signal(syscall.SIGHUP)
		}
	}()
	return s.run(ctx, daemons(e.conf))
}

// errTaken marks that another server has what this one needs.
var errTaken = errors.New("another posthorn run serves here")

// occupy takes a run-dir for as long as the file it returns is open. Without it
// the daemons of two servers would take turns in the places of those that die.
func occupy(runDir string) (*os.File, error) {
	f, err := os.Open(runDir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("run-dir %s: %w", runDir, errTaken)
	}
	return f, nil
}

// supervisor keeps one process for each daemon.
type supervisor struct {
	file, libexec string
	log           *evlog.Log // its own lines
	forks         chan fork

	mu      sync.Mutex
	out     io.Writer
	running map[string]*os.Process
}

// fork asks the thread that all daemons are children of to start one: they are
// told when that thread ends (PR_SET_PDEATHSIG; those that change their uid ask for
// that anew).
type fork struct {
	cmd  *exec.Cmd
	done chan error
}

func newSupervisor(e *env) *supervisor {
	s := &supervisor{file: e.conf.File, libexec: e.conf.Libexec, out: e.stderr,
		running: map[string]*os.Process{}, forks: make(chan fork)}
	s.log = evlog.New(lines{s, "posthorn"})
	return s
}

// run returns after ctx is done and all daemons ended, or with the error of
// the first that cannot be started again.
func (s *supervisor) run(ctx context.Context, names []string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	defer close(ended)
	go s.forker(ended)
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			if err := s.keep(ctx, name); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); errors.Is(err, errConfig) {
		return err
	}
	return nil
}

// forker starts processes on one thread, which lives as long as they do.
func (s *supervisor) forker(ended chan struct{}) {
	runtime.LockOSThread()
	for {
		select {
		case f := <-s.forks:
			f.done <- f.cmd.Start()
		case <-ended:
			return
		}
	}
}

// keep runs one daemon again and again.
func (s *supervisor) keep(ctx context.Context, name string) error {
	wait := firstWait
	served := false
	for {
		began := time.Now()
		err := s.once(ctx, name)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > goodLife {
			served, wait = true, firstWait
		}
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == daemon.ExitConfig {
			if !served {
				return fmt.Errorf("%w: %s does not start: its last log line says why", errConfig, name)
			}
			wait = lastWait // the others serve; the configuration is mended meanwhile
		}
		if err == nil {
			err = errors.New("exit status 0")
		}
		s.log.Died(name, err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
		wait = min(2*wait, lastWait)
	}
}

// once runs a daemon to its end; when ctx is done it is asked to stop.
func (s *supervisor) once(ctx context.Context, name string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.libexec, name), "-c", s.file)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	// A group of its own: Ctrl-C is for the supervisor, who passes it on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Env = append(os.Environ(), daemon.ParentVariable+"="+strconv.Itoa(os.Getpid()))
	if out, ok := s.out.(*os.File); ok {
		cmd.ExtraFiles = []*os.File{out}
		cmd.Env = append(cmd.Env, daemon.LogVariable+"=3") // the first of ExtraFiles
	}
	rest, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	f := fork{cmd, make(chan error)}
	s.forks <- f
	if err := <-f.done; err != nil {
		return err
	}
	s.log.Start(name, cmd.Process.Pid)
	s.set(name, cmd.Process)
	defer s.set(name, nil)
	s.copy(name, rest)
	return cmd.Wait()
}

func (s *supervisor) set(name string, p *os.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, name)
	if p != nil {
		s.running[name] = p
	}
}

// signal sends sig to every daemon.
func (s *supervisor) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.running {
		p.Signal(sig)
	}
}

// copy writes what a daemon and its children say on standard error with its name in
// front, until all have ended. Its log it writes itself.
func (s *supervisor) copy(name string, r io.Reader) {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := in.ReadSlice('\n') // a longer line is cut into several
		if len(line) > 0 {
			if line[len(line)-1] == '\n' {
				line = line[:len(line)-1]
			}
			s.say(name, string(line))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

func (s *supervisor) say(name, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, "%s: %s\n", name, line)
}

// lines is the log of name, each line of which is one Write.
type lines struct {
	s    *supervisor
	name string
}

func (l lines) Write(p []byte) (int, error) {
	l.s.say(l.name, strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}
