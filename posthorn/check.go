package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/password"
	"posthorn/internal/tables"
	"posthorn/internal/tlsconf"
)

// check looks at everything that a start needs and says all that is wrong.
func check(e *env, args []string) error {
	if len(args) > 0 {
		return usage("check takes no words")
	}
	var found []error
	for _, look := range []func(*conf.Config) error{
		checkTables, checkPostmaster, checkPublic, checkKeys, checkSecrets, checkIdentities, checkFolders, checkPrograms,
	} {
		if err := look(e.conf); err != nil {
			found = append(found, err)
		}
	}
	if err := errors.Join(found...); err != nil {
		return fmt.Errorf("%w:\n%w", errConfig, err)
	}
	fmt.Fprintln(e.stdout, e.conf.File+": good")
	return nil
}

// optional is nil for a table that is not there: no aliases, no routes.
func optional(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func checkTables(c *conf.Config) error {
	users := checkUsers(c)
	_, aliases := tables.LoadAliases(c.AliasesFile, c.Domains[0])
	_, transport := tables.LoadTransport(c.TransportFile)
	return errors.Join(users, optional(aliases), optional(transport))
}

// checkUsers looks at the table of users, and at who may read it: it holds
// passwords.
func checkUsers(c *conf.Config) error {
	users, err := tables.LoadUsers(c.UsersFile, c.Domains[0], password.Check)
	if err != nil {
		return err
	}
	if fi, err := os.Stat(c.UsersFile); err == nil && fi.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("%s: found mode %v, expected a file that others cannot read (0640)", c.UsersFile, fi.Mode().Perm())
	}
	vmail, err := c.Identity("vmail")
	if err != nil {
		return nil // checkIdentities says so
	}
	return users.CheckUIDs(c.MinUID, vmail.UID)
}

// checkPostmaster: RFC 5321 4.5.1 wants mail for postmaster to be read, and
// what cannot be returned goes there too.
func checkPostmaster(c *conf.Config) error {
	users, uerr := tables.LoadUsers(c.UsersFile, c.Domains[0], nil)
	aliases, aerr := tables.LoadAliases(c.AliasesFile, c.Domains[0])
	if uerr != nil || optional(aerr) != nil {
		return nil // checkTables says so
	}
	known := func(key string) bool {
		if aliases == nil {
			return false
		}
		_, ok := aliases.Lookup(key)
		return ok
	}
	if c.Postmaster == "" {
		if known("postmaster") {
			return nil
		}
		return fmt.Errorf("%s: found no postmaster, expected a line such as: postmaster ann@%s (or an alias of that name in %s)",
			c.File, c.Domains[0], c.AliasesFile)
	}
	a, err := addr.Parse(c.Postmaster)
	if err != nil {
		return fmt.Errorf("%s: postmaster %s: %w", c.File, c.Postmaster, err)
	}
	local, _ := a.Detail(c.Delimiter)
	base := addr.Address{Local: local, Domain: a.Domain}.Key()
	_, isUser := users.Lookup(base)
	if !c.LocalDomain(a.Domain) || isUser || c.SystemUsers || known(base) || known(strings.ToLower(local)) || known("@"+a.Domain) {
		return nil
	}
	return fmt.Errorf("%s: postmaster: found %s, who is neither in %s nor in %s, expected an address whose mail is read",
		c.File, c.Postmaster, c.UsersFile, c.AliasesFile)
}

// checkPublic: nobody sees mailboxes of a user who is not there, or that are not
// vmail's.
func checkPublic(c *conf.Config) error {
	if c.PublicFolders == "" {
		return nil
	}
	users, err := tables.LoadUsers(c.UsersFile, c.Domains[0], nil)
	if err != nil {
		return nil // checkTables says so
	}
	vmail, err := c.Identity("vmail")
	if err != nil {
		return nil // checkIdentities says so
	}
	switch u, ok := users.Lookup(c.PublicFolders); {
	case !ok:
		return fmt.Errorf("%s: public-folders: found %s, who is not in %s, expected one of its users", c.File, c.PublicFolders, c.UsersFile)
	case u.UID >= 0 && u.UID != vmail.UID:
		return fmt.Errorf("%s: public-folders: found %s with the uid %d (%s), expected a user whose mail is vmail's", c.File, c.PublicFolders, u.UID, u.Place)
	case c.SystemUsers:
		return fmt.Errorf("%s: public-folders: found system-users too, with which nobody sees mailboxes of others", c.File)
	}
	return nil
}

func checkKeys(c *conf.Config) error {
	var found []error
	for _, file := range c.TLS {
		if _, err := tls.LoadX509KeyPair(file, file); err != nil {
			found = append(found, fmt.Errorf("tls: %s: %w", file, err))
		}
	}
	if c.TLSClients != "" {
		found = append(found, tlsconf.Clients(new(tls.Config), c.TLSClients))
	}
	return errors.Join(found...)
}

func checkSecrets(c *conf.Config) error {
	var found []error
	for _, s := range c.Smarthosts {
		if s.Login == "" {
			continue
		}
		if _, err := conf.Secret(s.Login); err != nil {
			found = append(found, fmt.Errorf("%s: %w", s.Pos, err))
		}
	}
	return errors.Join(found...)
}

func checkIdentities(c *conf.Config) error {
	var found []error
	for _, name := range []string{"smtpd", "queued", "queue-remote", "deliver", "imapd", "pop3d", "authd", "vmail"} {
		if _, err := c.Identity(name); err != nil {
			found = append(found, err)
		}
	}
	return errors.Join(found...)
}

// checkFolders looks at what exists: the rest is made at the start.
func checkFolders(c *conf.Config) error {
	var found []error
	for _, f := range layout(c) {
		if err := f.check(c); optional(err) != nil {
			found = append(found, err)
		}
	}
	return errors.Join(found...)
}

func checkPrograms(c *conf.Config) error {
	var found []error
	for _, name := range daemons(c) {
		path := filepath.Join(c.Libexec, name)
		if fi, err := os.Stat(path); err != nil || fi.Mode()&0o111 == 0 {
			found = append(found, fmt.Errorf("libexec: %s: expected the program %s (%v)", path, name, err))
		}
	}
	if c.TokenHelper != "" {
		if fi, err := os.Stat(c.TokenHelper); err != nil || fi.Mode()&0o111 == 0 {
			found = append(found, fmt.Errorf("token-helper: %s: expected a program (%v)", c.TokenHelper, err))
		}
	}
	return errors.Join(found...)
}
