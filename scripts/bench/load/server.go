package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Longest time for a server to begin and to end.
const (
	startTime = 60 * time.Second
	stopTime  = 30 * time.Second
)

// process is a server that runs.
type process struct {
	b     *bench
	cmd   *exec.Cmd
	ended chan struct{}
}

// environment is what the programs beside scripts/bench/peers are told.
func (b *bench) environment() []string {
	_, relayPort, _ := net.SplitHostPort(sinkAddr)
	_, port, _ := net.SplitHostPort(smtpAddr)
	uid := strconv.Itoa(mailUID)
	return append(os.Environ(),
		"MTA_HOST="+host, "MTA_PORT="+port, "MTA_DOMAIN="+domain, "MTA_USERS="+strconv.Itoa(users),
		"MTA_MAILDIRS="+b.boxes().root, "MTA_UID="+uid, "MTA_STATE="+b.state(), "MTA_TLS="+b.certificate(),
		"MTA_RELAY_HOST="+host, "MTA_RELAY_PORT="+relayPort,
		"OURS_IMAP="+imapAddr, "OURS_IMAPS="+imapsTLS, "OURS_TLS="+b.certificate(),
		"OURS_MAILDIR="+b.boxes().root+"/%u", "MB_UID="+uid, "MB_ROOT="+b.dir, "MB_WORK="+b.state())
}

// command returns the server's program with args, in the control group, its
// output behind that of others before it.
func (b *bench) command(args ...string) (*exec.Cmd, error) {
	log, err := os.OpenFile(b.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", `echo 0 >"$0/cgroup.procs"; exec "$@"`, b.meter.dir, b.server}, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = b.environment(), log, log
	return cmd, cmd.Start()
}

func (b *bench) logFile() string { return filepath.Join(b.dir, "log") }

// start returns when the server accepts connections at addr.
func (b *bench) start(addr string) (*process, error) {
	cmd, err := b.command()
	if err != nil {
		return nil, err
	}
	p := &process{b, cmd, make(chan struct{})}
	go func() {
		cmd.Wait() // it is ended by a signal
		close(p.ended)
	}()
	for end := time.Now().Add(startTime); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return p, c.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) || time.Now().After(end) {
			return nil, errors.Join(fmt.Errorf("the server does not listen: %w", err), p.stop())
		}
	}
}

// stop ends the server and all that it began.
func (p *process) stop() error {
	for _, pid := range p.b.meter.pids() { // Postfix's first process does not pass a signal on
		if n, err := strconv.Atoi(pid); err == nil && n > 0 {
			syscall.Kill(n, syscall.SIGTERM)
		}
	}
	err := p.b.meter.empty(stopTime)
	p.cmd.Process.Kill()
	<-p.ended
	return err
}

// tell runs the server's program with a word, such as flush.
func (b *bench) tell(word string) error {
	cmd, err := b.command(word)
	if err != nil {
		return err
	}
	return cmd.Wait()
}

// drainSyslog takes what processes write to the system's log into file; the
// function that it returns ends that.
func drainSyslog(socket, file string) (func(), error) {
	os.Remove(socket)
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	go func() {
		defer f.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			f.Write(append(buf[:n:n], '\n'))
		}
	}()
	return func() { c.Close() }, os.Chmod(socket, 0o666)
}
