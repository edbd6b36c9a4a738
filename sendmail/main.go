// Sendmail is the system's mailer: programs such as cron(8) and php(1) send mail
// by it, as by Sendmail's and Postfix's command of this name. Called as mailq it
// shows the queue, as newaliases it checks the aliases.
//
// It has no rights of its own, for nothing is setuid or setgid: it is a client of
// smtpd over submit.sock, which knows the caller's uid from the kernel. The message
// is read to its end first, into memory and beyond a megabyte into a file without
// a name, so that a slow program holds no connection open, and a server that
// restarts meanwhile is asked again. Only smtpd's 250 is success: the message is
// durable then. Exit codes are those of sysexits.h.
//
// Parts: options (options.go), the message as it comes (message.go, store.go),
// its header (header.go, address.go), submission (submit.go), and a file for each
// other mode.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/screen"
)

// Exit codes of sysexits.h.
const (
	exUsage       = 64
	exDataErr     = 65
	exNoUser      = 67
	exUnavailable = 69
	exOSErr       = 71
	exTempFail    = 75
	exNoPerm      = 77
	exConfig      = 78
)

// failure is an error with its exit code.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

// exitCode returns what the process ends with. What nobody classified is
// temporary.
func exitCode(err error) int {
	var f *failure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return f.code
	}
	return exTempFail
}

// program is one call of the command.
type program struct {
	options
	name           string // as it was called
	conf           *conf.Config
	user           user
	in             io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	wait           func(time.Duration)
}

func main() {
	// What the caller left open is not for programs that we start.
	unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC)
	signal.Ignore(syscall.SIGPIPE)
	p := &program{name: filepath.Base(os.Args[0]), in: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now, wait: time.Sleep}
	os.Exit(p.main(os.Args[1:]))
}

// main returns the exit code, and says on stderr what went wrong.
func (p *program) main(args []string) int {
	err := p.run(args)
	if err != nil {
		fmt.Fprintf(p.stderr, "%s: %s\n", p.name, screen.Lines(err.Error()))
	}
	return exitCode(err)
}

func (p *program) run(args []string) (err error) {
	if p.options, err = parseOptions(p.name, args); err != nil {
		return err
	}
	if p.version {
		fmt.Fprintln(p.stdout, "sendmail (Posthorn)", daemon.Version)
		return nil
	}
	if p.conf, err = load(p.options.conf); err != nil {
		return err
	}
	if p.mode == modeSend {
		p.user = currentUser(os.Getuid())
	}
	return p.act()
}

// act does what the mode says.
func (p *program) act() error {
	switch p.mode {
	case modeServe:
		return p.serve()
	case modeQueue:
		return p.printQueue()
	case modeFlush:
		return p.flush()
	case modeAliases:
		return p.checkAliases()
	case modeVerify:
		return p.verify()
	}
	return p.send()
}

// load reads the configuration that -C names, or else the usual one as far as
// this user can: mail goes out without it too.
func load(file string) (*conf.Config, error) {
	if file != "" {
		c, err := conf.Load(file)
		if err != nil {
			return nil, &failure{exConfig, err}
		}
		return c, nil
	}
	if c, err := conf.Load(conf.DefaultFile); err == nil {
		return c, nil
	}
	c, err := conf.Defaults()
	if err != nil {
		return nil, &failure{exConfig, err}
	}
	return c, nil
}
