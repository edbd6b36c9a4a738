package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"posthorn/internal/addr"
	"posthorn/internal/directory"
	"posthorn/internal/tables"
	"posthorn/internal/verdict"
)

// Limits of one resolution.
const (
	maxDepth   = 10   // aliases one behind another
	maxTargets = 1000 // in the answer
	maxSteps   = 5000 // addresses looked at on the way
)

// Why an address leads nowhere.
var (
	errUnknown = errors.New("no such mailbox")
	errDepth   = fmt.Errorf("more than %d aliases one behind another, or a circle of them", maxDepth)
	errMany    = fmt.Errorf("more than %d targets or %d steps", maxTargets, maxSteps)
)

// faultError is a table that cannot be followed, and where it fails.
type faultError struct {
	place   string // file:line
	address string
	err     error
}

func (e *faultError) Error() string {
	return fmt.Sprintf("%s: %s: %v", e.place, e.address, e.err)
}

func (e *faultError) Unwrap() error { return e.err }

// resolution follows one address through the tables, which do not change
// meanwhile.
type resolution struct {
	ctx     context.Context
	set     *settings
	system  *system
	users   *accounts
	aliases *tables.Aliases

	path    []string // keys of the aliases that are being followed
	steps   int
	seen    map[string]bool
	targets []directory.Target
}

// resolve returns where a leads, and whether its domain is ours. The order for
// each local address: alias, users table, user of the system, first with the
// detail of user+detail, then without; then postmaster, then the catch-all.
func (s *service) resolve(ctx context.Context, a addr.Address) (directory.Resolved, error) {
	set := s.settings.Load()
	r := &resolution{ctx: ctx, set: set, system: s.system, users: set.users.Get(), aliases: set.aliases.Get(), seen: map[string]bool{}}
	a = r.complete(a)
	if !set.conf.LocalDomain(a.Domain) {
		return directory.Resolved{Targets: []directory.Target{
			{Kind: directory.KindAddress, Value: a.String(), Rcpt: a.String()}}}, nil
	}
	err := r.expand(a, "", false)
	var fault *faultError
	if errors.As(err, &fault) && r.isPostmaster(a) {
		// Tables that lead nowhere must not keep his mail from the postmaster.
		s.logFault(a, fault)
		r.path, r.targets, r.seen = nil, nil, map[string]bool{}
		err = r.postmaster()
	}
	if err != nil {
		return directory.Resolved{Local: true}, s.unresolved(a, err)
	}
	return directory.Resolved{Local: true, Targets: r.targets}, nil
}

func (s *service) logFault(a addr.Address, fault *faultError) {
	s.log.Unresolvable(a.String(), fault.place, fault.address, fault.err)
}

// unresolved gives err its verdict: unknown only when the very address is;
// whatever is wrong further on is for the admin to mend, and the mail waits.
func (s *service) unresolved(a addr.Address, err error) error {
	var fault *faultError
	switch {
	case errors.As(err, &fault):
		s.logFault(a, fault)
		return verdict.Fail(verdict.Later, "4.3.5", "the address leads nowhere at present, try again later", err)
	case errors.Is(err, errUnknown):
		return verdict.Fail(verdict.Never, "5.1.1", "no such mailbox here", nil)
	}
	s.log.LookUpFailed(a.String(), err)
	return verdict.Fail(verdict.Later, "4.3.0", "the address cannot be looked up at present, try again later", err)
}

// complete gives <Postmaster> (RFC 5321 4.1.1.3) its domain.
func (r *resolution) complete(a addr.Address) addr.Address {
	if a.Domain == "" && a.Local != "" {
		a.Domain = r.set.conf.Domains[0]
	}
	return a
}

func (r *resolution) isPostmaster(a addr.Address) bool {
	user, _ := a.Detail(r.set.conf.Delimiter)
	return strings.EqualFold(user, "postmaster")
}

// expand adds the targets of a, to which origin led; direct passes over the
// aliases of that name.
func (r *resolution) expand(a addr.Address, origin string, direct bool) error {
	if r.steps++; r.steps > maxSteps {
		return errMany
	}
	if !r.set.conf.LocalDomain(a.Domain) {
		return r.add(directory.KindAddress, a.String(), a, origin)
	}
	circle := false
	for _, one := range r.candidates(a) {
		if !direct {
			alias, again := r.alias(one)
			if alias != nil {
				return r.follow(alias, a)
			}
			circle = circle || again
		}
		found, err := r.box(one, a, origin)
		if found || err != nil {
			return err
		}
	}
	switch {
	case circle:
		return errDepth
	case r.isPostmaster(a) && !slices.Contains(r.path, "postmaster"):
		return r.postmaster()
	}
	if alias, ok := r.aliases.Lookup("@" + a.Domain); ok && !slices.Contains(r.path, alias.Key) {
		return r.follow(alias, a)
	}
	return errUnknown
}

// candidates returns a, and a without its detail if it has one.
func (r *resolution) candidates(a addr.Address) []addr.Address {
	user, _ := a.Detail(r.set.conf.Delimiter)
	if user == a.Local {
		return []addr.Address{a}
	}
	return []addr.Address{a, {Local: user, Domain: a.Domain}}
}

// alias finds the alias for exactly a: user@domain before user. One that is
// being followed already is not found again, so that `ann: ann, archive` means
// ann's own mailbox; again tells of it.
func (r *resolution) alias(a addr.Address) (found *tables.Alias, again bool) {
	for _, key := range []string{a.Key(), addr.Address{Local: a.Local}.Key()} {
		alias, ok := r.aliases.Lookup(key)
		switch {
		case !ok:
		case slices.Contains(r.path, key):
			again = true
		default:
			return alias, again
		}
	}
	return nil, again
}

// follow expands all targets of an alias, for the address a.
func (r *resolution) follow(alias *tables.Alias, a addr.Address) error {
	if len(r.path) >= maxDepth {
		return &faultError{alias.Place.String(), a.String(), errDepth}
	}
	r.path = append(r.path, alias.Key)
	defer func() { r.path = r.path[:len(r.path)-1] }()
	for _, t := range alias.Targets {
		next, err := target(t.Value, a)
		if err == nil {
			err = r.expand(next, t.Place.String(), t.Direct)
		}
		// Somebody unknown at a domain that is another's second name is just
		// that; everything else is wrong in the table.
		if domain := strings.HasPrefix(t.Value, "@"); err != nil && !(domain && errors.Is(err, errUnknown)) {
			err = located(err, t.Place.String(), next)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// located turns what the tables are to blame for into a faultError, unless it
// is one already.
func located(err error, place string, a addr.Address) error {
	var fault *faultError
	wrong := errors.Is(err, errUnknown) || errors.Is(err, errDepth) || errors.Is(err, errMany)
	if errors.As(err, &fault) || !wrong {
		return err
	}
	return &faultError{place, a.String(), err}
}

// target reads the target of an alias; "@domain" is the user of a there.
func target(value string, a addr.Address) (addr.Address, error) {
	if domain, ok := strings.CutPrefix(value, "@"); ok {
		return addr.Address{Local: a.Local, Domain: domain}, nil
	}
	return addr.Parse(value)
}

// box adds the box of one, if there is such a user or system user; a is the
// address with its detail.
func (r *resolution) box(one, a addr.Address, origin string) (bool, error) {
	if u, ok := r.users.Lookup(one.Key()); ok {
		return true, r.add(directory.KindBox, u.Name, a, or(origin, u.Place.String()))
	}
	u, ok, err := r.system.lookup(r.ctx, strings.ToLower(one.Local))
	if err != nil || !ok {
		return false, err
	}
	return true, r.add(directory.KindBox, u.name, a, or(origin, "passwd"))
}

// postmaster adds the targets of conf's postmaster (RFC 5321 4.5.1). Without
// one the tables must name him.
func (r *resolution) postmaster() error {
	fault := func(err error) error {
		return &faultError{r.set.conf.File, "postmaster", err}
	}
	a, err := addr.Parse(r.set.conf.Postmaster)
	if err != nil {
		return fault(err)
	}
	r.path = append(r.path, "postmaster")
	defer func() { r.path = r.path[:len(r.path)-1] }()
	err = r.expand(a, r.set.conf.File, false)
	if errors.Is(err, errUnknown) {
		return fault(err)
	}
	return err
}

// add notes a target unless it is there already.
func (r *resolution) add(kind directory.Kind, value string, rcpt addr.Address, origin string) error {
	key := string(kind) + " " + value
	if kind == directory.KindAddress {
		key = strings.ToLower(key)
	}
	if r.seen[key] {
		return nil
	}
	if len(r.targets) == maxTargets {
		return errMany
	}
	r.seen[key] = true
	r.targets = append(r.targets, directory.Target{Kind: kind, Value: value, Rcpt: rcpt.String(), Origin: origin})
	return nil
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
