package faults

import (
	"bytes"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// pop is the user whose mail is read and removed by POP3.
const pop = "pop@" + instance.Domain

// patience is how long a line of the log may be in coming.
const patience = 20 * time.Second

// site is a server with what a fault needs to know of it.
type site struct {
	dead bool // a process may have ended in the middle: what it began stays in tmp folders
	*testing.T
	*instance.Instance
	mark int               // how many lines the log had when the fault struck
	sent map[string]string // what was acknowledged: subject to recipient
	lost map[string]bool   // subjects of which no answer was heard: they may arrive, once
}

func newSite(t *testing.T, o instance.Options) *site {
	t.Helper()
	o.Users = []string{suite.Ann, suite.Bob, pop}
	o.Ports = map[string]int{"smtp": freePort(t)} // the same one after a restart
	return &site{T: t, Instance: suite.Server(t, o)}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// client is an SMTP client that has said EHLO.
type client struct {
	*textproto.Conn
	net net.Conn
}

func dial(addr string) (*client, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(suite.Limit))
	c := &client{textproto.NewConn(nc), nc}
	if got := c.say("connect", ""); !strings.HasPrefix(got, "connect 220") {
		return c, fmt.Errorf("%s", got)
	}
	if got := c.say("ehlo", "EHLO client.test"); !strings.HasPrefix(got, "ehlo 250") {
		return c, fmt.Errorf("%s", got)
	}
	return c, nil
}

// say returns the answer to a command, with a word in front.
func (c *client) say(word, command string) string {
	if command != "" {
		if err := c.PrintfLine("%s", command); err != nil {
			return word + " " + err.Error()
		}
	}
	code, text, err := c.ReadResponse(0)
	if code == 0 {
		return word + " " + err.Error()
	}
	return fmt.Sprintf("%s %d %s", word, code, text)
}

// post sends a message and returns the command that ended it with its answer,
// such as "data 250 2.0.0 …".
func (c *client) post(rcpt, subject string) string {
	for _, step := range [][2]string{{"mail", "MAIL FROM:<" + suite.Eve + ">"}, {"rcpt", "RCPT TO:<" + rcpt + ">"}, {"data", "DATA"}} {
		if got := c.say(step[0], step[1]); !strings.HasPrefix(got, step[0]+" 250") && !strings.HasPrefix(got, "data 354") {
			return got
		}
	}
	return c.say("data", "Subject: "+subject+"\r\n\r\ntext\r\n.")
}

// post is client.post over a new connection; what is answered 250 is to arrive.
func (s *site) post(rcpt, subject string) string {
	c, err := dial(s.Addr["smtp"])
	if c != nil {
		defer c.net.Close()
	}
	if err != nil {
		return err.Error()
	}
	got := c.post(rcpt, subject)
	s.note(got, rcpt, subject)
	return got
}

func (s *site) note(answer, rcpt, subject string) {
	if strings.HasPrefix(answer, "data 250") {
		s.sent[subject] = detail.ReplaceAllString(rcpt, "@")
	}
}

// detail is what an address says besides its box.
var detail = regexp.MustCompile(`\+[^@]*@`)

// unasked is an address of Bob's that no daemon has asked authd for.
func unasked(what string) string { return strings.Replace(suite.Bob, "@", "+"+what+"@", 1) }

// mustPost sends until a message is taken: daemons may be being started again.
func (s *site) mustPost(rcpt, subject string) {
	s.Helper()
	got := ""
	suite.Eventually(s.T, "a message is taken", func() bool {
		got = s.post(rcpt, subject)
		return strings.HasPrefix(got, "data 250")
	})
}

var subjectLine = regexp.MustCompile(`(?mi)^subject: ?([^\r\n]*)`)

// subjects returns those of files, sorted.
func (s *site) subjects(files []string) []string {
	s.Helper()
	var list []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) { // on its way from new to cur
			continue
		}
		if err != nil {
			s.Fatal(err)
		}
		if m := subjectLine.FindSubmatch(text); m != nil {
			list = append(list, string(bytes.TrimSpace(m[1])))
		}
	}
	slices.Sort(list)
	return list
}

// places are where mail goes: by the end of the recipient's address, the files.
func (s *site) places(rcpt string) []string {
	if strings.HasSuffix(rcpt, "@"+instance.Domain) {
		return suite.BoxFiles(s.Instance, rcpt, "")
	}
	return suite.SinkFiles(s.Instance)
}

// arrived waits until nothing is under way, and fails the test unless each
// message acknowledged is where it belongs once, and no other is.
func (s *site) arrived() {
	s.Helper()
	want := map[string][]string{}
	for subject, rcpt := range s.sent {
		want[rcpt] = append(want[rcpt], subject)
	}
	got := map[string][]string{}
	all := func() bool {
		for rcpt, list := range want {
			slices.Sort(list)
			if got[rcpt] = s.heard(s.subjects(s.places(rcpt))); len(got[rcpt]) < len(list) {
				return false
			}
		}
		return s.left() == ""
	}
	deadline := time.Now().Add(suite.Limit)
	for n := 0; !all() && time.Now().Before(deadline); n++ {
		if n%10 == 0 {
			s.Posthorn("", "queue", "flush")
		}
		time.Sleep(20 * time.Millisecond)
	}
	for rcpt, list := range want {
		if !slices.Equal(got[rcpt], list) {
			s.Errorf("%s has %q, want %q", rcpt, got[rcpt], list)
		}
	}
	if left := s.left(); left != "" {
		s.Errorf("left over: %s", left)
	}
}

// heard takes one message of each subject away of which no answer was heard.
func (s *site) heard(subjects []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(subjects, func(subject string) bool {
		first := !seen[subject]
		seen[subject] = true
		return first && s.lost[subject]
	})
}

// left names what is in spool and tmp folders and should not stay there.
func (s *site) left() string {
	var all []string
	for _, pattern := range []string{"spool/incoming/*", "spool/queue/*/*", "spool/odd/*", "mail/*/*/Maildir/tmp/*", "mail/*/*/Maildir/.*/tmp/*"} {
		if s.dead && strings.HasSuffix(pattern, "tmp/*") {
			continue
		}
		names, _ := filepath.Glob(filepath.Join(s.Dir, pattern))
		all = append(all, names...)
	}
	return strings.Join(all, " ")
}

// empty forgets all that has arrived.
func (s *site) empty() {
	for _, name := range slices.Concat(s.places(suite.Bob), s.places(pop), s.places("x@"+instance.Foreign)) {
		os.Remove(name)
	}
	s.sent, s.lost = map[string]string{}, map[string]bool{}
}

var daemons = []string{"smtpd", "queued", "queue-remote", "deliver", "authd", "imapd", "imap-session", "pop3d", "pop3-session"}

func (s *site) pids() map[string]int {
	s.Helper()
	pids := map[string]int{}
	for _, name := range daemons {
		pid, err := s.PID(name)
		if err != nil {
			s.Fatal(err)
		}
		pids[name] = pid
	}
	return pids
}

// logged waits until the log has a line since the fault that matches each of
// the patterns.
func (s *site) logged(patterns []string) {
	s.Helper()
	for _, pattern := range patterns {
		match := regexp.MustCompile(pattern)
		n := 0
		if _, err := s.WaitLog(patience, func(line string) bool { n++; return n > s.mark && match.MatchString(line) }); err != nil {
			s.Errorf("log: no line matches %q: %v\n%s", pattern, err, strings.Join(s.Log()[s.mark:], "\n"))
		}
	}
}
