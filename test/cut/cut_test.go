// Package cut has clients that vanish at every byte of what they say.
package cut

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// step is what a client says, and how the line begins that answers it.
type step struct{ say, answer string }

// session is a whole conversation. %ID% becomes a name of its own, of the same
// length, for each message.
type session struct {
	service string
	steps   []step
	commits int // the step with which its message counts; -1 for none
}

const message = "From: <eve@other.test>\r\nMessage-ID: <%ID%>\r\n\r\n..dots\r\n.\r\n"

var sessions = []session{
	{service: "smtp", commits: 5, steps: []step{
		{"", "220 "}, {"EHLO client.test\r\n", "250 "}, {"MAIL FROM:<eve@other.test> BODY=8BITMIME\r\n", "250 "},
		{"RCPT TO:<ann@example.test>\r\n", "250 "}, {"DATA\r\n", "354 "}, {message, "250 "}, {"QUIT\r\n", "221 "}}},
	{service: "lmtp", commits: 5, steps: []step{
		{"", "220 "}, {"LHLO feeder.test\r\n", "250 "}, {"MAIL FROM:<eve@other.test>\r\n", "250 "},
		{"RCPT TO:<ann@example.test>\r\n", "250 "}, {"DATA\r\n", "354 "}, {message, "250 "}, {"QUIT\r\n", "221 "}}},
	{service: "submit", commits: 4, steps: []step{
		{"", "220 "}, {"EHLO localhost\r\n", "250 "}, {"MAIL FROM:<ann> RET=HDRS\r\n", "250 "}, {"RCPT TO:<ann> NOTIFY=NEVER\r\n", "250 "},
		{"BDAT 33 LAST\r\nMessage-ID: <%ID%>\r\n\r\n", "250 "}, {"QUIT\r\n", "221 "}}},
	{service: "imap", commits: 5, steps: []step{
		{"", "* OK"}, {"a LOGIN bob@example.test {6+}\r\nsecret\r\n", "a OK"}, {"b SELECT INBOX\r\n", "b OK"},
		{"c UID FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[HEADER.FIELDS (Subject)])\r\n", "c OK"},
		{"d APPEND INBOX (\\Seen) {37}\r\n", "+ "}, {"Message-ID: <%ID%>\r\n\r\ntext\r\n\r\n", "d OK"},
		{"e UID SEARCH HEADER Message-ID \"cut\"\r\n", "e OK"}, {"f IDLE\r\n", "+ "}, {"DONE\r\n", "f OK"}, {"g LOGOUT\r\n", "g OK"}}},
	{service: "pop3", commits: -1, steps: []step{
		{"", "+OK"}, {"USER pop@example.test\r\n", "+OK"}, {"PASS secret\r\n", "+OK"}, {"UIDL\r\n", "."}, {"RETR 1\r\n", "."},
		{"DELE 1\r\n", "+OK"}, {"QUIT\r\n", "+OK"}}},
}

// name is what stands for %ID%.
func (s session) name(n int) string { return fmt.Sprintf("cut-%s-%04d", s.service, n) }

// length is how many bytes the client says.
func (s session) length() int {
	n := 0
	for _, step := range s.steps {
		n += len(strings.ReplaceAll(step.say, "%ID%", s.name(0)))
	}
	return n
}

// said is how much of what the client said counts: nothing of its message,
// all of it without the answer, or all with the answer.
type said int

const (
	nothing said = iota
	unanswered
	answered
)

// errBusy is a box that the session before still holds (RFC 2449 8.1.1).
var errBusy = errors.New("the box is in use")

// play says the first n bytes, awaiting the answer to each whole step but the
// last, and vanishes: orderly, or with a reset.
func (s session) play(addr, id string, n int, reset bool) (said, error) {
	network := "tcp"
	if filepath.IsAbs(addr) {
		network = "unix"
	}
	c, err := net.Dial(network, addr)
	if err != nil {
		return nothing, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(suite.Limit))
	if tcp, ok := c.(*net.TCPConn); ok && reset {
		tcp.SetLinger(0)
	}
	in := bufio.NewReader(c)
	state := nothing
	for k, step := range s.steps {
		text := strings.ReplaceAll(step.say, "%ID%", id)
		if n < len(text) || n == 0 && k > 0 {
			_, err := io.WriteString(c, text[:n])
			return state, err
		}
		n -= len(text)
		if _, err := io.WriteString(c, text); err != nil {
			return state, err
		}
		if k == s.commits {
			state = unanswered
		}
		if n == 0 && k > 0 && reset { // gone before the answer
			return state, nil
		}
		if err := await(in, step.answer); err != nil {
			return state, fmt.Errorf("after %q: %w", step.say, err)
		}
		if k == s.commits {
			state = answered
		}
	}
	return state, nil
}

// await reads to the line that begins with want.
func await(in *bufio.Reader, want string) error {
	var seen string
	for {
		line, err := in.ReadString('\n')
		seen += line
		switch {
		case err != nil:
			return fmt.Errorf("%w after %q", err, seen)
		case strings.HasPrefix(line, want):
			return nil
		case strings.HasPrefix(line, "-ERR [IN-USE]"):
			return errBusy
		}
	}
}

// TestCutAtEveryByte: whatever a client leaves unsaid, the server goes on with
// the next one, and no message is lost, or there twice.
func TestCutAtEveryByte(t *testing.T) {
	pop := "pop@" + instance.Domain
	i := suite.Server(t, instance.Options{Users: []string{suite.Ann, suite.Bob, pop}, Conf: "listen lmtp %DIR%/lmtp.sock\n"})
	i.Addr["lmtp"], i.Addr["submit"] = filepath.Join(i.Dir, "lmtp.sock"), filepath.Join(i.Dir, "sockets", "submit.sock")
	cheapPasswords(t, i, suite.Ann, suite.Bob, pop)
	if err := mail(i, pop); err != nil {
		t.Fatal(err)
	}
	var before map[string]int
	want := map[string]said{}
	for _, round := range []int{0, 5000} {
		before = open(t, i) // of the second round: pools have what they keep
		for _, s := range sessions {
			maps.Copy(want, cutEverywhere(t, i, s, round))
		}
	}
	checkBoxes(t, i, want)
	if got := len(suite.BoxFiles(i, pop, "")); got != 1 {
		t.Errorf("got %d messages in the box of POP3, want the one that no QUIT took", got)
	}
	if err := mail(i, pop); err != nil {
		t.Errorf("mail after all that: %v", err)
	}
	checkDaemons(t, i, before)
}

// cutEverywhere plays every proper prefix of s, each orderly and with a reset,
// and says what became of the messages in them; it counts them from first on. POP3 has one session a box at a time (RFC 1939 4).
func cutEverywhere(t *testing.T, i *instance.Instance, s session, first int) map[string]said {
	var mu sync.Mutex
	var wg sync.WaitGroup
	all, places := map[string]said{}, make(chan bool, 8)
	for n := range s.length() {
		places <- true
		wg.Go(func() {
			defer func() { <-places }()
			for reset := range 2 {
				id := s.name(first + 2*n + reset)
				state, err := s.play(i.Addr[s.service], id, n, reset == 1)
				for limit := time.Now().Add(suite.Limit); errors.Is(err, errBusy) && time.Now().Before(limit); {
					state, err = s.play(i.Addr[s.service], id, n, reset == 1)
				}
				mu.Lock()
				all[id] = state
				mu.Unlock()
				if err != nil {
					t.Errorf("%s, %d bytes: %v", s.service, n, err)
				}
			}
		})
	}
	wg.Wait()
	return all
}

// cheapPasswords has thousands of logins cost next to nothing.
func cheapPasswords(t *testing.T, i *instance.Instance, users ...string) {
	t.Helper()
	var b strings.Builder
	for _, u := range users {
		fmt.Fprintf(&b, "%s:{PLAIN}%s\n", u, instance.Password)
	}
	if err := os.WriteFile(filepath.Join(i.Dir, "users"), []byte(b.String()), 0o640); err != nil {
		t.Fatal(err)
	}
	if out, err := i.Posthorn("", "reload"); err != nil {
		t.Fatalf("reload: %v: %s", err, out)
	}
}

// mail sends to a box by a whole session, and waits for it to arrive.
func mail(i *instance.Instance, to string) error {
	s := sessions[0]
	s.steps = append([]step(nil), s.steps...)
	s.steps[3].say = "RCPT TO:<" + to + ">\r\n"
	state, err := s.play(i.Addr["smtp"], "cut-mail-0000", s.length(), false)
	if err == nil && state != answered {
		err = errors.New("no answer to the message")
	}
	return err
}

var messageID = regexp.MustCompile(`Message-ID: <(cut-[a-z0-9]+-[0-9]{4})>`)

// checkBoxes wants each message that was answered once, no half one, and at
// most one copy of those whose answer was not awaited.
func checkBoxes(t *testing.T, i *instance.Instance, want map[string]said) {
	t.Helper()
	var got map[string]int
	suite.Eventually(t, "all answered messages are there", func() bool {
		got = map[string]int{}
		for _, file := range append(suite.BoxFiles(i, suite.Ann, ""), suite.BoxFiles(i, suite.Bob, "")...) {
			text, _ := os.ReadFile(file)
			if m := messageID.FindSubmatch(text); m != nil {
				got[string(m[1])]++
			}
		}
		for id, state := range want {
			if state == answered && got[id] == 0 {
				return false
			}
		}
		return true
	})
	for id, state := range want {
		if n := got[id]; state == nothing && n > 0 || n > 1 {
			t.Errorf("%s: got %d copies of a message in state %d", id, n, state)
		}
	}
}

var daemons = []string{"authd", "deliver", "queue-remote", "queued", "smtpd", "imap-session", "imapd", "pop3-session", "pop3d"}

// open counts the descriptors of each daemon; an ordinary user may not look.
func open(t *testing.T, i *instance.Instance) map[string]int {
	t.Helper()
	all := map[string]int{}
	if os.Geteuid() != 0 {
		return all
	}
	for _, name := range daemons {
		pid, err := i.PID(name)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = len(entries)
	}
	return all
}

// checkDaemons wants every daemon alive, with the descriptors of before, but for
// those of pools, and memory within bounds.
func checkDaemons(t *testing.T, i *instance.Instance, before map[string]int) {
	t.Helper()
	const pools = 24 // far less than the connections that there were
	defer func() { t.Logf("descriptors before %v, after %v", before, open(t, i)) }()
	suite.Eventually(t, "all descriptors are given back", func() bool {
		for name, n := range open(t, i) {
			if n > before[name]+pools {
				return false
			}
		}
		return true
	})
	for _, name := range daemons {
		if got := suite.PeakMiB(t, i, name); got > 100 {
			t.Errorf("%s: got a peak of %d MiB, want it bounded", name, got)
		}
	}
	if line, err := i.WaitLog(time.Millisecond, func(l string) bool {
		return strings.HasPrefix(l, "posthorn: died") || strings.Contains(l, ": crashed ")
	}); err == nil {
		t.Errorf("got %s, want every daemon to live", line)
	}
}
