package wire

import (
	"errors"
	"io"
)

// ErrTrailing is text behind the message of an APPEND where the line should
// end (RFC 3502's further messages are not supported).
var ErrTrailing = errors.New("text behind the message")

// Message is the message literal of an APPEND while it is on the wire. Reading
// invites the client when it waits for that; not reading leaves it to
// Reader.Finish to read the message away.
type Message struct {
	r    *Reader
	lit  literal
	left int64
	open bool // the client sends
	done bool // message and line end were read
	err  error
}

// Size returns the size in bytes that the client announced.
func (m *Message) Size() int64 { return m.lit.size }

// Read reads the message. The last bytes are given out only when the end of
// the command follows them, so whoever got Size bytes has a complete command;
// else the error is ErrTrailing.
func (m *Message) Read(p []byte) (int, error) {
	if err := m.start(); err != nil {
		return 0, err
	}
	if m.err != nil {
		return 0, m.err
	}
	if m.left == 0 {
		return 0, m.finish()
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := int(min(int64(len(p)), m.left))
	if err := m.r.src.ReadFull(p[:n]); err != nil {
		return 0, within(err)
	}
	if m.left -= int64(n); m.left > 0 {
		return n, nil
	}
	if err := m.finish(); err != io.EOF {
		return 0, err
	}
	return n, nil
}

func (m *Message) start() error {
	if m.open {
		return nil
	}
	m.open = true
	if m.lit.now {
		return nil
	}
	return m.r.invite()
}

// finish reads the line end behind the message.
func (m *Message) finish() error {
	if m.left > 0 || m.done {
		return io.EOF
	}
	m.r.cmd = m.r.cmd[:0]
	if err := m.r.line(); err != nil {
		return within(err)
	}
	m.done = true
	if len(trimEnd(m.r.cmd)) == 0 {
		return io.EOF
	}
	if l, ok := literalAt(m.r.cmd); ok && l.now {
		m.left, m.done = l.size, false // Finish reads the rest away.
	}
	m.err = ErrTrailing
	return m.err
}
