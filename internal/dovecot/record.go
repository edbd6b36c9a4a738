package dovecot

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// MaxUID is the highest UID that Dovecot accepts.
const MaxUID = math.MaxUint32 - 1

// maxLine bounds a line of a uidlist: a file name has at most 255 bytes, and
// the fields in front of it are short.
const maxLine = 4096

// nextDigits is how many digits we give to N, so that it can be raised in
// place.
const nextDigits = 10

// Header is the first line of a uidlist: `3 V1795354161 N0000000004 G…`.
type Header struct {
	UIDValidity uint32
	Next        uint32 // N: no UID from here on was given when it was written
	GUID        string // 32 hex digits; "" when there is none
	Extra       string // fields that we do not know, each with a blank in front

	version  int
	nAt, nLn int  // where N's digits stand in the line
	broken   bool // only UIDVALIDITY could be read
}

// Record is one message's line: `12 S123 W130 :name`. Its slices are valid
// only until the function that got it returns.
type Record struct {
	UID    uint32
	Fields []byte // what stands between UID and name, byte for byte
	Name   []byte // the file's name without the flags
	At     int64  // where the name stands in the list; 0: in none
}

var errGarbled = errors.New("garbled line")

// ParseHeader reads a uidlist's first line, without its line end. Version 1 is
// what Dovecot before 1.0 wrote, and Courier's courierimapuiddb.
func ParseHeader(line []byte) (Header, error) {
	words := bytes.Split(line, []byte{' '})
	switch string(words[0]) {
	case "3":
		return parseHeader3(line, words)
	case "1":
		return parseHeader1(words)
	}
	return Header{}, fmt.Errorf("uidlist header: %w", errGarbled)
}

func parseHeader3(line []byte, words [][]byte) (Header, error) {
	h := Header{version: 3}
	at := len(words[0]) + 1
	for _, w := range words[1:] {
		if err := h.field(w, at); err != nil {
			return Header{}, fmt.Errorf("uidlist header: %w", err)
		}
		at += len(w) + 1
	}
	if h.UIDValidity == 0 {
		return Header{}, fmt.Errorf("uidlist header without UIDVALIDITY: %w", errGarbled)
	}
	if h.Next == 0 {
		h.Next = 1
	}
	return h, nil
}

// field takes one field of the header, which stands at the offset at.
func (h *Header) field(w []byte, at int) (err error) {
	if len(w) == 0 {
		return nil
	}
	switch value := w[1:]; w[0] {
	case 'V':
		h.UIDValidity, err = parseUint(value)
	case 'N':
		h.Next, err = parseUint(value)
		h.nAt, h.nLn = at+1, len(value)
	case 'G':
		h.GUID = string(value)
	default:
		h.Extra += " " + string(w)
	}
	return err
}

// salvageHeader finds UIDVALIDITY in the first line of a list whose header
// cannot be read as a whole. The number counts only with a blank or line end
// behind it: one that was cut short would be another.
func salvageHeader(b []byte) (h Header, end int64, ok bool) {
	line, _, whole := bytes.Cut(b, []byte{'\n'})
	end = int64(len(line))
	if whole {
		end++
	}
	_, rest, found := bytes.Cut(line, []byte(" V"))
	digits, _, blank := bytes.Cut(rest, []byte{' '})
	v, err := parseUint(digits)
	if !found || err != nil || v == 0 || !blank && !whole {
		return Header{}, 0, false
	}
	return Header{UIDValidity: v, Next: 1, version: 3, broken: true}, end, true
}

func parseHeader1(words [][]byte) (h Header, err error) {
	if len(words) < 3 {
		return h, fmt.Errorf("uidlist header: %w", errGarbled)
	}
	h.version = 1
	if h.UIDValidity, err = parseUint(words[1]); err == nil {
		h.Next, err = parseUint(words[2])
	}
	if err != nil || h.UIDValidity == 0 {
		return Header{}, fmt.Errorf("uidlist header: %w", errGarbled)
	}
	return h, nil
}

// append writes the header with its line end, N with ten digits.
func (h Header) append(b []byte) []byte {
	b = fmt.Appendf(b, "3 V%d N%0*d", h.UIDValidity, nextDigits, h.Next)
	if h.GUID != "" {
		b = append(append(b, " G"...), h.GUID...)
	}
	return append(append(b, h.Extra...), '\n')
}

// ParseRecord reads a record's line of the given version, without its line
// end.
func ParseRecord(line []byte, version int) (Record, error) {
	number, rest, ok := bytes.Cut(line, []byte{' '})
	uid, err := parseUint(number)
	if !ok || err != nil || uid == 0 || uid > MaxUID {
		return Record{}, errGarbled
	}
	r := Record{UID: uid, Name: rest}
	if version != 1 {
		if r.Fields, r.Name, ok = cutFields(rest); !ok {
			return Record{}, errGarbled
		}
	}
	if !ValidName(r.Name) {
		return Record{}, errGarbled
	}
	return r, nil
}

// cutFields splits at the first word that begins with a colon.
func cutFields(b []byte) (fields, name []byte, ok bool) {
	if len(b) > 0 && b[0] == ':' {
		return nil, b[1:], true
	}
	i := bytes.Index(b, []byte(" :"))
	if i < 0 {
		return nil, nil, false
	}
	return b[:i], b[i+2:], true
}

// ValidName reports whether name can be that of a message file without its
// flags, so that none leads out of its folder.
func ValidName(name []byte) bool {
	return len(name) > 0 && len(name) <= 255 && name[0] != '.' && !bytes.ContainsAny(name, "/\x00:\n")
}

// append writes the record with its line end.
func (r Record) append(b []byte) []byte {
	b = strconv.AppendUint(b, uint64(r.UID), 10)
	if len(r.Fields) > 0 {
		b = append(append(b, ' '), r.Fields...)
	}
	b = append(b, " :"...)
	return append(append(b, r.Name...), '\n')
}

// Field returns the value of the field whose letter is key, such as 'S'
// (size), 'W' (size with CRLF line ends) or 'P' (the UIDL that POP3 showed).
func (r Record) Field(key byte) (value []byte, ok bool) {
	rest := r.Fields
	for len(rest) > 0 {
		var word []byte
		word, rest, _ = bytes.Cut(rest, []byte{' '})
		if len(word) > 0 && word[0] == key {
			return word[1:], true
		}
	}
	return nil, false
}

// Size returns the number in the field S or W, or -1.
func (r Record) Size(key byte) int64 {
	value, ok := r.Field(key)
	if !ok {
		return -1
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// parseUint reads decimal digits and nothing else.
func parseUint(b []byte) (uint32, error) {
	if len(b) == 0 || len(b) > 20 || b[0] == '+' {
		return 0, errGarbled
	}
	n, err := strconv.ParseUint(string(b), 10, 32)
	if err != nil {
		return 0, errGarbled
	}
	return uint32(n), nil
}
