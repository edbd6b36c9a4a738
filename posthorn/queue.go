package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"posthorn/internal/door"
	"posthorn/internal/dsn"
	"posthorn/internal/id"
	"posthorn/internal/screen"
)

// queue looks after the queue.
func queue(e *env, args []string) error {
	if len(args) == 0 {
		return usage("expected: queue list, show, flush, hold, release or remove")
	}
	c := door.NewControl(e.conf.ControlSocket("queued"))
	defer c.Close()
	word, ids := args[0], args[1:]
	switch word {
	case "list":
		return listQueue(e, c, ids)
	case door.RequestFlush:
		if len(ids) > 0 {
			return changeQueue(e, c, word, ids)
		}
		n, err := c.Do(context.Background(), word)
		return report(e, word, n, err)
	case "show", door.RequestHold, door.RequestRelease, door.RequestRemove:
		if len(ids) == 0 {
			return usage("queue %s: expected one or more ids, as queue list prints them", word)
		}
		if word == "show" {
			return showQueue(e, c, ids)
		}
		return changeQueue(e, c, word, ids)
	}
	return usage("found queue %q, expected list, show, flush, hold, release or remove", word)
}

func checkIDs(ids []string) error {
	for _, s := range ids {
		if !id.Valid(s) {
			return usage("found %q, expected an id as queue list prints it", s)
		}
	}
	return nil
}

// changeQueue has messages held, released, removed or tried. Unknown ones are
// an error after the others were treated.
func changeQueue(e *env, c *door.Control, word string, ids []string) error {
	if err := checkIDs(ids); err != nil {
		return err
	}
	known := 0
	for first := 0; first < len(ids); first += door.MaxIDs {
		n, err := c.Do(context.Background(), word, ids[first:min(first+door.MaxIDs, len(ids))]...)
		if err != nil {
			return fmt.Errorf("queue %s: %w", word, err)
		}
		known += n
	}
	var err error
	if known < len(ids) {
		err = fmt.Errorf("%d of %d are not in the queue", len(ids)-known, len(ids))
	}
	return report(e, word, known, err)
}

// report says how many messages a request reached.
func report(e *env, word string, n int, err error) error {
	if n > 0 || err == nil {
		fmt.Fprintf(e.stdout, "%s: %d messages\n", word, n)
	}
	if err != nil {
		return fmt.Errorf("queue %s: %w", word, err)
	}
	return nil
}

func listQueue(e *env, c *door.Control, args []string) error {
	flags := flag.NewFlagSet("queue list", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	most := flags.Int("n", 0, "list at most `count` messages; 0 lists all")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || *most < 0 {
		return usage("expected: queue list [-n count]")
	}
	shown, after := 0, ""
	for {
		page, total, more, err := c.List(context.Background(), after)
		if err != nil {
			return fmt.Errorf("queue list: %w", err)
		}
		for _, m := range page {
			if *most > 0 && shown == *most {
				more = false
				break
			}
			printSummary(e.stdout, m)
			shown, after = shown+1, m.ID
		}
		if !more || len(page) == 0 {
			fmt.Fprintf(e.stdout, "%d of %d messages\n", shown, total)
			return nil
		}
	}
}

// printSummary writes one line: id, age, size, sender, recipients, state.
func printSummary(w io.Writer, m door.Summary) {
	rcpt := screen.Line(m.Rcpt)
	if m.Rcpts > 1 {
		rcpt = fmt.Sprintf("%s (%d recipients)", rcpt, m.Rcpts)
	}
	fmt.Fprintf(w, "%s %7s %9d <%s> %s %s\n", m.ID, age(time.Since(m.Arrived)), m.Size, screen.Line(m.From), rcpt, state(m))
}

// state says in words what a message waits for.
func state(m door.Summary) string {
	switch {
	case m.Waiting != "":
		return m.State + " for " + screen.Line(m.Waiting)
	case !m.Next.IsZero():
		return m.State + " next try in " + age(time.Until(m.Next))
	}
	return m.State
}

// age writes a duration in its largest two units.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Hour:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

func showQueue(e *env, c *door.Control, ids []string) error {
	if err := checkIDs(ids); err != nil {
		return err
	}
	var failed []error
	for _, s := range ids {
		m, err := c.Show(context.Background(), s)
		if err != nil {
			failed = append(failed, fmt.Errorf("queue show %s: %w", s, err))
			continue
		}
		printDetail(e.stdout, m)
	}
	return errors.Join(failed...)
}

func printDetail(w io.Writer, m door.Detail) {
	fmt.Fprintf(w, "%s %s\n", m.ID, state(m.Summary))
	for _, line := range [][2]string{
		{"arrived", m.Arrived.Format(time.RFC3339)}, {"size", fmt.Sprint(m.Size)}, {"origin", m.Origin},
		{"client", m.Client}, {"helo", m.Helo}, {"login", m.Auth}, {"from", "<" + m.From + ">"},
		{"ret", string(m.Mail.Ret)}, {"envid", m.Mail.Envid},
	} {
		if line[1] != "" {
			fmt.Fprintf(w, "  %-8s %s\n", line[0], screen.Line(line[1]))
		}
	}
	for _, r := range m.Recipients {
		fmt.Fprintf(w, "  rcpt     <%s>%s\n", screen.Line(r.Address), asked(r.Rcpt))
	}
	for _, t := range m.Targets {
		by := ""
		if t.Origin != "" { // none for an address of another host as it stands
			by = ", by " + screen.Line(t.Origin)
		}
		fmt.Fprintf(w, "  %-8s %s (for %s%s): %s\n", t.Kind, screen.Line(t.Value), screen.Line(t.Rcpt), by, outcome(t))
	}
}

// asked says what the sender asked of reports for a recipient.
func asked(r dsn.Rcpt) (text string) {
	if r.Notify != 0 {
		text += " notify=" + r.Notify.String()
	}
	if r.Orcpt != "" {
		text += " orcpt=" + screen.Line(r.Orcpt)
	}
	return text
}

func outcome(t door.TargetDetail) string {
	if t.Verdict == "" {
		return "not tried"
	}
	via := ""
	if t.Via != "" {
		via = " " + screen.Line(t.Via) + ":"
	}
	return fmt.Sprintf("%s %s after try %d:%s %s", t.Verdict, t.Status, t.Try, via, screen.Line(t.Text))
}
