package main

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/password"
	"posthorn/internal/tables"
	"posthorn/internal/verdict"
)

// loginTimeout bounds the wait for a turn and for the system's databases.
const loginTimeout = 20 * time.Second

// tookTooLong is said where what a login left here is no more.
const tookTooLong = "login took too long, begin again"

// attempt is one login as it was asked for.
type attempt struct {
	service   string // smtp, imap or pop3
	mechanism string // of SASL, or "" for a login without
	user      string // canonical, or as it came when it cannot be a user
	password  string
	client    netip.Addr
	network   netip.Prefix
	tls       string
	named     bool // user could be somebody
	possible  bool // user and password could be those of somebody
}

// ip returns the client's address for the log.
func (a attempt) ip() string {
	if !a.client.IsValid() {
		return ""
	}
	return a.client.String()
}

// identity is what a login is checked against.
type identity struct {
	user   string // canonical; the name of the box
	stored string // "" where no password is right
	open   bool   // may log in from here
}

// login checks a password. Whatever is wrong, the answer is the same and costs
// the same: one computation of the usual kind where there is no hash of the
// user's own, and delay= says how long the asking daemon holds the answer
// back, counted from the arrival of the request. So an answer of the guard,
// which computes nothing, looks like any other.
func (s *service) login(ctx context.Context, req attr.List) (attr.List, error) {
	arrived := time.Now()
	set := s.settings.Load()
	a, err := parseAttempt(req, set.conf.Domains[0])
	if err != nil {
		return nil, err
	}
	if !set.conf.AuthMechanism(mechPlain) {
		return nil, verdict.Fail(verdict.Never, "5.7.4", "passwords are not taken here", nil)
	}
	who, reason, err := s.check(ctx, set, a)
	return s.conclude(arrived, a, who, reason, err)
}

// conclude logs what came of an attempt and answers it.
func (s *service) conclude(arrived time.Time, a attempt, who identity, reason string, err error) (attr.List, error) {
	set := s.settings.Load()
	switch {
	case err != nil:
		s.note(a, "later", "", err)
		return nil, verdict.Fail(verdict.Later, "4.7.0", "login is not possible at present, try again later", err) // RFC 4954 4
	case reason != "":
		s.note(a, "never", reason, nil)
		var answer attr.List
		answer.AddInt("delay", max(0, set.conf.AuthDelay-time.Since(arrived)).Milliseconds())
		return answer, verdict.Fail(verdict.Never, "5.7.8", "wrong user name or password", nil) // RFC 4954 6
	}
	a.user = who.user
	return s.admit(set, a)
}

// note logs an attempt.
func (s *service) note(a attempt, verdict, reason string, err error) {
	s.log.Login(a.service, a.mechanism, a.ip(), a.user, a.tls, verdict, reason, err)
}

// admit answers a login that is right.
func (s *service) admit(set *settings, a attempt) (attr.List, error) {
	answer := attr.List{{Name: "user", Value: a.user}}
	if a.service != "smtp" {
		secret, err := s.issue(a, set.conf.TicketLife)
		if err != nil {
			s.note(a, "later", "", err)
			return nil, verdict.Fail(verdict.Later, "4.7.0", "too many logins at present, try again later", err)
		}
		answer.Add("ticket", secret)
	}
	s.note(a, "done", "", nil)
	return answer, nil
}

// parseAttempt reads the request. Only a daemon's mistake is an error; what a
// client may have sent makes an attempt that is not possible.
func parseAttempt(req attr.List, domain string) (attempt, error) {
	a, err := parseOrigin(req)
	if err == nil {
		a.setUser(req.Get("user"), domain)
		a.setPassword(req.Get("password"))
	}
	return a, err
}

// parseOrigin reads where an attempt comes from.
func parseOrigin(req attr.List) (attempt, error) {
	a := attempt{service: req.Get("service"), tls: req.Get("tls")}
	if !slices.Contains([]string{"smtp", "imap", "pop3"}, a.service) {
		return a, malformed("found the service %.20q, expected smtp, imap or pop3", a.service)
	}
	if client := req.Get("client"); client != "" {
		var err error
		if a.client, err = netip.ParseAddr(client); err != nil {
			return a, malformed("found the client %.60q, expected an IP address", client)
		}
		a.client = a.client.Unmap()
	}
	a.network = network(a.client)
	return a, nil
}

// setUser takes the user as the client wrote it.
func (a *attempt) setUser(user, domain string) {
	canonical, err := tables.Canonical(user, domain)
	a.named = err == nil
	if err != nil {
		canonical = strings.ToLower(user[:min(len(user), addr.MaxPath)])
	}
	a.user = canonical
}

// setPassword takes the password, after the user.
func (a *attempt) setPassword(p string) {
	a.password = p
	a.possible = a.named && password.Acceptable(p) == nil
}

// check returns who logged in, or the reason for the log why not; an error
// means that nobody knows.
func (s *service) check(ctx context.Context, set *settings, a attempt) (identity, string, error) {
	if s.guard.refuses(a.network, a.user) {
		return identity{}, "guard", nil
	}
	if !a.possible {
		s.guard.failed(a.network, a.user)
		return identity{}, "malformed", nil
	}
	users := set.users.Get()
	who, found := users.identify(a)
	if found && s.remembers(who, a) {
		return who, "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, loginTimeout) // nothing waits before
	defer cancel()
	if !found {
		var err error
		if who, err = s.identify(ctx, set, users, a); err != nil {
			return identity{}, "", err
		}
		if s.remembers(who, a) {
			return who, "", nil
		}
	}
	reason, err := s.verify(ctx, users.usual, who, a)
	return who, reason, err
}

// remembers reports whether the password was found right not long ago, and then
// tells the guard.
func (s *service) remembers(who identity, a attempt) bool {
	good := who.open && who.stored != "" && s.verified.has(who.user, who.stored, a.password)
	if good {
		s.guard.succeeded(a.network, a.user)
	}
	return good
}

// identify finds a user of the table.
func (users *accounts) identify(a attempt) (who identity, found bool) {
	u, ok := users.Lookup(a.user)
	if !ok {
		return identity{}, false
	}
	who = identity{user: u.Name, open: !u.NoLogin && comesFrom(a.client, u.AllowNets)}
	if !password.Locked(u.Password) {
		who.stored = u.Password
	}
	return who, true
}

// identify finds the user. There is an identity for everybody; that of nobody
// has no hash.
func (s *service) identify(ctx context.Context, set *settings, users *accounts, a attempt) (identity, error) {
	if who, found := users.identify(a); found {
		return who, nil
	}
	local, domain, _ := strings.Cut(a.user, "@")
	if !set.conf.LocalDomain(domain) {
		return identity{user: a.user}, nil
	}
	u, ok, err := s.system.lookup(ctx, local)
	if err != nil || !ok {
		return identity{user: a.user}, err
	}
	stored, err := s.system.password(ctx, u.name)
	if err != nil {
		return identity{}, err
	}
	who := identity{user: u.name, open: true}
	if password.Check(stored) == nil && !password.Locked(stored) {
		who.stored = stored
	}
	return who, nil
}

// comesFrom says whether client is in one of nets; without nets everybody is.
func comesFrom(client netip.Addr, nets []netip.Prefix) bool {
	return len(nets) == 0 || slices.ContainsFunc(nets, func(n netip.Prefix) bool { return n.Contains(client) })
}

// verify computes the one hash of a login and tells the guard.
func (s *service) verify(ctx context.Context, usual *password.Hash, who identity, a attempt) (reason string, err error) {
	hash := usual
	if who.stored != "" {
		if hash, err = password.Parse(who.stored); err != nil {
			return "", err
		}
	}
	err = s.pool.do(ctx, a.network, func() {
		// Others of this client may have failed while it waited for its turn.
		if s.guard.refuses(a.network, a.user) {
			reason = "guard"
			return
		}
		if s.computed != nil {
			s.computed(hash.Kind())
		}
		right := hash.Match(a.password)
		reason = who.reason(right)
		if reason != "" {
			s.guard.failed(a.network, a.user)
			return
		}
		s.guard.succeeded(a.network, a.user)
		s.verified.add(who.user, who.stored, a.password)
	})
	return reason, err
}

// reason says for the log why a login fails, or "" for one that does not.
func (who identity) reason(right bool) string {
	switch {
	case who.stored == "":
		return "unknown"
	case !right:
		return "password"
	case !who.open:
		return "closed"
	}
	return ""
}

// redeem uses up a ticket and says what its session needs.
func (s *service) redeem(ctx context.Context, req attr.List) (attr.List, error) {
	t, ok := s.tickets.redeem(req.Get("ticket"), req.Get("service"))
	if want := req.Get("client"); !ok || want != "" && want != t.client.String() {
		// Somebody logged in for it: he is to try again, not to think that his password is wrong.
		return nil, verdict.Fail(verdict.Later, "4.7.0", tookTooLong, errors.New("the ticket is unknown, old, used, or of another service or client"))
	}
	return s.grant(ctx, t)
}

// grant is what a ticket stands for.
func (s *service) grant(ctx context.Context, t ticket) (attr.List, error) {
	users := s.settings.Load().users.Get()
	b := s.boxOf(ctx, users, t.user)
	if err := b.Verdict.Err(); err != nil {
		return nil, err
	}
	answer := attr.List{{Name: "user", Value: t.user}, {Name: "box", Value: t.user}}
	answer.AddInt("uid", int64(b.UID))
	answer.AddInt("gid", int64(b.GID))
	answer.Add("home", b.Home)
	answer.Add("mail", b.Mail)
	if q := b.Quota.String(); q != "" {
		answer.Add("quota", q)
	}
	if t.client.IsValid() {
		answer.Add("client", t.client.String())
	}
	u, ok := users.Lookup(t.user)
	if ok && u.IMAPOff != "" {
		answer.Add("imap-off", u.IMAPOff)
	}
	if ok && u.Groups != "" {
		answer.Add("groups", u.Groups)
	}
	if ok && u.POP3 != "" {
		answer.Add("pop3", u.POP3)
	}
	return answer, nil
}
