package views

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

// session is one IMAP client and what it knows.
type session struct {
	no   int
	conn net.Conn
	in   *bufio.Reader
	tags int
	idle bool

	box      *box // what is selected
	readOnly bool
	view     []*entry // by sequence number
	defined  flags    // of the last FLAGS response

	quiet bool // the command under way must not renumber
	idled bool // it is an IDLE
	answer
}

// entry is a message as a client knows it.
type entry struct {
	m      *mail // that it must be; nil until the model has been asked
	from   int   // states of m before this one are over
	uid    uint32
	flags  flags
	known  bool // flags are
	modseq uint64
}

// answer is what came to a command.
type answer struct {
	status  string // OK, NO, BAD
	text    string // of the tagged line
	lines   []string
	fetched map[*entry]string
	dropped []*entry
	told    []told
	odd     []string
}

// told is a word on a message's flags.
type told struct {
	e     *entry
	flags flags
}

// login begins a session.
func (s *stage) login(no int) (*session, error) {
	conn, err := net.DialTimeout("tcp", s.site.Addr["imap"], suite.Limit)
	if err != nil {
		return nil, err
	}
	c := &session{no: no, conn: conn, in: bufio.NewReader(conn)}
	if _, err = c.line(suite.Limit); err == nil {
		err = c.do(fmt.Sprintf("LOGIN %s %s", s.user, instance.Password))
	}
	if err == nil && c.status != "OK" {
		err = fmt.Errorf("login: %s", c.text)
	}
	if word := []string{"", "CONDSTORE", "QRESYNC"}[no%3]; err == nil && word != "" && strings.Contains(c.text, " "+word) {
		err = c.do("ENABLE " + word)
	}
	if err != nil {
		conn.Close()
	}
	return c, err
}

var literalEnd = regexp.MustCompile(`\{(\d+)\}\r\n$`)

// line reads one line, with the literals in it.
func (c *session) line(limit time.Duration) (string, error) {
	c.conn.SetReadDeadline(time.Now().Add(limit))
	var b strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			return b.String(), err
		}
		m := literalEnd.FindStringSubmatch(line)
		if m == nil {
			return b.String(), nil
		}
		n, _ := strconv.ParseInt(m[1], 10, 64)
		if _, err := io.CopyN(&b, c.in, n); err != nil {
			return b.String(), err
		}
	}
}

// renumbers reports whether a command may bring EXPUNGE (RFC 3501 7.4.1).
func renumbers(command string) bool {
	word, _, _ := strings.Cut(command, " ")
	return word != "FETCH" && word != "STORE" && word != "SEARCH"
}

// do sends a command and takes in all that comes up to its answer.
func (c *session) do(command string) error {
	c.tags++
	tag := fmt.Sprintf("t%d ", c.tags)
	c.answer = answer{fetched: map[*entry]string{}}
	c.quiet, c.idled = !renumbers(command), false
	if _, err := io.WriteString(c.conn, tag+command+"\r\n"); err != nil {
		return err
	}
	return c.await(tag)
}

// await takes in what comes up to the answer of a tag.
func (c *session) await(tag string) error {
	for {
		line, err := c.line(suite.Limit)
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, tag):
			c.status, c.text, _ = strings.Cut(strings.TrimSpace(line[len(tag):]), " ")
			return nil
		}
		if err := c.untagged(line); err != nil {
			return err
		}
	}
}

var (
	numbered = regexp.MustCompile(`^\* (\d+) ([A-Z]+)`)
	flagsIn  = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	uidIn    = regexp.MustCompile(`[( ]UID (\d+)`)
	bodyIn   = regexp.MustCompile(`BODY\[\] \{(\d+)\}\r\n`)
	sizeIn   = regexp.MustCompile(`RFC822\.SIZE (\d+)`)
)

// untagged takes in a line as a client does.
func (c *session) untagged(line string) error {
	c.lines = append(c.lines, line)
	if strings.HasPrefix(line, "* BYE") {
		return fmt.Errorf("%w: %s", errBye, strings.TrimSpace(line))
	}
	if names, ok := strings.CutPrefix(line, "* FLAGS ("); ok {
		names, _, _ = strings.Cut(names, ")")
		c.defined = flagsOf(strings.Fields(names)...)
	}
	if m := vanishedIn.FindStringSubmatch(line); m != nil && !strings.Contains(line, "(EARLIER)") {
		c.vanished(numbers(m[1]))
	}
	m := numbered.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	n, _ := strconv.Atoi(m[1])
	switch m[2] {
	case "EXISTS":
		c.exists(n)
	case "EXPUNGE":
		c.expunged(n)
	case "FETCH":
		c.fetch(n, line)
	}
	return nil
}

func (c *session) strange(format string, args ...any) {
	c.odd = append(c.odd, fmt.Sprintf(format, args...))
}

func (c *session) exists(n int) {
	if n < len(c.view) {
		c.strange("EXISTS went from %d to %d", len(c.view), n)
	}
	for len(c.view) < n {
		c.view = append(c.view, &entry{})
	}
}

func (c *session) expunged(n int) {
	if c.quiet {
		c.strange("EXPUNGE of %d in FETCH, STORE or SEARCH", n)
	}
	if n < 1 || n > len(c.view) {
		c.strange("EXPUNGE of %d of %d", n, len(c.view))
		return
	}
	c.dropped = append(c.dropped, c.view[n-1])
	c.view = slices.Delete(c.view, n-1, n)
}

// vanished is expunged by UIDs. One that the client was not told yet is that of a
// message that came with the same answer, behind those of lower UIDs.
func (c *session) vanished(uids []uint32) {
	for _, uid := range uids {
		n := 0 // what it is called if none is found
		for i, e := range slices.Backward(c.view) {
			known := e.told()
			if known > uid {
				continue
			}
			if known != 0 && known < uid {
				break
			}
			n = i + 1 // if it is not known, an earlier one may be it
		}
		c.expunged(n)
	}
}

// told returns the UID as far as the client can know it, or 0.
func (e *entry) told() uint32 {
	if e.uid == 0 && e.m != nil {
		return e.m.uid
	}
	return e.uid
}

func (c *session) fetch(n int, line string) {
	if n < 1 || n > len(c.view) {
		c.strange("FETCH of %d of %d", n, len(c.view))
		return
	}
	e := c.view[n-1]
	c.fetched[e] += line
	outside := line
	if m := bodyIn.FindStringSubmatchIndex(line); m != nil {
		size, _ := strconv.Atoi(line[m[2]:m[3]])
		outside = line[:m[1]] + line[m[1]+size:]
	}
	if m := uidIn.FindStringSubmatch(outside); m != nil {
		uid, _ := strconv.ParseUint(m[1], 10, 32)
		if e.uid != 0 && e.uid != uint32(uid) {
			c.strange("message %d has the UID %d and had %d", n, uid, e.uid)
		}
		e.uid = uint32(uid)
	}
	changed, modseq := false, e.modseq
	if m := modseqIn.FindStringSubmatch(outside); m != nil {
		modseq, _ = strconv.ParseUint(m[1], 10, 64)
	}
	if m := flagsIn.FindStringSubmatch(outside); m != nil {
		changed = e.known && e.flags != flagsOf(strings.Fields(m[1])...)
		e.flags, e.known = flagsOf(strings.Fields(m[1])...), true
		c.told = append(c.told, told{e, e.flags})
		for _, name := range e.flags.names() {
			if !c.defined.has(name) {
				c.strange("message %d has the flag %s, which FLAGS did not define", n, name)
			}
		}
	}
	asked := !modseqIn.MatchString(outside) // for flags alone: it need not be said then
	if modseq < e.modseq || changed && !asked && e.modseq > 0 && modseq == e.modseq {
		c.strange("message %d has the MODSEQ %d and had %d, with other flags: %t", n, modseq, e.modseq, changed)
	}
	switch {
	case changed && asked:
		e.modseq = 0 // it has another one now
	case flagsIn.MatchString(outside): // alone it stands in front of the flags that it is of
		e.modseq = modseq
	}
}
