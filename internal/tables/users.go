package tables

import (
	"fmt"
	"iter"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"posthorn/internal/conf"
)

// User is one line of the users table.
type User struct {
	Name      string         // canonical: lower case, with domain
	Password  string         // as stored, with its scheme; may be a mark that no password matches
	UID, GID  int            // -1, both, when the line names none
	Home      string         // absolute, or "" for the default
	NoLogin   bool           // the mail arrives, nobody logs in
	AllowNets []netip.Prefix // where logins may come from; none means anywhere
	Groups    string         // that he is in for the rights of mailboxes, with commas
	IMAPOff   string         // capabilities that IMAP does not offer this user, with commas, in upper case
	Quota     string         // what conf.Quota.With makes of this user's limits, or ""
	POP3      string         // what conf.POP3.With makes of this user's mailbox, or ""
	Expunge   string         // what conf.Autoexpunge.With puts in front of the rules for this user, or ""
	Place     Place

	Certificates []string // names of certificates to log in by, in lower case

	mail string // path of userdb_mail, before ~ and % are expanded
}

// Users is a parsed users table.
type Users struct {
	byName map[string]User
	order  []string

	certificates map[string]string // users by the names of certificates
}

// LoadUsers reads the users table path. Names without a domain are at domain.
// check, unless it is nil, says what is wrong with a stored password.
func LoadUsers(path, domain string, check func(stored string) error) (*Users, error) {
	content, _, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading users: %w", err)
	}
	return ParseUsers(path, content, domain, check)
}

// ParseUsers is LoadUsers for a content already read; file is for errors and
// places.
func ParseUsers(file string, content []byte, domain string, check func(stored string) error) (*Users, error) {
	f := &faults{file: file}
	u := &Users{byName: map[string]User{}, certificates: map[string]string{}}
	for n, line := range f.lines(content) {
		if line[0] == ':' { // Dovecot skips such lines too
			continue
		}
		user, err := parseUser(line, domain)
		if err == nil && check != nil {
			err = check(user.Password)
		}
		if err != nil {
			f.add(n, "%w", err)
			continue
		}
		user.Place = Place{file, n}
		u.add(f, user)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return u, nil
}

func (u *Users) add(f *faults, user User) {
	if old, ok := u.byName[user.Name]; ok {
		f.add(user.Place.Line, "found the user %s again, who stands in line %d already", user.Name, old.Place.Line)
		return
	}
	if len(u.order) == MaxEntries {
		f.add(user.Place.Line, "found more than %d users", MaxEntries)
		return
	}
	for _, name := range user.Certificates {
		if other, ok := u.certificates[name]; ok {
			f.add(user.Place.Line, "found the certificate of %.100q again, which is %s's already", name, other)
			return
		}
		u.certificates[name] = user.Name
	}
	u.byName[user.Name] = user
	u.order = append(u.order, user.Name)
}

// Lookup finds a user by canonical name.
func (u *Users) Lookup(name string) (User, bool) {
	user, ok := u.byName[name]
	return user, ok
}

// ByCertificate returns who may log in by a certificate of that name.
func (u *Users) ByCertificate(name string) (user string, ok bool) {
	user, ok = u.certificates[strings.ToLower(name)]
	return user, ok
}

// Certificates reports whether anybody may log in by a certificate.
func (u *Users) Certificates() bool { return len(u.certificates) > 0 }

// Len returns how many users there are.
func (u *Users) Len() int { return len(u.order) }

// All yields the users in the order of the file.
func (u *Users) All() iter.Seq[User] {
	return func(yield func(User) bool) {
		for _, name := range u.order {
			if !yield(u.byName[name]) {
				return
			}
		}
	}
}

// CheckUIDs returns an error for each user with a uid below least that is not
// vmail.
func (u *Users) CheckUIDs(least, vmail int) error {
	var f faults
	for user := range u.All() {
		if user.UID >= 0 && user.UID < least && user.UID != vmail {
			f.file = user.Place.File
			f.add(user.Place.Line, "found the uid %d, expected at least %d (min-uid)", user.UID, least)
		}
	}
	return f.err()
}

// parseUser reads user:password:uid:gid:(gecos):home:(shell):extra fields.
func parseUser(line, domain string) (User, error) {
	fields := strings.SplitN(line, ":", 8)
	if len(fields) < 2 {
		return User{}, fmt.Errorf("found no colon, expected user:password:uid:gid:gecos:home:shell:extra")
	}
	fields = append(fields, make([]string, 8-len(fields))...)
	name, err := Canonical(fields[0], domain)
	if err != nil {
		return User{}, err
	}
	u := User{Name: name, Password: fields[1], UID: -1, GID: -1}
	if err := u.setIDs(fields[2], fields[3]); err != nil {
		return User{}, err
	}
	if err := u.setHome(fields[5]); err != nil {
		return User{}, err
	}
	for _, field := range strings.Fields(fields[7]) {
		if err := u.setExtra(field); err != nil {
			return User{}, err
		}
	}
	if (u.UID < 0) != (u.GID < 0) {
		return User{}, fmt.Errorf("found one of uid and gid, expected both or neither")
	}
	return u, nil
}

func (u *User) setIDs(uid, gid string) (err error) {
	if uid != "" {
		if u.UID, err = parseID("uid", uid); err != nil {
			return err
		}
	}
	if gid != "" {
		u.GID, err = parseID("gid", gid)
	}
	return err
}

// parseID reads a uid or gid. 0 is refused here for every use of the table,
// and so are the values that mean nobody.
func parseID(what, s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || n == 65534 || n == 65535 || n >= 1<<31 {
		return -1, fmt.Errorf("found the %s %.40q, expected a number from 1 that is not nobody's", what, s)
	}
	return int(n), nil
}

func (u *User) setHome(home string) error {
	if home != "" && !cleanPath(home) {
		return fmt.Errorf("found the home %.200q, expected an absolute path without dots between slashes", home)
	}
	u.Home = strings.TrimRight(home, "/")
	return nil
}

// cleanPath says whether p is absolute and goes nowhere else than it says.
func cleanPath(p string) bool {
	p = strings.TrimRight(p, "/")
	return p != "" && p[0] == '/' && path.Clean(p) == p
}

// setExtra reads one extra field. What only concerns a user database that we
// have no use for is skipped, what would let somebody in or keep somebody out
// must be known.
func (u *User) setExtra(field string) (err error) {
	name, value, _ := strings.Cut(field, "=")
	switch name {
	case "userdb_mail":
		return u.setMail(value)
	case "userdb_mail_path":
		return u.setMail("maildir:" + value)
	case "userdb_home":
		return u.setHome(value)
	case "userdb_uid":
		u.UID, err = parseID(name, value)
	case "userdb_gid":
		u.GID, err = parseID(name, value)
	case "userdb_acl_groups":
		u.Groups, err = parseGroups(value)
	case "nologin":
		u.NoLogin = value != "n" && value != "no"
	case "allow_nets":
		u.AllowNets, err = parseNets(value)
	case "imap_off":
		u.IMAPOff, err = parseCapabilities(value)
	case "userdb_quota_rule":
		u.Quota = value
		_, err = conf.Quota{}.With(value)
	case "pop3":
		u.POP3 = value
		_, err = conf.POP3{}.With(value)
	case "autoexpunge":
		u.Expunge = value
		_, err = conf.Autoexpunge{}.With(value)
	case "certificate":
		if value == "" {
			return fmt.Errorf("found certificate=, expected an e-mail address or a common name")
		}
		u.Certificates = append(u.Certificates, strings.ToLower(value))
	case "nodelay":
	default:
		if !strings.HasPrefix(name, "userdb_") {
			err = fmt.Errorf("found the extra field %.100q, expected userdb_*, nologin, allow_nets, imap_off, pop3, autoexpunge or certificate", field)
		}
	}
	return err
}

// setMail reads Dovecot's mail location.
func (u *User) setMail(location string) error {
	p, ok := strings.CutPrefix(location, "maildir:")
	p, options, _ := strings.Cut(p, ":")
	if !ok || p == "" {
		return fmt.Errorf("found userdb_mail=%.200q, expected maildir:<path>", location)
	}
	for option := range strings.SplitSeq(options, ":") {
		key, value, _ := strings.Cut(option, "=")
		if !slices.Contains([]string{"", "INDEX", "CONTROL", "LAYOUT"}, key) || key == "LAYOUT" && value != "maildir++" {
			return fmt.Errorf("found %.100q behind the mail location, expected a Maildir++ without options", option)
		}
		if key == "CONTROL" {
			return fmt.Errorf("found CONTROL= behind the mail location, expected the control files in the Maildir")
		}
	}
	if _, err := expand(p, "/home", "ann@example.org"); err != nil {
		return err
	}
	u.mail = strings.TrimRight(p, "/")
	return nil
}

// expand fills ~, %h, %u, %n and %d into the path of a mail location.
func expand(p, home, user string) (string, error) {
	local, domain, _ := strings.Cut(user, "@")
	if p == "~" || strings.HasPrefix(p, "~/") {
		p = "%h" + p[1:]
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] != '%' {
			b.WriteByte(p[i])
			continue
		}
		i++
		switch {
		case i < len(p) && p[i] == 'h':
			b.WriteString(home)
		case i < len(p) && p[i] == 'u':
			b.WriteString(user)
		case i < len(p) && p[i] == 'n':
			b.WriteString(local)
		case i < len(p) && p[i] == 'd':
			b.WriteString(domain)
		default:
			return "", fmt.Errorf("found %.200q as the mail location, expected %%h, %%u, %%n and %%d only", p)
		}
	}
	if !cleanPath(b.String()) {
		return "", fmt.Errorf("found %.200q as the mail location, expected an absolute path, or one that begins with ~/", p)
	}
	return strings.TrimRight(b.String(), "/"), nil
}

// Paths returns the user's home and Maildir. root is where users without a
// home have theirs: <root>/<domain>/<user>.
func (u User) Paths(root string) (home, mail string) {
	home = u.Home
	if home == "" {
		local, domain, _ := strings.Cut(u.Name, "@")
		home = path.Join(root, domain, local)
	}
	if u.mail == "" {
		return home, path.Join(home, "Maildir")
	}
	mail, err := expand(u.mail, home, u.Name)
	if err != nil { // the template was tried when the line was read
		return home, path.Join(home, "Maildir")
	}
	return home, mail
}

func parseNets(list string) ([]netip.Prefix, error) {
	var nets []netip.Prefix
	for s := range strings.SplitSeq(list, ",") {
		p, err := netip.ParsePrefix(s)
		if a, aerr := netip.ParseAddr(s); aerr == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("found %.100q in allow_nets, expected addresses and networks such as 192.0.2.0/24", s)
		}
		nets = append(nets, p.Masked())
	}
	return nets, nil
}

// maxGroups bounds the groups of one user.
const maxGroups = 256

// parseGroups reads the names of groups, such as staff,sales.
func parseGroups(list string) (string, error) {
	names := strings.Split(list, ",")
	for _, name := range names {
		if name == "" || len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			return "", fmt.Errorf("found %.100q in userdb_acl_groups, expected names of groups such as staff,sales", name)
		}
	}
	if len(names) > maxGroups {
		return "", fmt.Errorf("found %d names in userdb_acl_groups, expected at most %d", len(names), maxGroups)
	}
	return list, nil
}

// maxOff bounds the capabilities of one imap_off.
const maxOff = 64

// parseCapabilities reads a list of IMAP's capabilities, such as
// COMPRESS=DEFLATE,IMAP4REV2.
func parseCapabilities(list string) (string, error) {
	list = strings.ToUpper(list)
	names := strings.Split(list, ",")
	for _, name := range names {
		if name == "" || len(name) > 40 || strings.ContainsFunc(name, func(r rune) bool { return !capabilityRune(r) }) {
			return "", fmt.Errorf("found %.100q in imap_off, expected capabilities such as COMPRESS=DEFLATE", name)
		}
	}
	if len(names) > maxOff {
		return "", fmt.Errorf("found %d capabilities in imap_off, expected at most %d", len(names), maxOff)
	}
	return list, nil
}

func capabilityRune(r rune) bool {
	return 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("=+-.", r)
}
