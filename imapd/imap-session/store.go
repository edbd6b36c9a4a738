package main

import (
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
	op, silent, err := storeOp(c.Args)
	if err != nil {
		return "", err
	}
	flags, err := storeArgs(c.Args)
	if err != nil {
		return "", err
	}
	numbers := seqs.slice()
	changed, err := s.view.Store(numbers, op, flags)
	if err != nil {
		return "", err
	}
	if !silent {
		for _, seq := range changed {
			s.writeFlagsOf(seq, isUID(c))
		}
	}
	return completed(c, len(changed) < len(numbers)), nil
}

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
