package conf

import (
	"fmt"
	"strconv"
)

// MessageLimit is how many messages one IMAP command may be for (RFC 9738).
type MessageLimit struct {
	Most int  // 0: there is no limit
	Save bool // it is for APPEND and COPY only
}

// Bounds of a MessageLimit: below the least, clients would have to ask too often (RFC
// 9738 section 3); an APPEND of the most takes some 50 MiB.
const (
	leastMessages = 1000
	mostMessages  = 100_000
)

func setMessageLimit(c *Config, l line) error {
	if len(l.options) > 0 || len(l.values) == 0 || len(l.values) > 2 {
		return fmt.Errorf("found %d values, expected a number and maybe save", len(l.values))
	}
	n, err := strconv.Atoi(l.values[0])
	if err != nil || n != 0 && (n < leastMessages || n > mostMessages) {
		return fmt.Errorf("found %q, expected 0 or a number from %d to %d", l.values[0], leastMessages, mostMessages)
	}
	save := len(l.values) == 2
	if save && l.values[1] != "save" {
		return fmt.Errorf("found %q, expected save", l.values[1])
	}
	c.MessageLimit = MessageLimit{n, save}
	return nil
}
