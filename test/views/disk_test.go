package views

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// file is a message file.
type file struct {
	sub, base, info string
	letter          int
	flags           flags
	text            string // with CRLF
}

func (f file) name() string { return f.base + f.info }

// disk is what a folder's files say, read as any program may.
type disk struct {
	files    []file
	uids     map[string]uint32 // by base name
	keywords []string          // by letter
}

// path returns where the files of a mailbox are.
func (s *stage) path(name string) string {
	if name == "INBOX" {
		return s.dir
	}
	return filepath.Join(s.dir, "."+name)
}

// read reads a folder when it stands still: a session in IDLE may be moving what
// came.
func (s *stage) read(b *box) (d disk) {
	before := s.listing(b)
	for range 1000 {
		var ok bool
		d, ok = readDisk(s.path(b.name), before)
		after := s.listing(b)
		if ok && slices.Equal(before, after) {
			return d
		}
		before = after
	}
	s.fail("%s never stands still", b.name)
	return d
}

// listing returns the names of the message files, with their folders.
func (s *stage) listing(b *box) (all []string) {
	for _, sub := range []string{"new", "cur"} {
		entries, _ := os.ReadDir(filepath.Join(s.path(b.name), sub))
		for _, e := range entries {
			if e.Name()[0] != '.' {
				all = append(all, sub+"/"+e.Name())
			}
		}
	}
	return all
}

// readDisk reads the files of that names; false when one is not there any more.
func readDisk(path string, names []string) (d disk, ok bool) {
	d.uids, d.keywords = uidlist(path), keywords(path)
	words := words(path)
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(path, name))
		if err != nil {
			return d, false
		}
		f := file{text: strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n", "\r\n"), letter: -1}
		f.sub, f.base, _ = strings.Cut(name, "/")
		if n := strings.IndexByte(f.base, ':'); n >= 0 {
			f.base, f.info = f.base[:n], f.base[n:]
		}
		if m := letterLine.FindStringSubmatch(f.text); m != nil {
			f.letter, _ = strconv.Atoi(m[1])
		}
		f.flags = flagsOf(append(d.named(f.info), words[key(f.base)]...)...)
		d.files = append(d.files, f)
	}
	return d, true
}

var letterLine = regexp.MustCompile(`(?m)^X-Letter: (\d+)\r$`)

// key is what posthorn-state knows a message by.
func key(base string) string {
	if n := strings.IndexByte(base, ','); n >= 0 {
		return base[:n]
	}
	return base
}

// systemLetters are the flags that have letters of their own.
var systemLetters = map[byte]string{'D': `\Draft`, 'F': `\Flagged`, 'R': `\Answered`, 'S': `\Seen`, 'T': `\Deleted`}

// named returns the flags of a file's letters.
func (d disk) named(info string) (names []string) {
	for n := 3; n < len(info); n++ {
		c := info[n]
		switch name := systemLetters[c]; {
		case name != "":
			names = append(names, name)
		case c >= 'a' && int(c-'a') < len(d.keywords) && d.keywords[c-'a'] != "":
			names = append(names, d.keywords[c-'a'])
		}
	}
	return names
}

// lettersOf returns the letters of flags, in their order; false when one has none.
func (d disk) lettersOf(f flags) (string, bool) {
	var letters []string
	for _, name := range f.names() {
		n := slices.Index(d.keywords, name)
		if n >= 0 {
			letters = append(letters, string(rune('a'+n)))
		}
		for c, system := range systemLetters {
			if system == name {
				letters, n = append(letters, string(rune(c))), 0
			}
		}
		if n < 0 {
			return "", false
		}
	}
	slices.Sort(letters)
	return strings.Join(letters, ""), true
}

// uidlist reads dovecot-uidlist; of several lines of a name the last counts.
func uidlist(path string) map[string]uint32 {
	uids := map[string]uint32{}
	text, _ := os.ReadFile(filepath.Join(path, "dovecot-uidlist"))
	for n, line := range strings.Split(string(text), "\n") {
		front, name, ok := strings.Cut(line, " :")
		var uid uint32
		if _, err := fmt.Sscan(front, &uid); n > 0 && ok && err == nil {
			uids[name] = uid
		}
	}
	return uids
}

// keywords reads dovecot-keywords.
func keywords(path string) []string {
	names := make([]string, 26)
	text, _ := os.ReadFile(filepath.Join(path, "dovecot-keywords"))
	for line := range strings.Lines(string(text)) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.Atoi(number); err == nil && n < len(names) {
			names[n] = name
		}
	}
	return names
}

// words reads the keywords of posthorn-state.
func words(path string) map[string][]string {
	all := map[string][]string{}
	text, _ := os.ReadFile(filepath.Join(path, "posthorn-state"))
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 2:
		case fields[0] == "keywords":
			all[fields[1]] = fields[2:]
		case fields[0] == "-keywords":
			delete(all, fields[1])
		}
	}
	return all
}
