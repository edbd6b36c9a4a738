package conf

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// Identity is what a process runs as.
type Identity struct {
	UID, GID int
	Groups   []int // supplementary, and no others
}

// processes are the words of process-user with the default user of each and
// the groups of design that it needs.
var processes = []struct{ name, user, groups string }{
	{"smtpd", "posthorn-smtpd", "sockets incoming tls"},
	{"queued", "posthorn-queue", "sockets incoming"},
	{"queue-remote", "posthorn-remote", "sockets"},
	{"deliver", "posthorn-deliver", "sockets"},
	{"imapd", "posthorn-imap", "sockets tls"},
	{"pop3d", "posthorn-pop3", "sockets tls"},
	{"authd", "posthorn-auth", "sockets"},
	{"vmail", "vmail", "sockets"},
}

// groupNames are the words of process-group with their defaults.
var groupNames = []struct{ name, group string }{
	{"sockets", "posthorn"},     // may reach the sockets between the daemons
	{"incoming", "posthorn-in"}, // smtpd and queued: new mail
	{"tls", "posthorn-tls"},     // who serves TLS: the keys
}

// Process is whom a process runs as unless the configuration says otherwise: the
// user, and the names of its groups besides its own.
type Process struct {
	Name, User string
	Groups     []string
}

// Processes returns the defaults of all processes: what a package creates.
func Processes() []Process {
	var all []Process
	for _, p := range processes {
		process := Process{Name: p.name, User: p.user}
		for _, g := range groupNames {
			if slices.Contains(strings.Fields(p.groups), g.name) {
				process.Groups = append(process.Groups, g.group)
			}
		}
		all = append(all, process)
	}
	return all
}

// identities are the uids and gids of all processes, as they were at start.
type identities struct {
	own     bool // an ordinary user's instance: everything has this process's ids
	users   map[string]Identity
	groups  map[string]int
	mailq   []int
	missing map[string]error
}

// lookUpIdentities returns what the processes run as where this one has uid. It
// is an ordinary user's instance unless uid is root's or one of several that the
// processes have: a process supervisor has changed to it then.
func lookUpIdentities(c *Config, uid int) *identities {
	ids := &identities{users: map[string]Identity{}, groups: map[string]int{}, missing: map[string]error{}}
	for _, g := range groupNames {
		gid, err := lookUpGroup(or(c.groups[g.name], g.group))
		if err != nil {
			ids.missing[g.name] = err
		}
		ids.groups[g.name] = gid
	}
	for _, p := range processes {
		id, err := lookUpUser(or(c.users[p.name], p.user))
		if err != nil {
			ids.missing[p.name] = err
			continue
		}
		for name := range strings.FieldsSeq(p.groups) {
			id.Groups = append(id.Groups, ids.groups[name])
		}
		ids.users[p.name] = id
	}
	for _, name := range c.mailq {
		if name == anyone {
			continue
		}
		id, err := lookUpUser(name)
		if err != nil {
			ids.missing["mailq-users"] = err
		}
		ids.mailq = append(ids.mailq, id.UID)
	}
	ids.own = uid != 0 && !ids.oneOfSeveral(uid)
	return ids
}

// anyone is everybody, in mailq-users.
const anyone = "*"

// oneOfSeveral tells whether uid is that of a process while another process has
// another uid. Where users are missing nothing is installed.
func (ids *identities) oneOfSeveral(uid int) bool {
	found, others := false, false
	for _, p := range processes {
		id, ok := ids.users[p.name]
		if !ok {
			return false
		}
		found = found || id.UID == uid
		others = others || id.UID != uid
	}
	return found && others
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// lookUpUser reads a name, a uid, or uid:gid.
func lookUpUser(s string) (Identity, error) {
	u, g, both := strings.Cut(s, ":")
	if uid, err := strconv.Atoi(u); err == nil {
		gid := uid
		if both {
			if gid, err = strconv.Atoi(g); err != nil {
				return Identity{}, fmt.Errorf("found %q, expected uid:gid", s)
			}
		}
		return Identity{UID: uid, GID: gid}, nil
	}
	found, err := user.Lookup(s)
	if err != nil {
		return Identity{}, fmt.Errorf("user %s: %w", s, err)
	}
	uid, uerr := strconv.Atoi(found.Uid)
	gid, gerr := strconv.Atoi(found.Gid)
	if uerr != nil || gerr != nil {
		return Identity{}, fmt.Errorf("user %s: found uid %q and gid %q, expected numbers", s, found.Uid, found.Gid)
	}
	return Identity{UID: uid, GID: gid}, nil
}

func lookUpGroup(s string) (int, error) {
	if gid, err := strconv.Atoi(s); err == nil {
		return gid, nil
	}
	found, err := user.LookupGroup(s)
	if err != nil {
		return -1, fmt.Errorf("group %s: %w", s, err)
	}
	return strconv.Atoi(found.Gid)
}

// Private reports whether this is an ordinary user's instance, in which every
// process has that user's uid: the processes of the configuration have other
// uids, or all of them this one.
func (c *Config) Private() bool { return c.ids.own }

// Identity returns what process runs as. In an ordinary user's instance that
// is this process's own uid and gid.
func (c *Config) Identity(process string) (Identity, error) {
	if c.ids.own {
		return Identity{UID: os.Geteuid(), GID: os.Getegid()}, nil
	}
	id, ok := c.ids.users[process]
	if !ok {
		return Identity{}, fmt.Errorf("%s: process %s: %w", c.File, process, c.ids.missing[process])
	}
	for _, g := range id.Groups {
		if g < 0 {
			return Identity{}, fmt.Errorf("%s: process %s: a group of it is missing: %w", c.File, process, c.missingGroup())
		}
	}
	return id, nil
}

func (c *Config) missingGroup() error {
	for _, g := range groupNames {
		if err := c.ids.missing[g.name]; err != nil {
			return err
		}
	}
	return nil
}

// Group returns the gid of one of the groups sockets, incoming and tls.
func (c *Config) Group(name string) (int, error) {
	if c.ids.own {
		return os.Getegid(), nil
	}
	if err := c.ids.missing[name]; err != nil {
		return 0, fmt.Errorf("%s: %w", c.File, err)
	}
	return c.ids.groups[name], nil
}

// SocketGroup returns the gid that a socket of l gets, or -1 to keep this
// process's.
func (c *Config) SocketGroup(l Listen) (int, error) {
	switch {
	case l.Group != "":
		gid, err := lookUpGroup(l.Group)
		if err != nil {
			err = fmt.Errorf("%s: listen: %w", l.Pos, err)
		}
		return gid, err
	case c.ids.own:
		return -1, nil
	}
	return c.Group("sockets")
}

// MailqUIDs returns the uids of mailq-users, and whether it names everybody.
func (c *Config) MailqUIDs() (uids []int, all bool, err error) {
	if err := c.ids.missing["mailq-users"]; err != nil {
		return nil, false, fmt.Errorf("%s: mailq-users: %w", c.File, err)
	}
	return c.ids.mailq, slices.Contains(c.mailq, anyone), nil
}

// PeerUIDs returns the uids that processes have, for the check of who connects.
// "root" stands for uid 0. In an ordinary user's instance it is the own uid.
func (c *Config) PeerUIDs(processes ...string) ([]int, error) {
	if c.ids.own {
		return []int{os.Geteuid()}, nil
	}
	var uids []int
	for _, p := range processes {
		if p == "root" {
			uids = append(uids, 0)
			continue
		}
		id, err := c.Identity(p)
		if err != nil {
			return nil, err
		}
		uids = append(uids, id.UID)
	}
	return uids, nil
}
