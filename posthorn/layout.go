package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/durable"
)

// folder is one folder that the daemons find and do not make: who owns it and
// who else may enter.
type folder struct {
	path  string
	owner string // process; "root"
	group string // process-group; "" is the owner's
	mode  os.FileMode
}

// layout is the table of all folders, parents first.
func layout(c *conf.Config) []folder {
	all := []folder{
		{c.RunDir, "root", "sockets", daemon.RunDirMode},
		{filepath.Join(c.RunDir, "control"), "root", "sockets", daemon.ControlMode},
		{c.Spool, "queued", "incoming", 0o750},
		// smtpd opens the folder to make unnamed files in it, queued lists it;
		// new files get its group.
		{filepath.Join(c.Spool, "incoming"), "queued", "incoming", 0o770 | os.ModeSetgid | os.ModeSticky},
		{filepath.Join(c.Spool, "queue"), "queued", "", 0o700},
		{filepath.Join(c.Spool, "odd"), "queued", "", 0o700},
		{c.MailRoot, "vmail", "", 0o700},
	}
	switch {
	case c.IndexDir != "" && c.SystemUsers: // a starter makes a folder in it for each owner
		all = append(all, folder{c.IndexDir, "root", "", 0o711})
	case c.IndexDir != "":
		all = append(all, folder{c.IndexDir, "vmail", "", 0o700})
	}
	return all
}

// ids returns the uid and gid of a folder.
func (f folder) ids(c *conf.Config) (uid, gid int, err error) {
	id := conf.Identity{} // root's
	if f.owner != "root" || c.Private() {
		owner := f.owner
		if owner == "root" {
			owner = "smtpd" // of an ordinary user's instance: all are the same
		}
		if id, err = c.Identity(owner); err != nil {
			return 0, 0, err
		}
	}
	if f.group == "" {
		return id.UID, id.GID, nil
	}
	gid, err = c.Group(f.group)
	return id.UID, gid, err
}

// makeFolders makes what is missing of the layout. What exists stays as it is:
// check says where that is wrong.
func makeFolders(c *conf.Config) error {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	disk := new(durable.Disk)
	for _, f := range layout(c) {
		if _, err := os.Lstat(f.path); err == nil {
			continue
		}
		if err := f.make(c, disk); err != nil {
			return fmt.Errorf("make folders: %w", err)
		}
	}
	return nil
}

func (f folder) make(c *conf.Config, disk *durable.Disk) error {
	uid, gid, err := f.ids(c)
	if err != nil {
		return err
	}
	if err := disk.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return err
	}
	if err := disk.Mkdir(f.path, 0o700); err != nil {
		return err
	}
	if err := os.Lchown(f.path, uid, gid); err != nil {
		return err
	}
	if err := os.Chmod(f.path, f.mode); err != nil { // after chown, which clears the setgid bit
		return err
	}
	return disk.SyncDir(filepath.Dir(f.path)) // what is in it must not go with its name
}

// check returns what is wrong with a folder, or nil.
func (f folder) check(c *conf.Config) error {
	fi, err := os.Lstat(f.path)
	if err != nil {
		return err
	}
	uid, gid, err := f.ids(c)
	if err != nil {
		return err
	}
	const bits = os.ModePerm | os.ModeSetgid | os.ModeSticky
	st, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.IsDir():
		return fmt.Errorf("%s: found %v, expected a folder", f.path, fi.Mode())
	case ok && (int(st.Uid) != uid || int(st.Gid) != gid):
		return fmt.Errorf("%s: found owner %d:%d, expected %d:%d", f.path, st.Uid, st.Gid, uid, gid)
	case fi.Mode()&bits != f.mode:
		return fmt.Errorf("%s: found mode %v, expected %v", f.path, fi.Mode()&bits, f.mode)
	}
	return nil
}
