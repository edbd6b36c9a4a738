// Package conf reads posthorn.conf: its syntax, and the one table of all
// directives with their defaults and checks.
//
// One directive a line: word, values, then name=value options. "…" quotes, a
// line that starts with a blank goes on, # begins a comment. A word that is not
// in the table, or a value that its directive refuses, is an error that names
// file and line, what was found and what was expected.
package conf

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config is a checked configuration. It is not changed after Load; a reload
// makes a new one.
type Config struct {
	File    string   // where it was read from
	Folders []string // where it and what it includes were read from: what a reload reads

	Hostname      string
	Domains       []string // local domains, lower case; the first is that of users without one
	RelayDomains  []string // domains of other hosts whose mail is taken from everybody
	TLS           []string // files with key and chain; the first is for clients that name no host
	MailRoot      string
	IndexDir      string // "" for none
	Postmaster    string
	PublicFolders string // the user whose mailboxes are under Public/; "" for none
	RelayFrom     []netip.Prefix
	SystemUsers   bool
	MinUID        int
	CreateHomes   bool
	MailShared    bool
	AtOnce        bool
	Node          string // in Maildir file names; the hostname unless set
	Delimiter     string // between user and detail

	SpecialUse map[string][]string // a mailbox's name to the attributes that LIST gives it

	Listen     []Listen
	Smarthosts []Smarthost

	Spool, RunDir, Libexec                    string
	UsersFile, AliasesFile, TransportFile     string
	Resolvers                                 []string // host:port; empty means resolv.conf
	RemotePort, RemoteTLS, RemoteBind         string
	ConnectTimeout, RemoteTimeout             time.Duration
	RemoteConcurrency, DestinationConcurrency int
	DeliverConcurrency                        int

	Retry                              []time.Duration // between tries; the last one repeats
	RetryJitter                        int             // percent by which each is lengthened at most
	BounceSize                         int64           // bytes
	Expire, BounceExpire, DelayWarning time.Duration   // DelayWarning 0: none

	MessageSize                        int64
	MessageLimit                       MessageLimit
	MaxRecipients, MaxReceived         int
	BareNewline                        string // refuse or normalize
	Connections, ConnectionsPerClient  int
	SessionsPerUser                    int
	Timeout, LoginTimeout, IdleTimeout time.Duration

	AuthMechanisms                    []string // in capitals
	TokenHelper, TLSClients           string   // "" for none
	AuthWorkers, AuthFailures         int
	AuthWindow, AuthDelay, TicketLife time.Duration
	PlaintextLogin                    string // loopback, yes or no

	POP3 POP3

	Quota Quota

	Autoexpunge Autoexpunge

	Undelete time.Duration // how long what is removed is kept; 0: it is not

	Landlock string // try, require or no

	users  map[string]string // process-user
	mailq  []string          // mailq-users
	groups map[string]string // process-group
	ids    *identities
	seen   map[string]Pos    // where each directive stands that does not repeat
	texts  map[string]string // what was written for each directive, to see changes
}

// Smarthost is where mail of a sender goes instead of its MX hosts.
type Smarthost struct {
	Sender     string // "default", an address or @domain
	Host, Port string
	MX         bool   // Host stands for its MX hosts: it was written without brackets
	Login      string // "@file" with user:password, or ""
	TLS        string // may, require, implicit or none
	CAFile     string
	Pos        Pos
}

// Load reads and checks a configuration. Users and groups are looked up once
// here, for a process that has dropped its rights may not be able to.
func Load(file string) (*Config, error) {
	c, err := parse(file)
	if err != nil {
		return nil, err
	}
	c.ids = lookUpIdentities(c, os.Geteuid())
	return c, nil
}

// Defaults returns what holds where no file can be read: no names, addresses and
// users, only the directives that have a default. It is for programs of users who
// may not read the configuration; no server starts with it.
func Defaults() (*Config, error) {
	c := &Config{File: DefaultFile, users: map[string]string{}, groups: map[string]string{}, seen: map[string]Pos{}, texts: map[string]string{}}
	return c, c.setDefaults()
}

// Reload reads the file again for a process that runs. Users and groups stay
// as they were looked up at its start.
func (c *Config) Reload() (*Config, error) {
	fresh, err := parse(c.File)
	if err != nil {
		return nil, err
	}
	fresh.ids = c.ids
	return fresh, nil
}

func parse(file string) (*Config, error) {
	fs := new(files)
	lines, err := fs.read(file, 0)
	if err != nil {
		return nil, err
	}
	c := &Config{File: file, Folders: fs.folders, SpecialUse: map[string][]string{}, users: map[string]string{}, groups: map[string]string{}, seen: map[string]Pos{}, texts: map[string]string{}}
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	for _, l := range lines {
		if err := c.set(l); err != nil {
			return nil, err
		}
	}
	return c, c.finish()
}

// setDefaults gives each directive the default that the table names.
func (c *Config) setDefaults() error {
	for _, d := range directives {
		if d.Default == "" || d.Repeat {
			continue
		}
		l := line{pos: Pos{"default", 0}, name: d.Name, values: strings.Fields(d.Default)}
		if err := d.set(c, l); err != nil {
			return err
		}
	}
	return nil
}

// set puts one line into the configuration.
func (c *Config) set(l line) error {
	d := directive(l.name)
	if d == nil {
		return l.pos.errorf("found the unknown word %q, expected a directive of posthorn.conf(5)", l.name)
	}
	if first, ok := c.seen[l.name]; ok && !d.Repeat {
		return l.pos.errorf("found a second %s, expected only the one at %s", l.name, first)
	}
	c.seen[l.name] = l.pos
	c.texts[l.name] += fmt.Sprintln(l.values, l.options)
	if err := d.set(c, l); err != nil {
		return l.pos.errorf("%s: %w", l.name, err)
	}
	return nil
}

// NeedsRestart returns the directives that differ in fresh and take effect at
// the next start only.
func (c *Config) NeedsRestart(fresh *Config) []string {
	var names []string
	for _, d := range directives {
		if d.Restart && c.texts[d.Name] != fresh.texts[d.Name] {
			names = append(names, d.Name)
		}
	}
	return names
}

// finish checks what no single line shows.
func (c *Config) finish() error {
	if c.Hostname == "" {
		return fmt.Errorf("%s: found no hostname, expected a line such as: hostname mx.example.org", c.File)
	}
	if c.Node == "" {
		c.Node = c.Hostname
	}
	if _, ok := c.seen["special-use"]; !ok {
		c.SpecialUse = defaultSpecialUse()
	}
	if len(c.Domains) == 0 {
		return fmt.Errorf("%s: found no domain, expected a line such as: domain example.org", c.File)
	}
	for _, d := range c.RelayDomains {
		if c.LocalDomain(d) {
			return fmt.Errorf("%s: found %s as domain and as relay-domain, expected one of them", c.File, d)
		}
	}
	if !c.offered() {
		c.Listen = append(c.Listen, c.defaultListen()...)
	}
	for _, l := range c.Listen {
		if implicitTLS(l.Service) && len(c.TLS) == 0 {
			return l.Pos.errorf("listen: found %s without a certificate, expected a tls line", l.Service)
		}
	}
	return nil
}

// defaultListen offers every service; those that begin with TLS need a
// certificate.
func (c *Config) defaultListen() []Listen {
	var all []Listen
	for _, s := range services {
		if len(c.TLS) > 0 || !implicitTLS(s.name) {
			all = append(all, Listen{Service: s.name, Addr: ":" + s.port, Pos: Pos{c.File, 0}})
		}
	}
	return all
}

// services are the words of listen that are offered by themselves, with their
// usual ports.
var services = []struct{ name, port string }{
	{"smtp", "25"}, {"submission", "587"}, {"submissions", "465"},
	{"pop3", "110"}, {"pop3s", "995"}, {"imap", "143"}, {"imaps", "993"},
}

func implicitTLS(service string) bool {
	return service == "submissions" || service == "pop3s" || service == "imaps"
}

// Listeners returns the addresses of the named services, in their order.
func (c *Config) Listeners(services ...string) []Listen {
	var all []Listen
	for _, l := range c.Listen {
		for _, s := range services {
			if l.Service == s {
				all = append(all, l)
			}
		}
	}
	return all
}

// Default reports whether no listen line asks for it.
func (l Listen) Default() bool { return l.Pos.Line == 0 }

// LocalDomain reports whether mail for d is ours. d is lower case.
func (c *Config) LocalDomain(d string) bool {
	for _, own := range c.Domains {
		if own == d {
			return true
		}
	}
	return false
}

// RelayDomain reports whether mail for d, a domain of other hosts, is taken from
// everybody. d is lower case.
func (c *Config) RelayDomain(d string) bool { return slices.Contains(c.RelayDomains, d) }

// Socket returns the path of the socket that the daemons know as name.
func (c *Config) Socket(name string) string { return filepath.Join(c.RunDir, name+".sock") }

// IndexOf returns the folder of the index files of a uid's mail, "" for the Maildirs.
func (c *Config) IndexOf(uid int) string { return IndexFolder(c.IndexDir, uid) }

// IndexFolder is IndexOf where dir is the index-dir.
func IndexFolder(dir string, uid int) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, strconv.Itoa(uid))
}

// ControlSocket returns the path of a process's control socket.
func (c *Config) ControlSocket(process string) string {
	return filepath.Join(c.RunDir, "control", process+".sock")
}

// Secret reads the secret that ref names: "@" and the path of a file that only
// its owner and group may read. A final line feed is cut off.
func Secret(ref string) (string, error) {
	path, ok := strings.CutPrefix(ref, "@")
	if !ok {
		return "", fmt.Errorf("secret: found a plain value, expected @ and the path of a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	if fi.Mode().Perm()&0o007 != 0 || !fi.Mode().IsRegular() {
		return "", fmt.Errorf("secret %s: found mode %v, expected a file that others cannot read (0640)", path, fi.Mode())
	}
	b := make([]byte, 4096)
	n, err := f.Read(b)
	if err != nil || n == len(b) {
		return "", fmt.Errorf("secret %s: expected one line of at most %d bytes", path, len(b)-1)
	}
	return strings.TrimRight(string(b[:n]), "\r\n"), nil
}
