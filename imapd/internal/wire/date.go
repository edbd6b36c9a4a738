package wire

import "time"

// dateTime is the form of INTERNALDATE (RFC 3501 section 9, date-time).
const dateTime = "_2-Jan-2006 15:04:05 -0700"

// Date takes a date of SEARCH, quoted or not. The result is that day's
// midnight in UTC; its zone says nothing (RFC 3501 section 6.4.4).
func (s *Scanner) Date() (time.Time, error) {
	v, err := s.AString()
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse("2-Jan-2006", v)
	if err != nil {
		return time.Time{}, bad("invalid date")
	}
	return t, nil
}

// DateTime takes the quoted date of APPEND.
func (s *Scanner) DateTime() (time.Time, error) {
	if s.Peek() != '"' {
		return time.Time{}, bad("expected a date in quotes")
	}
	v, err := s.String()
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(dateTime, v)
	if err != nil {
		return time.Time{}, bad("invalid date")
	}
	return t, nil
}
