package main

import (
	"strings"
	"time"

	"posthorn/internal/dsn"
)

// mode is what the command is to do.
type mode int

const (
	modeSend    mode = iota // -bm
	modeServe               // -bs
	modeVerify              // -bv
	modeQueue               // -bp, mailq
	modeAliases             // -bi, newaliases
	modeFlush               // -q
)

// options are what the command line says.
type options struct {
	mode       mode
	fromHeader bool    // -t: recipients from the header
	dots       bool    // -i: a line with a dot is text
	sender     *string // -f, -r; "" is the null sender
	fullName   string  // -F
	eightBit   bool    // -B8BITMIME
	notify     string  // -N
	ret        string  // -R
	envid      string  // -V
	verbose    bool    // -v
	version    bool
	conf       string // -C
	only       string // -qI: flush this message
	patience   time.Duration
	args       []string // recipients
}

// defaultPatience bounds how long smtpd may be away.
const defaultPatience = 30 * time.Second

// The letters of Postfix's command: those in withValue take one, from the same
// word or the next; those in maybeValue only from the same.
const (
	withValue  = "ABCDFLNORVXefhopr"
	maybeValue = "bdq"
	alone      = "GIUcimnstvx"
)

func usage(format string, args ...any) error { return fail(exUsage, format, args...) }

// parseOptions reads a command line as getopt(3) of the GNU library does: options
// may stand behind recipients, "--" ends them.
func parseOptions(name string, args []string) (options, error) {
	o := options{patience: defaultPatience}
	switch name {
	case "mailq":
		o.mode = modeQueue
	case "newaliases":
		o.mode = modeAliases
	}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		switch {
		case word == "--":
			o.args = append(o.args, args...)
			return o, nil
		case word == "--version":
			o.version = true
		case len(word) < 2 || word[0] != '-':
			o.args = append(o.args, word)
		default:
			var err error
			if args, err = o.word(word[1:], args); err != nil {
				return o, err
			}
		}
	}
	return o, nil
}

// word reads the letters of one word and returns the words left.
func (o *options) word(letters string, args []string) ([]string, error) {
	for len(letters) > 0 {
		c := letters[0]
		value := letters[1:]
		letters = value
		switch {
		case strings.IndexByte(alone, c) >= 0:
			o.letter(c)
			continue
		case strings.IndexByte(maybeValue, c) >= 0:
		case strings.IndexByte(withValue, c) < 0:
			return args, usage("found the unknown option -%c, expected one of sendmail(1)", c)
		case value == "" && len(args) == 0:
			return args, usage("found -%c without a value", c)
		case value == "":
			value, args = args[0], args[1:]
		}
		return args, o.set(c, value)
	}
	return args, nil
}

// letter takes an option without a value.
func (o *options) letter(c byte) {
	switch c {
	case 'I':
		o.mode = modeAliases
	case 'i':
		o.dots = true
	case 't':
		o.fromHeader = true
	case 'v':
		o.verbose = true
	}
}

// set takes an option with its value. What is not named here is for other
// mailers, and read for their sake.
func (o *options) set(c byte, value string) (err error) {
	switch c {
	case 'b':
		return o.setMode(value)
	case 'q':
		return o.setFlush(value)
	case 'f', 'r':
		o.sender = &value
	case 'F':
		o.fullName = value
	case 'C':
		o.conf = value
	case 'B':
		o.eightBit = strings.EqualFold(value, "8BITMIME")
		if !o.eightBit && !strings.EqualFold(value, "7BIT") {
			return usage("found -B %q, expected 7BIT or 8BITMIME", value)
		}
	case 'N':
		o.notify, err = parseNotify(value)
	case 'R':
		o.ret, err = parseRet(value)
	case 'V':
		o.envid, err = parseEnvid(value)
	case 'o':
		o.shortOption(value)
	case 'O':
		return o.longOption(value)
	}
	return err
}

// setFlush takes -q, with an interval for which there is no daemon here, or with
// the id of a message.
func (o *options) setFlush(value string) error {
	o.mode = modeFlush
	only, one := strings.CutPrefix(value, "I")
	switch {
	case one:
		o.only = only
	case value != "" && (value[0] < '0' || value[0] > '9'): // such as -qRsite: not all, please
		return usage("found -q%s, expected -q, or -qI and an id", value)
	}
	return nil
}

func (o *options) setMode(value string) error {
	modes := map[string]mode{"m": modeSend, "s": modeServe, "v": modeVerify, "p": modeQueue, "i": modeAliases}
	m, ok := modes[value]
	switch {
	case ok:
		o.mode = m
		return nil
	case value == "d" || value == "D" || value == "l":
		return usage("found -b%s: this command is no daemon, expected `posthorn run` or the service manager to start the server", value)
	}
	return usage("found -b%s, expected -bm, -bs, -bv, -bp or -bi", value)
}

// shortOption takes one of Sendmail's options of a letter.
func (o *options) shortOption(value string) {
	switch value {
	case "i":
		o.dots = true
	case "8":
		o.eightBit = true
	case "7":
		o.eightBit = false
	}
}

// longOption takes one of Sendmail's options with a name.
func (o *options) longOption(value string) error {
	name, v, _ := strings.Cut(value, "=")
	switch {
	case strings.EqualFold(name, "IgnoreDots"):
		o.dots = v == "" || strings.ContainsAny(v[:1], "TtYy1")
	case strings.EqualFold(name, "Timeout.submit"):
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 || d > time.Hour {
			return usage("found -O %q, expected a duration such as 30s, at most 1h", value)
		}
		o.patience = d
	}
	return nil
}

// The values of -N, -R and -V are those of SMTP (RFC 3461 4), as the command
// says them: what is wrong is said here, before the message is read.

func parseNotify(s string) (string, error) {
	n, err := dsn.ParseNotify(s)
	if err != nil {
		return "", usage("found -N %q, expected never, or success, failure and delay with commas", s)
	}
	return strings.ToUpper(n.String()), nil
}

func parseRet(s string) (string, error) {
	r, err := dsn.ParseRet(s)
	if err != nil {
		return "", usage("found -R %q, expected full or hdrs", s)
	}
	return strings.ToUpper(string(r)), nil
}

func parseEnvid(s string) (string, error) {
	x := dsn.Xtext(s)
	if _, err := dsn.ParseEnvid(x); err != nil && s != "" {
		return "", usage("found -V %q, expected printable ASCII, at most %d characters", s, dsn.MaxEnvid)
	}
	return x, nil
}
