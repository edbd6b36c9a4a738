package query

import (
	"strconv"
	"strings"

	"posthorn/imapd/internal/wire"
)

// Bounds of one FETCH. A line of 8192 bytes, the longest that clients should
// send (RFC 7162 section 4), holds no more items. Thunderbird asks for some 20
// header fields; nobody nests parts deeper than mimepart follows them.
const (
	maxItems  = 2048
	maxLists  = 350 // sections with fields: each may be 10,000 ranges of a header
	maxPath   = 64
	maxFields = 256
)

// Item is a set of the things FETCH can ask for that are no sections.
type Item uint16

// The items of RFC 3501 section 6.4.5.
const (
	Flags Item = 1 << iota
	UID
	InternalDate
	Size
	Envelope
	Body
	BodyStructure
	ModSeq   // RFC 7162
	SaveDate // RFC 8514
	EmailID  // RFC 8474
	ThreadID
	Preview     // RFC 8970
	PreviewLazy // only if it takes no time, with Preview
)

// Fetch is what one FETCH asks for of each message.
type Fetch struct {
	Items    Item
	Sections []Section
	lists    int // of fields
}

// Marks reports whether fetching sets \Seen.
func (f Fetch) Marks() bool {
	for _, s := range f.Sections {
		if !s.Peek {
			return true
		}
	}
	return false
}

// ParseFetch takes a macro, an item or a list of items.
func ParseFetch(s *wire.Scanner) (Fetch, error) {
	var f Fetch
	if s.Peek() != '(' {
		return f, f.first(s)
	}
	err := s.List(maxItems, func() error { return f.item(s, s.Word()) })
	if err == nil && f.Items == 0 && f.Sections == nil {
		return f, bad("nothing to fetch")
	}
	return f, err
}

// first takes what stands alone: only there are macros allowed.
func (f *Fetch) first(s *wire.Scanner) error {
	switch word := s.Word(); word {
	case "FAST":
		f.Items = Flags | InternalDate | Size
	case "ALL":
		f.Items = Flags | InternalDate | Size | Envelope
	case "FULL":
		f.Items = Flags | InternalDate | Size | Envelope | Body
	default:
		return f.item(s, word)
	}
	return nil
}

func (f *Fetch) item(s *wire.Scanner, word string) error {
	switch word {
	case "FLAGS":
		f.Items |= Flags
	case "UID":
		f.Items |= UID
	case "INTERNALDATE":
		f.Items |= InternalDate
	case "RFC822.SIZE":
		f.Items |= Size
	case "ENVELOPE":
		f.Items |= Envelope
	case "BODYSTRUCTURE":
		f.Items |= BodyStructure
	case "MODSEQ":
		f.Items |= ModSeq
	case "SAVEDATE":
		f.Items |= SaveDate
	case "EMAILID":
		f.Items |= EmailID
	case "THREADID":
		f.Items |= ThreadID
	case "RFC822":
		f.add(Section{Label: word})
	case "RFC822.HEADER":
		f.add(Section{Label: word, Kind: Header, Peek: true})
	case "RFC822.TEXT":
		f.add(Section{Label: word, Kind: Text})
	case "BODY", "BODY.PEEK":
		return f.body(s, word == "BODY.PEEK")
	case "BINARY", "BINARY.PEEK", "BINARY.SIZE":
		return f.binary(s, word)
	case "PREVIEW":
		return f.preview(s)
	default:
		return bad("unknown item of FETCH")
	}
	return nil
}

func (f *Fetch) body(s *wire.Scanner, peek bool) error {
	if s.Peek() != '[' {
		if peek {
			return bad("BODY.PEEK without a section")
		}
		f.Items |= Body
		return nil
	}
	section, err := parseSection(s)
	if err != nil {
		return err
	}
	if section.Fields != nil {
		if f.lists++; f.lists > maxLists {
			return bad("too many lists of header fields")
		}
	}
	section.Peek = peek
	f.add(section)
	return nil
}

func (f *Fetch) add(s Section) { f.Sections = append(f.Sections, s) }

// Kind says what of a part a section is.
type Kind uint8

// The kinds of RFC 3501 section 6.4.5.
const (
	Whole Kind = iota // the message, or the body of a part
	Header
	Fields
	FieldsNot
	Text
	MIME
	Decoded     // without its encoding (RFC 3516)
	DecodedSize // its size then
)

// Section is one BODY[…] of a FETCH.
type Section struct {
	Path    []int // numbers of parts; empty: the message itself
	Kind    Kind
	Fields  []string // names, with Fields and FieldsNot
	Partial bool
	Offset  uint64 // with Partial
	Max     uint64 // with Partial, at least 1
	Peek    bool   // leaves \Seen alone
	Label   string // as the answer names it
}

// parseSection takes a section from its bracket to the partial behind it.
func parseSection(s *wire.Scanner) (Section, error) {
	var sec Section
	if err := s.Expect('['); err != nil {
		return sec, err
	}
	word := s.Word()
	if err := sec.spec(word); err != nil {
		return sec, err
	}
	sec.Label = "BODY[" + word
	if sec.Kind == Fields || sec.Kind == FieldsNot {
		if err := sec.fields(s); err != nil {
			return sec, err
		}
	}
	if err := s.Expect(']'); err != nil {
		return sec, err
	}
	sec.Label += "]"
	return sec, sec.partial(s)
}

// spec sorts out a word such as "1.2.HEADER.FIELDS".
func (sec *Section) spec(word string) error {
	rest := word
	for rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		var number string
		var dot bool
		number, rest, dot = strings.Cut(rest, ".")
		n, err := strconv.ParseUint(number, 10, 20)
		if err != nil || n == 0 || len(sec.Path) == maxPath || dot && rest == "" {
			return bad("invalid part number in a section")
		}
		sec.Path = append(sec.Path, int(n))
	}
	switch rest {
	case "":
	case "HEADER":
		sec.Kind = Header
	case "HEADER.FIELDS":
		sec.Kind = Fields
	case "HEADER.FIELDS.NOT":
		sec.Kind = FieldsNot
	case "TEXT":
		sec.Kind = Text
	case "MIME":
		sec.Kind = MIME
	default:
		return bad("unknown section")
	}
	if sec.Kind == MIME && sec.Path == nil {
		return bad("MIME needs the number of a part")
	}
	return nil
}

func (sec *Section) fields(s *wire.Scanner) error {
	if err := s.Space(); err != nil {
		return err
	}
	err := s.List(maxFields, func() error {
		name, err := s.AString()
		if err != nil {
			return err
		}
		if !fieldName(name) {
			return bad("invalid name of a header field")
		}
		sec.Fields = append(sec.Fields, name)
		return nil
	})
	if err == nil && sec.Fields == nil {
		err = bad("no header fields named")
	}
	sec.Label += " (" + strings.Join(quoteFields(sec.Fields), " ") + ")"
	return err
}

// Piece returns the octets that a partial asks for, so that their sum is a number
// too.
func (sec Section) Piece() (offset, most int64) {
	const huge = 1 << 61 // there is no such message
	return int64(min(sec.Offset, huge)), int64(min(sec.Max, huge))
}

// partial takes "<offset.size>" if there is one (RFC 3501 section 6.4.5).
func (sec *Section) partial(s *wire.Scanner) (err error) {
	if !s.Accept('<') {
		return nil
	}
	sec.Partial = true
	if sec.Offset, err = s.Number64(); err != nil {
		return err
	}
	if err := s.Expect('.'); err != nil {
		return err
	}
	if sec.Max, err = s.Number64(); err != nil || sec.Max == 0 {
		return bad("invalid size of a partial")
	}
	sec.Label += "<" + strconv.FormatUint(sec.Offset, 10) + ">"
	return s.Expect('>')
}
