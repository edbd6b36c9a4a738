// Command load is the half of scripts/bench/peers that measures: it runs one
// mail server in a control group, sends it mail or works in its mailboxes, finds
// out what arrived, and prints what that cost.
//
//	load run -server PROGRAM -peer NAME -dir FOLDER -cgroup FOLDER [-max N] ROW...
//	load rows smtp|mailbox
//	load table [-write README] FILE
//
// run prints lines of peer, row, what and value, separated by tabs, which table
// makes Markdown of. It expects namespaces of its own, for it listens on fixed
// ports of loopback and on /dev/log. Everything it does ends in bounded time.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

var errUsage = errors.New("usage: load run [flags] ROW... | rows smtp|mailbox | table [-write README] FILE")

func main() {
	if err := command(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func command(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "run":
		return runRows(args[1:], out)
	case "rows":
		return listRows(args[1:], out)
	case "table":
		return printTable(args[1:], out)
	}
	return errUsage
}

// listRows prints the names of the rows of a kind.
func listRows(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errUsage
	}
	var names []string
	for _, r := range rows() {
		if r.kind == args[0] {
			names = append(names, r.name)
		}
	}
	_, err := fmt.Fprintln(out, strings.Join(names, " "))
	return err
}

func runRows(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	b := &bench{out: out}
	fs.StringVar(&b.server, "server", "", "`program` that runs the server in the foreground")
	fs.StringVar(&b.peer, "peer", "", "`name` in the results")
	fs.StringVar(&b.dir, "dir", "", "empty `folder` on the disk to measure on")
	fs.StringVar(&b.meter.dir, "cgroup", "", "`folder` of the server's control group")
	fs.IntVar(&b.max, "max", 0, "at most so many messages, connections or commands a row")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if b.server == "" || b.peer == "" || b.dir == "" || b.meter.dir == "" || fs.NArg() == 0 {
		return errUsage
	}
	for _, name := range fs.Args() {
		if err := b.row(name); err != nil {
			return fmt.Errorf("%s, row %s: %w", b.peer, name, err)
		}
	}
	return nil
}
