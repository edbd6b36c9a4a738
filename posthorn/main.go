// Command posthorn is the administrator's command: it runs, checks and reloads
// the server, looks after the queue and edits the table of users.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"posthorn/internal/conf"
	"posthorn/internal/daemon"
)

// env is what a command works with; tests make their own.
type env struct {
	conf           *conf.Config
	in             io.Reader
	stdout, stderr io.Writer
	alone          bool // the process ends with the command: it may give rights away
}

// command is one word of posthorn.
type command struct {
	name, args, help string
	run              func(e *env, args []string) error
}

func commands() []command {
	return []command{
		{"run", "", "run all daemons of the configuration in the foreground", runDaemons},
		{"check", "", "check configuration, tables, keys, users and folders", check},
		{"reload", "", "check the configuration once and have every daemon read it again", reload},
		{"queue", "list|show|flush|hold|release|remove [id …]", "look after the queue", queue},
		{"who", "[user]", "list the IMAP and POP3 sessions under way", who},
		{"kick", "name …", "end sessions, named by their users or ids", kick},
		{"user", "add [--scram]|remove|list [name]", "edit the table of users", user},
		{"mailbox", "check|stat|rebuild|export --courier user|path", "look through a user's Maildir, mend it, or prepare it for Courier", mailboxCommand},
		{"undelete", undeleteWords, "list what was removed from a mailbox and is kept, or give it back", undelete},
		{"expire", "[-n] [user|path ...]", "remove the mail that autoexpunge says, and what undelete has kept for long enough", expire},
		{"import", "[options] user|path source", "bring mail from an IMAP account, mbox files or a Maildir", importMail},
		{"export", "[options] user|path destination", "write the mail as mbox files or another Maildir", exportMail},
		{"passwd", "[--scram] name", "set a user's password", passwd},
		{"cert", "install [-name name] [fullchain key]", "put a renewed certificate where the daemons take it: a deploy hook", cert},
	}
}

// errUsage marks wrong words on the command line.
var errUsage = errors.New("usage")

func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

func main() {
	err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "posthorn:", err)
		os.Exit(daemon.ExitConfig)
	case errors.Is(err, errConfig):
		fmt.Fprintln(os.Stderr, "posthorn:", err)
		os.Exit(daemon.ExitConfig)
	case errors.Is(err, errTaken):
		fmt.Fprintln(os.Stderr, "posthorn:", err)
		os.Exit(daemon.ExitAgain)
	default:
		fmt.Fprintln(os.Stderr, "posthorn:", err)
		os.Exit(1)
	}
}

// errConfig marks a configuration that cannot be used.
var errConfig = errors.New("configuration")

func run(args []string, in io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("posthorn", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("c", conf.DefaultFile, "configuration `file`")
	version := flags.Bool("V", false, "print the version and exit")
	flags.Usage = func() { printUsage(stderr) }
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return usage("%v", err)
	}
	if *version {
		fmt.Fprintln(stdout, "posthorn", daemon.Version)
		return nil
	}
	if flags.NArg() == 0 {
		printUsage(stderr)
		return usage("found no command")
	}
	for _, c := range commands() {
		if c.name != flags.Arg(0) {
			continue
		}
		config, err := conf.Load(*file)
		if err != nil {
			return fmt.Errorf("%w: %w", errConfig, err)
		}
		return c.run(&env{config, in, stdout, stderr, in == os.Stdin}, flags.Args()[1:])
	}
	return usage("found %q, expected one of the commands that posthorn -h lists", flags.Arg(0))
}

func printUsage(w io.Writer) {
	fmt.Fprintln(w, "usage: posthorn [-c file] [-V] command")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-8s%s\n          %s\n", c.name, c.args, c.help)
	}
}
