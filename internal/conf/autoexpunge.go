package conf

import (
	"fmt"
	"strings"
	"time"
)

// Autoexpunge is a list of rules by which mail is removed that has become old. Of
// those that name a mailbox the first counts.
type Autoexpunge []ExpungeRule

// ExpungeRule says when messages of a mailbox go.
type ExpungeRule struct {
	Mailbox  string        // a pattern: * stands for anything, % for anything within a level
	Age      time.Duration // 0: never
	Seen     bool          // only what was read
	Received bool          // by the internal date, not by when a message came into the mailbox
}

// With returns a with rules in front, as a user's line has them: with commas between,
// each a mailbox, an age and options, with colons between, such as
// "Trash:30d,Junk:14d:seen".
func (a Autoexpunge) With(list string) (Autoexpunge, error) {
	if list == "" {
		return a, nil
	}
	var all Autoexpunge
	for text := range strings.SplitSeq(list, ",") {
		r, err := parseExpungeRule(strings.Split(text, ":"))
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return append(all, a...), nil
}

// For returns the rule for a mailbox, whose name has dots between levels; ok is
// false when nothing goes.
func (a Autoexpunge) For(mailbox string) (r ExpungeRule, ok bool) {
	for _, r := range a {
		if r.matches(mailbox) {
			return r, r.Age > 0
		}
	}
	return r, false
}

func (r ExpungeRule) matches(mailbox string) bool {
	if strings.EqualFold(r.Mailbox, "INBOX") {
		return mailbox == "INBOX"
	}
	return matches(r.Mailbox, mailbox)
}

// matches compares a name with a pattern, going back to the last wildcard only, for
// * can stand for whatever a % before it did.
func matches(pattern, name string) bool {
	star, at := "", -1 // the pattern behind the last *, and how much of the name it takes
	low, lowAt := "", -1
	p, n := pattern, 0
	for {
		switch {
		case p != "" && p[0] == '*':
			p = p[1:]
			star, at, lowAt = p, n, -1
		case p != "" && p[0] == '%':
			p = p[1:]
			low, lowAt = p, n
		case n < len(name) && p != "" && p[0] == name[n]:
			p, n = p[1:], n+1
		case n == len(name) && p == "":
			return true
		case lowAt >= 0 && lowAt < len(name) && name[lowAt] != '.':
			lowAt++
			p, n = low, lowAt
		case at >= 0 && at < len(name):
			at++
			p, n, lowAt = star, at, -1
		default:
			return false
		}
	}
}

func parseExpungeRule(words []string) (r ExpungeRule, err error) {
	if len(words) < 2 || words[0] == "" {
		return r, fmt.Errorf("found %.80q, expected a mailbox and an age", strings.Join(words, " "))
	}
	r.Mailbox = words[0]
	if words[1] != "never" {
		if r.Age, err = parseDuration(words[1]); err != nil {
			return r, err
		}
		if r.Age == 0 || r.Age > 36500*day {
			return r, fmt.Errorf("found the age %.20q, expected one such as 30d, or never", words[1])
		}
	}
	for _, option := range words[2:] {
		switch option {
		case "seen":
			r.Seen = true
		case "received":
			r.Received = true
		default:
			return r, fmt.Errorf("found %.40q, expected seen or received", option)
		}
	}
	return r, nil
}

// setAutoexpunge takes the directive.
func setAutoexpunge(c *Config, l line) error {
	words, err := l.several()
	if err != nil {
		return err
	}
	r, err := parseExpungeRule(words)
	if err == nil {
		c.Autoexpunge = append(c.Autoexpunge, r)
	}
	return err
}
