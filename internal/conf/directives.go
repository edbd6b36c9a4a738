package conf

import (
	"slices"
	"time"
)

// Directive is one line of the table: what posthorn.conf(5) repeats.
type Directive struct {
	Name    string
	Args    string // synopsis of values and options
	Default string // as it would be written; "" for none
	Repeat  bool   // may stand on several lines
	Restart bool   // a change takes effect at the next start only
	Help    string // one line

	set func(*Config, line) error
}

// Directives returns the table of all directives, in the order of the page.
func Directives() []Directive { return slices.Clone(directives) }

func directive(name string) *Directive {
	i := slices.IndexFunc(directives, func(d Directive) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &directives[i]
}

var directives = []Directive{
	{"hostname", "name", "", false, true, "name of this host in greetings, trace lines and EHLO",
		text(func(c *Config) *string { return &c.Hostname }, checkDomain)},
	{"domain", "name …", "", true, false, "domains whose mail is delivered here", domains(func(c *Config) *[]string { return &c.Domains })},
	{"relay-domain", "name …", "", true, false, "domains whose mail is taken from everybody and sent on",
		domains(func(c *Config) *[]string { return &c.RelayDomains })},
	{"tls", "file …", "", true, false, "PEM files with a key and its certificate chain", setTLS},
	{"mail-root", "folder", DefaultMailRoot, false, true, "where users without a home have their mail",
		text(func(c *Config) *string { return &c.MailRoot }, checkPath)},
	{"index-dir", "folder", "", false, true, "where the index files of all mailboxes lie, instead of beside their messages",
		text(func(c *Config) *string { return &c.IndexDir }, checkPath)},
	{"postmaster", "address", "", false, false, "who gets mail for postmaster, and bounces that cannot be returned",
		text(func(c *Config) *string { return &c.Postmaster }, checkAddress)},
	{"public-folders", "user", "", false, false, "the user whose mailboxes others see under Public/, as far as he gives them rights",
		text(func(c *Config) *string { return &c.PublicFolders }, checkUser)},
	{"relay-from", "network …", "", true, false, "clients that may send to other domains on port 25 without login", setRelayFrom},
	{"system-users", "yes|no", "no", false, true, "deliver to the system's users in their homes",
		yesNo(func(c *Config) *bool { return &c.SystemUsers })},
	{"min-uid", "number", "1000", false, true, "smallest uid that owns mail, besides vmail's",
		number(func(c *Config) *int { return &c.MinUID }, 1, 1<<31-2)},
	{"create-homes", "yes|no", "no", false, true, "make missing homes of system users",
		yesNo(func(c *Config) *bool { return &c.CreateHomes })},
	{"mail-shared", "yes|no", "no", false, true, "others than this host's Posthorn change these Maildirs too",
		yesNo(func(c *Config) *bool { return &c.MailShared })},
	{"node", "name", "", false, true, "name of this host in Maildir file names; the hostname unless set",
		text(func(c *Config) *string { return &c.Node }, checkDomain)},
	{"recipient-delimiter", "characters", "+", false, false, "what separates user and detail in user+detail",
		text(func(c *Config) *string { return &c.Delimiter }, checkDelimiter)},

	{"listen", "service host:port|path [mode=octal] [group=name]", "", true, true, "where a service is offered; all of them but lmtp on every address unless set", setListen},
	{"smarthost", "default|address|@domain host:port [login=@file] [tls=may|require|implicit|none] [ca=file]", "", true, false,
		"host that takes the mail of a sender for other domains", setSmarthost},

	{"users", "file", "/etc/posthorn/users", false, false, "accounts", text(func(c *Config) *string { return &c.UsersFile }, checkPath)},
	{"aliases", "file", "/etc/posthorn/aliases", false, false, "aliases; the file may be missing",
		text(func(c *Config) *string { return &c.AliasesFile }, checkPath)},
	{"transport", "file", "/etc/posthorn/transport", false, false, "routes by domain; the file may be missing",
		text(func(c *Config) *string { return &c.TransportFile }, checkPath)},
	{"spool", "folder", DefaultSpool, false, true, "the queue", text(func(c *Config) *string { return &c.Spool }, checkPath)},
	{"run-dir", "folder", DefaultRunDir, false, true, "sockets between the daemons", text(func(c *Config) *string { return &c.RunDir }, checkPath)},
	{"libexec", "folder", DefaultLibexec, false, true, "where the daemons' programs are", text(func(c *Config) *string { return &c.Libexec }, checkPath)},
	{"process-user", "process user|uid|uid:gid", "", true, true, "user of a process, instead of its default", setProcessUser},
	{"process-group", "sockets|incoming|tls group|gid", "", true, true, "group that opens a room to the processes that need it", setProcessGroup},
	{"mailq-users", "user|uid|* …", "", true, true, "who may see the queue by mailq besides root; * is everybody", setMailqUsers},
	{"landlock", "try|require|no", "try", false, true, "confine each daemon with Landlock; require: refuse to start without all of it",
		choice(func(c *Config) *string { return &c.Landlock }, "try", "require", "no")},

	{"message-size", "size", "50M", false, false, "largest message taken in", size(func(c *Config) *int64 { return &c.MessageSize }, 64<<10, 1<<40)},
	{"message-limit", "number [save]", "0", false, false, "messages that one IMAP command may be for, or with save one APPEND or COPY; 0 is no limit", setMessageLimit},
	{"max-recipients", "number", "1000", false, false, "recipients of one message", number(func(c *Config) *int { return &c.MaxRecipients }, 100, 4000)},
	{"max-received", "number", "50", false, false, "Received fields above which a message is in a loop", number(func(c *Config) *int { return &c.MaxReceived }, 10, 1000)},
	{"bare-newline", "refuse|normalize", "refuse", false, false, "what becomes of CR, LF and NUL that stand alone in mail from the network",
		choice(func(c *Config) *string { return &c.BareNewline }, "refuse", "normalize")},
	{"connections", "number", "1000", false, true, "connections of one service at a time", number(func(c *Config) *int { return &c.Connections }, 1, 100000)},
	{"connections-per-client", "number", "50", false, true, "connections of one client address at a time",
		number(func(c *Config) *int { return &c.ConnectionsPerClient }, 1, 100000)},
	{"sessions-per-user", "number", "50", false, false, "IMAP sessions of one user at a time, and POP3 sessions",
		number(func(c *Config) *int { return &c.SessionsPerUser }, 1, 100000)},
	{"timeout", "duration", "5m", false, false, "longest silence of an SMTP client", duration(func(c *Config) *time.Duration { return &c.Timeout }, time.Second, time.Hour)},
	{"login-timeout", "duration", "1m", false, false, "longest silence of an IMAP or POP3 client before login",
		duration(func(c *Config) *time.Duration { return &c.LoginTimeout }, time.Second, time.Hour)},
	{"idle-timeout", "duration", "30m", false, false, "longest silence of an IMAP client after login; a POP3 client has a third of it",
		duration(func(c *Config) *time.Duration { return &c.IdleTimeout }, 10*time.Second, 24*time.Hour)},

	{"pop3", "[uidl=template] [fetched=keep|seen|days] [deleted=remove|hide]", "uidl=%08Xu%08Xv fetched=seen deleted=remove", false, false,
		"how POP3 clients know messages, and what becomes of those that they fetch and delete", setPOP3},

	{"quota", "[size] [messages=number] [mailboxes=number]", "0", false, false, "what a mailbox may hold, unless its user's line says otherwise; 0 is no limit", setQuota},
	{"autoexpunge", "mailbox age|never [seen] [received]", "", true, false, "when posthorn expire removes what has become old in mailboxes of that name", setAutoexpunge},
	{"undelete", "duration", "0", false, false, "how long what is removed from mailboxes can be given back; 0: it is gone at once",
		duration(func(c *Config) *time.Duration { return &c.Undelete }, 0, 3650*day)},

	{"resolver", "host[:port] …", "", true, true, "name servers, instead of those of resolv.conf", setResolver},
	{"remote-port", "port", "25", false, true, "port of other domains' hosts", text(func(c *Config) *string { return &c.RemotePort }, checkPort)},
	{"remote-tls", "may|require|none", "may", false, false, "TLS with other domains' hosts: where offered, always with a checked certificate, never",
		choice(func(c *Config) *string { return &c.RemoteTLS }, "may", "require", "none")},
	{"remote-bind", "address", "", false, true, "own address for connections to other hosts", text(func(c *Config) *string { return &c.RemoteBind }, checkIP)},
	{"remote-concurrency", "number", "200", false, true, "deliveries to other hosts at a time", number(func(c *Config) *int { return &c.RemoteConcurrency }, 1, 5000)},
	{"destination-concurrency", "number", "10", false, true, "deliveries to one destination at a time",
		number(func(c *Config) *int { return &c.DestinationConcurrency }, 1, 1000)},
	{"deliver-concurrency", "number", "64", false, true, "local deliveries at a time", number(func(c *Config) *int { return &c.DeliverConcurrency }, 1, 64)},
	{"at-once", "yes|no", "yes", false, false, "deliver to local boxes before the client is answered, and keep in the queue only what they do not take",
		yesNo(func(c *Config) *bool { return &c.AtOnce })},
	{"connect-timeout", "duration", "30s", false, false, "to connect to another host", duration(func(c *Config) *time.Duration { return &c.ConnectTimeout }, time.Second, 10*time.Minute)},
	{"remote-timeout", "duration", "5m", false, false, "for an answer of another host", duration(func(c *Config) *time.Duration { return &c.RemoteTimeout }, time.Second, time.Hour)},
	{"retry", "duration …", "5m 10m 20m 40m 1h 2h 4h", false, false, "waits between tries; the last one repeats", setRetry},
	{"retry-jitter", "percent", "20", false, false, "by how much a wait may be longer", number(func(c *Config) *int { return &c.RetryJitter }, 0, 100)},
	{"expire", "duration", "5d", false, false, "age at which mail is returned", duration(func(c *Config) *time.Duration { return &c.Expire }, time.Second, 30*day)},
	{"bounce-expire", "duration", "5d", false, false, "age at which a bounce goes to the postmaster",
		duration(func(c *Config) *time.Duration { return &c.BounceExpire }, time.Second, 30*day)},
	{"bounce-size", "size", "64K", false, false, "largest message of which more than the header goes back with a report, when the sender asked for all of it; 0 none",
		size(func(c *Config) *int64 { return &c.BounceSize }, 0, 1<<30)},
	{"delay-warning", "duration", "4h", false, false, "age at which the sender is told of the delay, once; 0 never",
		duration(func(c *Config) *time.Duration { return &c.DelayWarning }, 0, 30*day)},
	{"special-use", `mailbox attribute …|none`, `Drafts \Drafts, Junk \Junk, Trash \Trash, Sent \Sent, "Sent Messages" \Sent`, true, false,
		"what mailboxes of that name are for, as IMAP clients are told", setSpecialUse},

	{"auth-mechanisms", "name …", authMechanisms, false, false, "SASL mechanisms; each is offered where an account can use it",
		setAuthMechanisms},
	{"token-helper", "program", "", false, true, "what says whose an OAuth token is; without it no token is taken",
		text(func(c *Config) *string { return &c.TokenHelper }, checkPath)},
	{"tls-clients", "file", "", false, true, "PEM file with the authorities whose certificates clients may log in by; without it none is asked for",
		text(func(c *Config) *string { return &c.TLSClients }, checkPath)},
	{"auth-workers", "number", "2", false, true, "passwords checked at a time", number(func(c *Config) *int { return &c.AuthWorkers }, 1, 64)},
	{"auth-failures", "number", "10", false, false, "failed logins of one client network or user within auth-window before it has to wait",
		number(func(c *Config) *int { return &c.AuthFailures }, 1, 10000)},
	{"auth-window", "duration", "10m", false, false, "time over which failed logins count", duration(func(c *Config) *time.Duration { return &c.AuthWindow }, time.Second, day)},
	{"auth-delay", "duration", "2s", false, false, "how long the answer to a failed login is held back", duration(func(c *Config) *time.Duration { return &c.AuthDelay }, 0, time.Minute)},
	{"ticket-life", "duration", "10s", false, false, "time between login and the session that uses it",
		duration(func(c *Config) *time.Duration { return &c.TicketLife }, time.Second, time.Minute)},
	{"plaintext-login", "loopback|yes|no", "loopback", false, false, "who may log in to IMAP and POP3 without TLS",
		choice(func(c *Config) *string { return &c.PlaintextLogin }, "loopback", "yes", "no")},
}

const day = 24 * time.Hour
