package spool

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"posthorn/internal/attr"
)

// maxRecord bounds one line behind the message.
const maxRecord = 32 << 10

// maxPairs bounds the values of one line.
const maxPairs = 16

// castagnoli is CRC-32C, which most processors have as an instruction.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord writes one line: pairs of name and value, quoted as in the log
// where they need it, and a checksum of all before it. The checksum tells a
// line that a power cut left half or zeroed from one that was written.
func appendRecord(dst []byte, l attr.List) []byte {
	start := len(dst)
	for _, a := range l {
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		dst = append(dst, a.Name...)
		dst = append(dst, '=')
		if a.Value == "" || strings.ContainsFunc(a.Value, needsQuote) {
			dst = strconv.AppendQuoteToASCII(dst, a.Value)
		} else {
			dst = append(dst, a.Value...)
		}
	}
	return append(appendSum(dst, dst[start:]), '\n')
}

// appendSum ends a line with the checksum of its text.
func appendSum(dst, text []byte) []byte {
	return fmt.Appendf(dst, " sum=%08x", crc32.Checksum(text, castagnoli))
}

func needsQuote(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }

// parseRecord reads a line without its line feed. ok is false for what no
// appendRecord wrote.
func parseRecord(line string) (l attr.List, ok bool) {
	i := strings.LastIndex(line, " sum=")
	if i < 0 || string(appendSum(nil, []byte(line[:i]))) != line[i:] {
		return nil, false
	}
	for rest := line[:i]; rest != ""; {
		name, value, found := strings.Cut(rest, "=")
		if !found || name == "" || strings.ContainsAny(name, " \"") || len(l) == maxPairs {
			return nil, false
		}
		if value, rest, ok = cutValue(value); !ok {
			return nil, false
		}
		l = append(l, attr.Attr{Name: name, Value: value})
	}
	return l, len(l) > 0
}

// cutValue takes the value, quoted or not, off the front of s, with the blank
// that parts it from the next pair.
func cutValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, " ")
		return value, rest, true
	}
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", "", false
	}
	if value, err = strconv.Unquote(quoted); err != nil {
		return "", "", false
	}
	rest = s[len(quoted):]
	if rest != "" && rest[0] != ' ' {
		return "", "", false
	}
	return value, strings.TrimPrefix(rest, " "), true
}

// formatRanges writes rising numbers as "0-4,7" in lines' worth: each string
// has at most maxRanges ranges.
func formatRanges(numbers []int) []string {
	const maxRanges = 500
	var out []string
	var b strings.Builder
	n := 0
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if n == maxRanges {
			out, n = append(out, b.String()), 0
			b.Reset()
		}
		if n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(numbers[i]))
		if j > i {
			b.WriteString("-" + strconv.Itoa(numbers[j]))
		}
		n++
		i = j + 1
	}
	return append(out, b.String())
}

// parseRanges reads what formatRanges wrote; every number lies below limit.
func parseRanges(s string, limit int) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		low, high, found := strings.Cut(part, "-")
		if !found {
			high = low
		}
		a, err := strconv.ParseUint(low, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("ranges: found %.40q", s)
		}
		z, err := strconv.ParseUint(high, 10, 31)
		if err != nil || z < a || z >= uint64(limit) || len(out)+int(z-a) >= limit {
			return nil, fmt.Errorf("ranges: found %.40q, expected numbers below %d", s, limit)
		}
		for n := a; n <= z; n++ {
			out = append(out, int(n))
		}
	}
	return out, nil
}
