package main

import (
	"fmt"

	"posthorn/internal/conf"
	"posthorn/internal/password"
	"posthorn/internal/tables"
)

// settings are what a reload replaces: the configuration and its tables.
type settings struct {
	conf    *conf.Config
	users   *tables.Live[accounts]
	aliases *tables.Live[tables.Aliases]
}

// accounts is the users table and what logins of nobody cost.
type accounts struct {
	*tables.Users
	// usual is a hash of the kind that most users have. A login for which
	// there is no hash computes this one and throws the result away.
	usual *password.Hash
	scram bool          // somebody has keys of SCRAM
	keys  password.Keys // what those of nobody look like
	// secret decides the salts of nobody: the least digest of all keys, so that neither
	// a restart nor most changes of the table give nobody a salt other than before, by
	// which he would be told from users. Only who has the keys it comes of knows it.
	secret string
}

// noAccounts is the table where there is none.
func noAccounts() *accounts {
	return &accounts{Users: new(tables.Users), usual: password.Default(), keys: password.UsualKeys()}
}

// load reads the tables of c.
func (s *service) load(c *conf.Config) (*settings, error) {
	domain := c.Domains[0]
	set := &settings{conf: c,
		users: &tables.Live[accounts]{Path: c.UsersFile,
			Parse: func(content []byte) (*accounts, error) {
				return parseAccounts(c.UsersFile, content, domain, c.MinUID, s.vmail.UID)
			},
			Report: func(err error) { s.log.Table(c.UsersFile, err) }},
		aliases: &tables.Live[tables.Aliases]{Path: c.AliasesFile,
			Parse: func(content []byte) (*tables.Aliases, error) {
				return tables.ParseAliases(c.AliasesFile, content, domain)
			},
			Missing: new(tables.Aliases),
			Report:  func(err error) { s.log.Table(c.AliasesFile, err) }},
	}
	if c.SystemUsers {
		// Then users may have no line here at all.
		set.users.Missing = noAccounts()
	}
	if err := set.users.Open(); err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	if err := set.aliases.Open(); err != nil {
		return nil, fmt.Errorf("aliases: %w", err)
	}
	return set, nil
}

// addKeys takes in that somebody has keys.
func (a *accounts) addKeys(k password.Keys) {
	sum := password.Sum(k.Server[:], "salts of nobody")
	if !a.scram {
		a.keys = k
	}
	if !a.scram || string(sum[:]) < a.secret {
		a.secret = string(sum[:])
	}
	a.scram = true
}

// parseAccounts reads the users table, checks every hash, and finds the usual
// kind.
func parseAccounts(file string, content []byte, domain string, minUID, vmail int) (*accounts, error) {
	counts := map[string]int{}
	a := noAccounts()
	check := func(stored string) error {
		if password.Locked(stored) {
			return nil
		}
		h, err := password.Parse(stored)
		if err != nil {
			return err
		}
		if k, ok := h.Keys(); ok {
			a.addKeys(k)
		}
		counts[h.Kind()]++
		if counts[h.Kind()] > counts[a.usual.Kind()] {
			a.usual = h
		}
		return nil
	}
	var err error
	if a.Users, err = tables.ParseUsers(file, content, domain, check); err != nil {
		return nil, err
	}
	return a, a.CheckUIDs(minUID, vmail)
}
