package query

import (
	"math"
	"strings"

	"posthorn/imapd/internal/wire"
)

// Bounds of one SEARCH.
const (
	maxKeys  = 1024
	maxDepth = 32
)

// Search is a parsed SEARCH.
type Search struct {
	Return  Return
	Charset string // upper case; "" if none was named
	Key     Key
}

// ParseSearch takes the arguments of SEARCH (RFC 4466 section 2.6.1).
func ParseSearch(s *wire.Scanner) (Search, error) {
	p := searchParser{s: s}
	var q Search
	word, err := p.word()
	if err == nil && word == "RETURN" {
		if q.Return, err = parseReturn(s); err == nil {
			word, err = p.next()
		}
	}
	if err == nil && word == "CHARSET" {
		if q.Charset, err = p.text(); err == nil {
			q.Charset = strings.ToUpper(q.Charset)
			word, err = p.next()
		}
	}
	if err != nil {
		return q, err
	}
	if q.Key, err = p.all(word); err == nil && q.Return.Relevancy && !p.fuzzy {
		err = errRelevancy
	}
	return q, err
}

// errRelevancy is scores asked of a search that gives none (RFC 6203 sections 4 and
// 6).
var errRelevancy = bad("RELEVANCY needs a FUZZY key")

type searchParser struct {
	s     *wire.Scanner
	keys  int
	depth int
	fuzzy bool // there is a FUZZY
}

// word takes the word of a key, "" for one that begins otherwise.
func (p *searchParser) word() (string, error) {
	if c := p.s.Peek(); 'a' <= c|0x20 && c|0x20 <= 'z' {
		return p.s.Word(), nil
	}
	return "", nil
}

// next is word behind a space.
func (p *searchParser) next() (string, error) {
	if err := p.s.Space(); err != nil {
		return "", err
	}
	return p.word()
}

// all takes keys to the end of the line; the word of the first may have been
// taken already.
func (p *searchParser) all(word string) (Key, error) {
	list := Key{Op: And}
	for {
		k, err := p.keyword(word)
		if err != nil {
			return Key{}, err
		}
		list.Sub, word = append(list.Sub, k), ""
		if p.s.End() == nil {
			return list, nil
		}
		if err := p.s.Space(); err != nil {
			return Key{}, err
		}
	}
}

func (p *searchParser) key() (Key, error) { return p.keyword("") }

// keyword takes a key whose word, if any, has been taken.
func (p *searchParser) keyword(word string) (Key, error) {
	if p.keys++; p.keys > maxKeys {
		return Key{}, bad("too many search keys")
	}
	if p.depth == maxDepth {
		return Key{}, bad("search keys nested too deep")
	}
	p.depth++
	defer func() { p.depth-- }()
	if word != "" {
		return p.named(word)
	}
	switch c := p.s.Peek(); {
	case c == '(':
		return p.list()
	case c == '*' || c == '$' || '0' <= c && c <= '9':
		return p.messages(Seq)
	}
	return p.named(p.s.Word())
}

func (p *searchParser) list() (Key, error) {
	k := Key{Op: And}
	err := p.s.List(maxKeys, func() error {
		sub, err := p.key()
		k.Sub = append(k.Sub, sub)
		return err
	})
	if err == nil && k.Sub == nil {
		err = bad("empty list of search keys")
	}
	return k, err
}

// named takes the arguments of the key named word.
func (p *searchParser) named(word string) (Key, error) {
	if k, ok := flagKey(word); ok {
		return k, nil
	}
	switch word {
	case "KEYWORD", "UNKEYWORD":
		return p.flagNamed(word == "UNKEYWORD")
	case "BEFORE":
		return p.date(Before)
	case "ON":
		return p.date(On)
	case "SINCE":
		return p.date(Since)
	case "SENTBEFORE":
		return p.date(SentBefore)
	case "SENTON":
		return p.date(SentOn)
	case "SENTSINCE":
		return p.date(SentSince)
	case "SAVEDBEFORE":
		return p.date(SavedBefore)
	case "SAVEDON":
		return p.date(SavedOn)
	case "SAVEDSINCE":
		return p.date(SavedSince)
	case "MODSEQ":
		return p.modSeq()
	case "EMAILID":
		text, err := p.text()
		return Key{Op: EmailIs, Text: text}, err
	case "THREADID": // no message has one
		_, err := p.text()
		return not(Key{Op: All}), err
	case "LARGER":
		return p.number(Larger)
	case "SMALLER":
		return p.number(Smaller)
	case "OLDER":
		return p.interval(Older)
	case "YOUNGER":
		return p.interval(Younger)
	case "UID":
		return p.uids()
	case "UIDAFTER", "UIDBEFORE":
		return p.beside(word == "UIDAFTER")
	case "FROM", "TO", "CC", "BCC":
		text, err := p.text()
		return Key{Op: AddressText, Field: word, Text: text}, err
	case "SUBJECT":
		text, err := p.text()
		return Key{Op: FieldText, Field: word, Text: text}, err
	case "HEADER":
		return p.header()
	case "BODY":
		text, err := p.text()
		return Key{Op: BodyText, Text: text}, err
	case "TEXT":
		text, err := p.text()
		return Key{Op: AnyText, Text: text}, err
	case "NOT":
		sub, err := p.operands(1)
		return Key{Op: Not, Sub: sub}, err
	case "FUZZY":
		sub, err := p.operands(1)
		p.fuzzy = true
		return Key{Op: Fuzzy, Sub: sub}, err
	case "OR":
		sub, err := p.operands(2)
		return Key{Op: Or, Sub: sub}, err
	}
	return Key{}, bad("unknown search key")
}

// modSeq takes a modseq, and in front of it the name of a flag and whose it is: there
// is one modseq for all flags of a message (RFC 7162 section 3.1.5).
func (p *searchParser) modSeq() (Key, error) {
	if err := p.s.Space(); err != nil {
		return Key{}, err
	}
	if p.s.Peek() == '"' {
		if _, err := p.s.String(); err != nil {
			return Key{}, err
		}
		if err := p.s.Space(); err != nil {
			return Key{}, err
		}
		switch p.s.Word() {
		case "ALL", "SHARED", "PRIV":
		default:
			return Key{}, bad("invalid kind of modseq")
		}
		if err := p.s.Space(); err != nil {
			return Key{}, err
		}
	}
	n, err := p.s.Number64()
	return Key{Op: ModSeqs, Num: n}, err
}

func (p *searchParser) flagNamed(negate bool) (Key, error) {
	if err := p.s.Space(); err != nil {
		return Key{}, err
	}
	name, err := p.s.Flag()
	if err == nil && name[0] == '\\' { // RFC 3501 section 9, flag-keyword
		err = bad("invalid keyword")
	}
	k := Key{Op: Flag, Keyword: name}
	if negate {
		k = not(k)
	}
	return k, err
}

func (p *searchParser) date(op Op) (Key, error) {
	if err := p.s.Space(); err != nil {
		return Key{}, err
	}
	t, err := p.s.Date()
	return Key{Op: op, Date: t}, err
}

func (p *searchParser) number(op Op) (Key, error) {
	if err := p.s.Space(); err != nil {
		return Key{}, err
	}
	n, err := p.s.Number64()
	return Key{Op: op, Num: n}, err
}

func (p *searchParser) uids() (Key, error) {
	if err := p.s.Space(); err != nil {
		return Key{}, err
	}
	return p.messages(UIDs)
}

// messages takes a set, in which "$" stands for what was saved.
func (p *searchParser) messages(op Op) (Key, error) {
	set, saved, err := p.s.SavedSet()
	switch k := (Key{Op: op, Set: set}); {
	case !saved:
		return k, err
	case set == nil:
		return Key{Op: Saved}, err
	default:
		return Key{Op: Or, Sub: []Key{k, {Op: Saved}}}, err
	}
}

// beside takes the UID that those of messages are above, or below (RFC 9738 section
// 3.2).
func (p *searchParser) beside(above bool) (Key, error) {
	if err := p.s.Space(); err != nil {
		return Key{}, err
	}
	n, err := p.s.Number()
	switch {
	case err == nil && n == 0:
		err = bad("a UID is not 0")
	case above && n < math.MaxUint32:
		return Key{Op: UIDs, Set: wire.Set{{Lo: n + 1, Hi: math.MaxUint32}}}, err
	case !above && n > 1:
		return Key{Op: UIDs, Set: wire.Set{{Lo: 1, Hi: n - 1}}}, err
	}
	return not(Key{Op: All}), err
}

// interval takes a number of seconds, not 0 (RFC 5032 section 3).
func (p *searchParser) interval(op Op) (Key, error) {
	k, err := p.number(op)
	if err == nil && (k.Num == 0 || k.Num > math.MaxUint32) {
		err = bad("expected a number above 0, of 32 bits")
	}
	return k, err
}

func (p *searchParser) header() (Key, error) {
	field, err := p.text()
	if err != nil {
		return Key{}, err
	}
	if !fieldName(field) {
		return Key{}, bad("invalid name of a header field")
	}
	text, err := p.text()
	return Key{Op: FieldText, Field: field, Text: text}, err
}

func (p *searchParser) operands(n int) ([]Key, error) {
	var sub []Key
	for range n {
		if err := p.s.Space(); err != nil {
			return nil, err
		}
		k, err := p.key()
		if err != nil {
			return nil, err
		}
		sub = append(sub, k)
	}
	return sub, nil
}

func (p *searchParser) text() (string, error) {
	if err := p.s.Space(); err != nil {
		return "", err
	}
	return p.s.AString()
}
