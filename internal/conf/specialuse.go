package conf

import (
	"fmt"
	"slices"
	"strings"
)

// specialUses are the attributes of RFC 6154 section 2.
var specialUses = []string{`\All`, `\Archive`, `\Drafts`, `\Flagged`, `\Junk`, `\Sent`, `\Trash`}

// defaultSpecialUse is what Dovecot's example configuration has.
func defaultSpecialUse() map[string][]string {
	return map[string][]string{"Drafts": {`\Drafts`}, "Junk": {`\Junk`}, "Trash": {`\Trash`}, "Sent": {`\Sent`}, "Sent Messages": {`\Sent`}}
}

// setSpecialUse takes the name of a mailbox and what it is for, or none.
func setSpecialUse(c *Config, l line) error {
	if len(l.options) > 0 {
		return fmt.Errorf("found the option %s=, expected none", l.options[0].name)
	}
	if len(l.values) == 1 && l.values[0] == "none" {
		return nil
	}
	if len(l.values) < 2 {
		return fmt.Errorf(`found %d values, expected a mailbox and attributes such as \Sent, or none`, len(l.values))
	}
	for _, v := range l.values[1:] {
		i := slices.IndexFunc(specialUses, func(use string) bool { return strings.EqualFold(use, v) })
		if i < 0 {
			return fmt.Errorf("found %q, expected one of %s", v, strings.Join(specialUses, " "))
		}
		c.SpecialUse[l.values[0]] = append(c.SpecialUse[l.values[0]], specialUses[i])
	}
	return nil
}
