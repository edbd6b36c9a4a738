package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"posthorn/internal/id"
	"posthorn/internal/screen"
	"posthorn/internal/session"
)

// hosts are the session programs of the configuration.
func hosts(e *env) []string {
	return slices.DeleteFunc(slices.Clone(daemons(e.conf)), func(name string) bool { return !strings.HasSuffix(name, "-session") })
}

// who lists the sessions under way, those of one user if one is named.
func who(e *env, args []string) error {
	if len(args) > 1 {
		return usage("expected: who [user]")
	}
	var all []session.Guest
	for _, name := range hosts(e) {
		client := control(e.conf, name)
		guests, err := session.Who(context.Background(), client)
		client.Close()
		if err != nil {
			return fmt.Errorf("who: %s: %w", name, err)
		}
		all = append(all, guests...)
	}
	if len(args) == 1 {
		names := names(e, args[0])
		all = slices.DeleteFunc(all, func(g session.Guest) bool { return !slices.Contains(names, g.User) })
	}
	slices.SortStableFunc(all, func(a, b session.Guest) int { return strings.Compare(a.User, b.User) })
	return printGuests(e, all)
}

// printGuests writes a line for each session.
func printGuests(e *env, all []session.Guest) error {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "USER\tSERVICE\tADDRESS\tTLS\tSINCE\tIDLE\tID\tFOLDER")
	for _, g := range all {
		idle, tls, folder := "active", "no", "-"
		if !g.Active {
			idle = age(time.Since(g.Last))
		}
		if g.TLS {
			tls = "yes"
		}
		if g.Folder != "" {
			folder = screen.Line(g.Folder)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			screen.Line(g.User), g.Service, g.Client, tls, age(time.Since(g.Since)), idle, screen.Line(g.ID), folder)
	}
	return w.Flush()
}

// names are what a user may be called in a session: one without a domain may be
// of the first.
func names(e *env, user string) []string {
	if strings.Contains(user, "@") {
		return []string{user}
	}
	return []string{user, user + "@" + e.conf.Domains[0]}
}

// kick ends sessions by their ids, or all those of users.
func kick(e *env, args []string) error {
	if len(args) == 0 {
		return usage("expected: kick user|id ..., as who prints them")
	}
	var ids, users []string
	for _, word := range args {
		if id.Valid(word) {
			ids = append(ids, word)
		} else {
			users = append(users, names(e, word)...)
		}
	}
	n := 0
	for _, name := range hosts(e) {
		client := control(e.conf, name)
		more, err := session.Kick(context.Background(), client, ids, users)
		client.Close()
		if err != nil {
			return fmt.Errorf("kick: %s: %w", name, err)
		}
		n += more
	}
	if n == 0 {
		return fmt.Errorf("kick: no such session")
	}
	fmt.Fprintf(e.stdout, "kicked: %d sessions\n", n)
	return nil
}
