package main

import (
	"slices"
	"strings"

	"posthorn/imapd/internal/realm"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// storeFlags changes flags (RFC 3501 section 6.4.6).
func (s *Session) storeFlags(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	seqs, err := s.messages(c)
	if err != nil {
		return "", err
	}
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	since, err := s.storeModifiers(c.Args)
	if err != nil {
		return "", err
	}
	op, silent, err := storeOp(c.Args)
	if err != nil {
		return "", err
	}
	flags, err := storeArgs(c.Args)
	if err != nil {
		return "", err
	}
	seqs, over := s.within(seqs)
	numbers := seqs.slice()
	changed, modified, err := s.change(numbers, since, op, flags)
	if err != nil {
		return "", err
	}
	if over.limit > 0 {
		slices.Reverse(changed)
	}
	for _, seq := range changed {
		switch {
		case !silent:
			s.writeFlagsOf(seq, isUID(c))
		case s.modSeqs: // RFC 7162 section 3.1.3
			s.writeModSeqOf(seq, isUID(c))
		}
	}
	if len(modified) > 0 {
		return s.partly(s.modified(c, modified), over), nil
	}
	return s.partly(completed(c, len(changed) < len(numbers)), over), nil
}

// change changes those of the flags that the user may set (RFC 4314 section 4), of
// messages whose modseq is not above since.
func (s *Session) change(numbers []int, since uint64, op mailbox.Op, flags mailbox.Flags) (changed, modified []int, err error) {
	may := s.at.Settable()
	whole := mailbox.Settable{System: everyFlag, Keywords: true}
	given := s.at.Filter(flags)
	nothing := given.System == 0 && len(given.Keywords) == 0
	switch {
	case may == whole:
		return s.view.StoreUnchanged(numbers, since, op, flags)
	case may == mailbox.Settable{}, nothing && op != mailbox.Replace:
		return nil, nil, realm.ErrNoRight
	case op != mailbox.Replace:
		return s.view.StoreUnchanged(numbers, since, op, given)
	}
	// What he may not set stays as it is.
	gone := mailbox.Flags{System: may.System &^ given.System}
	if may.Keywords {
		gone.Keywords = slices.DeleteFunc(may.Without(s.view.Keywords()), func(k string) bool {
			return slices.ContainsFunc(given.Keywords, func(g string) bool { return strings.EqualFold(k, g) })
		})
	}
	changed, modified, err = s.view.StoreUnchanged(numbers, since, mailbox.Remove, gone)
	if err == nil {
		changed, err = s.view.Store(changed, mailbox.Add, given)
	}
	return changed, modified, err
}

// everyFlag are the flags of RFC 3501 section 2.3.2 but \Recent.
const everyFlag = mailbox.Answered | mailbox.Flagged | mailbox.Deleted | mailbox.Seen | mailbox.Draft

// storeOp takes the name of the data item.
func storeOp(args *wire.Scanner) (op mailbox.Op, silent bool, err error) {
	op = mailbox.Replace
	switch {
	case args.Accept('+'):
		op = mailbox.Add
	case args.Accept('-'):
		op = mailbox.Remove
	}
	switch args.Word() {
	case "FLAGS":
		return op, false, nil
	case "FLAGS.SILENT":
		return op, true, nil
	}
	return op, false, &wire.SyntaxError{Text: "unknown item of STORE"}
}

func storeArgs(args *wire.Scanner) (mailbox.Flags, error) {
	if err := args.Space(); err != nil {
		return mailbox.Flags{}, err
	}
	names, err := args.OpenFlags()
	if err != nil {
		return mailbox.Flags{}, err
	}
	if err := args.End(); err != nil {
		return mailbox.Flags{}, err
	}
	return parseFlags(names)
}
