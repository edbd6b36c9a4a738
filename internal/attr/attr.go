// Package attr is the language that the daemons speak: lists of name=value
// lines, each list ended by an empty line, with at most one descriptor beside
// a list.
//
// A person can speak it with socat. Limits hold on every line and list, so a
// peer costs bounded memory whatever it sends.
package attr

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Limits of one list.
const (
	MaxLine  = 8192    // bytes of a line with its line feed
	MaxAttrs = 8192    // lines of a list
	MaxBytes = 2 << 20 // bytes of a list
)

// ErrTooLong is returned for a list beyond a limit.
var ErrTooLong = errors.New("attr: list too long")

// Attr is one line of a list.
type Attr struct{ Name, Value string }

// List is an ordered list of attributes; names may repeat.
type List []Attr

// Lookup returns the first value of name and whether there is one.
func (l List) Lookup(name string) (string, bool) {
	for _, a := range l {
		if a.Name == name {
			return a.Value, true
		}
	}
	return "", false
}

// Get returns the first value of name, or "".
func (l List) Get(name string) string {
	v, _ := l.Lookup(name)
	return v
}

// All returns every value of name in order.
func (l List) All(name string) []string {
	var all []string
	for _, a := range l {
		if a.Name == name {
			all = append(all, a.Value)
		}
	}
	return all
}

// Int returns the first value of name as a decimal number.
func (l List) Int(name string) (int64, error) {
	v, ok := l.Lookup(name)
	if !ok {
		return 0, fmt.Errorf("attr: %s: missing", name)
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("attr: %s: found %q, expected a number", name, v)
	}
	return n, nil
}

// Add appends name=value.
func (l *List) Add(name, value string) { *l = append(*l, Attr{name, value}) }

// AddInt appends name=n in decimal.
func (l *List) AddInt(name string, n int64) { l.Add(name, strconv.FormatInt(n, 10)) }

// Append writes l with its final empty line behind dst. A list that a reader
// would refuse or misread is an error, and dst comes back as it was.
func Append(dst []byte, l List) ([]byte, error) {
	if len(l) > MaxAttrs {
		return dst, ErrTooLong
	}
	out := dst
	for _, a := range l {
		if a.Name == "" || strings.IndexByte(a.Name, '=') >= 0 || cuts(a.Name) || cuts(a.Value) {
			return dst, fmt.Errorf("attr: cannot write %q=%q", a.Name, a.Value)
		}
		if len(a.Name)+len(a.Value)+2 > MaxLine {
			return dst, ErrTooLong
		}
		out = append(out, a.Name...)
		out = append(out, '=')
		out = append(out, a.Value...)
		out = append(out, '\n')
	}
	if len(out)-len(dst)+1 > MaxBytes {
		return dst, ErrTooLong
	}
	return append(out, '\n'), nil
}

// cuts reports whether s would end a line, or more.
func cuts(s string) bool { return strings.IndexByte(s, '\n') >= 0 || strings.IndexByte(s, 0) >= 0 }

// Read reads one list. The reader's buffer must hold MaxLine bytes. It returns
// io.EOF only if the peer closed between two lists.
func Read(r *bufio.Reader) (List, error) {
	var list List
	total := 0
	for {
		line, err := r.ReadSlice('\n')
		total += len(line)
		if errors.Is(err, bufio.ErrBufferFull) || len(line) > MaxLine || total > MaxBytes {
			return nil, ErrTooLong
		}
		if err != nil {
			if err == io.EOF && total == 0 {
				return nil, io.EOF
			}
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("attr: list cut short: %w", err)
		}
		a, err := parseLine(string(line[:len(line)-1]))
		if err != nil {
			return nil, err
		}
		if a.Name == "" {
			return list, nil
		}
		if len(list) == MaxAttrs {
			return nil, ErrTooLong
		}
		list = append(list, a)
	}
}

// parseLine reads one line without its line feed; an empty one gives an empty
// Attr.
func parseLine(s string) (Attr, error) {
	if s == "" {
		return Attr{}, nil
	}
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" || strings.IndexByte(s, 0) >= 0 {
		return Attr{}, fmt.Errorf("attr: bad line %.100q", s)
	}
	return Attr{name, value}, nil
}

// Parse reads the lines of block, which ends with its last line or with the
// empty line of a list.
func Parse(block []byte) (List, error) {
	if len(block) > MaxBytes {
		return nil, ErrTooLong
	}
	var list List
	if lines := bytes.Count(block, []byte{'\n'}); lines > 1 { // the last is the empty one, as a rule
		list = make(List, 0, min(lines, MaxAttrs))
	}
	for rest := string(block); rest != ""; {
		line, tail, ok := strings.Cut(rest, "\n")
		if !ok {
			return nil, fmt.Errorf("attr: line %.100q has no end", line)
		}
		a, err := parseLine(line)
		switch {
		case err != nil:
			return nil, err
		case a.Name == "" && tail != "":
			return nil, errors.New("attr: text behind the empty line")
		case a.Name == "":
			return list, nil
		case len(line) >= MaxLine || len(list) == MaxAttrs:
			return nil, ErrTooLong
		}
		list, rest = append(list, a), tail
	}
	return list, nil
}
