package moving

import (
	"strings"
	"unicode/utf8"

	"posthorn/internal/mailbox"
	"posthorn/internal/utf7"
)

// maxDisk is how long the name of a folder can be on the disk, without its dot.
const maxDisk = 254

// placeFor returns the name that a folder elsewhere gets here, below into if that
// is not empty. What no name here can have becomes '_'.
func placeFor(levels []string, into string) string {
	var names []string
	if into != "" {
		names = append(names, into)
	}
	for i, level := range levels {
		switch inbox := i == 0 && strings.EqualFold(level, "INBOX"); {
		case !inbox:
			names = append(names, cleanLevel(level))
		case into == "" || len(levels) > 1:
			names = append(names, "INBOX")
		}
	}
	name := strings.Join(names, ".")
	if name == "" || name[0] == '~' {
		name = "_" + strings.TrimPrefix(name, "~")
	}
	return shorten(mailbox.Canonical(name))
}

// cleanLevel returns one level of a name as it can be here.
func cleanLevel(level string) string {
	if level == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r == '.', r == '/', r == '*', r == '%', 0x7f <= r && r < 0xa0, r == 0x2028, r == 0x2029, r == utf8.RuneError:
			return '_'
		}
		return r
	}, level)
}

// shorten cuts a name that is too long for the disk; what stands at its end keeps
// two of them apart.
func shorten(name string) string {
	if len(utf7.Encode(name)) <= maxDisk {
		return name
	}
	tail := "_" + ID(0, name)[:8]
	for len(utf7.Encode(name+tail)) > maxDisk {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	return strings.TrimRight(name, ".") + tail
}
