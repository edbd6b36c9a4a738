// Package screen makes text of strangers fit for an administrator's screen:
// senders choose addresses, other hosts what they reply.
package screen

import (
	"strings"
	"unicode"
)

// Line returns s with "?" for what is no printable character: controls, which
// move the cursor, and marks that turn the direction of writing.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// Lines is Line for a text of several lines.
func Lines(s string) string {
	all := strings.Split(s, "\n")
	for i, l := range all {
		all[i] = Line(l)
	}
	return strings.Join(all, "\n")
}
