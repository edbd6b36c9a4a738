package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"posthorn/internal/conf"
	"posthorn/internal/mailbox"
	"posthorn/internal/priv"
	"posthorn/internal/tables"
	"posthorn/posthorn/internal/imap"
	"posthorn/posthorn/internal/mbox"
	"posthorn/posthorn/internal/moving"
	"posthorn/posthorn/internal/tree"
)

// words are the options of import.
type words struct {
	moving.Options
	dry, clear     bool
	secret, as, ca string
	quoting        mbox.Quoting
	user, from     string
}

// importMail brings mail from elsewhere into a user's mailbox.
func importMail(e *env, args []string) error {
	w, err := importWords(args)
	if err != nil {
		return err
	}
	path, quota, err := boxOf(e, w.user)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	open, err := source(e, w) // what only root may read is read before its rights go
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if err := becomeOwner(e.conf, nearest(path)); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	src, err := open()
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer src.Close()
	w.MaxSize, w.Uses = e.conf.MessageSize, e.conf.SpecialUse
	if err := bring(e, w, src, path, quota); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return nil
}

// importWords reads the command line.
func importWords(args []string) (*words, error) {
	w := &words{}
	flags := flag.NewFlagSet("import", flag.ContinueOnError)
	flags.SetOutput(new(strings.Builder)) // usage says it
	flags.BoolVar(&w.dry, "n", false, "")
	flags.BoolVar(&w.clear, "cleartext", false, "")
	flags.StringVar(&w.Into, "into", "", "")
	flags.StringVar(&w.secret, "password-file", "", "")
	flags.StringVar(&w.as, "as", "", "")
	flags.StringVar(&w.ca, "ca", "", "")
	flags.Func("only", "", func(s string) error { w.Only = append(w.Only, s); return nil })
	flags.Func("skip", "", func(s string) error { w.Skip = append(w.Skip, s); return nil })
	flags.Func("quoting", "", func(s string) (err error) {
		w.quoting, err = mbox.ParseQuoting(s)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return nil, usage("import: %v", err)
	}
	if flags.NArg() != 2 {
		return nil, usage("expected: import [options] user|path source")
	}
	w.user, w.from = flags.Arg(0), flags.Arg(1)
	return w, nil
}

// boxOf returns the Maildir that a word means, as maildirOf has it, and what it may
// hold.
func boxOf(e *env, word string) (path string, q conf.Quota, err error) {
	if path, err = maildirOf(e, word); err != nil || strings.Contains(word, "/") {
		return path, e.conf.Quota, err
	}
	users, err := tables.LoadUsers(e.conf.UsersFile, e.conf.Domains[0], nil)
	if users == nil {
		return path, e.conf.Quota, optional(err)
	}
	full := names(e, strings.ToLower(word))
	u, ok := users.Lookup(full[len(full)-1])
	if !ok || u.Quota == "" {
		return path, e.conf.Quota, nil
	}
	q, err = e.conf.Quota.With(u.Quota)
	return path, q, err
}

// nearest returns path, or the folder above it that there is.
func nearest(path string) string {
	for path != "/" {
		if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return path
		}
		path = filepath.Dir(path)
	}
	return path
}

// source returns what opens the source once root's rights are gone.
func source(e *env, w *words) (func() (moving.Source, error), error) {
	from := w.from
	if strings.Contains(from, "://") {
		there, err := remote(e, w)
		return func() (moving.Source, error) { return imap.Open(there), nil }, err
	}
	if from == "-" {
		f, ok := e.in.(*os.File)
		if !ok {
			return nil, errors.New("found no file on standard input")
		}
		return func() (moving.Source, error) { return mbox.OpenFile(f, w.quoting) }, nil
	}
	return func() (moving.Source, error) {
		fi, err := os.Stat(from)
		if err != nil {
			return nil, err
		}
		if fi.IsDir() && holdsMaildir(from) {
			return tree.Open(from)
		}
		return mbox.Open(from, w.quoting)
	}, nil
}

// holdsMaildir reports whether there is a cur/ in the folder or one below it.
func holdsMaildir(path string) (found bool) {
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "cur" {
			found = true
			return fs.SkipAll
		}
		return nil // what cannot be read is told of when it is listed
	})
	return found
}

// remote reads an address such as imaps://ann@mail.example.org, and the password.
func remote(e *env, w *words) (a imap.Account, err error) {
	u, err := url.Parse(w.from)
	if err != nil || u.Scheme != "imap" && u.Scheme != "imaps" || u.User.Username() == "" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return a, usage("found %q, expected imap://user@host or imaps://user@host", w.from)
	}
	if _, has := u.User.Password(); has {
		return a, usage("found a password on the command line, where others see it: give -password-file, or nothing to be asked")
	}
	a = imap.Account{Host: u.Hostname(), Port: u.Port(), User: u.User.Username(), As: w.as, Immediate: u.Scheme == "imaps", Clear: w.clear}
	if a.Immediate && a.Clear {
		return a, usage("imaps:// has TLS, and -cleartext is without")
	}
	if a.Clear && !loopback(a.Host) {
		fmt.Fprintln(e.stderr, "posthorn: warning: the password and all mail go over the network in clear text")
	}
	if a.Port == "" {
		a.Port = map[bool]string{true: "993", false: "143"}[a.Immediate]
	}
	roots, err := authorities(w.ca)
	if err != nil {
		return a, err
	}
	a.TLS = &tls.Config{ServerName: a.Host, RootCAs: roots, MinVersion: tls.VersionTLS12}
	a.Password, err = thePassword(e, w, a)
	return a, err
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// authorities reads those that the system knows, or those of a file.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return x509.SystemCertPool()
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s: found no certificate in PEM", file)
	}
	return pool, nil
}

// thePassword is that of the file, or what a terminal or a line of standard input says.
func thePassword(e *env, w *words, a imap.Account) (string, error) {
	if w.secret != "" {
		return conf.Secret("@" + w.secret)
	}
	if f, ok := e.in.(*os.File); ok && terminal(f) {
		fmt.Fprintf(e.stderr, "Password of %s at %s: ", a.User, a.Host)
		defer fmt.Fprintln(e.stderr)
		return readSecret(f)
	}
	line, err := readLine(e.in)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	return line, nil
}

// bring opens the mailbox at path and fills it from src. The interrupt of a terminal
// ends it between two messages, another one at once.
func bring(e *env, w *words, src moving.Source, path string, quota conf.Quota) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	var box *mailbox.Box
	if !w.dry {
		b, release, err := openToFill(path, mailbox.Options{Node: e.conf.Node, Shared: e.conf.MailShared, Index: e.conf.IndexOf})
		if err != nil {
			return err
		}
		defer release()
		box = b
		box.Limit(quota)
	}
	if _, overNet := src.(*imap.Source); overNet && box != nil {
		if err := confine(e, path); err != nil {
			return err
		}
	}
	show := newProgress(e)
	w.Report = show
	counts, err := moving.Run(ctx, box, src, w.Options)
	show.end(counts, w.dry)
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted: the same command goes on where it ended")
	}
	return err
}

// openToFill opens the mailbox at path for this process alone to bring mail into. The
// caller releases it.
func openToFill(path string, o mailbox.Options) (box *mailbox.Box, release func(), err error) {
	store := mailbox.New(o)
	if box, err = store.Open(path); err != nil {
		store.Close()
		return nil, nil, err
	}
	unlock, err := box.LockImport()
	if err != nil {
		box.Close()
		store.Close()
	}
	if errors.Is(err, mailbox.ErrLocked) {
		err = errors.New("another import into this mailbox is under way")
	}
	return box, func() {
		unlock()
		box.Close()
		store.Close()
	}, err
}

// confine keeps who talks to a stranger to the one mailbox, where the kernel can and
// the process was made for nothing else.
func confine(e *env, path string) error {
	if e.conf.Landlock == "no" || !e.alone {
		return nil
	}
	_, err := priv.Confine(priv.Rules{
		Read:   []string{"/etc", "/run/systemd/resolve", "/proc"}, // how names of hosts are looked up
		Write:  []string{path, e.conf.IndexOf(os.Geteuid())},
		AnyTCP: true,
	})
	if err != nil && e.conf.Landlock == "require" {
		return err
	}
	return nil
}
