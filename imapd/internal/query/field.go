package query

import (
	"strconv"
	"strings"
)

// fieldName reports whether s can be the name of a header field (RFC 5322
// section 2.2).
func fieldName(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == ':' {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// quoteFields returns the names as an answer repeats them.
func quoteFields(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		if strings.ContainsAny(n, `(){%*"\]`) {
			n = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(n) + `"`
		}
		out[i] = n
	}
	return out
}

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
