package main

import (
	"sort"
	"strings"

	"posthorn/imapd/internal/realm"
)

// tree is a list of names with the levels above them, which need not exist.
type tree struct {
	names   []string // INBOX first, then sorted
	exists  map[string]bool
	parents map[string]bool
}

func newTree(folders []string) tree {
	t := tree{names: make([]string, 0, len(folders)), exists: make(map[string]bool, len(folders)), parents: map[string]bool{}}
	for _, name := range folders {
		if !t.exists[name] {
			t.exists[name] = true
			t.names = append(t.names, name)
		}
		markAbove(t.parents, name)
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

// markAbove enters the levels above name into a set that has, with each name, all
// above it.
func markAbove(set map[string]bool, name string) {
	sep := realm.Levels(name)
	for i := strings.LastIndex(name, sep); i > 0; i = strings.LastIndex(name[:i], sep) {
		if set[name[:i]] {
			return
		}
		set[name[:i]] = true
	}
}

// matchName reports whether a pattern with the wildcards of LIST matches a
// name: "*" any text, "%" any text within a level. It keeps the set of places
// in name that the pattern so far can reach, so no pattern is slow.
func matchName(pattern, name string) bool {
	anyCase := 0 // bytes of name that have no case (RFC 3501 section 5.1)
	if name == "INBOX" || strings.HasPrefix(name, "INBOX.") {
		anyCase = len("INBOX")
	}
	sep := realm.Levels(name)[0]
	reach := make([]bool, len(name)+1)
	reach[0] = true
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*', '%':
			for j := range len(name) {
				reach[j+1] = reach[j+1] || reach[j] && (c == '*' || name[j] != sep)
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
