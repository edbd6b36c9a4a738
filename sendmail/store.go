package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// inMemory is how much of a message is held in memory.
const inMemory = 1 << 20

// errTooLarge says that a message has more bytes than smtpd takes.
var errTooLarge = errors.New("the message is too large")

// store keeps a message's text until it is sent: its beginning in memory, a
// longer one as a whole in a file without a name.
type store struct {
	most     int64 // bytes
	size     int64
	eightBit bool // a byte above 0x7f was among them
	mem      bytes.Buffer
	file     *os.File
}

// Write appends to the text.
func (s *store) Write(b []byte) (int, error) {
	if s.size += int64(len(b)); s.size > s.most {
		return 0, errTooLarge
	}
	if !s.eightBit {
		s.eightBit = bytes.ContainsFunc(b, func(r rune) bool { return r >= 0x80 })
	}
	if s.file == nil && s.size > inMemory {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	if s.file != nil {
		return s.file.Write(b)
	}
	return s.mem.Write(b)
}

// spill moves the text to a file.
func (s *store) spill() error {
	f, err := os.CreateTemp("", "sendmail")
	if err != nil {
		return fmt.Errorf("keep the message: %w", err)
	}
	os.Remove(f.Name()) // it goes with us, however we end
	s.file = f
	if _, err := f.Write(s.mem.Bytes()); err != nil {
		return fmt.Errorf("keep the message: %w", err)
	}
	s.mem = bytes.Buffer{}
	return nil
}

// text reads all of it, from its beginning at each call.
func (s *store) text() io.Reader {
	if s.file != nil {
		return io.NewSectionReader(s.file, 0, s.size)
	}
	return bytes.NewReader(s.mem.Bytes())
}

func (s *store) close() {
	if s.file != nil {
		s.file.Close()
	}
}
