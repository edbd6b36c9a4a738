package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
	"posthorn/internal/durable"
	"posthorn/internal/password"
	"posthorn/internal/tables"
)

func editor(c *conf.Config) *tables.Editor {
	return &tables.Editor{Disk: new(durable.Disk), Path: c.UsersFile, Domain: c.Domains[0], Check: password.Check}
}

// user edits or lists the table of users.
func user(e *env, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "list":
		return listUsers(e)
	case len(args) >= 2 && args[0] == "add":
		name, make, err := storing(args[1:])
		if err != nil {
			return err
		}
		stored, err := askPassword(e, name, make)
		if err != nil {
			return err
		}
		return editor(e.conf).Add(name, stored)
	case len(args) == 2 && args[0] == "remove":
		return editor(e.conf).Remove(args[1])
	}
	return usage("expected: user add [--scram] name, user remove name, or user list")
}

// passwd sets the password of a user that there is.
func passwd(e *env, args []string) error {
	name, make, err := storing(args)
	if err != nil {
		return err
	}
	stored, err := askPassword(e, name, make)
	if err != nil {
		return err
	}
	return editor(e.conf).SetPassword(name, stored)
}

// storing takes a name, and how the password is stored, from a command line.
func storing(args []string) (name string, make func(string) (string, error), err error) {
	make = password.Make
	if len(args) > 0 && args[0] == "--scram" {
		make, args = password.MakeKeys, args[1:]
	}
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return "", nil, usage("expected: user add [--scram] name, or passwd [--scram] name")
	}
	return args[0], make, nil
}

// askPassword reads a password: twice without echo from a terminal, else one
// line of standard input.
func askPassword(e *env, name string, make func(string) (string, error)) (stored string, err error) {
	f, isFile := e.in.(*os.File)
	if !isFile || !terminal(f) {
		line, err := readLine(e.in)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		return make(line)
	}
	fmt.Fprintf(e.stderr, "New password for %s: ", name)
	first, err := readSecret(f)
	if err != nil {
		return "", err
	}
	fmt.Fprint(e.stderr, "\nAgain: ")
	second, err := readSecret(f)
	fmt.Fprintln(e.stderr)
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ, nothing was changed")
	}
	return make(first)
}

func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReaderSize(io.LimitReader(r, 4096), 4096).ReadString('\n')
	if err != nil && (err != io.EOF || line == "") {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// readSecret reads a line from a terminal without echo.
func readSecret(f *os.File) (string, error) {
	fd := int(f.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", err
	}
	quiet := *old
	quiet.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
		return "", err
	}
	defer unix.IoctlSetTermios(fd, unix.TCSETS, old)
	return readLine(f)
}

func listUsers(e *env) error {
	users, err := tables.LoadUsers(e.conf.UsersFile, e.conf.Domains[0], password.Check)
	if err != nil {
		return err
	}
	for u := range users.All() {
		fmt.Fprintln(e.stdout, u.Name)
	}
	return nil
}
