package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"posthorn/internal/durable"
	"posthorn/internal/id"
	"posthorn/internal/mailbox"
	"posthorn/posthorn/internal/mbox"
	"posthorn/posthorn/internal/moving"
	"posthorn/posthorn/internal/tree"
)

// exportMail writes a user's mail as mbox files or as another Maildir.
func exportMail(e *env, args []string) error {
	format, only := "maildir", []string(nil)
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	flags.SetOutput(new(strings.Builder)) // usage says it
	flags.StringVar(&format, "format", format, "")
	flags.Func("only", "", func(s string) error { only = append(only, s); return nil })
	if err := flags.Parse(args); err != nil {
		return usage("export: %v", err)
	}
	if flags.NArg() != 2 || format != "mbox" && format != "maildir" {
		return usage("expected: export [-format mbox|maildir] [-only folder] user|path destination")
	}
	path, err := maildirOf(e, flags.Arg(0))
	if err == nil {
		err = becomeOwner(e.conf, path)
	}
	if err == nil && !isMaildir(path) {
		err = fmt.Errorf("found no cur/ in %s, expected a Maildir", path)
	}
	if err == nil && format == "maildir" {
		err = copyMaildir(e, path, flags.Arg(1), only)
	} else if err == nil {
		err = withBox(e, path, func(box *mailbox.Box) error { return writeBoxes(e, box, flags.Arg(1), only) })
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// copyMaildir fills another Maildir, with UIDs.
func copyMaildir(e *env, path, to string, only []string) error {
	src, err := tree.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	if to, err = filepath.Abs(to); err != nil {
		return err
	}
	box, release, err := openToFill(to, mailbox.Options{Node: e.conf.Node})
	if err != nil {
		return err
	}
	defer release()
	show := newProgress(e)
	counts, err := moving.Run(context.Background(), box, src, moving.Options{Only: only, Report: show, Uses: e.conf.SpecialUse})
	show.end(counts, false)
	return err
}

// writeBoxes writes an mbox file for each folder into the folder to, or one folder to
// standard output.
func writeBoxes(e *env, box *mailbox.Box, to string, only []string) error {
	folders, err := box.Folders()
	if err != nil {
		return err
	}
	if len(only) > 0 {
		folders = slices.DeleteFunc(folders, func(name string) bool {
			return !slices.Contains(only, name) && !slices.Contains(only, strings.ReplaceAll(name, ".", "/"))
		})
	}
	if to == "-" {
		if len(folders) != 1 {
			return usage("found %d folders for standard output, expected one by -only", len(folders))
		}
		_, err := writeBox(box, folders[0], e.stdout)
		return err
	}
	var failed []error
	for _, name := range folders {
		file := filepath.Join(to, strings.ReplaceAll(name, ".", "/")+".mbox")
		n, err := saveBox(box, name, file)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
			continue
		}
		fmt.Fprintf(e.stdout, "%s: %d messages\n", file, n)
	}
	return errors.Join(failed...)
}

// saveBox writes a folder into a file, which appears when it is whole and on the
// disk. One that is there stays.
func saveBox(box *mailbox.Box, name, file string) (n int, err error) {
	disk, dir := new(durable.Disk), filepath.Dir(file)
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	if _, err := os.Lstat(file); err == nil {
		return 0, fmt.Errorf("%s is there already", file)
	}
	f, err := disk.Create(filepath.Join(dir, ".posthorn-export."+id.New()), 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	defer func() {
		if err != nil {
			_ = disk.Remove(f.Name()) // it has no name that anybody looks for
		}
	}()
	if n, err = writeBox(box, name, disk.Writer(f)); err != nil {
		return 0, err
	}
	if err := disk.Sync(f); err != nil {
		return 0, err
	}
	if err := disk.RenameNew(f.Name(), file); err != nil {
		return 0, err
	}
	return n, disk.SyncDir(dir)
}

// writeBox writes the messages of a folder.
func writeBox(box *mailbox.Box, name string, to io.Writer) (n int, err error) {
	v, err := box.Select(name, true)
	if err != nil {
		return 0, err
	}
	defer v.Close()
	w := mbox.NewWriter(to)
	for seq := 1; seq <= v.Len(); seq++ {
		m, err := v.Measure(seq)
		if err == nil {
			err = writeMessage(v, seq, m, w)
		}
		if errors.Is(err, mailbox.ErrExpunged) {
			continue // by a session, meanwhile
		}
		if err != nil {
			return n, fmt.Errorf("message %d: %w", m.UID, err)
		}
		n++
	}
	return n, w.Flush()
}

func writeMessage(v *mailbox.View, seq int, m mailbox.Message, w *mbox.Writer) error {
	b, err := v.Open(seq)
	if err != nil {
		return err
	}
	defer b.Close()
	return w.Add(m.Date, m.Flags, io.NewSectionReader(b, 0, b.Size()))
}
