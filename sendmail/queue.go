package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"posthorn/internal/door"
	"posthorn/internal/id"
	"posthorn/internal/screen"
	"posthorn/internal/verdict"
)

// reasonWidth is the column in front of which Postfix's mailq sets reasons.
const reasonWidth = 76

// printQueue writes the queue as Postfix's mailq does, for scripts read that. One
// that could not be written whole is an error: a script would take it for all.
func (p *program) printQueue() error {
	w := bufio.NewWriter(p.stdout)
	err := p.listQueue(w)
	if werr := w.Flush(); werr != nil && err == nil {
		err = fail(exOSErr, "%w", werr)
	}
	return err
}

func (p *program) listQueue(w io.Writer) error {
	c := door.NewControl(p.conf.Socket("mailq"))
	defer c.Close()
	ctx := context.Background()
	count, size, after := 0, int64(0), ""
	for more := true; more; {
		var page []door.Summary
		var err error
		if page, _, more, err = c.List(ctx, after); err != nil {
			return queueFailure(err)
		}
		for _, s := range page {
			after = s.ID
			d, err := c.Show(ctx, s.ID)
			if v := verdict.Of(err); err != nil && v.Kind == verdict.Never {
				continue // it has left meanwhile
			}
			if err != nil {
				return queueFailure(err)
			}
			if count == 0 {
				fmt.Fprintln(w, "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------")
			}
			printMessage(w, d)
			count, size = count+1, size+d.Size
		}
		more = more && len(page) > 0
	}
	if count == 0 {
		fmt.Fprintln(w, "Mail queue is empty")
		return nil
	}
	fmt.Fprintf(w, "-- %d Kbytes in %d Request%s.\n", size/1024, count, plural(count))
	return nil
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// printMessage writes one message: its id with a mark, and who still waits for
// it, under the reason.
func printMessage(w io.Writer, d door.Detail) {
	mark := map[string]string{"active": "*", "held": "!"}[d.State]
	from := d.From
	if from == "" {
		from = "MAILER-DAEMON"
	}
	fmt.Fprintf(w, "%-11s %7d %20.20s %s\n", d.ID+mark, d.Size, d.Arrived.Local().Format("Mon Jan _2 15:04:05")+" ", screen.Line(from))
	last := ""
	for _, r := range waiting(d) {
		if r.reason != last && r.reason != "" {
			fmt.Fprintf(w, "%*s(%s)\n", max(reasonWidth-len(r.reason), 0), "", screen.Line(r.reason))
		}
		last = r.reason
		fmt.Fprintf(w, "%-10s %8s %-20s %s\n", "", "", "", screen.Line(r.rcpt))
	}
	fmt.Fprintln(w)
}

// waiter is a recipient with the reason why he waits.
type waiter struct{ rcpt, reason string }

// waiting returns the recipients whose verdict is not final.
func waiting(d door.Detail) (all []waiter) {
	for _, t := range d.Targets {
		if t.Verdict == verdict.Done.String() || t.Verdict == verdict.Never.String() {
			continue
		}
		all = append(all, waiter{t.Rcpt, reason(d, t)})
	}
	if len(d.Targets) == 0 { // authd was not asked yet
		for _, r := range d.Recipients {
			all = append(all, waiter{r.Address, ""})
		}
	}
	return all
}

// reason says why a recipient waits.
func reason(d door.Detail, t door.TargetDetail) string {
	switch {
	case t.Text == "" && d.Waiting != "":
		return "delivery temporarily suspended: waiting for " + d.Waiting
	case t.Via == "" || strings.Contains(t.Text, t.Via):
		return t.Text
	}
	return "host " + t.Via + " said: " + t.Text
}

// flush has the queue tried now, or the one message that -qI names.
func (p *program) flush() error {
	var ids []string
	if p.only != "" {
		if !id.Valid(p.only) {
			return usage("found -qI%s, expected an id as mailq prints it", p.only)
		}
		ids = []string{p.only}
	}
	c := door.NewControl(p.conf.ControlSocket("queued"))
	defer c.Close()
	n, err := c.Do(context.Background(), door.RequestFlush, ids...)
	if err != nil {
		return queueFailure(err)
	}
	if n < len(ids) {
		return fail(exDataErr, "%s is not in the queue", p.only)
	}
	return nil
}

// queueFailure says why queued gave no answer.
func queueFailure(err error) error {
	var v *verdict.Error
	switch {
	case errors.Is(err, syscall.EACCES), errors.As(err, &v) && v.Status == statusDenied:
		return fail(exNoPerm, "the queue is for root and the users that mailq-users names in posthorn.conf(5)")
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return fail(exUnavailable, "the queue cannot be asked: the mail system is down: %w", err)
	}
	return fail(exUnavailable, "the queue cannot be asked: %w", err)
}

// statusDenied is queued's word for who may not ask (RFC 3463 3.8).
const statusDenied = "5.7.1"
