// Package owner is all of deliver-box: it serves deliver's requests for one uid.
//
// It confines itself with Landlock to the owner's folders, which it is told at
// its start, when the first request comes. A request for a Maildir of theirs
// that was missing then goes to a new process.
package owner

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"posthorn/deliver/internal/box"
	"posthorn/internal/attr"
	"posthorn/internal/daemon"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/sock"
	"posthorn/internal/starter"
	"posthorn/internal/verdict"
)

// owner delivers for one uid.
type owner struct {
	deliverer *box.Deliverer
	cage      cage
	child     *starter.Child
}

// Run is deliver-box with its arguments: it serves until deliver has no work
// for it. It may write nothing outside the Maildirs afterwards.
func Run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("deliver-box", flag.ContinueOnError)
	flags.SetOutput(stderr)
	node := flags.String("node", "localhost", "`name` of this host in file names")
	var roots []string
	flags.Func("mail-root", "`folder` that holds boxes of the owner; repeats", func(path string) error {
		roots = append(roots, path)
		return nil
	})
	landlock := flags.String("landlock", "try", "try, require or no")
	idle := flags.Duration("idle", time.Minute, "end after so `long` without work")
	version := flags.Bool("V", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *version {
		fmt.Fprintln(stdout, "deliver-box", daemon.Version)
		return nil
	}
	syscall.Umask(0o077)
	o := &owner{deliverer: box.New(new(durable.Disk), *node), cage: cage{roots: roots, landlock: *landlock}}
	o.child = &starter.Child{Name: "deliver-box", Idle: *idle, Log: evlog.New(stderr), Handle: o.handle}
	return o.child.Serve()
}

// handle answers one request of deliver.
func (o *owner) handle(_ context.Context, req attr.List, f *os.File) attr.List {
	if f != nil {
		defer f.Close()
	}
	job, err := box.Decode(req)
	if err == nil {
		err = box.CheckFile(f, job.Offset, job.Size)
	}
	if err != nil {
		return sock.Reply(verdict.New(verdict.Later, "4.3.0", err.Error()))
	}
	err = o.cage.enter(job.Boxes)
	if errors.Is(err, errOutside) {
		return o.child.Again()
	}
	if err != nil {
		return sock.Reply(verdict.New(verdict.Later, "4.3.0", err.Error()))
	}
	results := o.deliverer.Deliver(job, f)
	for _, r := range results {
		var classified *verdict.Error
		if r.Err != nil && !errors.As(r.Err, &classified) {
			// Perhaps a Maildir was made anew, which the cage shuts out.
			o.child.Retire()
		}
	}
	return box.EncodeResults(job.Boxes, results)
}
