package clients

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/test/suite"
)

// screen is a terminal with a program in it.
type screen struct{ d *desk }

// screen starts a program in a terminal of its own, which ends with the test.
func (d *desk) screen(program string, args ...string) *screen {
	d.t.Helper()
	s := &screen{d}
	start := append([]string{"-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", "--", program}, args...)
	s.tmux(start...)
	d.t.Cleanup(func() { exec.Command("tmux", "-S", filepath.Join(d.home, "tmux"), "kill-server").Run() })
	return s
}

func (s *screen) tmux(args ...string) string {
	s.d.t.Helper()
	return s.d.run("", "tmux", append([]string{"-S", "%HOME%/tmux"}, args...)...)
}

// keys presses keys, by tmux's names or letter by letter.
func (s *screen) keys(keys ...string) {
	s.d.t.Helper()
	s.tmux(append([]string{"send-keys"}, keys...)...)
}

// shows waits until text stands on the screen.
func (s *screen) shows(text string) {
	s.d.t.Helper()
	s.until(text, func(seen string) bool { return strings.Contains(seen, s.d.fill(text)) })
}

// until waits for a screen; when it does not come, the test tells what was there.
func (s *screen) until(what string, good func(seen string) bool) {
	s.d.t.Helper()
	var seen string
	for deadline := time.Now().Add(suite.Limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if seen = s.tmux("capture-pane", "-p"); good(seen) {
			return
		}
	}
	s.d.t.Fatalf("the screen: want %q, got\n%s", what, seen)
}

const muttBox = `set spoolfile="imaps://%BOB%@localhost:%imaps%/INBOX" folder="imaps://%BOB%@localhost:%imaps%/" imap_pass="%PASS%"
set record="=Sent" postponed="=Drafts" from="%BOB%" smtp_url="smtps://%BOB%@localhost:%submissions%" smtp_pass="%PASS%"
set ssl_force_tls=yes certificate_file="%CA%" ssl_ca_certificates_file="%CA%"
set header_cache="%HOME%/cache" editor="sh %HOME%/edit" copy=yes hidden_host=no imap_idle=yes timeout=1
set confirmappend=no confirmcreate=no delete=yes quit=yes fast_reply=yes include=yes abort_unmodified=no move=no sort=mailbox-order
set index_format="%3C {%s} %Z" status_format="box %f" beep=no beep_new=no wait_key=no resolve=no
`

// TestMutt reads, flags, files, answers and deletes, and sees mail arrive.
func TestMutt(t *testing.T) {
	for _, program := range []string{"mutt", "neomutt"} {
		t.Run(program, func(t *testing.T) {
			d := newDesk(t, program, "tmux", "curl")
			d.file("rc", muttBox)
			d.file("edit", "echo 'My answer.' >>\"$1\"\n")
			d.mail("one", "two", "three")
			d.curl("", "CREATE Sent") // neomutt's copy needs a folder that is there
			s := d.screen(program, "-n", "-F", "%HOME%/rc")
			s.shows("{three}")
			s.keys("1", "Enter", "Enter")
			s.shows("The text of one.")
			s.keys("i")
			s.shows("{three}")
			s.keys("2", "Enter", "F", "3", "Enter", "s", "C-u", "=Work", "Enter")
			s.shows("{three} ND")
			s.keys("1", "Enter", "r")
			s.shows("Re: one")
			s.keys("y")
			s.shows("{one} r")
			s.keys("$")
			d.wantBox("", "one:RS two:F")
			d.wantBox(".Work", "three:")
			d.wantBox(".Sent", "Re: one:S")
			d.wait("the foreign host", "Re: one:", func() string { return shown(suite.SinkFiles(d.Instance)) })
			d.mail("four")
			s.shows("{four}")
			s.keys("2", "Enter", "d", "$")
			d.wantBox("", "four: one:RS")
			s.keys("c", "C-u", "=Work", "Enter")
			s.shows("{three}")
			s.keys("q")
		})
	}
}

const pinerc = `personal-name=Bob
user-domain=example.test
alt-addresses=%BOB%
customized-hdrs=From: Bob <%BOB%>
smtp-server=localhost:%submissions%/ssl/user="%BOB%"
inbox-path={localhost:%imaps%/ssl/user="%BOB%"}INBOX
folder-collections=server {localhost:%imaps%/ssl/user="%BOB%"}[]
default-fcc=Sent
postponed-folder=Drafts
feature-list=quit-without-confirm,expunge-without-confirm,expunge-without-confirm-everywhere,enable-flag-cmd,enable-flag-screen-implicitly,auto-move-read-msgs,no-enable-msg-view-urls
mail-check-interval=15
user-input-timeout=0
last-version-used=7.00
`

// TestAlpine is TestMutt's work done with Alpine.
func TestAlpine(t *testing.T) {
	d := newDesk(t, "alpine", "tmux")
	rc := d.file("pinerc", pinerc)
	d.mail("one", "two", "three")
	s := d.screen("alpine", "-p", rc, "-i")
	s.shows("PASSWORD")
	s.keys("%PASS%", "Enter")
	s.shows("Preserve password")
	s.keys("n")
	s.shows("three")
	s.keys("Enter")
	s.shows("The text of one.")
	s.keys("r")
	s.shows("Include original")
	s.keys("y")
	s.shows("Re: one")
	s.keys("C-x")
	s.shows("Send message")
	s.keys("y")
	s.shows("doesn't exist")
	s.keys("y")
	s.shows("PASSWORD")
	s.keys("%PASS%", "Enter")
	s.shows("Preserve password")
	s.keys("n")
	s.shows("The text of one.")
	s.keys("i")
	s.shows("A   1 ")
	s.keys("n", "*")
	s.shows("FLAG MAINTENANCE")
	s.keys("x", "e")
	s.shows("* ") // important
	s.keys("n", "s")
	s.shows("SAVE")
	s.keys("Work", "Enter")
	s.shows("doesn't exist")
	s.keys("y")
	s.shows("D   3 ")
	d.mail("four")
	s.keys("C-l")
	s.shows(") four")
	s.keys("x")
	d.wantBox("", "four: one:RS two:F")
	d.wantBox(".Work", "three:")
	d.wantBox(".Sent", "Re: one:")
	d.wait("the foreign host", "Re: one:", func() string { return shown(suite.SinkFiles(d.Instance)) })
	s.keys("q")
}
