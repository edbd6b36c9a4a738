package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
	"posthorn/internal/sock"
)

// firstInherited is the first descriptor that a parent passes (sd_listen_fds(3)).
const firstInherited = 3

// inheritedSockets takes the sockets that systemd or a parent like it passed,
// by name, and makes sure that no child gets them or their variables.
func inheritedSockets() map[string][]*os.File {
	pid, _ := strconv.Atoi(os.Getenv("LISTEN_PID"))
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for _, v := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(v)
	}
	found := map[string][]*os.File{}
	if pid != os.Getpid() || n <= 0 || n > 1000 {
		return found
	}
	for i := range n {
		fd := firstInherited + i
		unix.CloseOnExec(fd)
		name := ""
		if i < len(names) {
			name = names[i]
		}
		found[name] = append(found[name], os.NewFile(uintptr(fd), name))
	}
	return found
}

// closeInherited closes what nobody asked for, which is then on offer nowhere.
func (d *Daemon) closeInherited() {
	for name, files := range d.inherited {
		for _, f := range files {
			d.Log.InheritedUnused(name)
			f.Close()
		}
	}
	d.inherited = nil
}

// take returns an inherited socket of this name, or nil.
func (d *Daemon) take(name string) *os.File {
	files := d.inherited[name]
	if len(files) == 0 {
		return nil
	}
	d.inherited[name] = files[1:]
	return files[0]
}

// Listeners returns where services are to be offered: as the listen lines have it,
// or without any as the configuration's defaults do. Of these only what the
// parent passed counts, if it passed any: its sockets say as much as lines would.
func (d *Daemon) Listeners(services ...string) []conf.Listen {
	all := d.Conf.Listeners(services...)
	if !slices.ContainsFunc(d.Conf.Listen, func(l conf.Listen) bool { return d.inherited[l.Service] != nil }) {
		return all
	}
	return slices.DeleteFunc(all, func(l conf.Listen) bool {
		missing := l.Default() && len(d.inherited[l.Service]) == 0
		if missing {
			d.Log.NotPassed(l.Service)
		}
		return missing
	})
}

// Listen returns the TCP listener of a service: one that was inherited under
// the service's name, or one bound to addr. The caller closes it.
func (d *Daemon) Listen(service, addr string) (net.Listener, error) {
	l, err := d.listenTCP(service, addr)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", service, err)
	}
	d.Log.Listening(service, l.Addr().String())
	return l, nil
}

func (d *Daemon) listenTCP(service, addr string) (net.Listener, error) {
	if f := d.take(service); f != nil {
		defer f.Close()
		return net.FileListener(f)
	}
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EAFNOSUPPORT) {
		// What may not bind will not be allowed to later.
		err = BadConfig(fmt.Errorf("%w (and no socket named %s was inherited)", err, service))
	}
	return l, err
}

// ListenUnix returns the listener of one of our sockets (conf.Socket): one that
// was inherited under the name, or one made for the identity in Rights and the
// group of those who may reach the sockets. The caller closes it.
func (d *Daemon) ListenUnix(name string) (*net.UnixListener, error) {
	return d.listenUnix(name, 0o660)
}

// ListenPublic is ListenUnix for a socket that every user of the system may
// reach: whoever serves it decides by the peer's uid.
func (d *Daemon) ListenPublic(name string) (*net.UnixListener, error) {
	l, err := d.listenUnix(name, 0o666)
	if err == nil {
		d.Log.Listening(name, d.Conf.Socket(name))
	}
	return l, err
}

func (d *Daemon) listenUnix(name string, mode os.FileMode) (*net.UnixListener, error) {
	if f := d.take(name); f != nil {
		defer f.Close()
		l, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("listen %s: %w", name, err)
		}
		u, ok := l.(*net.UnixListener)
		if !ok {
			l.Close()
			return nil, fmt.Errorf("listen %s: the inherited socket is no Unix socket", name)
		}
		u.SetUnlinkOnClose(false)
		return u, nil
	}
	gid, err := d.Conf.Group("sockets")
	if err != nil {
		return nil, BadConfig(err)
	}
	return d.makeSocket(d.Conf.Socket(name), mode, gid)
}

// ListenLine returns the listener of a line of the configuration, which may name
// a Unix socket. The caller closes it.
func (d *Daemon) ListenLine(line conf.Listen) (net.Listener, error) {
	if !line.Path() || len(d.inherited[line.Service]) > 0 {
		return d.Listen(line.Service, line.Addr)
	}
	gid, err := d.Conf.SocketGroup(line)
	if err != nil {
		return nil, BadConfig(err)
	}
	if err := d.makeRunDir(); err != nil {
		return nil, err
	}
	l, err := d.bindSocket(line.Addr, line.Mode, gid)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", line.Service, err)
	}
	d.Log.Listening(line.Service, line.Addr)
	return l, nil
}

// makeSocket makes one of our sockets.
func (d *Daemon) makeSocket(path string, mode os.FileMode, gid int) (*net.UnixListener, error) {
	if err := d.makeRunDir(); err != nil {
		return nil, err
	}
	if d.Conf.Private() {
		gid = -1
	}
	return d.bindSocket(path, mode, gid)
}

// bindSocket makes a socket that belongs to the daemon's identity.
func (d *Daemon) bindSocket(path string, mode os.FileMode, gid int) (*net.UnixListener, error) {
	o := sock.Options{Mode: mode, UID: -1, GID: gid}
	if d.Root {
		o.UID = 0
		if d.Rights.Identity != "" {
			id, err := d.Conf.Identity(d.Rights.Identity)
			if err != nil {
				return nil, BadConfig(err)
			}
			o.UID = id.UID
		}
	}
	return sock.Listen(path, o)
}

// Modes of the folders of sockets. They are root's and of the group sockets:
// each daemon may make its sockets there, also where none starts as root, and
// none may replace another's.
const (
	RunDirMode  = 0o775 | os.ModeSticky // others pass through to the sockets that are for them
	ControlMode = 0o770 | os.ModeSticky
)

// makeRunDir makes the folders of the sockets, which are gone after a reboot.
func (d *Daemon) makeRunDir() error {
	if err := makeParents(d.Conf.RunDir); err != nil {
		return err
	}
	if err := d.makeFolder(d.Conf.RunDir, RunDirMode); err != nil {
		return err
	}
	return d.makeFolder(filepath.Dir(d.Conf.ControlSocket(d.Name)), ControlMode)
}

func makeParents(path string) error {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	return os.MkdirAll(filepath.Dir(path), 0o755)
}

// makeFolder makes one of them; one that is there stays as its administrator
// wants it.
func (d *Daemon) makeFolder(path string, mode os.FileMode) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: expected a folder of root's, mode %v, for the group of the sockets", err, mode)
	}
	if d.Root {
		gid, err := d.Conf.Group("sockets")
		if err != nil {
			return BadConfig(err)
		}
		if err := os.Chown(path, 0, gid); err != nil {
			return err
		}
	}
	return os.Chmod(path, mode)
}

// configuration returns the paths that a reload reads.
func (d *Daemon) configuration() []string {
	return append([]string{d.Conf.File}, d.Conf.Folders...)
}
