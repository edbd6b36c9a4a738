package main

import (
	"errors"
	"fmt"

	"posthorn/internal/screen"
)

// verify says for each address where its mail would go (-bv). Nothing is sent.
func (p *program) verify() error {
	if len(p.args) == 0 {
		return usage("found no address, expected one or more behind -bv")
	}
	var all []string
	for _, arg := range p.args {
		list, err := parseMailboxes(arg)
		if err != nil {
			return &failure{exDataErr, err}
		}
		all = append(all, list...)
	}
	var worst error
	for _, a := range all {
		var way string
		err := p.persist(func() error {
			return p.session(func(c *client) (err error) {
				way, err = c.do("VRFY <%s>", a)
				return err
			})
		})
		var r *refusal
		switch {
		case err == nil:
			fmt.Fprintf(p.stdout, "%s: deliverable: %s\n", a, screen.Line(words(way)))
			continue
		case errors.As(err, &r):
			fmt.Fprintf(p.stdout, "%s: not deliverable: %s\n", a, screen.Line(words(r.text)))
			err = &failure{exitCode(err), errors.New("not every address is deliverable")}
		}
		if worst == nil || exitCode(err) == exTempFail {
			worst = err
		}
	}
	return worst
}
