package main

import (
	"slices"
	"strings"

	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// systemFlags are the flags of RFC 3501 section 2.3.2 a client may set, in the
// order they are written in.
func systemFlags() [5]systemFlag {
	return [...]systemFlag{
		{mailbox.Answered, `\Answered`}, {mailbox.Flagged, `\Flagged`}, {mailbox.Deleted, `\Deleted`},
		{mailbox.Seen, `\Seen`}, {mailbox.Draft, `\Draft`},
	}
}

type systemFlag struct {
	bit  mailbox.SystemFlag
	name string
}

func (s *Session) writeFlags(m mailbox.Message) {
	sep := "("
	for _, f := range systemFlags() {
		if m.Flags.System&f.bit != 0 {
			s.w.Raw(sep, f.name)
			sep = " "
		}
	}
	if m.Recent && !s.rev2 {
		s.w.Raw(sep, `\Recent`)
		sep = " "
	}
	for _, k := range m.Flags.Keywords {
		s.w.Raw(sep, k)
		sep = " "
	}
	if sep == "(" {
		s.w.Raw(sep)
	}
	s.w.Raw(")")
}

// writeFlagsResponse writes the flags that are in use in the folder and those
// that can be set for good (RFC 3501 sections 7.2.6 and 7.1).
func (s *Session) writeFlagsResponse() {
	var all, kept []string
	may := s.at.Settable()
	if s.view.ReadOnly() {
		may = mailbox.Settable{}
	}
	for _, f := range systemFlags() {
		all = append(all, f.name)
		if may.System&f.bit != 0 {
			kept = append(kept, f.name)
		}
	}
	keywords := s.view.Keywords()
	all = append(all, keywords...)
	if may.Keywords {
		kept = append(kept, may.Without(slices.Clone(keywords))...)
		if s.view.KeywordRoom() {
			kept = append(kept, `\*`)
		}
	}
	s.w.Raw("* FLAGS (", strings.Join(all, " "), ")\r\n")
	s.w.Raw("* OK [PERMANENTFLAGS (", strings.Join(kept, " "), ")] flags that are kept\r\n")
}

// parseFlags turns the names of flags into what the store knows. \Recent cannot
// be set (RFC 3501 section 2.3.2) and is passed over: clients copy it from what
// they were told.
func parseFlags(names []string) (mailbox.Flags, error) {
	var flags mailbox.Flags
	for _, name := range names {
		switch bit := systemBit(name); {
		case bit != 0:
			flags.System |= bit
		case !strings.HasPrefix(name, `\`):
			flags.Keywords = append(flags.Keywords, name)
		case !strings.EqualFold(name, `\Recent`):
			return flags, &wire.SyntaxError{Text: "unknown system flag"}
		}
	}
	return flags, nil
}

func systemBit(name string) mailbox.SystemFlag {
	for _, f := range systemFlags() {
		if strings.EqualFold(f.name, name) {
			return f.bit
		}
	}
	return 0
}
