package session

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/daemon"
	"posthorn/internal/directory"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/starter"
)

// childWord is the first argument by which the program knows that it is one of
// the starter's children.
const childWord = "child"

// Main runs a session program in the role that its arguments name: the daemon
// (daemon.Main), the root starter, or one owner's child. open is the same for
// all; it calls New, which knows the role.
func Main(name string, open func(*daemon.Daemon) (daemon.Service, error)) {
	word := ""
	if len(os.Args) > 1 {
		word = os.Args[1]
	}
	switch word {
	case starter.Word:
		os.Exit(starter.Main())
	case childWord:
		if err := runChild(name, os.Args[2:], open); err != nil {
			evlog.New(os.Stderr).Fatal(fmt.Errorf("%s: %w", name, err))
			os.Exit(daemon.ExitAgain)
		}
	default:
		daemon.Main(name, open)
	}
}

// isChild tells whether d was made by runChild.
func isChild(d *daemon.Daemon) bool { return len(d.Args) > 0 && d.Args[0] == childWord }

// startStarter starts the root process of a daemon with c, whose children are
// this program.
func startStarter(c *conf.Config) (*starter.Starter, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startChildren(c, program)
}

// startChildren starts a starter of program.
func startChildren(c *conf.Config, program string) (*starter.Starter, error) {
	vmail, err := c.Identity("vmail")
	if err != nil {
		return nil, daemon.BadConfig(err)
	}
	return starter.Start(starter.Config{
		Program: program, Args: []string{childWord, "-c", c.File}, MinUID: c.MinUID,
		Vmail: starter.Identity{UID: vmail.UID, GID: vmail.GID}, Homes: c.CreateHomes, IndexDir: c.IndexDir,
	})
}

// forward hands a connection to the child of its mailbox's owner. What the
// ticket grants goes with it: a child asks nobody.
func (s *Server) forward(ctx context.Context, req attr.List, file *os.File) attr.List {
	if file == nil {
		return s.refuse(req, malformed("no descriptor"))
	}
	defer file.Close()
	if got := req.Get("request"); got != "session" {
		return s.refuse(req, malformed(fmt.Sprintf("request %.20q", got)))
	}
	grant, err := s.dir.Redeem(ctx, req.Get("ticket"), s.service)
	if err != nil {
		return s.refuse(req, err)
	}
	id := starter.Identity{UID: grant.Box.UID, GID: grant.Box.GID}
	answer, err := s.starter.Do(ctx, id, s.folders.Of(id.UID, grant.Box.Mail), granted(req, grant), file)
	if err != nil {
		return s.refuse(req, err)
	}
	return answer
}

// granted is req with the grant in place of the ticket.
func granted(req attr.List, g directory.Grant) attr.List {
	l := slices.DeleteFunc(slices.Clone(req), func(a attr.Attr) bool {
		return a.Name == "ticket" || a.Name == "proto" || strings.HasPrefix(a.Name, "grant-")
	})
	l.Add("grant-user", g.User)
	l.Add("grant-client", g.Client.String())
	l.Add("grant-box", g.Box.Name)
	l.Add("grant-uid", strconv.Itoa(g.Box.UID))
	l.Add("grant-gid", strconv.Itoa(g.Box.GID))
	l.Add("grant-home", g.Box.Home)
	l.Add("grant-mail", g.Box.Mail)
	l.Add("grant-quota", g.Box.Quota.String())
	l.Add("grant-imap-off", g.IMAPOff)
	l.Add("grant-pop3", g.POP3)
	return l
}

// grantOf reads what granted wrote.
func grantOf(l attr.List) (g directory.Grant, err error) {
	g.User, g.IMAPOff, g.POP3 = l.Get("grant-user"), l.Get("grant-imap-off"), l.Get("grant-pop3")
	g.Box = directory.Box{Name: l.Get("grant-box"), Home: l.Get("grant-home"), Mail: l.Get("grant-mail")}
	var qerr error
	g.Box.Quota, qerr = g.Box.Quota.With(l.Get("grant-quota"))
	uid, uerr := l.Int("grant-uid")
	gid, gerr := l.Int("grant-gid")
	g.Box.UID, g.Box.GID = int(uid), int(gid)
	client, cerr := netip.ParseAddr(l.Get("grant-client")) // UnmarshalText takes nothing for an address
	g.Client = client
	if !filepath.IsAbs(g.Box.Mail) || !filepath.IsAbs(g.Box.Home) {
		err = errors.New("paths are not absolute")
	}
	return g, errors.Join(err, qerr, uerr, gerr, cerr)
}

// runChild is the life of a child. It serves one owner's sessions and ends when
// it has had none for a while, or when the daemon ends.
func runChild(name string, args []string, open func(*daemon.Daemon) (daemon.Service, error)) error {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	file := flags.String("c", conf.DefaultFile, "configuration `file`")
	var roots []string
	flags.Func("mail-root", "`folder` that holds mailboxes of the owner; repeats", func(path string) error {
		roots = append(roots, path)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	syscall.Umask(0o077)
	c, err := conf.Load(*file)
	if err != nil {
		return err
	}
	d := &daemon.Daemon{Name: name, Conf: c, Log: evlog.New(os.Stderr), Disk: new(durable.Disk), Args: []string{childWord}}
	service, err := open(d)
	if err != nil {
		return err
	}
	s, ok := service.(*Server)
	if !ok {
		return errors.New("this program has no sessions")
	}
	o := &owner{server: s, cage: cage{disk: d.Disk, conf: c, roots: roots}}
	o.child = &starter.Child{Name: name, Log: d.Log, Handle: o.handle}
	s.hold = o.child.Hold
	return o.child.Serve()
}
