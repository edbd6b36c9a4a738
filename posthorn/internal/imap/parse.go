package imap

import (
	"bytes"
	"errors"
	"math"
	"strconv"
	"strings"
)

// errSyntax is that a response is none of IMAP's.
var errSyntax = errors.New("the server's answer cannot be understood")

// maxDepth bounds lists in lists.
const maxDepth = 32

// parser takes a response apart; literals stand in it as they came.
type parser struct{ rest []byte }

// next returns the byte that comes next, 0 at the end.
func (p *parser) next() byte {
	if len(p.rest) == 0 {
		return 0
	}
	return p.rest[0]
}

// take takes a byte away if it is c.
func (p *parser) take(c byte) bool {
	if p.next() != c || len(p.rest) == 0 {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// atom takes what stands before a blank, a parenthesis or the end; brackets with
// what is in them belong to it, as in BODY[].
func (p *parser) atom() string {
	depth := 0
	for i, c := range p.rest {
		switch {
		case c == '[':
			depth++
		case c == ']' && depth > 0:
			depth--
		case c == '\r' || c == '\n' || depth == 0 && (c == ' ' || c == '(' || c == ')' || c == '"' || c == '{'):
			s := string(p.rest[:i])
			p.rest = p.rest[i:]
			return s
		}
	}
	s := string(p.rest)
	p.rest = nil
	return s
}

// number takes a number.
func (p *parser) number(limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(p.atom(), 10, 64)
	if err != nil || n > limit {
		return 0, errSyntax
	}
	return n, nil
}

// str takes an atom, a quoted string or a literal; NIL is null.
func (p *parser) str() (s string, null bool, err error) {
	switch p.next() {
	case '"':
		s, err = p.quoted()
		return s, false, err
	case '{':
		s, err = p.literal()
		return s, false, err
	}
	s = p.atom()
	if s == "" {
		return "", false, errSyntax
	}
	return s, strings.EqualFold(s, "NIL"), nil
}

func (p *parser) quoted() (string, error) {
	var b []byte
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return string(b), nil
		case c == '\\' && i+1 < len(p.rest):
			i++
			b = append(b, p.rest[i])
		case c == '\r' || c == '\n':
			return "", errSyntax
		default:
			b = append(b, c)
		}
	}
	return "", errSyntax
}

func (p *parser) literal() (string, error) {
	head, rest, ok := bytes.Cut(p.rest, []byte("\r\n"))
	n, isLiteral := literalSize(head)
	if !ok || !isLiteral || head[0] != '{' || n > int64(len(rest)) {
		return "", errSyntax
	}
	p.rest = rest[n:]
	return string(rest[:n]), nil
}

// literalSize returns the octets of the literal that a line announces at its end.
func literalSize(line []byte) (int64, bool) {
	if len(line) == 0 || line[len(line)-1] != '}' {
		return 0, false
	}
	at := bytes.LastIndexByte(line, '{')
	if at < 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(line[at+1:len(line)-1]), 10, 63)
	return int64(n), err == nil
}

// list takes a list and calls each for what is in it; each takes one thing.
func (p *parser) list(each func() error) error {
	if !p.take('(') {
		return errSyntax
	}
	for p.take(' ') {
	}
	for !p.take(')') {
		before := len(p.rest)
		if err := each(); err != nil {
			return err
		}
		for p.take(' ') {
		}
		if len(p.rest) == before {
			return errSyntax
		}
	}
	return nil
}

// words takes a list of atoms and strings.
func (p *parser) words() (all []string, err error) {
	err = p.list(func() error {
		s, _, err := p.str()
		all = append(all, s)
		return err
	})
	return all, err
}

// skip takes anything.
func (p *parser) skip(depth int) error {
	if depth == maxDepth {
		return errSyntax
	}
	if p.next() == '(' {
		return p.list(func() error { return p.skip(depth + 1) })
	}
	_, _, err := p.str()
	return err
}

// fetched is what a FETCH response says.
type fetched struct {
	uid     uint32
	size    int64 // -1: not said
	date    string
	flags   []string
	body    string
	hasBody bool
}

// items takes the items of a FETCH response up to its closing parenthesis, or up to
// the literal of a body that does not stand in the response: then more is true.
func (p *parser) items(f *fetched) (more bool, err error) {
	for {
		for p.take(' ') {
		}
		if p.take(')') {
			return false, nil
		}
		name := strings.ToUpper(p.atom())
		if name == "" || !p.take(' ') {
			return false, errSyntax
		}
		if name == "BODY[]" && p.next() == '{' && !bytes.Contains(p.rest, []byte("\r\n")) {
			return true, nil
		}
		if err := p.item(name, f); err != nil {
			return false, err
		}
	}
}

func (p *parser) item(name string, f *fetched) (err error) {
	switch name {
	case "UID":
		var n uint64
		n, err = p.number(math.MaxUint32)
		f.uid = uint32(n)
	case "RFC822.SIZE":
		var n uint64
		n, err = p.number(math.MaxInt64)
		f.size = int64(n)
	case "INTERNALDATE":
		f.date, _, err = p.str()
	case "FLAGS":
		f.flags, err = p.words()
	case "BODY[]":
		f.body, _, err = p.str()
		f.hasBody = true
	default:
		err = p.skip(0)
	}
	return err
}
