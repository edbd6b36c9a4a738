package faults

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"regexp"
	"strings"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// reader is a client of a mailbox.
type reader struct {
	*tls.Conn
	in *bufio.Reader
}

func (s *site) read(service string) *reader {
	s.Helper()
	c, err := tls.Dial("tcp", s.Addr[service], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		s.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(suite.Limit))
	r := &reader{c, bufio.NewReader(c)}
	r.in.ReadString('\n')
	return r
}

// status is what of a line of IMAP or POP3 tells how a command ended.
var status = regexp.MustCompile(`^(?:x (?:OK|NO \[[A-Z]+\]|NO|BAD)|\* BYE|\+OK|-ERR \[[A-Z/]+\]|-ERR)`)

// ask returns the status line of a command, for IMAP the tagged one.
func (r *reader) ask(end, command string) string {
	fmt.Fprintf(r, "%s\r\n", command)
	for {
		line, err := r.in.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		if strings.HasPrefix(line, end) || strings.HasPrefix(line, "* BYE") {
			return line
		}
	}
}

// imap has Bob log in, read, file and mark a message, and returns how each
// ended, such as "OK OK NO [OVERQUOTA] OK".
func (s *site) imap(subject string) string {
	s.Helper()
	r := s.read("imaps")
	defer r.Close()
	var all []string
	for _, command := range []string{"LOGIN " + suite.Bob + " " + instance.Password, "SELECT INBOX", "FETCH 1 BODY.PEEK[]",
		fmt.Sprintf("APPEND INBOX {%d+}\r\nSubject: %s\r\n\r\n", len(subject)+13, subject), `STORE 1 +FLAGS (\Flagged)`} {
		line := r.ask("x ", "x "+command)
		all = append(all, strings.TrimPrefix(status.FindString(line), "x "))
		if strings.Contains(line, s.Dir) {
			s.Errorf("%s: got %q, want no path in it", command, line)
		}
		if strings.HasPrefix(command, "APPEND") && strings.HasPrefix(line, "x OK") {
			s.sent[subject] = suite.Bob
		}
		if strings.HasPrefix(line, "* BYE") || strings.HasPrefix(command, "LOGIN") && !strings.HasPrefix(line, "x OK") {
			break
		}
	}
	return strings.Join(all, " ")
}

// pop3 has a user read a message and remove it, and returns how each ended.
func (s *site) pop3() string {
	s.Helper()
	r := s.read("pop3s")
	defer r.Close()
	all := []string{status.FindString(r.ask("+", "USER "+pop))}
	for _, command := range []string{"PASS " + instance.Password, "RETR 1", "DELE 1", "QUIT"} {
		fmt.Fprintf(r, "%s\r\n", command)
		line, err := r.in.ReadString('\n')
		if err != nil {
			return strings.Join(append(all, err.Error()), " ")
		}
		all = append(all, status.FindString(line))
		if !strings.HasPrefix(line, "+OK") {
			break
		}
		for strings.HasPrefix(command, "RETR") && line != ".\r\n" {
			line, err = r.in.ReadString('\n')
			if err != nil {
				break
			}
		}
	}
	if len(all) == 5 && all[4] == "+OK" {
		for subject, rcpt := range s.sent {
			if rcpt == pop {
				delete(s.sent, subject)
			}
		}
	}
	return strings.Join(all, " ")
}
