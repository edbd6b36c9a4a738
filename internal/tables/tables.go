// Package tables reads and edits the text tables that admins write: users
// (Dovecot's passwd-file), aliases (sendmail's) and transport.
//
// A table is read as a whole and checked as a whole: either every line is good
// or the table is refused, with each error as `file:line: found, expected`.
// Editing keeps comments, order, mode and owner.
//
// A parsed table never changes and may be used by many goroutines; Live
// follows a file and hands out the newest good version.
package tables

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"posthorn/internal/addr"
)

// Limits of one table.
const (
	MaxFile    = 32 << 20 // bytes of a file
	MaxLine    = 16 << 10 // bytes of a line
	MaxEntries = 500_000  // users, aliases or routes of a file
	MaxTargets = 1000     // targets of one alias
)

// maxErrors bounds how many faults of one file are told at once.
const maxErrors = 20

// Place says where an entry stands.
type Place struct {
	File string
	Line int // from 1
}

// String returns file:line.
func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// faults collects the errors of one file.
type faults struct {
	file string
	list []error
}

// add notes one error, which stands at line.
func (f *faults) add(line int, format string, args ...any) {
	if len(f.list) < maxErrors {
		f.list = append(f.list, fmt.Errorf("%s: %w", Place{f.file, line}, fmt.Errorf(format, args...)))
	}
}

// full says whether reading on would tell nothing more.
func (f *faults) full() bool { return len(f.list) == maxErrors }

func (f *faults) err() error { return errors.Join(f.list...) }

// lines yields the lines of content with their numbers, without comments and
// empty lines. A line that cannot be one of a table is noted and left out.
func (f *faults) lines(content []byte) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range strings.Lines(string(content)) {
			n++
			line = strings.TrimSuffix(line, "\n")
			if err := usable(line); err != nil {
				f.add(n, "%w", err)
				continue
			}
			if t := strings.TrimSpace(line); t == "" || t[0] == '#' {
				continue
			}
			if f.full() || !yield(n, line) {
				return
			}
		}
	}
}

// usable returns why a line can be no line of any table.
func usable(line string) error {
	if len(line) > MaxLine {
		return fmt.Errorf("found a line of %d bytes, expected at most %d", len(line), MaxLine)
	}
	if !utf8.ValidString(line) {
		return errors.New("found bytes that are not UTF-8")
	}
	if i := strings.IndexFunc(line, control); i >= 0 {
		return fmt.Errorf("found the control character %q, expected text with Unix line ends", line[i])
	}
	return nil
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// readFile reads a table of at most MaxFile bytes and what the kernel says of
// it, as it was opened.
func readFile(path string) ([]byte, os.FileInfo, error) {
	// A fifo in the place of a table must not hold the daemon up.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: found something that is no regular file", path)
	}
	content, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(content) > MaxFile {
		return nil, nil, fmt.Errorf("%s: found more than %d bytes", path, MaxFile)
	}
	return content, info, nil
}

// Canonical returns the name of a user as tables know it: in lower case, at
// domain when name has none. It refuses what could not be both a mail address
// and the name of a folder.
func Canonical(name, domain string) (string, error) {
	full := name
	if !strings.Contains(name, "@") {
		full = name + "@" + domain
	}
	a, err := addr.Parse(full)
	if err != nil {
		return "", fmt.Errorf("found the user %.100q, expected a name or an address: %w", name, err)
	}
	// A line that begins with # is a comment.
	if strings.ContainsAny(a.Local, "/\"\\ :@") || a.Local[0] == '.' || a.Local[0] == '#' || a.Domain[0] == '[' {
		return "", fmt.Errorf("found the user %.100q, expected no slash, colon, blank or quote, no # in front and no address literal", name)
	}
	return a.Key(), nil
}
