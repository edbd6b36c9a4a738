package main

import (
	"strings"

	"posthorn/imapd/internal/deflate"
	"posthorn/imapd/internal/wire"
)

// compress begins compression behind its answer (RFC 4978).
func (s *Session) compress(c *wire.Command) (string, error) {
	if err := c.Args.Space(); err != nil {
		return "", err
	}
	name, err := c.Args.Atom()
	if err != nil {
		return "", err
	}
	switch {
	case !strings.EqualFold(name, "DEFLATE"):
		return "", &wire.SyntaxError{Text: "DEFLATE is the only compression"}
	case s.link.unpack != nil:
		return "", &wire.SyntaxError{Text: "[COMPRESSIONACTIVE] compression is active"}
	}
	if err := c.Args.End(); err != nil {
		return "", err
	}
	s.packing = true
	return "DEFLATE active", nil
}

// pack compresses from here on if that was asked for and answered.
func (s *Session) pack() error {
	if !s.packing {
		return nil
	}
	s.packing = false
	if err := s.w.Flush(); err != nil {
		return err
	}
	s.link.pack, s.link.unpack = s.packers, deflate.NewReader(packed{s.link}, s.in.Take())
	return nil
}

// packed is what a client that compresses sends.
type packed struct{ link *link }

// Read reads from the connection.
func (p packed) Read(b []byte) (int, error) { return p.link.read(b) }

// writePacked writes p compressed.
func (l *link) writePacked(p []byte) (int, error) {
	for n := 0; n < len(p); n += deflate.Chunk {
		out, err := l.pack.Pack(nil, p[n:min(len(p), n+deflate.Chunk)])
		if err != nil {
			return n, err
		}
		if _, err := l.write(out); err != nil {
			return n, err
		}
	}
	return len(p), nil
}
