// Package daemon is what every daemon's main does, in the same order: flags,
// configuration, signals, open what needs rights, give the rights away, serve,
// reload, stop.
package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"posthorn/internal/conf"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/priv"
)

// Version is stamped by the build.
var Version = "devel"

// Exit codes: a supervisor must not restart after ExitConfig.
const (
	ExitConfig = 100
	ExitAgain  = 111
)

// Service is what a daemon does once it has given its rights away.
type Service interface {
	// Serve works until ctx is done, finishes what runs, and returns nil; an
	// error ends the daemon.
	Serve(ctx context.Context) error
	// Reload puts a checked configuration in force or refuses it as a whole.
	Reload(c *conf.Config) error
}

// Rights are what the daemon keeps. Open fills them in.
type Rights struct {
	Identity string   // process whose uid and groups it takes (conf); "" keeps the own
	Read     []string // Landlock: files and folders; the configuration's folder always is
	Write    []string // Landlock: folders
	Execute  []string // Landlock: programs
	Connect  []uint16 // Landlock: TCP ports
	AnyTCP   bool     // Landlock: connect to any port
}

// Daemon is what the open function of a program gets, and keeps. Conf and
// Rights are the program's to read and set before it serves.
type Daemon struct {
	Name   string
	Conf   *conf.Config
	Log    *evlog.Log
	Disk   *durable.Disk
	Root   bool // started as root
	Rights Rights
	Args   []string // what stood behind the flags

	mu        sync.Mutex
	inherited map[string][]*os.File
	control   *net.UnixListener
	requests  map[string]ControlFunc
	hangup    chan os.Signal
	manager   *manager
	parent    int // that it ends with; 0: none
}

// errConfig marks what a restart does not cure.
type errConfig struct{ error }

func (e errConfig) Unwrap() error { return e.error }

// BadConfig marks err as one that a restart does not cure: the daemon ends
// with ExitConfig.
func BadConfig(err error) error { return errConfig{err} }

// Main runs a daemon and ends the process. open makes the service with the
// rights the process was started with: it binds, reads keys, and sets Rights.
func Main(name string, open func(*Daemon) (Service, error)) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := Run(ctx, name, os.Args[1:], os.Stderr, open)
	stop()
	if err == nil {
		return
	}
	var bad errConfig
	if errors.As(err, &bad) {
		os.Exit(ExitConfig)
	}
	os.Exit(ExitAgain)
}

// Run is Main without the end of the process: it returns the error that ended
// the daemon, already logged, or nil after ctx is done.
func Run(ctx context.Context, name string, args []string, stderr io.Writer, open func(*Daemon) (Service, error)) error {
	d := &Daemon{Name: name, Log: openLog(name, stderr), Disk: new(durable.Disk), Root: priv.Root(), parent: takeParent()}
	err := d.run(ctx, args, stderr, open)
	if err != nil {
		d.Log.Fatal(err)
	}
	return err
}

func (d *Daemon) run(ctx context.Context, args []string, stderr io.Writer, open func(*Daemon) (Service, error)) error {
	done, err := d.setUp(args, stderr)
	if err != nil || done {
		return err
	}
	service, err := open(d)
	if err != nil {
		return err
	}
	if err := d.openControl(); err != nil {
		return err
	}
	abi, err := d.drop()
	if err != nil {
		return err
	}
	d.closeInherited()
	d.Log.Started(Version, os.Geteuid(), abi)
	d.manager.tell("READY=1", "STATUS=serving")
	return d.serve(ctx, service)
}

// setUp reads flags and configuration. done means that there is no more to do.
func (d *Daemon) setUp(args []string, stderr io.Writer) (done bool, err error) {
	// A log pipe that died must not kill the daemon.
	signal.Ignore(syscall.SIGPIPE)
	// One that comes early must wait for the service, not end the process.
	d.hangup = make(chan os.Signal, 1)
	signal.Notify(d.hangup, syscall.SIGHUP)
	syscall.Umask(0o007)
	tuneRuntime()
	flags := flag.NewFlagSet(d.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("c", conf.DefaultFile, "configuration `file`")
	check := flags.Bool("n", false, "check the configuration and exit")
	version := flags.Bool("V", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return true, nil
		}
		return false, BadConfig(err)
	}
	d.Args = flags.Args()
	if *version {
		fmt.Fprintln(os.Stdout, d.Name, Version)
		return true, nil
	}
	if d.Conf, err = conf.Load(*file); err != nil {
		return false, BadConfig(err)
	}
	d.inherited = inheritedSockets()
	d.manager, err = openManager()
	return *check, err
}

// drop gives the rights away: groups, gid, uid, no_new_privs, Landlock, not
// dumpable. It returns the ABI of Landlock in force.
func (d *Daemon) drop() (abi int, err error) {
	if err := d.takeIdentity(); err != nil {
		return 0, err
	}
	if err := d.followParent(); err != nil {
		return 0, err
	}
	if err := priv.NoNewPrivs(); err != nil {
		return 0, err
	}
	if abi, err = d.confine(); err != nil {
		return 0, err
	}
	return abi, priv.Hide()
}

// takeIdentity gives up groups, gid and uid. A supervisor may have done that
// before; then only the identity's own uid is right.
func (d *Daemon) takeIdentity() error {
	if !d.Root && (d.Conf.Private() || d.Rights.Identity == "") {
		return nil
	}
	if d.Rights.Identity == "" {
		return fmt.Errorf("%s: no identity to take, refusing to serve as root", d.Name)
	}
	id, err := d.Conf.Identity(d.Rights.Identity)
	if err != nil {
		return BadConfig(err)
	}
	if d.Root {
		return priv.Drop(id.UID, id.GID, id.Groups)
	}
	if got := os.Geteuid(); got != id.UID {
		return BadConfig(fmt.Errorf("%s: found uid %d, which is another process's, expected %d or root", d.Name, got, id.UID))
	}
	return nil
}

// landlockTCP is the first ABI with rules for TCP.
const landlockTCP = 4

func (d *Daemon) confine() (abi int, err error) {
	if d.Conf.Landlock == "no" {
		return 0, nil
	}
	abi, err = priv.Confine(d.rules())
	if err == nil && abi < landlockTCP {
		err = fmt.Errorf("landlock: the kernel has ABI %d, %d has all of it", abi, landlockTCP)
		if d.Conf.Landlock == "try" {
			d.Log.Unconfined("landlock", err)
			err = nil
		}
	}
	return abi, err
}

// rules are what the daemon may still reach by name.
func (d *Daemon) rules() priv.Rules {
	return priv.Rules{
		Read:    append(slices.Clone(d.Rights.Read), d.configuration()...),
		Write:   d.Rights.Write,
		Execute: d.Rights.Execute,
		Connect: d.Rights.Connect,
		AnyTCP:  d.Rights.AnyTCP,
	}
}

// serve runs the service, the control socket and the reloads.
func (d *Daemon) serve(ctx context.Context, service Service) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	reload := d.reloader(service)
	defer signal.Stop(d.hangup)
	wg.Go(func() { d.serveControl(ctx, reload) })
	wg.Go(func() {
		for {
			select {
			case <-d.hangup:
				reload()
			case <-ctx.Done():
				return
			}
		}
	})
	stopping := sync.OnceFunc(func() {
		d.manager.tell("STOPPING=1", "STATUS=stopping")
		d.Log.Stopping()
	})
	early := context.AfterFunc(ctx, stopping)
	err := service.Serve(ctx)
	if !early() { // it has begun, and may not have ended
		stopping()
	}
	return err
}

// reloader returns the function that reads the configuration again and hands
// it to the service; it logs the outcome and returns the refusal.
func (d *Daemon) reloader(service Service) func() error {
	var mu sync.Mutex
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		d.manager.reloading()
		fresh, err := d.Conf.Reload()
		if err == nil {
			err = service.Reload(fresh)
		}
		if err != nil {
			d.manager.tell("READY=1", "STATUS=reload refused: "+err.Error())
			d.Log.ReloadRefused(d.Conf.File, err)
			return err
		}
		d.manager.tell("READY=1", "STATUS=serving")
		d.Log.Reloaded(fresh.File, strings.Join(d.Conf.NeedsRestart(fresh), " "))
		return nil
	}
}
