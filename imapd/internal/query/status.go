package query

import "posthorn/imapd/internal/wire"

// ParseStatus takes the items of STATUS: a list that is not empty (RFC 9051 section
// 6.3.11).
func ParseStatus(args *wire.Scanner) ([]string, error) {
	var items []string
	err := args.List(maxStatus, func() error {
		item := args.Word()
		switch item {
		case "MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE", "APPENDLIMIT", "DELETED", "DELETED-STORAGE", "MAILBOXID", "HIGHESTMODSEQ":
			items = append(items, item)
			return nil
		}
		return bad("unknown item of STATUS")
	})
	if err == nil && items == nil {
		err = bad("no items of STATUS")
	}
	return items, err
}

// maxStatus bounds the items of one STATUS.
const maxStatus = 32
