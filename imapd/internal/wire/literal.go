package wire

import (
	"bytes"
	"math"
)

// literal is the announcement of a literal at the end of a line.
type literal struct {
	start  int   // where its brace stands, or the ~ in front
	size   int64 // MaxInt64 for a number that does not fit
	now    bool  // sent without an invitation: {n+} (RFC 7888 section 4)
	binary bool  // ~{n} (RFC 3516 section 7, literal8)
}

// literalAt finds the announcement that the line b, its end included, ends
// with. No other token of IMAP can end a line with "{digits}": atoms have no
// brace and a quoted string does not cross a line end.
func literalAt(b []byte) (literal, bool) {
	b = trimEnd(b)
	if len(b) == 0 || b[len(b)-1] != '}' {
		return literal{}, false
	}
	open := bytes.LastIndexByte(b, '{')
	if open < 0 {
		return literal{}, false
	}
	digits := b[open+1 : len(b)-1]
	l := literal{start: open, binary: open > 0 && b[open-1] == '~'}
	if l.binary {
		l.start--
	}
	if n := len(digits); n > 0 && digits[n-1] == '+' {
		l.now, digits = true, digits[:n-1]
	}
	var ok bool
	l.size, ok = literalSize(digits)
	return l, ok
}

func literalSize(digits []byte) (n int64, ok bool) {
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(digits) > 0
}
