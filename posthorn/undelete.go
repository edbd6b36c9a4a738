package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"posthorn/internal/mailbox"
	"posthorn/internal/screen"
)

// undeletion is a run of posthorn undelete.
type undeletion struct {
	pick
	dry   bool
	to    string // "": where it was
	out   *tabwriter.Writer
	box   *mailbox.Box
	found int
}

const undeleteWords = "[-n] [-all] [-since time] [-folder name] [-to name] user|path [id ...]"

// undelete lists or gives back what is kept of what was removed from a mailbox.
func undelete(e *env, args []string) error {
	u := &undeletion{}
	user, err := u.parse(args, time.Now())
	if err != nil {
		return err
	}
	path, err := maildirOf(e, user)
	if err == nil {
		err = becomeOwner(e.conf, path)
	}
	if err == nil {
		err = u.run(e, path)
	}
	if err != nil {
		return fmt.Errorf("undelete: %w", err)
	}
	return nil
}

// parse takes the command line and returns the user or path.
func (u *undeletion) parse(args []string, now time.Time) (user string, err error) {
	flags := flag.NewFlagSet("undelete", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&u.dry, "n", false, "")
	flags.BoolVar(&u.all, "all", false, "")
	flags.StringVar(&u.to, "to", "", "")
	since := flags.String("since", "", "")
	flags.StringVar(&u.folder, "folder", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
		return "", usage("expected: undelete %s", undeleteWords)
	}
	if *since != "" {
		if u.since, err = when(*since, now); err != nil {
			return "", err
		}
	}
	u.folder, u.to = mailbox.Canonical(u.folder), mailbox.Canonical(u.to)
	u.ids = flags.Args()[1:]
	if !u.any() {
		u.all, u.dry = true, true
	}
	return flags.Arg(0), nil
}

// when reads a time: 2026-11-23, 2026-11-23T14:30, or how long ago it was, as 36h or
// 3d.
func when(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, usage("found the time %q, expected one such as 2026-11-23, 2026-11-23T14:30, 36h or 3d", s)
}

func (u *undeletion) run(e *env, path string) error {
	return withBox(e, path, func(box *mailbox.Box) error { return u.places(e, box) })
}

// places looks through all that is kept.
func (u *undeletion) places(e *env, box *mailbox.Box) error {
	u.box, u.found, u.out = box, 0, tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	places, err := box.Kept()
	if err != nil {
		return err
	}
	if u.dry {
		fmt.Fprintln(u.out, "ID\tREMOVED\tFOLDER\tSIZE\tFROM\tSUBJECT")
	}
	var failed []error
	for _, k := range places {
		failed = append(failed, u.place(k))
	}
	failed = append(failed, u.out.Flush())
	if u.found == 0 && len(u.ids) > 0 {
		failed = append(failed, errors.New("found no such message"))
	}
	return errors.Join(failed...)
}

// place looks through a day, or a deleted folder.
func (u *undeletion) place(k mailbox.Kept) error {
	box, err := u.box.OpenKept(k)
	if err != nil {
		return err
	}
	defer box.Close()
	folders, err := box.Folders()
	if err != nil {
		return err
	}
	if k.Folder {
		folders = folders[1:] // without the INBOX
	}
	var failed []error
	for _, name := range folders {
		if u.folder != "" && u.folder != name {
			continue
		}
		if err := u.mailbox(k, box, name); err != nil {
			failed = append(failed, errors.New(screen.Line(name+": "+err.Error())))
		}
	}
	return errors.Join(failed...)
}

// mailbox lists or gives back what is wanted of one mailbox.
func (u *undeletion) mailbox(k mailbox.Kept, box *mailbox.Box, name string) error {
	v, err := box.Select(name, false)
	if err != nil {
		return err
	}
	defer v.Close()
	all, err := u.choose(k, v)
	if err != nil || len(all) == 0 {
		return err
	}
	u.found += len(all)
	if u.dry {
		return u.list(v, name, all)
	}
	to := cmp.Or(u.to, name)
	if k.Folder && len(all) == v.Len() && len(u.ids) == 0 {
		v.Close()
		err := u.box.ReturnFolder(k, name, to)
		if err == nil {
			u.say(name, to, "is back with its messages, %d, as it was", len(all))
		}
		if !errors.Is(err, mailbox.ErrExists) && !errors.Is(err, mailbox.ErrBadName) {
			return err
		}
		if v, err = box.Select(name, false); err != nil {
			return err
		}
		defer v.Close()
	}
	return u.giveBack(v, name, to, all)
}

// together is how many messages are given back at a time.
const together = 1000

// giveBack files messages in the mailbox to, which is made where it is missing.
func (u *undeletion) giveBack(v *mailbox.View, name, to string, all []removed) error {
	if err := u.box.Create(to); err != nil && !errors.Is(err, mailbox.ErrExists) {
		return err
	}
	for n := 0; n < len(all); n += together {
		var seqs []int
		for _, m := range all[n:min(n+together, len(all))] {
			seqs = append(seqs, m.seq)
		}
		if err := v.GiveBack(seqs, u.box, to); err != nil {
			return err
		}
	}
	u.say(name, to, "messages given back: %d", len(all))
	return nil
}

// say prints what was done.
func (u *undeletion) say(name, to, format string, n int) {
	if to != name {
		name += " (to " + to + ")"
	}
	fmt.Fprintf(u.out, "%s: "+format+"\n", screen.Line(name), n)
}

// list prints a line for each message.
func (u *undeletion) list(v *mailbox.View, name string, all []removed) error {
	for _, m := range all {
		from, subject, size, err := headline(v, m.seq)
		if errors.Is(err, mailbox.ErrExpunged) {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(u.out, "%s\t%s\t%s\t%d\t%s\t%s\n", m.id, m.when.Local().Format("2006-01-02T15:04:05"), screen.Line(name), size, from, subject)
	}
	return nil
}
