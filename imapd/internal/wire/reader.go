package wire

import (
	"errors"
	"strings"
)

// ErrFlood is a refused literal too large to be read away. The stream cannot be
// followed any further.
var ErrFlood = errors.New("literal too large")

// Source is where commands come from: an Input, or the connection of a login
// process.
type Source interface {
	// ReadLine returns the next line without its end. It bounds the line.
	ReadLine() (string, error)
	// ReadFull fills p.
	ReadFull(p []byte) error
}

// Limits bounds what one command may cost.
type Limits struct {
	Command  int   // bytes of a whole command in memory, literals included
	Literals int   // literals of one command
	Discard  int64 // bytes of refused literals that are read away for one command
	Append   bool  // leave the message literal of APPEND to the caller
}

// Refused is a command that was not kept: too large, or not an IMAP command
// at all. The stream stands at the next command.
type Refused struct {
	Tag  string // "*" when the line had no tag
	Text string // for the client
}

// Error returns the text for the client.
func (r *Refused) Error() string { return r.Text }

// Command is one command as it was read. Args is valid until the next command,
// and with Message until that is read.
type Command struct {
	Tag  string
	Name string   // upper case; "UID FETCH" and the like are one name
	Args *Scanner // stands behind the name, on the space if there is one
	// Message is the literal of APPEND, not read yet; Args ends before it.
	// Nil with every other command.
	Message *Message
}

// Reader reads commands from a source.
type Reader struct {
	src    Source
	lim    Limits
	invite func() error
	cmd    []byte   // the command under way
	eaten  int64    // bytes read away for it
	msg    *Message // of it
}

// NewReader returns a reader on src. invite is called when the client waits
// for a continuation before it sends a literal (RFC 3501 section 7.5); what it
// writes must reach the client before the source waits.
func NewReader(src Source, lim Limits, invite func() error) *Reader {
	return &Reader{src: src, lim: lim, invite: invite}
}

// Command reads the next command. Errors: a *Refused, after which reading goes
// on; ErrFlood and those of the source, after which it does not.
func (r *Reader) Command() (*Command, error) {
	const keep = 8 << 10 // one large command must not make the session large for ever
	if cap(r.cmd) > keep {
		r.cmd = nil
	}
	r.cmd, r.eaten, r.msg = r.cmd[:0], 0, nil
	for n := 0; ; n++ {
		if err := r.line(); err != nil {
			if n > 0 {
				err = within(err)
			}
			return nil, err
		}
		l, ok := literalAt(r.cmd)
		if !ok {
			return r.plain()
		}
		if r.lim.Append && wantsMessage(r.cmd[:l.start]) {
			return r.withMessage(l)
		}
		if n == r.lim.Literals || l.size > int64(r.lim.Command-len(r.cmd)) {
			return nil, r.refuse(l)
		}
		if err := r.collect(l); err != nil {
			return nil, err
		}
	}
}

// Rest lets the last command go, whose Args are not valid any more.
func (r *Reader) Rest() { r.cmd = nil }

// Line reads a line that is no command and reports whether it is want, in any
// case. Literals that another one announces are read away, lest they be taken for
// commands. Errors are those of Command, without *Refused.
func (r *Reader) Line(want string) (bool, error) {
	r.cmd, r.eaten = r.cmd[:0], 0
	if err := r.line(); err != nil {
		return false, err
	}
	if l, ok := literalAt(r.cmd); ok && l.now {
		return false, r.drop(l.size)
	}
	return strings.EqualFold(string(trimEnd(r.cmd)), want), nil
}

// Finish reads away what the client still sends for the command under way: the
// message of an APPEND that was refused before or while it was read. To be
// called after each command. Its error ends the connection.
func (r *Reader) Finish() error {
	m := r.msg
	r.msg = nil
	if m == nil || !m.Literal() || m.done || !m.open && !m.lit.now {
		// A client that waits for an invitation gets the refusal instead.
		return nil
	}
	return r.drop(m.left)
}

func (r *Reader) plain() (*Command, error) {
	if len(r.cmd) > r.lim.Command {
		return nil, &Refused{Tag: tagOf(r.cmd), Text: "command too large"}
	}
	return parseCommand(r.cmd)
}

// line appends the next line and CRLF to the command.
func (r *Reader) line() error {
	line, err := r.src.ReadLine()
	if err != nil {
		return err
	}
	r.cmd = append(append(r.cmd, line...), "\r\n"...)
	return nil
}

// collect appends the bytes of a literal to the command.
func (r *Reader) collect(l literal) error {
	if !l.now {
		if err := r.invite(); err != nil {
			return err
		}
	}
	start := len(r.cmd)
	r.cmd = append(r.cmd, make([]byte, l.size)...)
	return within(r.src.ReadFull(r.cmd[start:]))
}

// refuse gives up the command whose last line ends with the literal l.
func (r *Reader) refuse(l literal) error {
	tag := tagOf(r.cmd)
	if l.now {
		if err := r.drop(l.size); err != nil {
			return err
		}
	}
	return &Refused{Tag: tag, Text: "command too large"}
}

// drop reads away n bytes of a literal and the rest of its command, further
// literals included, as far as the client sends it without being asked.
func (r *Reader) drop(n int64) error {
	for {
		if err := r.discard(n); err != nil {
			return err
		}
		r.cmd = r.cmd[:0]
		if err := r.line(); err != nil {
			return within(err)
		}
		l, ok := literalAt(r.cmd)
		if !ok || !l.now {
			return nil
		}
		n = l.size
	}
}

func (r *Reader) discard(n int64) error {
	if n > r.lim.Discard-r.eaten {
		return ErrFlood
	}
	r.eaten += n
	waste := make([]byte, min(n, 4<<10))
	for n > 0 {
		k := min(n, int64(len(waste)))
		if err := r.src.ReadFull(waste[:k]); err != nil {
			return within(err)
		}
		n -= k
	}
	return nil
}
