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
	case len(args) == 2 && args[0] == "add":
		stored, err := askPassword(e, args[1])
		if err != nil {
			return err
		}
		return editor(e.conf).Add(args[1], stored)
	case len(args) == 2 && args[0] == "remove":
		return editor(e.conf).Remove(args[1])
	}
	return usage("expected: user add name, user remove name, or user list")
}

// passwd sets the password of a user that there is.
func passwd(e *env, args []string) error {
	if len(args) != 1 {
		return usage("expected: passwd name")
	}
	stored, err := askPassword(e, args[0])
	if err != nil {
		return err
	}
	return editor(e.conf).SetPassword(args[0], stored)
}

// askPassword reads a password: twice without echo from a terminal, else one
// line of standard input.
func askPassword(e *env, name string) (stored string, err error) {
	f, isFile := e.in.(*os.File)
	if !isFile || !terminal(f) {
		line, err := readLine(e.in)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		return makePassword(line)
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
	return makePassword(first)
}

func makePassword(s string) (string, error) {
	if err := password.Acceptable(s); err != nil {
		return "", err
	}
	return password.Make(s)
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
