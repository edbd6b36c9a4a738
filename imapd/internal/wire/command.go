package wire

import "strings"

// maxTag bounds a tag, which is repeated in the answer.
const maxTag = 128

// parseCommand splits tag and name off a collected command. A command without
// them is a *Refused.
func parseCommand(b []byte) (*Command, error) {
	s := NewScanner(trimEnd(b))
	tag, err := s.Tag()
	if err != nil {
		return nil, &Refused{Tag: "*", Text: "a command starts with a tag"}
	}
	name, err := commandName(s)
	if err != nil {
		return nil, &Refused{Tag: tag, Text: "a command name must follow the tag"}
	}
	return &Command{Tag: tag, Name: name, Args: s}, nil
}

func commandName(s *Scanner) (string, error) {
	if err := s.Space(); err != nil {
		return "", err
	}
	name, err := s.Atom()
	if err != nil {
		return "", err
	}
	name = strings.ToUpper(name)
	if name != "UID" {
		return name, nil
	}
	if err := s.Space(); err != nil {
		return "", err
	}
	name, err = s.Atom()
	return "UID " + strings.ToUpper(name), err
}

// tagOf returns the tag to answer a refused command with.
func tagOf(b []byte) string {
	tag, err := NewScanner(b).Tag()
	if err != nil {
		return "*"
	}
	return tag
}

// wantsMessage reports whether b is an APPEND, or a REPLACE (RFC 8508), whose next
// argument is not the mailbox name any more: the literal that follows is the
// message.
func wantsMessage(b []byte) bool {
	s := NewScanner(b)
	if _, err := s.Tag(); err != nil {
		return false
	}
	name, err := commandName(s)
	if err != nil || s.Space() != nil {
		return false
	}
	switch name {
	case "APPEND":
	case "REPLACE", "UID REPLACE":
		if _, err := s.Set(); err != nil || s.Space() != nil {
			return false
		}
	default:
		return false
	}
	if _, err := s.AString(); err != nil {
		return false
	}
	return s.Space() == nil
}

func (r *Reader) withMessage(l literal) (*Command, error) {
	cmd, err := parseCommand(r.cmd[:l.start])
	if err != nil {
		return nil, err
	}
	r.msg = &Message{Args: cmd.Args, r: r, lit: l, left: l.size}
	cmd.Message = r.msg
	return cmd, nil
}
