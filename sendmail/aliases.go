package main

import (
	"errors"
	"os"
	"syscall"

	"posthorn/internal/tables"
)

// checkAliases reads the table of aliases (-bi). There is nothing to build from
// it: authd reads it as it is, when it changes.
func (p *program) checkAliases() error {
	domain := "localhost"
	if len(p.conf.Domains) > 0 {
		domain = p.conf.Domains[0]
	}
	_, err := tables.LoadAliases(p.conf.AliasesFile, domain)
	switch {
	case err == nil, errors.Is(err, os.ErrNotExist):
		return nil
	case errors.Is(err, syscall.EACCES):
		return &failure{exNoPerm, err}
	}
	var path *os.PathError
	if errors.As(err, &path) {
		return &failure{exOSErr, err}
	}
	return &failure{exDataErr, err}
}
