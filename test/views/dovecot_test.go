package views

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

var nextOf = regexp.MustCompile(` N(\d+)`)

// givesUIDs does what Dovecot does beside us when it has seen a folder: it gives UIDs
// to the files that have none, under the lock of the list. It appends to the list, or
// writes a new one in which only the files that are there have lines.
func (s *stage) givesUIDs(r *rand.Rand, b *box) {
	path := filepath.Join(s.path(b.name), "dovecot-uidlist")
	if err := s.locks(path + ".lock"); err != nil {
		s.check(err)
		return
	}
	defer os.Remove(path + ".lock") // unless it has become the list
	text, err := os.ReadFile(path)
	if err != nil {
		return // nobody has looked at the folder yet
	}
	header, lines, _ := strings.Cut(string(text), "\n")
	next, _ := strconv.Atoi(first(nextOf, header))
	uids, there := uidlist(s.path(b.name)), s.read(b).files
	for _, uid := range uids {
		next = max(next, int(uid)+1)
	}
	fresh := ""
	slices.SortFunc(there, func(x, y file) int { return strings.Compare(x.base, y.base) })
	for _, f := range there {
		if uids[f.base] == 0 {
			fresh += fmt.Sprintf("%d :%s\n", next, f.base)
			next++
		}
	}
	if r.IntN(2) == 0 {
		s.note("  Dovecot appends %q to the list of %s", fresh, b.name)
		s.check(appendTo(path, fresh))
		return
	}
	s.note("  Dovecot writes the list of %s anew, with %q", b.name, fresh)
	list := nextOf.ReplaceAllString(header, fmt.Sprintf(" N%d", next)) + "\n" + present(lines, uids, there) + fresh
	s.check(os.WriteFile(path+".lock", []byte(list), 0))
	s.check(os.Rename(path+".lock", path))
}

// present returns the lines of the files that are there.
func present(lines string, uids map[string]uint32, there []file) (kept string) {
	for line := range strings.Lines(lines) {
		front, name, _ := strings.Cut(strings.TrimSpace(line), " :")
		uid, _, _ := strings.Cut(front, " ")
		if strconv.Itoa(int(uids[name])) == uid && slices.ContainsFunc(there, func(f file) bool { return f.base == name }) {
			kept += line
		}
	}
	return kept
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// locks makes a dotlock, as soon as nobody else has it.
func (s *stage) locks(path string) error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	end := time.Now().Add(suite.Limit)
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			defer f.Close()
			if os.Geteuid() == 0 {
				err = f.Chown(instance.UIDs["vmail"], instance.UIDs["vmail"])
			}
			_, werr := fmt.Fprintf(f, "%d:%s", os.Getpid(), host)
			return errors.Join(err, werr)
		}
		if !os.IsExist(err) || time.Now().After(end) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}
