// Package pop3 is what both halves of the POP3 server share: the grammar of
// command lines and the list of capabilities.
package pop3

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// ErrSyntax is returned for a line that is no command.
var ErrSyntax = errors.New("malformed command")

// maxVerb is the longest keyword taken; RFC 1939 3 has three or four letters.
const maxVerb = 16

// Command is one line of a client.
type Command struct {
	Verb string // upper case, letters and digits only
	Arg  string // what stands behind the first blank, as it came
}

// Parse reads a line without its end. A verb in the Command has passed the
// grammar; whether it exists is the caller's matter.
func Parse(line string) (Command, error) {
	verb, arg, _ := strings.Cut(line, " ")
	if verb == "" || len(verb) > maxVerb || strings.ContainsFunc(verb, notWord) {
		return Command{}, ErrSyntax
	}
	// RFC 2449 4: arguments are printable; octets above 127 come in passwords.
	if strings.ContainsFunc(arg, control) {
		return Command{}, ErrSyntax
	}
	return Command{Verb: strings.ToUpper(verb), Arg: arg}, nil
}

func notWord(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// Numbers reads Arg as exactly n decimal numbers.
func (c Command) Numbers(n int) ([]int, error) {
	words := strings.Fields(c.Arg)
	if len(words) != n {
		return nil, ErrSyntax
	}
	all := make([]int, n)
	for i, w := range words {
		v, err := strconv.ParseUint(w, 10, 31)
		if err != nil {
			return nil, ErrSyntax
		}
		all[i] = int(v)
	}
	return all, nil
}

// language is the one in which clients are answered.
const language = "en"

// Lang answers LANG (RFC 6856): what languages there are, or that one is taken.
// Ranges are looked up as RFC 4647 3.4 has it.
func Lang(arg string) string {
	switch tag := strings.ToLower(arg); {
	case tag == "":
		return "+OK language listing follows\r\n" + language + " English\r\n.\r\n"
	case tag == "*" || tag == "i-default" || tag == language || strings.HasPrefix(tag, language+"-"):
		return "+OK " + language + " English it is\r\n"
	}
	return "-ERR no such language\r\n"
}

// plain is the SASL mechanism that allows USER too.
const plain = "PLAIN"

// Logins returns the capabilities of these SASL mechanisms. They are the same in
// both states (RFC 2449 6.2, 6.3).
func Logins(mechanisms []string) (words []string) {
	if slices.Contains(mechanisms, plain) {
		words = append(words, "USER")
	}
	if len(mechanisms) > 0 {
		words = append(words, "SASL "+strings.Join(mechanisms, " "))
	}
	return words
}

// Capabilities returns the answer to CAPA (RFC 2449 5): what holds in both
// states, and more, the words of the current one.
func Capabilities(more ...string) string {
	common := []string{
		"TOP", "UIDL", "RESP-CODES", "PIPELINING",
		"AUTH-RESP-CODE",    // RFC 3206 4
		"UTF8 USER", "LANG", // RFC 6856
		"IMPLEMENTATION Posthorn",
	}
	return "+OK capability list follows\r\n" +
		strings.Join(append(common, more...), "\r\n") + "\r\n.\r\n"
}
