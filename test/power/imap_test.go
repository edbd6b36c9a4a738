package power

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// wire is an IMAP connection.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

// login returns a session of the user.
func login(addr, user string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", addr, suite.Limit)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(2 * suite.Limit))
	w := &wire{conn, bufio.NewReader(conn)}
	if _, err = w.line(); err == nil {
		_, err = w.do("LOGIN %s %s", user, instance.Password)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return w, nil
}

var literal = regexp.MustCompile(`\{(\d+)\}\r\n$`)

// line reads a line with the literals in it.
func (w *wire) line() (string, error) {
	var b strings.Builder
	for {
		line, err := w.in.ReadString('\n')
		b.WriteString(line)
		m := literal.FindStringSubmatch(line)
		if err != nil || m == nil {
			return b.String(), err
		}
		if _, err := io.CopyN(&b, w.in, int64(number(m[1]))); err != nil {
			return b.String(), err
		}
	}
}

// do sends a command and returns its answer, of which the last line is an OK.
func (w *wire) do(format string, args ...any) ([]string, error) {
	if _, err := fmt.Fprintf(w.conn, "t "+format+"\r\n", args...); err != nil {
		return nil, err
	}
	return w.answer()
}

func (w *wire) answer() (said []string, err error) {
	for {
		line, err := w.line()
		said = append(said, line)
		switch {
		case err != nil:
			return said, err
		case strings.HasPrefix(line, "t OK"):
			return said, nil
		case strings.HasPrefix(line, "t "):
			return said, fmt.Errorf("refused: %s", strings.TrimSpace(line))
		}
	}
}

// file appends a message and returns its UIDVALIDITY and UID.
func (w *wire) file(folder, token, flags string) (validity, uid uint32, err error) {
	text := strings.ReplaceAll(textOf(token), "\n", "\r\n")
	if _, err := fmt.Fprintf(w.conn, "t APPEND %s (%s) {%d}\r\n", folder, flags, len(text)); err != nil {
		return 0, 0, err
	}
	if line, err := w.line(); err != nil || line[0] != '+' {
		return 0, 0, fmt.Errorf("APPEND: found %q, expected +: %w", line, err)
	}
	if _, err := io.WriteString(w.conn, text+"\r\n"); err != nil {
		return 0, 0, err
	}
	said, err := w.answer()
	m := appendUID.FindStringSubmatch(strings.Join(said, ""))
	if err != nil || m == nil {
		return 0, 0, fmt.Errorf("APPEND: found %q: %w", said, err)
	}
	return number(m[1]), number(m[2]), nil
}

var (
	appendUID  = regexp.MustCompile(`\[APPENDUID (\d+) (\d+)\]`)
	copyUID    = regexp.MustCompile(`\[COPYUID (\d+) (\S+) (\S+)\]`)
	validityOf = regexp.MustCompile(`\[UIDVALIDITY (\d+)\]`)
	nextOf     = regexp.MustCompile(`\[UIDNEXT (\d+)\]`)
	uidOf      = regexp.MustCompile(`\bUID (\d+)`)
	flagsOf    = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	tokenOf    = regexp.MustCompile(`\r\nSubject: (\S+)\r\n`)
	listed     = regexp.MustCompile(`^\* (?:LIST|LSUB) \([^)]*\) \S+ "?([^"\r]+)"?\r\n`)
)

func number(s string) uint32 {
	n, _ := strconv.ParseUint(s, 10, 32)
	return uint32(n)
}

// set returns the UIDs of a sequence set in its order.
func set(text string) (all []uint32) {
	for part := range strings.SplitSeq(text, ",") {
		low, high, ok := strings.Cut(part, ":")
		if !ok {
			high = low
		}
		for n := number(low); n <= number(high); n++ {
			all = append(all, n)
		}
	}
	return all
}

// sorted returns flags in an order of their own, without \Recent.
func sorted(flags string) string {
	all := strings.Fields(flags)
	all = slices.DeleteFunc(all, func(f string) bool { return f == `\Recent` })
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// found of a folder: what a client sees in it.
type shown struct {
	validity, next uint32
	messages       []filed
	texts          []string // of the messages
}

// open selects a folder and reads all of it.
func (w *wire) open(folder string) (*shown, error) {
	said, err := w.do("SELECT %s", folder)
	if err != nil {
		return nil, err
	}
	s := &shown{}
	for _, line := range said {
		if m := validityOf.FindStringSubmatch(line); m != nil {
			s.validity = number(m[1])
		}
		if m := nextOf.FindStringSubmatch(line); m != nil {
			s.next = number(m[1])
		}
	}
	return s, w.fetch(s)
}

// fetch reads all messages of the selected folder.
func (w *wire) fetch(s *shown) error {
	said, err := w.do("UID FETCH 1:* (UID FLAGS BODY.PEEK[])")
	if err != nil {
		return err
	}
	s.messages, s.texts = nil, nil
	for _, line := range said {
		uid, flags := uidOf.FindStringSubmatch(line), flagsOf.FindStringSubmatch(line)
		head, text, ok := strings.Cut(line, "}\r\n")
		if !strings.HasPrefix(line, "* ") || uid == nil || flags == nil || !ok {
			continue
		}
		m := filed{UID: number(uid[1]), Flags: sorted(flags[1])}
		text = text[:min(len(text), int(number(head[strings.LastIndexByte(head, '{')+1:])))]
		if token := tokenOf.FindStringSubmatch(text); token != nil {
			m.Token = token[1]
		}
		s.messages = append(s.messages, m)
		s.texts = append(s.texts, text)
	}
	return nil
}

// names returns what LIST or LSUB says that can be selected.
func (w *wire) names(command string) (all []string, err error) {
	said, err := w.do(command + ` "" *`)
	for _, line := range said {
		if m := listed.FindStringSubmatch(line); m != nil && !strings.Contains(line, `\Noselect`) {
			all = append(all, m[1])
		}
	}
	return all, err
}
