package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// The user many has so many folders of one message, and the largest mailbox of the
// user bench so many messages.
const (
	folderCount = 1000
	hugeSize    = 100000
)

// fillFolders makes a mailbox with n folders.
func fillFolders(home string, n int) error {
	if err := makeMaildir(home); err != nil {
		return err
	}
	text := letter(rand.New(rand.NewPCG(1, 1)), 0)
	for i := range n {
		dir := filepath.Join(home, fmt.Sprintf(".Folder%d", i))
		if err := errors.Join(makeMaildir(dir), fileLetter(dir, i, text)); err != nil {
			return err
		}
	}
	return nil
}

// linked is how many messages of the largest mailbox are one file.
const linked = 1000

// fillHuge makes a folder with n messages.
func fillHuge(dir string, n int) error {
	if err := makeMaildir(dir); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 1))
	var text []byte
	for i := range n {
		var err error
		if first := i - i%linked; i > first {
			err = os.Link(letterFile(dir, first, text), letterFile(dir, i, text))
		} else {
			text = letter(random, i)
			err = fileLetter(dir, i, text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// manySteps returns the rows of many folders and of the largest mailbox.
func (b *bench) manySteps() []step {
	folders, huge := b.count(folderCount), b.count(hugeSize)
	list := func(command string, lines int) func(*imap, int) error {
		return func(c *imap, _ int) error { return c.expect(lines, "%s", command) }
	}
	changed := min(100, huge)
	return []step{
		{name: "list", user: "many", opens: true, times: 20, ops: 20, do: list(`LIST "" Folder*`, folders)},
		{name: "list-status-first", user: "many", opens: true, times: 1, ops: 1, do: list(listStatus, 2*folders)},
		{name: "select-huge-first", opens: true, times: 1, ops: 1, do: list("SELECT Huge", 4)},
		{name: "qresync", opens: true, times: 20, ops: 20,
			ready: func(c *imap) error {
				return errors.Join(c.do("ENABLE QRESYNC"), c.do("SELECT Huge"), c.since(),
					c.do("STORE 1:%d +FLAGS.SILENT (\\Flagged)", changed), c.do("UNSELECT"))
			},
			do: func(c *imap, _ int) error {
				return errors.Join(c.expect(changed, "SELECT Huge (QRESYNC (%d %d))", c.known.uidValidity, c.known.modSeq), c.do("UNSELECT"))
			}},
		{name: "list-status", user: "many", opens: true, times: 5, ops: 5, do: list(listStatus, 2*folders)},
	}
}

const listStatus = `LIST "" Folder* RETURN (STATUS (MESSAGES UNSEEN UIDNEXT))`

// orderSteps returns the rows of SORT and THREAD.
func (b *bench) orderSteps() []step {
	all := b.count(corpusSize)
	order := func(command string) func(*imap, int) error {
		return func(c *imap, _ int) error { return c.order(all, command) }
	}
	return []step{
		{name: "sort-subject", times: 5, ops: 5, do: order("SORT (SUBJECT) UTF-8 ALL")},
		{name: "sort-date", times: 5, ops: 5, do: order("SORT (REVERSE DATE) UTF-8 ALL")},
		{name: "thread", times: 5, ops: 5, do: order("THREAD REFERENCES UTF-8 ALL")},
	}
}

// expect is do of a command to which there are so many untagged answers, at least.
func (c *imap) expect(lines int, format string, args ...any) error {
	if err := c.do(format, args...); err != nil {
		return err
	}
	if c.lines < lines {
		return fmt.Errorf("%s: %d answers, expected %d", fmt.Sprintf(format, args...), c.lines, lines)
	}
	return nil
}

// order is do of a command whose last untagged answer names n messages, each once.
func (c *imap) order(n int, command string) error {
	if err := c.do("%s", command); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, number := range strings.FieldsFunc(c.last, func(r rune) bool { return !unicode.IsDigit(r) }) {
		seen[number] = true
	}
	if len(seen) != n {
		return fmt.Errorf("%s: an order of %d messages, expected %d", command, len(seen), n)
	}
	return nil
}

// since notes what the session knows of the selected mailbox.
func (c *imap) since() error {
	if c.known = c.state; c.known.uidValidity == 0 || c.known.modSeq == 0 {
		return fmt.Errorf("got UIDVALIDITY %d and HIGHESTMODSEQ %d", c.known.uidValidity, c.known.modSeq)
	}
	return nil
}
