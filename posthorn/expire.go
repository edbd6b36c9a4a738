package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
	"posthorn/internal/mailbox"
	"posthorn/internal/priv"
	"posthorn/internal/screen"
	"posthorn/internal/tables"
)

// account is a mailbox with the rules for it.
type account struct {
	name, path string
	uid, gid   int // of who owns it
	rules      conf.Autoexpunge
}

// expire removes what rules say and what was kept for long enough, for the accounts
// that are named, else for all of the table of users.
func expire(e *env, args []string) error {
	flags := flag.NewFlagSet("expire", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dry := flags.Bool("n", false, "")
	if err := flags.Parse(args); err != nil {
		return usage("expected: expire [-n] [user|path ...]")
	}
	all, err := accounts(e, flags.Args())
	if err != nil {
		return fmt.Errorf("expire: %w", err)
	}
	if err := expireOwners(e, all, *dry); err != nil {
		return fmt.Errorf("expire: %w", err)
	}
	return nil
}

// accounts returns those that are named, or all that have mail.
func accounts(e *env, names []string) (all []account, err error) {
	users, err := tables.LoadUsers(e.conf.UsersFile, e.conf.Domains[0], nil)
	if optional(err) != nil {
		return nil, err
	}
	named := len(names) > 0
	if !named && users != nil {
		for u := range users.All() {
			names = append(names, u.Name)
		}
	}
	for _, name := range names {
		a := account{name: name, rules: e.conf.Autoexpunge}
		if a.path, err = maildirIn(e, users, name); err != nil {
			return nil, err
		}
		if u, ok := userOf(e, users, name); ok {
			if a.rules, err = a.rules.With(u.Expunge); err != nil {
				return nil, err
			}
		}
		var st unix.Stat_t
		if err := unix.Stat(a.path, &st); err == nil {
			a.uid, a.gid = int(st.Uid), int(st.Gid)
			all = append(all, a)
		} else if named || err != unix.ENOENT {
			return nil, &os.PathError{Op: "stat", Path: a.path, Err: err}
		}
	}
	return all, nil
}

// expireOwners does it as the owners of the mail: as root with a process for each.
func expireOwners(e *env, all []account, dry bool) error {
	if !priv.Root() || len(all) == 0 {
		return expireAll(e, all, dry)
	}
	slices.SortStableFunc(all, func(a, b account) int { return a.uid - b.uid })
	if first := all[0]; first.uid == all[len(all)-1].uid {
		if err := becomeOwner(e.conf, first.path); err != nil {
			return err
		}
		return expireAll(e, all, dry)
	}
	var failed []error
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(a account) bool { return a.uid != all[0].uid })
		if n < 0 {
			n = len(all)
		}
		failed = append(failed, expireAs(e, all[:n], dry))
		all = all[n:]
	}
	return errors.Join(failed...)
}

// atATime is how many accounts one process gets.
const atATime = 1000

// expireAs runs this program for accounts of one owner.
func expireAs(e *env, all []account, dry bool) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	var failed []error
	for part := range slices.Chunk(all, atATime) {
		args := []string{"-c", e.conf.File, "expire"}
		if dry {
			args = append(args, "-n")
		}
		args = append(args, "--") // a name may begin with a hyphen
		for _, a := range part {
			args = append(args, a.name)
		}
		cmd := exec.Command(program, args...)
		cmd.Stdout, cmd.Stderr = e.stdout, e.stderr
		if err := cmd.Run(); err != nil {
			failed = append(failed, fmt.Errorf("uid %d: %w", part[0].uid, err))
		}
	}
	return errors.Join(failed...)
}

// expireAll goes through accounts of this process's own.
func expireAll(e *env, all []account, dry bool) error {
	store := mailbox.New(mailbox.Options{Node: e.conf.Node, Shared: e.conf.MailShared, Index: e.conf.IndexOf})
	defer store.Close()
	store.KeepRemoved(e.conf.Undelete)
	var failed []error
	for _, a := range all {
		if !isMaildir(a.path) { // the store would make it
			continue
		}
		if err := a.expire(e, store, time.Now(), dry); err != nil {
			failed = append(failed, errors.New(screen.Line(a.name+": "+err.Error())))
		}
	}
	return errors.Join(failed...)
}

// expire goes through one account.
func (a account) expire(e *env, store *mailbox.Store, now time.Time, dry bool) error {
	box, err := store.Open(a.path)
	if err != nil {
		return err
	}
	defer box.Close()
	var failed []error
	if len(a.rules) > 0 {
		failed = append(failed, a.byRules(e, box, now, dry))
	}
	if !dry {
		failed = append(failed, box.Sweep(now))
	}
	return errors.Join(failed...)
}

// byRules removes what is old.
func (a account) byRules(e *env, box *mailbox.Box, now time.Time, dry bool) error {
	folders, err := box.Folders()
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range folders {
		rule, ok := a.rules.For(name)
		if !ok {
			continue
		}
		count := 0
		_, err := box.ExpungeIf(name, func(v *mailbox.View, seq int, m mailbox.Message) (bool, error) {
			yes, err := isOld(rule, v, seq, m, now)
			if yes && err == nil {
				count++
			}
			return yes && !dry, err
		})
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
		case count > 0:
			fmt.Fprintf(e.stdout, "%s: %s: %d messages older than %s\n", screen.Line(a.name), screen.Line(name), count, age(rule.Age))
		}
	}
	return errors.Join(failed...)
}

// isOld reports whether a rule removes a message.
func isOld(r conf.ExpungeRule, v *mailbox.View, seq int, m mailbox.Message, now time.Time) (bool, error) {
	if r.Seen && m.Flags.System&mailbox.Seen == 0 {
		return false, nil
	}
	old := func(t time.Time) bool { return now.Sub(t) >= r.Age }
	if r.Received {
		m, err := v.Measure(seq)
		return err == nil && old(m.Date), err
	}
	saved, err := v.Saved(seq)
	if err != nil || !old(saved) { // most, and without a look at the file
		return false, err
	}
	b, err := v.Open(seq)
	if err != nil {
		return false, err
	}
	defer b.Close()
	changed, err := b.Changed()
	return err == nil && old(changed), err
}
