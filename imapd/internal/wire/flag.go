package wire

// maxFlags bounds the flags of one command; maxFlag the bytes of a keyword.
const (
	maxFlags = 128
	maxFlag  = 128
)

// Flag takes a flag: a keyword, or a system flag with its backslash.
func (s *Scanner) Flag() (string, error) {
	slash := s.Accept('\\')
	name, err := s.Atom()
	if err != nil || len(name) > maxFlag {
		return "", bad("invalid flag")
	}
	if slash {
		name = `\` + name
	}
	return name, nil
}

// Flags takes a list of flags in parentheses.
func (s *Scanner) Flags() ([]string, error) {
	var flags []string
	err := s.List(maxFlags, func() error {
		f, err := s.Flag()
		flags = append(flags, f)
		return err
	})
	return flags, err
}

// OpenFlags takes flags with or without parentheses, at least one of the
// latter, as STORE has them.
func (s *Scanner) OpenFlags() ([]string, error) {
	if s.Peek() == '(' {
		return s.Flags()
	}
	var flags []string
	for len(flags) < maxFlags {
		f, err := s.Flag()
		if err != nil {
			return nil, err
		}
		if flags = append(flags, f); !s.Accept(' ') {
			return flags, nil
		}
	}
	return nil, bad("list too long")
}
