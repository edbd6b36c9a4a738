package session

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"posthorn/internal/attr"
	"posthorn/internal/daemon"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// Requests of the control sockets of session programs.
const (
	requestWho  = "who"  // after=<sid>; answers groups of session=, and more=yes|no
	requestKick = "kick" // id= and user=, both repeat; answers count=
)

// maxPage bounds the sessions of one answer.
const maxPage = 500

// ErrKicked is why sessions end that an administrator ends.
var ErrKicked = errors.New("disconnected by the administrator")

// register adds the requests to d's control socket.
func (s *Server) register(d *daemon.Daemon) {
	d.Control(requestWho, s.who)
	d.Control(requestKick, s.kick)
}

// own answers a request for the sessions of this process.
func (s *Server) own(req attr.List) attr.List {
	if req.Get("request") == requestKick {
		return kicked(s.kickOwn(req))
	}
	return page(s.guests(req.Get("after")), false)
}

// who lists all sessions, those of children too.
func (s *Server) who(ctx context.Context, req attr.List) attr.List {
	all, more := s.guests(req.Get("after")), false
	for _, answer := range s.children(ctx, req) {
		guests, err := guestsOf(answer)
		if err != nil {
			return sock.Reply(verdict.Of(err))
		}
		all, more = append(all, guests...), more || answer.Get("more") == "yes"
	}
	return page(all, more)
}

// kick ends sessions, those of children too.
func (s *Server) kick(ctx context.Context, req attr.List) attr.List {
	if len(req.All("id"))+len(req.All("user")) == 0 {
		return sock.Reply(verdict.New(verdict.Never, "5.5.4", "the request names no session and no user"))
	}
	n := s.kickOwn(req)
	for _, answer := range s.children(ctx, req) {
		more, err := answer.Int("count")
		if err != nil {
			return sock.Reply(verdict.Of(err))
		}
		n += int(more)
	}
	return kicked(n)
}

// kicked is the answer to kick.
func kicked(n int) attr.List {
	answer := sock.Reply(verdict.Of(nil))
	answer.AddInt("count", int64(n))
	return answer
}

// children asks all children and returns the answers of those that gave one.
func (s *Server) children(ctx context.Context, req attr.List) []attr.List {
	if s.starter == nil {
		return nil
	}
	return s.starter.All(ctx, slices.DeleteFunc(slices.Clone(req), func(a attr.Attr) bool { return a.Name == "proto" }))
}

// guests returns the sessions of this process behind after.
func (s *Server) guests(after string) []Guest {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Guest
	for c := range s.conns {
		if c.SID > after {
			all = append(all, c.guest())
		}
	}
	return all
}

// page is the answer to who: the first of all, by id. more says that there are
// others anyway.
func page(all []Guest, more bool) attr.List {
	slices.SortFunc(all, func(a, b Guest) int { return cmp.Compare(a.ID, b.ID) })
	if len(all) > maxPage {
		all, more = all[:maxPage], true
	}
	answer := sock.Reply(verdict.Of(nil))
	answer.Add("more", yesNo(more))
	for _, g := range all {
		g.add(&answer)
	}
	return answer
}

// guestsOf reads the sessions of an answer to who.
func guestsOf(answer attr.List) ([]Guest, error) {
	var all []Guest
	for _, group := range sock.Groups(answer, "session") {
		g, err := guestOf(group)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

// kickOwn ends the sessions of this process that req names, and counts them.
func (s *Server) kickOwn(req attr.List) (n int) {
	ids, users := req.All("id"), req.All("user")
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if slices.Contains(ids, c.SID) || slices.Contains(users, c.User) {
			s.log.SessionKicked(c.SID, s.service, c.User)
			c.End(ErrKicked)
			n++
		}
	}
	return n
}

// Who asks the session program behind a control socket for its sessions, by id.
func Who(ctx context.Context, c *sock.Client) ([]Guest, error) {
	var all []Guest
	for after := ""; ; {
		answer, err := ask(ctx, c, attr.List{{Name: "request", Value: requestWho}, {Name: "after", Value: after}})
		if err != nil {
			return nil, err
		}
		guests, err := guestsOf(answer)
		if err != nil {
			return nil, err
		}
		all = append(all, guests...)
		if answer.Get("more") != "yes" || len(guests) == 0 {
			return all, nil
		}
		after = guests[len(guests)-1].ID
	}
}

// Kick has the session program behind a control socket end the sessions of these
// ids and users, and returns how many there were.
func Kick(ctx context.Context, c *sock.Client, ids, users []string) (int, error) {
	req := attr.List{{Name: "request", Value: requestKick}}
	for _, id := range ids {
		req.Add("id", id)
	}
	for _, user := range users {
		req.Add("user", user)
	}
	answer, err := ask(ctx, c, req)
	if err != nil {
		return 0, err
	}
	n, err := answer.Int("count")
	return int(n), err
}

// ask makes one exchange; what is not done is an error.
func ask(ctx context.Context, c *sock.Client, req attr.List) (attr.List, error) {
	answer, err := c.Do(ctx, req, nil)
	if err != nil {
		return nil, err
	}
	v, err := sock.Verdict(answer)
	if err != nil {
		return nil, err
	}
	return answer, v.Err()
}
