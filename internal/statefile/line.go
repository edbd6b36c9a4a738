package statefile

import (
	"bytes"
	"strings"
)

// Kind says what a line is about.
type Kind string

// The kinds of lines.
const (
	// Keywords has the unique part of a message file's name as key, which is
	// what stands in front of its first ',' or ':', and as value those of the
	// message's keywords that have no letter, with spaces between.
	Keywords Kind = "keywords"
	// Metadata has the name of an entry of the folder as key (RFC 5464).
	Metadata Kind = "metadata"
	// Account has the name of an entry of the whole account as key; it stands
	// in the INBOX's file.
	Account Kind = "account"
	// Rights has an identifier as key and its rights as value (RFC 4314).
	Rights Kind = "acl"
	// Share stands in the list of who shares what; its key is an owner, its
	// value the identifiers to which he gave rights, with spaces between.
	Share Kind = "share"
	// Import says how much of a folder elsewhere is here; its key is that folder,
	// or what stands for the whole of it.
	Import Kind = "import"
)

// kinds returns all kinds in the order in which they are written.
func kinds() []Kind { return []Kind{Account, Metadata, Rights, Share, Import, Keywords} }

// Bounds of what is written; what is read may be as long as the file.
const (
	MaxKey   = 1 << 10
	MaxValue = 64 << 10
	maxFile  = 64 << 20
)

// fact is a line that was understood.
type fact struct {
	kind  Kind
	gone  bool // the line takes the fact away
	key   string
	value string
}

// parseLine takes a line apart, without its end.
func parseLine(line []byte) (f fact, ok bool) {
	text, gone := strings.CutPrefix(string(line), "-")
	word, rest, _ := strings.Cut(text, " ")
	for _, k := range kinds() {
		ok = ok || word == string(k)
	}
	if !ok {
		return fact{}, false
	}
	key, value, more := strings.Cut(rest, " ")
	if gone && more {
		return fact{}, false
	}
	f = fact{kind: Kind(word), gone: gone}
	f.key, ok = unescape(key)
	if !ok || f.key == "" {
		return fact{}, false
	}
	f.value, ok = unescape(value)
	return f, ok
}

// appendTo writes the line.
func (f fact) appendTo(b []byte) []byte {
	if f.gone {
		b = append(b, '-')
	}
	b = append(append(b, f.kind...), ' ')
	b = escape(b, f.key, ' ')
	if f.value != "" && !f.gone {
		b = append(b, ' ')
		b = escape(b, f.value, 0)
	}
	return append(b, '\n')
}

const hexDigits = "0123456789ABCDEF"

// escape writes s with control characters, '%' and also as %XX.
func escape(b []byte, s string, also byte) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f || c == '%' || c == also {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// unescape is escape the other way.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		high, low := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		b.WriteByte(byte(high<<4 | low))
		i += 2
	}
	return b.String(), true
}

// content is what a file says.
type content struct {
	facts   map[Kind]map[string]string // nil without any
	strange [][]byte                   // lines that were not understood, with their ends
	version bool                       // the first line is not of another version
	lines   int                        // that were understood
	size    int64                      // bytes of whole lines
	torn    bool                       // something stands behind them
}

// head begins a file, with the version of what follows.
const head, version = "posthorn-state ", "1"

// parse reads a file.
func parse(b []byte) content {
	c := content{version: true}
	for line := range bytes.Lines(b) {
		if line[len(line)-1] != '\n' {
			c.torn = true
			break
		}
		c.take(line)
		c.size += int64(len(line))
	}
	return c
}

// take takes one line in.
func (c *content) take(line []byte) {
	if v, ok := bytes.CutPrefix(line, []byte(head)); ok && c.size == 0 {
		c.version = string(v) == version+"\n"
		return
	}
	f, ok := parseLine(line[:len(line)-1])
	if !ok {
		c.strange = append(c.strange, bytes.Clone(line))
		return
	}
	c.lines++
	c.set(f)
}

// set takes a fact in.
func (c *content) set(f fact) {
	m := c.facts[f.kind]
	switch {
	case f.gone:
		delete(m, f.key)
		return
	case m == nil:
		if c.facts == nil {
			c.facts = make(map[Kind]map[string]string)
		}
		m = make(map[string]string)
		c.facts[f.kind] = m
	}
	m[f.key] = f.value
}

// live counts the facts.
func (c *content) live() (n int) {
	for _, m := range c.facts {
		n += len(m)
	}
	return n
}
