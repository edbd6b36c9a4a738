package dovecot

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/smtp"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"posthorn/internal/id"
	"posthorn/test/instance"
	"posthorn/test/suite"
)

const (
	crowd      = 2000  // messages whose flags change
	renames    = 25000 // made by STORE beside Dovecot
	deliveries = 500   // at most
	share      = 20    // messages of one STORE
)

// TestTogether changes flags and delivers while Dovecot reads the same folder
// again and again. With mail-shared no message loses its UID; without, Dovecot
// takes some rename for an expunge and a new message.
func TestTogether(t *testing.T) {
	for _, tc := range []struct {
		name, conf string
		harmless   bool
	}{{"shared", "mail-shared yes\n", true}, {"not shared", "", false}} {
		t.Run(tc.name, func(t *testing.T) {
			i := suite.Server(t, instance.Options{Conf: tc.conf})
			seed(t, i)
			p := newPeer(t, bobs(i))
			before := subjects(p.imap(t))
			if len(before) != crowd {
				t.Fatalf("got %d messages at first, want %d", len(before), crowd)
			}
			n, delivered := together(t, i, p, !tc.harmless)
			suite.Eventually(t, "all deliveries", func() bool { return len(suite.BoxFiles(i, suite.Bob, "")) == crowd+delivered })
			after := subjects(p.imap(t))
			again := reappeared(i)
			moved := 0
			for uid, subject := range before {
				if after[uid] != subject {
					moved++
				}
			}
			t.Logf("%d renames, %d deliveries: %d messages lost their UID; some were given new ones: %t", n, delivered, moved, again)
			switch {
			case tc.harmless && (moved > 0 || again):
				t.Errorf("%d messages lost their UID, want none, and none that got another meanwhile: %t", moved, again)
			case !tc.harmless && moved == 0 && !again:
				t.Errorf("no message lost its UID: the test could not see it either with mail-shared")
			}
			if len(after) != crowd+delivered {
				t.Errorf("got %d messages at the end, want %d and %d delivered", len(after), crowd, delivered)
			}
			if !tc.harmless {
				os.Remove(filepath.Join(p.dir, "log")) // Dovecot may well wonder
				return
			}
			s := ours(t, i)
			if got := subjects(s); !maps.Equal(got, after) {
				t.Errorf("we see %d messages, Dovecot %d, and not the same UIDs", len(got), len(after))
			}
		})
	}
}

// seed puts messages into bob's INBOX.
func seed(t *testing.T, i *instance.Instance) {
	t.Helper()
	s := ours(t, i) // makes the Maildir
	s.do("SELECT INBOX")
	s.logout()
	for n := range crowd {
		path := filepath.Join(bobs(i), "cur", fmt.Sprintf("%d.%s.seed:2,", 1600000000+n, id.New()))
		err := os.WriteFile(path, []byte(numbered("seed", n)), 0o600)
		err = errors.Join(err, os.Chown(path, owner(), group()))
		if err != nil {
			t.Fatal(err)
		}
	}
}

var subjectOf = regexp.MustCompile(`(?s)^Subject: (.*)$`)

// subjects returns the subject of each message of INBOX by its UID.
func subjects(s *session) map[string]string {
	s.t.Helper()
	out, uid := map[string]string{}, ""
	s.do("SELECT INBOX")
	for _, line := range s.do("FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])") {
		if m := fetchUID.FindStringSubmatch(line); m != nil {
			uid = m[1]
		}
		if m := subjectOf.FindStringSubmatch(line); m != nil {
			out[uid] = m[1]
		}
	}
	s.logout()
	return out
}

// together works on the folder from both sides and returns how many renames
// and deliveries we made. With enough it ends as soon as a message lost its UID;
// without, Dovecot has to see all messages of seed at any time.
func together(t *testing.T, i *instance.Instance, p *peer, enough bool) (n, delivered int) {
	t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	failed := make(chan error, 3)
	wg.Go(func() { failed <- p.readOn(stop) })
	wg.Go(func() { failed <- p.fetchOn(stop, !enough) })
	wg.Go(func() {
		var err error
		delivered, err = deliverOn(i, stop)
		failed <- err
	})
	s := ours(t, i)
	s.do("SELECT INBOX")
	for n < renames || enough && n < 8*renames {
		word := "+"
		if n/crowd%2 == 1 {
			word = "-"
		}
		first := n%crowd + 1
		lines := s.do(`UID STORE %d:%d %sFLAGS.SILENT (\Flagged)`, first, first+share-1, word)
		if !enough && strings.Contains(strings.Join(lines, "\n"), " EXPUNGE") {
			t.Errorf("a session was told that messages are gone: %q", lines)
		}
		n += share
		if enough && n%crowd == 0 && reappeared(i) {
			break
		}
	}
	close(stop)
	wg.Wait()
	for range 3 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	s.logout()
	return n, delivered
}

// reappeared reports whether a message of seed has a UID above its first.
func reappeared(i *instance.Instance) bool {
	list, _ := os.ReadFile(filepath.Join(bobs(i), "dovecot-uidlist"))
	for line := range strings.Lines(string(list)) {
		var uid int
		if n, _ := fmt.Sscan(line, &uid); n == 1 && uid > crowd && strings.Contains(line, ".seed") {
			return true
		}
	}
	return false
}

// readOn has one of Dovecot's sessions look for changes until stop.
func (p *peer) readOn(stop chan struct{}) error {
	cmd := p.command(libexec + "imap")
	in, out, err := pipes(cmd)
	if err != nil {
		return err
	}
	go func() {
		defer in.Close()
		fmt.Fprint(in, "a SELECT INBOX\r\n")
		for {
			select {
			case <-stop:
				fmt.Fprint(in, "z LOGOUT\r\n")
				return
			default:
				if _, err := fmt.Fprint(in, "n NOOP\r\n"); err != nil {
					return
				}
			}
		}
	}()
	_, err = io.Copy(io.Discard, out)
	return errors.Join(err, cmd.Wait())
}

// fetchOn runs doveadm again and again until stop; with all, each has to show
// every message of seed under its UID.
func (p *peer) fetchOn(stop chan struct{}, all bool) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		out, err := p.command("doveadm", "fetch", "uid flags", "mailbox", "INBOX", "all").Output()
		if err != nil {
			return fmt.Errorf("doveadm: %w", err)
		}
		seen := 0
		for line := range strings.Lines(string(out)) {
			var uid int
			if n, _ := fmt.Sscanf(line, "uid: %d", &uid); n == 1 && uid <= crowd {
				seen++
			}
		}
		if all && seen != crowd {
			return fmt.Errorf("doveadm saw %d of the messages with UIDs up to %d", seen, crowd)
		}
	}
}

// deliverOn has messages delivered until stop.
func deliverOn(i *instance.Instance, stop chan struct{}) (n int, err error) {
	c, err := smtp.Dial(i.Addr["smtp"])
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for ; n < deliveries; n++ {
		select {
		case <-stop:
			return n, c.Quit()
		default:
		}
		err := errors.Join(c.Mail(suite.Eve), c.Rcpt(suite.Bob))
		w, derr := c.Data()
		if err = errors.Join(err, derr); err != nil {
			return n, err
		}
		io.WriteString(w, numbered("delivered", n))
		if err := w.Close(); err != nil {
			return n, err
		}
	}
	return n, c.Quit()
}

// numbered is a message that no other is like.
func numbered(word string, n int) string {
	return fmt.Sprintf("From: %s\nTo: %s\nSubject: %s %d\n\ntext\n", suite.Eve, suite.Bob, word, n)
}
