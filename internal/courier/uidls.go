package courier

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"posthorn/internal/dovecot"
)

// UIDL is the unique-id that Courier's POP3 server shows for one message.
type UIDL struct{ Name, Value string }

// ParseUIDLs reads a `courierpop3dsizelist` of version 1 to 3:
// `/<version> <next> <UIDVALIDITY>`, then
// `<file> <size> <number>[:<UIDVALIDITY>[:<is UTF-8>]]`, the file with its
// flags. Lists without a version have no numbers: their messages go by name.
func ParseUIDLs(content []byte) (uidls []UIDL) {
	first, rest, _ := bytes.Cut(content, []byte{'\n'})
	version, _, _ := strings.Cut(string(first[:min(len(first), maxLine)]), " ")
	if version != "/1" && version != "/2" && version != "/3" {
		return nil
	}
	seen := make(map[string]bool)
	for line := range lines(rest) {
		u, ok := parseUIDL(string(line))
		if ok && !seen[u.Name] {
			seen[u.Name] = true
			uidls = append(uidls, u)
		}
	}
	return uidls
}

func parseUIDL(line string) (u UIDL, ok bool) {
	line, id, ok1 := cutLast(line, ' ')
	file, _, ok2 := cutLast(line, ' ')
	u.Name, _, _ = strings.Cut(file, ":")
	number, rest, _ := strings.Cut(id, ":")
	uidvalidity, _, _ := strings.Cut(rest, ":")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok1 || !ok2 || err != nil || n == 0 || !dovecot.ValidName([]byte(u.Name)) {
		return UIDL{}, false
	}
	v, err := strconv.ParseUint(uidvalidity, 10, 64)
	switch {
	case uidvalidity != "" && err != nil:
		return UIDL{}, false
	case v == 0:
		u.Value = fmt.Sprintf("UID%d", n)
	default:
		u.Value = fmt.Sprintf("UID%d-%d", n, v)
	}
	return u, true
}

// cutLast cuts s around the last sep.
func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
