package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// handle answers one request of auth.sock.
func (s *service) handle(ctx context.Context, p sock.Peer, req attr.List, f *os.File) (attr.List, *os.File) {
	if f != nil {
		f.Close()
	}
	request := req.Get("request")
	var basis, answer attr.List
	var file *os.File
	var err error
	switch {
	case request == "resolve":
		basis = s.basis()
		answer, err = s.answerResolve(ctx, req)
	case request == "box":
		basis = s.basis()
		answer, err = s.answerBox(ctx, req)
	case request == "maysend":
		err = s.maySend(ctx, req)
	case request == "mechanisms":
		answer = s.answerMechanisms()
	case request == "sasl" && slices.Contains(s.peers.login, p.UID):
		answer, err = s.sasl(ctx, p.UID, req)
	case request == "login" && slices.Contains(s.peers.login, p.UID):
		answer, err = s.login(ctx, req)
	case request == "redeem" && slices.Contains(s.peers.redeem, p.UID):
		answer, err = s.redeem(ctx, req)
	case request == "grants" && slices.Contains(s.peers.redeem, p.UID):
		file, err = s.listen(req)
	default:
		s.log.RequestRefused(request, p.PID, p.UID)
		err = verdict.Fail(verdict.Never, "5.5.1", "unknown request, or not for you", nil)
	}
	if err != nil {
		basis = nil
	}
	return append(append(sock.Reply(verdict.Of(err)), basis...), answer...), file
}

// basis names the files that an answer rests on and their versions. It is taken
// before the answer, which may rest on newer ones: then who remembers the answer
// asks once too often. There is none for answers of the system's users, nor while
// a file may change unseen.
func (s *service) basis() attr.List {
	if s.system != nil {
		return nil
	}
	set := s.settings.Load()
	users, aliases := set.users.Seen(), set.aliases.Seen()
	if !users.Settled() || !aliases.Settled() {
		return nil
	}
	return attr.List{{Name: "basis", Value: users.String() + " " + set.users.Path},
		{Name: "basis", Value: aliases.String() + " " + set.aliases.Path}}
}

// malformed is the verdict for a request that makes no sense.
func malformed(format string, args ...any) error {
	return verdict.Fail(verdict.Never, "5.5.4", fmt.Sprintf(format, args...), nil)
}

// resolveRoom is how long an answer may have become before the next address is
// answered: so the list holds that too.
const (
	resolveLines = attr.MaxAttrs / 4
	resolveBytes = attr.MaxBytes / 4
)

// answerResolve answers for one address, or with a group for each of several,
// as many as there is room for.
func (s *service) answerResolve(ctx context.Context, req attr.List) (attr.List, error) {
	all := req.All("address")
	switch {
	case len(all) > directory.MaxAddresses:
		return nil, malformed("found %d addresses, expected at most %d", len(all), directory.MaxAddresses)
	case len(all) <= 1:
		return s.answerAddress(ctx, req.Get("address"))
	}
	var answer attr.List
	bytes := 0
	for _, a := range all {
		if len(answer) > resolveLines || bytes > resolveBytes {
			break
		}
		answer.Add("address", a)
		one, err := s.answerAddress(ctx, a)
		answer = append(append(answer, sock.Reply(verdict.Of(err))...), one...)
		for _, line := range one {
			bytes += len(line.Name) + len(line.Value)
		}
	}
	return answer, nil
}

func (s *service) answerAddress(ctx context.Context, address string) (attr.List, error) {
	a, err := addr.ParseOrNull(address)
	if err != nil || a.IsNull() {
		return nil, verdict.Fail(verdict.Never, "5.1.3", "not an address", err)
	}
	r, err := s.resolve(ctx, a)
	answer := attr.List{{Name: "local", Value: yesNo(r.Local)}}
	for _, t := range r.Targets {
		answer.Add("target", string(t.Kind))
		answer.Add("value", t.Value)
		answer.Add("rcpt", t.Rcpt)
		answer.Add("origin", t.Origin)
	}
	return answer, err
}

func (s *service) answerBox(ctx context.Context, req attr.List) (attr.List, error) {
	names := req.All("box")
	if len(names) > directory.MaxBoxes {
		return nil, malformed("found %d boxes, expected at most %d", len(names), directory.MaxBoxes)
	}
	var answer attr.List
	for _, name := range names {
		b := s.box(ctx, name)
		answer = appendBox(append(answer, attr.Attr{Name: "box", Value: name}), b)
	}
	return answer, nil
}

// appendBox adds verdict and properties of a box.
func appendBox(l attr.List, b directory.Box) attr.List {
	l = append(l, sock.Reply(b.Verdict)...)
	if b.Verdict.Kind != verdict.Done {
		return l
	}
	l.AddInt("uid", int64(b.UID))
	l.AddInt("gid", int64(b.GID))
	l.Add("home", b.Home)
	l.Add("mail", b.Mail)
	if q := b.Quota.String(); q != "" {
		l.Add("quota", q)
	}
	return l
}

// box finds out what belongs to a box: of the users table when its name has a
// domain, of the system else. A virtual user without ids of his own is vmail.
func (s *service) box(ctx context.Context, name string) directory.Box {
	return s.boxOf(ctx, s.settings.Load().users.Get(), name)
}

// boxOf is box, with the users as they were just now.
func (s *service) boxOf(ctx context.Context, users *accounts, name string) directory.Box {
	b := directory.Box{Name: name, Verdict: verdict.New(verdict.Done, "2.0.0", "ok")}
	set := s.settings.Load()
	b.Quota = set.conf.Quota
	if u, ok := users.Lookup(name); ok {
		b.UID, b.GID = u.UID, u.GID
		if b.UID < 0 {
			b.UID, b.GID = s.vmail.UID, s.vmail.GID
		}
		b.Home, b.Mail = u.Paths(set.conf.MailRoot)
		b.Quota, _ = b.Quota.With(u.Quota) // it was tried when the line was read
		return b
	}
	u, ok, err := s.system.lookup(ctx, name)
	switch {
	case err != nil:
		s.log.LookUpFailed(name, err)
		b.Verdict = verdict.New(verdict.Later, "4.3.0", "the mailbox cannot be looked up at present, try again later")
	case !ok:
		b.Verdict = verdict.New(verdict.Never, "5.1.1", "no such mailbox here")
	default:
		b.UID, b.GID, b.Home, b.Mail = u.uid, u.gid, u.home, u.mail()
	}
	return b
}

// maySend says whether an address leads to the user's own box. The null sender
// is everybody's: notifications of users have it (RFC 8098 3).
func (s *service) maySend(ctx context.Context, req attr.List) error {
	user := req.Get("user")
	a, err := addr.ParseOrNull(req.Get("address"))
	if err != nil {
		return verdict.Fail(verdict.Never, "5.1.7", "not an address", err)
	}
	if a.IsNull() || user != "" && a.Key() == user {
		return nil
	}
	no := verdict.Fail(verdict.Never, "5.7.1", "not your address", nil) // RFC 6409 6.1
	r, err := s.resolve(ctx, a)
	if v := verdict.Of(err); v.Kind == verdict.Never {
		return no
	}
	if err != nil {
		return err
	}
	own := func(t directory.Target) bool { return t.Kind == directory.KindBox && t.Value == user }
	if !slices.ContainsFunc(r.Targets, own) {
		return no
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
