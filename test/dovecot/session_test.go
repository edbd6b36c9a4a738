package dovecot

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// session is a plain IMAP client that shows every line as it came.
type session struct {
	t *testing.T
	w io.Writer
	r *bufio.Reader
}

func newSession(t *testing.T, rw io.ReadWriter) *session {
	return &session{t, rw, bufio.NewReader(rw)}
}

// ours opens a session of our server for bob.
func ours(t *testing.T, i *instance.Instance) *session {
	t.Helper()
	conn := dial(t, i, "imaps")
	s := newSession(t, conn)
	s.line()
	s.do("LOGIN %s %s", suite.Bob, instance.Password)
	return s
}

// dial opens a connection within TLS that ends with the test.
func dial(t *testing.T, i *instance.Instance, service string) net.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", i.Addr[service], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * suite.Limit))
	return conn
}

func (s *session) line() string {
	s.t.Helper()
	line, err := s.r.ReadString('\n')
	if err != nil {
		s.t.Fatalf("reading an answer: %v after %q", err, line)
	}
	return strings.TrimSuffix(line, "\r\n")
}

// try sends a command and returns its untagged answers and the tagged one.
func (s *session) try(format string, args ...any) (lines []string, end string) {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.w, "x "+format+"\r\n", args...); err != nil {
		s.t.Fatal(err)
	}
	for {
		line := s.line()
		if end, ok := strings.CutPrefix(line, "x "); ok {
			return lines, end
		}
		lines = append(lines, line)
	}
}

// logout ends the session and its connection.
func (s *session) logout() {
	s.t.Helper()
	s.do("LOGOUT")
	if c, ok := s.w.(io.Closer); ok {
		c.Close()
	}
}

// do is try for what has to succeed.
func (s *session) do(format string, args ...any) []string {
	s.t.Helper()
	lines, end := s.try(format, args...)
	if !strings.HasPrefix(end, "OK") {
		s.t.Fatalf("%s: got %s", fmt.Sprintf(format, args...), end)
	}
	return lines
}

// file appends a message; arguments are the words between name and literal.
func (s *session) file(folder, words, message string) {
	s.t.Helper()
	message = strings.ReplaceAll(message, "\n", "\r\n")
	fmt.Fprintf(s.w, "x APPEND %q %s {%d}\r\n", folder, words, len(message))
	if line := s.line(); !strings.HasPrefix(line, "+") {
		s.t.Fatalf("APPEND: got %q", line)
	}
	fmt.Fprintf(s.w, "%s\r\n", message)
	for {
		line := s.line()
		if strings.HasPrefix(line, "x OK") {
			return
		}
		if strings.HasPrefix(line, "x ") {
			s.t.Fatalf("APPEND: got %q", line)
		}
	}
}

var (
	// dropped are words that tell nothing of the Maildir: \Marked says that
	// new/ changed, which servers guess in ways of their own.
	dropped = []string{`\Marked`, `\UnMarked`}

	listLine  = regexp.MustCompile(`^\* (?:LIST|LSUB) \((.*?)\) "\." (.*)$`)
	fetchUID  = regexp.MustCompile(`\bUID (\d+)`)
	fetchFlag = regexp.MustCompile(`\bFLAGS \((.*?)\)`)
	fetchDate = regexp.MustCompile(`\bINTERNALDATE "(.*?)"`)
	fetchSize = regexp.MustCompile(`\bRFC822\.SIZE (\d+)`)
	validity  = regexp.MustCompile(`UIDVALIDITY (\d+)`)
)

// names returns the folders of a LIST or LSUB, sorted.
func (s *session) names(word string) []string {
	s.t.Helper()
	var names []string
	for _, line := range s.do(`%s "" "*"`, word) {
		m := listLine.FindStringSubmatch(line)
		if m == nil {
			s.t.Fatalf("%s: got %q", word, line)
		}
		if !strings.Contains(m[1], `\Noselect`) && !strings.Contains(m[1], `\NonExistent`) {
			names = append(names, strings.Trim(m[2], `"`))
		}
	}
	slices.Sort(names)
	return names
}

// attributes returns a line for each folder of LIST, sorted.
func (s *session) attributes() []string {
	s.t.Helper()
	var out []string
	for _, line := range s.do(`LIST "" "*"`) {
		m := listLine.FindStringSubmatch(line)
		if m == nil {
			s.t.Fatalf("LIST: got %q", line)
		}
		words := strings.Fields(m[1])
		words = slices.DeleteFunc(words, func(w string) bool { return slices.Contains(dropped, w) })
		slices.Sort(words)
		out = append(out, fmt.Sprint(strings.Trim(m[2], `"`), " ", words))
	}
	slices.Sort(out)
	return out
}

// folder returns a line for UIDVALIDITY and one for each message: UID, flags,
// internal date, size.
func (s *session) folder(name string) []string {
	s.t.Helper()
	var out []string
	for _, line := range s.do("EXAMINE %q", name) {
		if m := validity.FindString(line); m != "" {
			out = append(out, m)
		}
	}
	for _, line := range s.do("UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)") {
		if !strings.Contains(line, " FETCH (") {
			continue
		}
		flags := strings.Fields(fetchFlag.FindStringSubmatch(line)[1])
		flags = slices.DeleteFunc(flags, func(f string) bool { return f == `\Recent` })
		slices.Sort(flags)
		when, err := time.Parse("_2-Jan-2006 15:04:05 -0700", fetchDate.FindStringSubmatch(line)[1])
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, fmt.Sprint("UID ", fetchUID.FindStringSubmatch(line)[1], " ", flags, " ", when.Unix(), " ", fetchSize.FindStringSubmatch(line)[1]))
	}
	s.do("CLOSE")
	return out
}

// sight is all that a client can see of a mailbox, but for texts.
func (s *session) sight() string {
	s.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "subscribed %q\n", s.names("LSUB"))
	for _, line := range s.attributes() {
		fmt.Fprintln(&b, line)
	}
	for _, name := range s.names("LIST") {
		fmt.Fprintf(&b, "%s\n", name)
		for _, line := range s.folder(name) {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	return b.String()
}

// same compares two sights line by line.
func same(t *testing.T, when, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for n := range max(len(a), len(b)) {
		if n >= len(a) || n >= len(b) || a[n] != b[n] {
			t.Fatalf("%s, line %d: got %q, want %q\ngot\n%s\nwant\n%s", when, n, a[min(n, len(a)-1)], b[min(n, len(b)-1)], got, want)
		}
	}
}
