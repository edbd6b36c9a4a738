package maildir

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxName is the longest file name that Linux file systems hold.
const maxName = 255

// Name is the name of a message's file: what makes it unique, size hints, and
// in cur/ the flags.
//
//	1792411200.01k7e6x9qf.mx,S=4096,W=4170:2,FS
type Name struct {
	Unique  string // up to the first comma
	Fields  string // ",S=…,W=…" and foreign fields as found; "" to have them written from Size and Virtual
	Size    int64  // bytes of the file by its name, -1 when it does not say
	Virtual int64  // bytes with CRLF line ends by its name, -1 when it does not say
	Info    bool   // ":2," is there, as for every name in cur/
	Flags   string // letters of ":2,", each once, in ASCII order
}

// ErrName is returned for what cannot be a message's file name.
var ErrName = errors.New("not a Maildir file name")

// ReadName reads a name as some other program may have written it. What it
// does not understand stays in Unique and Fields, or is left out of Flags;
// only what cannot be a message at all is an error.
func ReadName(s string) (Name, error) {
	if s == "" || s[0] == '.' || len(s) > maxName || strings.ContainsAny(s, "/\x00") {
		return Name{}, fmt.Errorf("%.300q: %w", s, ErrName)
	}
	n := Name{Size: -1, Virtual: -1}
	base, info, _ := strings.Cut(s, ":")
	n.Unique = base
	if i := strings.IndexByte(base, ','); i >= 0 {
		n.Unique, n.Fields = base[:i], base[i:]
		n.readSizes()
	}
	if letters, ok := strings.CutPrefix(info, "2,"); ok {
		n.Info = true
		letters, _, _ = strings.Cut(letters, ",")
		n.Flags = SortFlags(letters)
	}
	if n.Unique == "" {
		return Name{}, fmt.Errorf("%.300q: %w", s, ErrName)
	}
	return n, nil
}

// ParseName reads a name as Posthorn writes it and refuses every other one.
func ParseName(s string) (Name, error) {
	n, err := ReadName(s)
	if err != nil {
		return Name{}, err
	}
	own := n
	own.Fields = ""
	if own.String() != s || !plain(s) {
		return Name{}, fmt.Errorf("%.300q: %w as this server writes them", s, ErrName)
	}
	return own, nil
}

// plain reports whether s is printable ASCII.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// readSizes takes the first readable S= and W= out of the fields.
func (n *Name) readSizes() {
	for field := range strings.SplitSeq(n.Fields[1:], ",") {
		key, value, _ := strings.Cut(field, "=")
		switch {
		case key == "S" && n.Size < 0:
			n.Size = readSize(value)
		case key == "W" && n.Virtual < 0:
			n.Virtual = readSize(value)
		}
	}
}

func readSize(s string) int64 {
	v, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return -1
	}
	return int64(v)
}

// SortFlags returns the ASCII letters of s, each once and in ASCII order; that
// is how the letters behind ":2," are kept.
func SortFlags(s string) string {
	ascending := true
	for i := range len(s) {
		if !letter(s[i]) || i > 0 && s[i] <= s[i-1] {
			ascending = false
		}
	}
	if ascending { // nearly every name, and without an allocation
		return s
	}
	b := slices.DeleteFunc([]byte(s), func(c byte) bool { return !letter(c) })
	slices.Sort(b)
	return string(slices.Compact(b))
}

func letter(c byte) bool { return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }

// Base returns the name without its flags: what stays the same for as long as
// the message is in its folder.
func (n Name) Base() string {
	if n.Fields != "" {
		return n.Unique + n.Fields
	}
	b := n.Unique
	if n.Size >= 0 {
		b += ",S=" + strconv.FormatInt(n.Size, 10)
	}
	if n.Virtual >= 0 {
		b += ",W=" + strconv.FormatInt(n.Virtual, 10)
	}
	return b
}

// String returns the name as it stands in a folder.
func (n Name) String() string {
	if !n.Info && n.Flags == "" {
		return n.Base()
	}
	return n.Base() + ":2," + n.Flags
}

// WithSizes returns n with other size hints (-1: none) and its foreign fields
// as they were.
func (n Name) WithSizes(size, virtual int64) Name {
	var foreign string
	if n.Fields != "" {
		for field := range strings.SplitSeq(n.Fields[1:], ",") {
			if !strings.HasPrefix(field, "S=") && !strings.HasPrefix(field, "W=") {
				foreign += "," + field
			}
		}
	}
	n.Size, n.Virtual, n.Fields = size, virtual, ""
	if foreign != "" {
		unique := n.Unique
		n.Unique = ""
		n.Fields = n.Base() + foreign
		n.Unique = unique
	}
	return n
}

// maxNode leaves room in a file name for time, id, sizes and flags.
const maxNode = 120

// EscapeNode returns a host or node name as it stands in file names: `/` and
// `:` as \057 and \072, the way of the Maildir specification, and so every
// other byte that a name could be misread by.
func EscapeNode(node string) string {
	var b strings.Builder
	for i := range len(node) {
		c := node[i]
		s := string(rune(c))
		if c <= ' ' || c > '~' || strings.IndexByte(`/:,\`, c) >= 0 {
			s = fmt.Sprintf(`\%03o`, c)
		}
		if b.Len()+len(s) > maxNode {
			break
		}
		b.WriteString(s)
	}
	if b.Len() == 0 {
		return "localhost"
	}
	return b.String()
}

// unique returns the part of a name that says time, id and node.
func unique(seconds int64, id, node string) string {
	return strconv.FormatInt(seconds, 10) + "." + id + "." + node
}
