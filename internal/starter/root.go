package starter

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/priv"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// maxChildren bounds what a daemon gone wild can start.
const maxChildren = 2000

// encode returns c as the first request to the root process.
func (c Config) encode() attr.List {
	l := attr.List{{Name: "request", Value: "configure"}, {Name: "program", Value: c.Program}}
	for _, a := range c.Args {
		l.Add("arg", a)
	}
	l.AddInt("min-uid", int64(c.MinUID))
	l.AddInt("vmail-uid", int64(c.Vmail.UID))
	l.AddInt("vmail-gid", int64(c.Vmail.GID))
	l.Add("homes", strconv.FormatBool(c.Homes))
	l.Add("index-dir", c.IndexDir)
	l.Add("getent", c.Getent)
	return l
}

func decode(l attr.List) (c Config, err error) {
	if l.Get("request") != "configure" {
		return c, fmt.Errorf("found request %.40q, expected configure", l.Get("request"))
	}
	c = Config{Program: l.Get("program"), Args: l.All("arg"), Homes: l.Get("homes") == "true", IndexDir: l.Get("index-dir"), Getent: l.Get("getent")}
	if c.Getent == "" {
		c.Getent = "/usr/bin/getent"
	}
	for name, to := range map[string]*int{"min-uid": &c.MinUID, "vmail-uid": &c.Vmail.UID, "vmail-gid": &c.Vmail.GID} {
		n, nerr := l.Int(name)
		err = errors.Join(err, nerr)
		*to = int(n)
	}
	if !filepath.IsAbs(c.Program) {
		err = errors.Join(err, fmt.Errorf("found program %q, expected an absolute path", c.Program))
	}
	return c, err
}

// root is the process that changes uids.
type root struct {
	Config
	disk     *durable.Disk
	log      *evlog.Log
	children atomic.Int32
}

// Main is the life of the root process: it gives up all rights but those it
// needs, and starts children until the daemon closes its socket. It returns the
// exit code.
func Main() int {
	log := evlog.New(os.Stderr)
	if err := run(log); err != nil {
		log.Fatal(fmt.Errorf("starter: %w", err))
		return 111
	}
	return 0
}

func run(log *evlog.Log) error {
	// They are meant for the daemon, which closes the socket when it ends.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	unix.CloseOnExec(childFD)
	unix.Umask(0o077)
	conn, err := connOf(os.NewFile(childFD, "daemon's socket"))
	if err != nil {
		return fmt.Errorf("is started by its daemon: %w", err)
	}
	defer conn.Close()
	first, f, err := conn.Read()
	if err != nil {
		return err
	}
	if f != nil {
		f.Close()
	}
	r := &root{disk: new(durable.Disk), log: log}
	if r.Config, err = decode(first); err != nil {
		return err
	}
	if err := r.confine(); err != nil {
		return err
	}
	if err := conn.Write(sock.Reply(verdict.Of(nil)), nil); err != nil {
		return err
	}
	for r.request(conn) {
	}
	return nil
}

// confine gives up what a starter does not need.
func (r *root) confine() error {
	if !priv.Root() {
		return errors.New("found an ordinary user, expected root")
	}
	if err := priv.KeepOnly(priv.StarterCapabilities(r.Homes, r.IndexDir != "")...); err != nil {
		return err
	}
	if err := priv.NoNewPrivs(); err != nil {
		return err
	}
	return priv.Hide()
}

// request answers one request; false means that the daemon has gone.
func (r *root) request(conn *attr.Conn) bool {
	req, f, err := conn.Read()
	if f != nil {
		f.Close()
	}
	if err != nil {
		return false
	}
	end, err := r.start(req)
	if end != nil {
		defer end.Close()
	}
	if err != nil {
		r.log.StartRefused(req.Get("uid"), req.Get("gid"), err)
	}
	return conn.Write(sock.Reply(verdict.Of(err)), end) == nil
}

// start starts the child that req names and returns the daemon's end of its
// socket.
func (r *root) start(req attr.List) (*os.File, error) {
	if req.Get("request") != "start" {
		return nil, fmt.Errorf("found request %.40q, expected start", req.Get("request"))
	}
	uid, err := req.Int("uid")
	if err != nil {
		return nil, err
	}
	gid, err := req.Int("gid")
	if err != nil {
		return nil, err
	}
	id := Identity{int(uid), int(gid)}
	account, err := r.check(id)
	if err != nil {
		return nil, err
	}
	if r.Homes && account.home != "" {
		if err := r.makeHome(account.home, id); err != nil {
			return nil, err
		}
	}
	r.makeIndex(id)
	args := slices.Clone(r.Args)
	for _, folder := range req.All("folder") {
		if !filepath.IsAbs(folder) {
			return nil, fmt.Errorf("found folder %.200q, expected an absolute path", folder)
		}
		args = append(args, "-mail-root", folder)
	}
	return r.launch(id, account.home, args)
}

// launch runs the program with the rights of id and no others.
func (r *root) launch(id Identity, home string, args []string) (*os.File, error) {
	if r.children.Load() >= maxChildren {
		return nil, fmt.Errorf("%d children run", maxChildren)
	}
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command(r.Program, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + home}
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{
		Uid: uint32(id.UID), Gid: uint32(id.GID), Groups: []uint32{uint32(id.GID)},
	}}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, err
	}
	r.children.Add(1)
	go func() {
		defer r.children.Add(-1)
		if err := cmd.Wait(); err != nil {
			r.log.ChildFailed(id.UID, err)
		}
	}()
	return ours, nil
}
