package conf

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// Limits of a configuration.
const (
	maxFileSize = 1 << 20
	maxFiles    = 200 // included files in all
	maxDepth    = 8   // of include within include
)

// Pos is a place in a configuration file, for errors.
type Pos struct {
	File string
	Line int
}

// String returns file:line.
func (p Pos) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// errorf returns an error that begins with the place.
func (p Pos) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", p, fmt.Errorf(format, args...))
}

// word is one word of a line; a quoted one is never an option.
type word struct {
	text   string
	quoted bool
}

// line is one directive as written: the word, its values, its options.
type line struct {
	pos     Pos
	name    string
	values  []string
	options []option
}

type option struct{ name, value string }

// scanner reads one file into lines.
type scanner struct {
	file string
	n    int // lines read so far
}

// scan cuts r into directives: one a line, a line that starts with a blank
// goes on, # begins a comment, "…" quotes.
func scan(file string, r io.Reader) ([]line, error) {
	s := &scanner{file: file}
	var lines []line
	in := bufio.NewScanner(io.LimitReader(r, maxFileSize+1))
	in.Buffer(nil, maxFileSize+2)
	size := 0
	for in.Scan() {
		s.n++
		if size += len(in.Bytes()) + 1; size > maxFileSize {
			return nil, s.pos().errorf("found more than %d bytes, expected a smaller file", maxFileSize)
		}
		words, err := s.words(in.Text())
		if err != nil {
			return nil, err
		}
		if len(words) == 0 {
			continue
		}
		if c := in.Bytes()[0]; c != ' ' && c != '\t' {
			lines = append(lines, line{pos: s.pos(), name: words[0].text})
			words = words[1:]
		}
		if len(lines) == 0 {
			return nil, s.pos().errorf("found a line that goes on, expected a directive first")
		}
		if err := lines[len(lines)-1].add(s.pos(), words); err != nil {
			return nil, err
		}
	}
	if err := in.Err(); err != nil {
		return nil, s.pos().errorf("%w", err)
	}
	return lines, nil
}

func (s *scanner) pos() Pos { return Pos{s.file, s.n} }

// add puts words behind a directive: values first, then name=value options.
func (l *line) add(pos Pos, words []word) error {
	for _, w := range words {
		name, value, isOption := strings.Cut(w.text, "=")
		if isOption && !w.quoted && optionName(name) {
			l.options = append(l.options, option{name, value})
			continue
		}
		if len(l.options) > 0 {
			return pos.errorf("found the value %q behind an option, expected values before name=value options", w.text)
		}
		l.values = append(l.values, w.text)
	}
	return nil
}

// optionName reports whether s can be the name of an option. Anything else in
// front of an equals sign, such as a domain, makes the word a value.
func optionName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return s != ""
}

// words cuts one line at blanks, takes quotes off and comments away.
func (s *scanner) words(text string) ([]word, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, s.pos().errorf("found a NUL byte, expected text")
	}
	var words []word
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			return words, nil
		default:
			w, n, err := s.word(text[i:])
			if err != nil {
				return nil, err
			}
			words = append(words, w)
			i += n
		}
	}
	return words, nil
}

// word reads one word at the start of text and returns its length there. A
// quoted part may stand within a word, as in name="a value".
func (s *scanner) word(text string) (word, int, error) {
	var b strings.Builder
	w := word{quoted: text[0] == '"'}
	i := 0
	for i < len(text) && text[i] != ' ' && text[i] != '\t' && text[i] != '\r' {
		if text[i] != '"' {
			b.WriteByte(text[i])
			i++
			continue
		}
		n, err := s.quoted(&b, text[i:])
		if err != nil {
			return word{}, 0, err
		}
		i += n
	}
	w.text = b.String()
	return w, i, nil
}

// quoted reads "…" with \" and \\ within.
func (s *scanner) quoted(b *strings.Builder, text string) (int, error) {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1, nil
		case '\\':
			if i++; i == len(text) || (text[i] != '"' && text[i] != '\\') {
				return 0, s.pos().errorf(`found a backslash, expected \" or \\ within quotes`)
			}
		}
		b.WriteByte(text[i])
	}
	return 0, s.pos().errorf("found a quote without end, expected a second one on the line")
}

// files reads file and what it includes, in order.
type files struct {
	count   int
	folders []string // of what was read and of what patterns name, each once
}

// in notes that names in folder were looked for.
func (fs *files) in(folder string) {
	if !slices.Contains(fs.folders, folder) {
		fs.folders = append(fs.folders, folder)
	}
}

func (fs *files) read(file string, depth int) ([]line, error) {
	if fs.count++; fs.count > maxFiles {
		return nil, fmt.Errorf("%s: found more than %d included files", file, maxFiles)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fs.in(filepath.Dir(file))
	lines, err := scan(file, f)
	if err != nil {
		return nil, err
	}
	var all []line
	for _, l := range lines {
		if l.name != "include" {
			all = append(all, l)
			continue
		}
		included, err := fs.include(l, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, included...)
	}
	return all, nil
}

// include reads the files of one include directive; a pattern may match none.
func (fs *files) include(l line, depth int) ([]line, error) {
	if len(l.values) != 1 || len(l.options) != 0 {
		return nil, l.pos.errorf("include: found %d values, expected one file or pattern", len(l.values))
	}
	if depth == maxDepth {
		return nil, l.pos.errorf("include: found %d includes within another, expected fewer", maxDepth)
	}
	pattern := l.values[0]
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(l.pos.File), pattern)
	}
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, l.pos.errorf("include: found %q, expected a file pattern", pattern)
	}
	if len(names) == 0 && !strings.ContainsAny(pattern, "*?[") {
		return nil, l.pos.errorf("include: found no file %q", pattern)
	}
	if folder := filepath.Dir(pattern); !strings.ContainsAny(folder, "*?[") {
		fs.in(folder) // where the first file may appear later
	}
	sort.Strings(names)
	var all []line
	for _, name := range names {
		lines, err := fs.read(name, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	return all, nil
}
