package wire

import (
	"bytes"
	"errors"
	"io"
)

// ErrTrailing is text behind a message literal that begins no further message.
var ErrTrailing = errors.New("text behind the message")

// Message is a message literal of an APPEND while it is on the wire. Reading
// invites the client when it waits for that; not reading leaves it to
// Reader.Finish to read the message away. The zero Message with Args is the end of a
// command without a further literal.
type Message struct {
	// Args are the arguments in front of the message, from the space behind what
	// precedes them; of the first message they are the command's own. They are valid
	// until the message is read.
	Args *Scanner
	// Tail must follow the message before what else there is: ")" when Args ended
	// with an open parenthesis (RFC 6855 section 4).
	Tail string
	// More says that what follows belongs to the same list (RFC 4469): the next
	// message has it, whatever it is. Else it begins with a space, or nothing follows.
	More bool

	r    *Reader
	lit  literal
	left int64
	open bool     // the client sends
	done bool     // message and line end were read
	next *Message // what follows
	err  error
}

// Literal reports whether there is one behind Args.
func (m *Message) Literal() bool { return m.r != nil }

// Size returns the size in bytes that the client announced.
func (m *Message) Size() int64 { return m.lit.size }

// Binary reports whether the message may hold NUL: its literal is a literal8 (RFC
// 3516 section 7).
func (m *Message) Binary() bool { return m.lit.binary }

// Next returns what follows (RFC 3502), nil at the end of the command.
// It is known when this one has been read.
func (m *Message) Next() *Message { return m.next }

// Read reads the message. The last bytes are given out only when the end of the
// command or Next follows them; else the error is ErrTrailing.
func (m *Message) Read(p []byte) (int, error) {
	if !m.Literal() {
		return 0, io.EOF
	}
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

// finish reads the line that goes on behind the message.
func (m *Message) finish() error {
	if m.left > 0 || m.done {
		return io.EOF
	}
	m.r.cmd = m.r.cmd[:0]
	if err := m.r.line(); err != nil {
		return within(err)
	}
	m.done = true
	rest, ok := bytes.CutPrefix(m.r.cmd, []byte(m.Tail))
	if ok && !m.More && len(trimEnd(rest)) == 0 {
		return io.EOF
	}
	l, more := literalAt(rest)
	if ok && (m.More || rest[0] == ' ') {
		m.next = &Message{Args: NewScanner(trimEnd(rest))}
		if more {
			m.next = &Message{Args: NewScanner(rest[:l.start]), r: m.r, lit: l, left: l.size}
		}
		m.r.msg = m.next
		return io.EOF
	}
	if more && l.now {
		m.left, m.done = l.size, false // Finish reads the rest away.
	}
	m.err = ErrTrailing
	return m.err
}
