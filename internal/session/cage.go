package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/durable"
	"posthorn/internal/maildir"
	"posthorn/internal/priv"
	"posthorn/internal/starter"
	"posthorn/internal/verdict"
)

// owner is a child at work.
type owner struct {
	server *Server
	child  *starter.Child
	cage   cage
}

// handle answers one hand-over that the daemon has forwarded, or what an
// administrator asks.
func (o *owner) handle(ctx context.Context, req attr.List, file *os.File) attr.List {
	if request := req.Get("request"); request == requestWho || request == requestKick {
		if file != nil {
			file.Close()
		}
		return o.server.own(req)
	}
	c, err := o.server.parse(req, file)
	if err != nil {
		return o.server.refuse(req, err)
	}
	err = o.take(ctx, c, req)
	if err == nil {
		return accepted(c.User)
	}
	c.Close()
	var classified *verdict.Error
	switch {
	case errors.Is(err, errOutside):
		return o.child.Again()
	case !errors.As(err, &classified) && !errors.Is(err, ErrInUse):
		// Perhaps the folder was made anew, which the cage shuts out.
		o.child.Retire()
	}
	return o.server.refuse(req, err)
}

// take starts c's session.
func (o *owner) take(ctx context.Context, c *Conn, req attr.List) error {
	grant, err := grantOf(req)
	if err != nil {
		return malformed(err.Error())
	}
	if err := c.bind(grant); err != nil {
		return err
	}
	if err := o.cage.enter(grant.Box); err != nil {
		return err
	}
	return o.server.start(ctx, c, grant)
}

// errOutside means that a mailbox is out of reach for this child.
var errOutside = errors.New("mailbox is outside of what this process may reach")

// cage confines a child to its owner's folders. It is safe for concurrent use.
type cage struct {
	disk  *durable.Disk
	conf  *conf.Config
	roots []string // the owner's folders

	mu      sync.Mutex
	folders []string // those of roots that were there at the first mailbox; nil before
}

// enter confines the process when box is its first, and tells by errOutside that
// box needs another process: one whose folder was missing then got no rule.
func (g *cage) enter(box directory.Box) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.folders != nil {
		return holds(g.folders, box)
	}
	if err := holds(g.roots, box); err != nil {
		return err
	}
	if err := maildir.Make(g.disk, placeOf(box)); err != nil {
		return fmt.Errorf("make mailbox: %w", err)
	}
	var folders []string
	for _, r := range g.roots {
		if _, err := os.Stat(r); err == nil {
			folders = append(folders, r)
		}
	}
	if err := g.confine(folders); err != nil {
		return fmt.Errorf("confine to mailbox: %w", err)
	}
	g.folders = folders
	return nil
}

// holds returns errOutside unless box lies in one of folders.
func holds(folders []string, box directory.Box) error {
	if !slices.ContainsFunc(folders, func(f string) bool { return within(box.Mail, f) }) {
		return errOutside
	}
	return nil
}

// placeOf returns where box is, by the folder from which on folders are made.
func placeOf(box directory.Box) maildir.Place {
	if within(box.Mail, box.Home) {
		return maildir.Place{Root: box.Home, Path: box.Mail}
	}
	return maildir.Place{Path: box.Mail}
}

// within tells whether path is folder or below it.
func within(path, folder string) bool {
	path, folder = filepath.Clean(path), filepath.Clean(folder)
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

// confine gives up everything but folders, the owner's index files and the
// configuration.
func (g *cage) confine(folders []string) error {
	if err := priv.NoNewPrivs(); err != nil {
		return err
	}
	if g.conf.Landlock != "no" {
		if index := g.conf.IndexOf(os.Geteuid()); index != "" {
			folders = append(slices.Clip(folders), index)
		}
		abi, err := priv.Confine(priv.Rules{Read: []string{filepath.Dir(g.conf.File)}, Write: folders})
		if err != nil {
			return err
		}
		if abi == 0 && g.conf.Landlock == "require" {
			return errors.New("the kernel has no Landlock")
		}
	}
	return priv.Hide()
}
