package query

import "posthorn/imapd/internal/wire"

// Modifiers stand behind the items of a FETCH (RFC 4466 section 2.4).
type Modifiers struct {
	Partial  Partial // RFC 9394 section 3.3; UID FETCH only
	Changed  bool    // CHANGEDSINCE: only what has a modseq above Since (RFC 7162 section 3.1.4.1)
	Since    uint64
	Vanished bool // RFC 7162 section 3.2.6; UID FETCH only
}

// maxModifiers bounds the modifiers of one FETCH.
const maxModifiers = 16

// ParseModifiers takes a space and a list of modifiers if there is one.
func ParseModifiers(s *wire.Scanner) (Modifiers, error) {
	var m Modifiers
	if s.End() == nil {
		return m, nil
	}
	if err := s.Space(); err != nil {
		return m, err
	}
	err := s.List(maxModifiers, func() error {
		switch s.Word() {
		case "PARTIAL":
			if err := s.Space(); err != nil {
				return err
			}
			var err error
			m.Partial, err = parsePartial(s)
			return err
		case "CHANGEDSINCE":
			if err := s.Space(); err != nil {
				return err
			}
			var err error
			m.Changed = true
			m.Since, err = s.Number64()
			return err
		case "VANISHED":
			m.Vanished = true
			return nil
		}
		return bad("unknown modifier of FETCH")
	})
	if err != nil {
		return m, err
	}
	return m, s.End()
}
