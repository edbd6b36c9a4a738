package client

import (
	"bytes"
	"errors"
	"io"
)

// blockSize is how much of a message is read and sent at a time.
const blockSize = 32 << 10

// Content is what a look through a message found.
type Content struct {
	Size       int64
	HeaderUTF8 bool // bytes above 127 in the header
	Body8Bit   bool // bytes above 127 in the body
	Odd        bool // NUL, or CR and LF not in pairs, or no CRLF at the end
}

// Scan reads a message of about size bytes once from r, whose end is the
// message's end.
func Scan(r io.Reader, size int64) (Content, error) {
	s := scanner{lineStart: true, header: true}
	buf := make([]byte, min(size+1, blockSize))
	for {
		n, err := r.Read(buf)
		s.block(buf[:n])
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Content{}, err
		}
	}
	if s.cr || (!s.lineStart && s.Size > 0) {
		s.Odd = true
	}
	return s.Content, nil
}

type scanner struct {
	Content
	header    bool // the empty line has not come yet
	lineStart bool
	cr        bool // the last byte was a CR
}

func (s *scanner) block(b []byte) {
	s.Size += int64(len(b))
	for _, c := range b {
		if c == '\n' {
			s.newline()
			continue
		}
		if s.cr || c == 0 {
			s.Odd = true
		}
		if c >= 0x80 {
			s.HeaderUTF8 = s.HeaderUTF8 || s.header
			s.Body8Bit = s.Body8Bit || !s.header
		}
		if s.cr = c == '\r'; !s.cr {
			s.lineStart = false
		}
	}
}

func (s *scanner) newline() {
	if !s.cr {
		s.Odd = true
	}
	if s.lineStart {
		s.header = false
	}
	s.cr, s.lineStart = false, true
}

// stuffer makes the DATA form of a message (RFC 5321 4.5.2): dots at the start
// of a line are doubled. What it is fed has CRLF line ends only, or is repaired
// on the way: a bare LF becomes CRLF, a bare CR and a NUL become a space, so
// that no server can take anything inside for the end of the message.
type stuffer struct {
	out       []byte
	repair    bool
	cr        bool // repair: a CR is held back
	lineStart bool
}

func newStuffer(size int, odd bool) *stuffer {
	return &stuffer{out: make([]byte, 0, size+size/8+64), repair: odd, lineStart: true}
}

// add appends the form of one block to s.out.
func (s *stuffer) add(b []byte) {
	if s.repair {
		s.addOdd(b)
		return
	}
	for len(b) > 0 {
		if s.lineStart && b[0] == '.' {
			s.out = append(s.out, '.')
		}
		s.lineStart = false
		i := bytes.Index(b, []byte("\n."))
		if i < 0 {
			s.out = append(s.out, b...)
			s.lineStart = b[len(b)-1] == '\n'
			return
		}
		s.out = append(s.out, b[:i+1]...)
		s.lineStart = true
		b = b[i+1:]
	}
}

func (s *stuffer) addOdd(b []byte) {
	for _, c := range b {
		if s.cr && c != '\n' {
			s.put(' ')
		}
		s.cr = c == '\r'
		switch c {
		case '\r':
		case '\n':
			s.out = append(s.out, '\r', '\n')
			s.lineStart = true
		case 0:
			s.put(' ')
		default:
			s.put(c)
		}
	}
}

func (s *stuffer) put(c byte) {
	if s.lineStart && c == '.' {
		s.out = append(s.out, '.')
	}
	s.out = append(s.out, c)
	s.lineStart = false
}

// end closes the last line and appends the end of the message.
func (s *stuffer) end() {
	if s.cr {
		s.put(' ')
	}
	if !s.lineStart {
		s.out = append(s.out, '\r', '\n')
	}
	s.out = append(s.out, '.', '\r', '\n')
}
