package main

import (
	"slices"
	"sort"
	"strings"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/utf7"
)

// maxPattern bounds a LIST pattern: matching takes its length times that of a
// name.
const maxPattern = 1000

// listPattern takes the two arguments of LIST and LSUB. The pattern is the
// reference with the mailbox name behind it (RFC 3501 section 6.3.8), in the
// encoding of the wire.
func listPattern(c *wire.Command) (ref, pattern string, err error) {
	if err := c.Args.Space(); err != nil {
		return "", "", err
	}
	if ref, err = c.Args.AString(); err != nil {
		return "", "", err
	}
	if err := c.Args.Space(); err != nil {
		return "", "", err
	}
	if pattern, err = c.Args.Pattern(); err != nil {
		return "", "", err
	}
	if len(ref)+len(pattern) > maxPattern {
		return "", "", &wire.SyntaxError{Text: "mailbox pattern too long"}
	}
	return ref, pattern, c.Args.End()
}

func (s *Session) list(c *wire.Command) (string, error) {
	ref, pattern, err := listPattern(c)
	if err != nil {
		return "", err
	}
	if pattern == "" {
		// A question for the separator and the root (RFC 3501 section 6.3.8).
		s.w.Raw("* LIST (\\Noselect) \".\" \"\"\r\n")
		return "LIST completed", nil
	}
	folders, err := s.box.Folders()
	if err != nil {
		return "", err
	}
	t := newTree(folders)
	for _, name := range t.names {
		if !matchName(ref+pattern, utf7.Encode(name)) {
			continue
		}
		attributes := `\HasNoChildren`
		if t.parents[name] {
			attributes = `\HasChildren` // RFC 3348 section 3
		}
		if t.exists[name] {
			attributes = strings.Join(append([]string{attributes}, s.limits.specialUse[name]...), " ") // RFC 6154 section 2
		} else {
			attributes = `\Noselect ` + attributes
		}
		s.writeName("LIST", attributes, name)
	}
	return "LIST completed", nil
}

func (s *Session) lsub(c *wire.Command) (string, error) {
	ref, pattern, err := listPattern(c)
	if err != nil {
		return "", err
	}
	if pattern == "" {
		s.w.Raw("* LSUB (\\Noselect) \".\" \"\"\r\n")
		return "LSUB completed", nil
	}
	names, err := s.box.Subscriptions()
	if err != nil {
		return "", err
	}
	var deeper []string
	for _, name := range names {
		if matchName(ref+pattern, utf7.Encode(name)) {
			s.writeName("LSUB", "", name)
		} else if strings.HasSuffix(pattern, "%") {
			deeper = append(deeper, name)
		}
	}
	// Of subscribed names that "%" does not reach, the level that it does reach
	// (RFC 3501 section 6.3.9).
	for _, name := range newTree(deeper).names {
		if _, ok := slices.BinarySearch(names, name); !ok && matchName(ref+pattern, utf7.Encode(name)) {
			s.writeName("LSUB", `\Noselect`, name)
		}
	}
	return "LSUB completed", nil
}

func (s *Session) writeName(response, attributes, name string) {
	s.w.Raw("* ", response, " (", attributes, ") \".\" ")
	s.w.AString(utf7.Encode(name))
	s.w.Raw("\r\n")
}

// tree is a list of names with the levels above them, which need not exist.
type tree struct {
	names   []string // INBOX first, then sorted
	exists  map[string]bool
	parents map[string]bool
}

func newTree(folders []string) tree {
	t := tree{exists: map[string]bool{}, parents: map[string]bool{}}
	for _, name := range folders {
		t.exists[name] = true
	}
	for _, name := range folders {
		for i := strings.LastIndexByte(name, '.'); i > 0; i = strings.LastIndexByte(name[:i], '.') {
			if t.parents[name[:i]] {
				break
			}
			t.parents[name[:i]] = true
		}
	}
	for name := range t.exists {
		t.names = append(t.names, name)
	}
	for name := range t.parents {
		if !t.exists[name] {
			t.names = append(t.names, name)
		}
	}
	sort.Slice(t.names, func(i, j int) bool {
		if a, b := t.names[i] == "INBOX", t.names[j] == "INBOX"; a != b {
			return a
		}
		return t.names[i] < t.names[j]
	})
	return t
}

// matchName reports whether a pattern with the wildcards of LIST matches a
// name: "*" any text, "%" any text within a level. It keeps the set of places
// in name that the pattern so far can reach, so no pattern is slow.
func matchName(pattern, name string) bool {
	anyCase := 0 // bytes of name that have no case (RFC 3501 section 5.1)
	if name == "INBOX" || strings.HasPrefix(name, "INBOX.") {
		anyCase = len("INBOX")
	}
	reach := make([]bool, len(name)+1)
	reach[0] = true
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*', '%':
			for j := range name {
				reach[j+1] = reach[j+1] || reach[j] && (c == '*' || name[j] != '.')
			}
		default:
			for j := len(name); j > 0; j-- {
				reach[j] = reach[j-1] && (name[j-1] == c || j <= anyCase && strings.EqualFold(name[j-1:j], string(rune(c))))
			}
			reach[0] = false
		}
	}
	return reach[len(name)]
}
