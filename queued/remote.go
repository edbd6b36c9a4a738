package main

import (
	"errors"

	"posthorn/internal/addr"
	"posthorn/internal/handover"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
	"posthorn/queued/internal/route"
	"posthorn/queued/internal/schedule"
)

// rcptsAtOnce is the most recipients of one message that are sent in one
// transaction: RFC 5321 4.5.3.1.8 has every host take so many.
const rcptsAtOnce = 100

// remoteJob is the attempt to send to one destination.
func (p *pass) remoteJob(r route.Route, targets []int) job {
	return job{
		doors: []schedule.Door{p.remoteDoor(), p.destinationDoor(r.Name)}, targets: targets,
		run: func(gates []*schedule.Gate) outcome { return p.send(r, gates[0], gates[1], targets) },
	}
}

// send looks up the hosts of a destination and hands the recipients to
// queue-remote, so many at a time.
func (p *pass) send(r route.Route, service, destination *schedule.Gate, targets []int) outcome {
	hosts, err := p.set.router.Hosts(p.work, r)
	if err != nil {
		p.schedule.Leave(service)
		return p.unroutable(destination, targets, err)
	}
	f, err := p.m.ReadOnly()
	if err != nil {
		p.schedule.Leave(service)
		p.schedule.Leave(destination)
		p.log.SpoolFailed(p.m.ID, err)
		return same(targets, verdict.Of(err))
	}
	req := handover.RemoteRequest{
		ID: p.m.ID, Try: p.try, From: p.m.From, Body: p.m.Body, UTF8: p.m.UTF8, Mail: p.m.Mail, Offset: p.m.Offset, Size: p.m.Size,
		Destination: r.Name, Hosts: hosts, TLS: r.TLS, Login: r.Login, CAFile: r.CAFile, LMTP: r.LMTP,
	}
	var all outcome
	for len(targets) > 0 {
		some := targets[:min(len(targets), rcptsAtOnce)]
		targets = targets[len(some):]
		req.Rcpts = p.rcpts(some)
		answer, err := p.remote.Do(p.work, req, f)
		if err != nil {
			p.schedule.Leave(destination)
			o := p.unanswered(service, some, err)
			o.results = append(all.results, o.results...)
			return o
		}
		all.results = append(all.results, remoteResults(p, some, answer).results...)
		if !answer.Reached {
			p.good(service)
			return p.unreached(destination, all, targets)
		}
	}
	p.good(service)
	p.good(destination)
	return all
}

// unroutable is the outcome where the hosts could not be looked up. A
// destination of which the DNS knows nothing now is as good as one that does
// not answer.
func (p *pass) unroutable(destination *schedule.Gate, targets []int, err error) outcome {
	v := verdict.Of(err)
	o := same(targets, v)
	for _, n := range targets {
		p.log.Outcome(p.m.ID, "address", p.m.Targets[n].Value, v, p.try, p.age())
	}
	var dns *verdict.Error
	if v.Kind == verdict.Later && errors.As(err, &dns) && dns.Err != nil {
		p.bad(destination, v)
		o.failed = destination
		return o
	}
	p.schedule.Leave(destination)
	return o
}

// unreached is the outcome where no host of the destination could be talked
// to; those who were not in the request share the word of those who were.
func (p *pass) unreached(destination *schedule.Gate, all outcome, rest []int) outcome {
	last := all.results[len(all.results)-1]
	for _, n := range rest {
		all.results = append(all.results, result{n, last.Result})
	}
	if last.Verdict.Kind != verdict.Later {
		p.schedule.Leave(destination) // there is no such host, and that is known
		return all
	}
	p.bad(destination, last.Verdict)
	all.failed = destination
	return all
}

func (p *pass) rcpts(targets []int) []handover.Rcpt {
	list := make([]handover.Rcpt, 0, len(targets))
	for _, n := range targets {
		if a, err := addr.Parse(p.m.Targets[n].Value); err == nil { // it was parsed for its route
			list = append(list, handover.Rcpt{Address: a, Rcpt: p.passOn(n)})
		}
	}
	return list
}

func remoteResults(p *pass, targets []int, answer handover.RemoteResult) outcome {
	said := make(map[string]result, len(answer.Rcpts))
	for _, r := range answer.Rcpts {
		said[r.Rcpt] = result{Result: spool.Result{Verdict: r.Verdict, Via: r.Host, Passed: r.DSN}}
	}
	return collect(targets, said, func(n int) string {
		a, err := addr.Parse(p.m.Targets[n].Value)
		if err != nil {
			return ""
		}
		return a.String()
	})
}
