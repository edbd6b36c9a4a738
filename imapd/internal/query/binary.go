package query

import "posthorn/imapd/internal/wire"

// binary takes the section of a BINARY, BINARY.PEEK or BINARY.SIZE (RFC 3516
// section 7).
func (f *Fetch) binary(s *wire.Scanner, word string) error {
	if err := s.Expect('['); err != nil {
		return err
	}
	parts := s.Word()
	sec := Section{Peek: word != "BINARY"}
	if err := sec.spec(parts); err != nil {
		return err
	}
	if sec.Kind != Whole {
		return bad("BINARY takes the number of a part")
	}
	if err := s.Expect(']'); err != nil {
		return err
	}
	sec.Kind, sec.Label = Decoded, "BINARY["+parts+"]"
	if word == "BINARY.SIZE" {
		sec.Kind, sec.Label = DecodedSize, "BINARY.SIZE["+parts+"]"
	} else if err := sec.partial(s); err != nil {
		return err
	}
	f.add(sec)
	return nil
}
