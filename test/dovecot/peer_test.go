// Package dovecot tests that our server and Debian's Dovecot can serve the same
// Maildirs, in turn and together.
package dovecot

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// peer is Dovecot on one Maildir: its imap and pop3 programs, each started
// for one session as the owner of the mail. No daemon runs.
type peer struct{ dir, mail string }

// config is Debian's default where it matters: its mailboxes with a special
// use, and '.' between levels as our server has it.
const config = `mail_location = maildir:%[2]s
base_dir = %[1]s
state_dir = %[1]s
log_path = %[1]s/log
mail_home = %[1]s
mail_uid = %[3]d
mail_gid = %[4]d
first_valid_uid = 1
ssl = no
stats_writer_socket_path =
namespace inbox {
  inbox = yes
  separator = .
  mailbox Drafts {
    special_use = \Drafts
  }
  mailbox Junk {
    special_use = \Junk
  }
  mailbox Trash {
    special_use = \Trash
  }
  mailbox Sent {
    special_use = \Sent
  }
  mailbox "Sent Messages" {
    special_use = \Sent
  }
}
`

// owner is who owns the mail of an instance.
func owner() int {
	if os.Geteuid() == 0 {
		return instance.UIDs["vmail"]
	}
	return os.Geteuid()
}

// group is his group.
func group() int {
	if os.Geteuid() == 0 {
		return instance.UIDs["vmail"]
	}
	return os.Getegid()
}

// newPeer returns the Dovecot of a Maildir. What it logs as an error fails the
// test.
func newPeer(t *testing.T, mail string) *peer {
	t.Helper()
	suite.Need(t, libexec+"imap", libexec+"pop3", "doveadm")
	dir, err := os.MkdirTemp("", "posthorn-dovecot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	text := fmt.Sprintf(config, dir, mail, owner(), group())
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, owner(), -1); err != nil {
		t.Fatal(err)
	}
	p := &peer{dir, mail}
	t.Cleanup(func() { p.complaints(t) })
	return p
}

// complaints fails the test when Dovecot found something wrong in the Maildir.
func (p *peer) complaints(t *testing.T) {
	log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
	for line := range strings.Lines(string(log)) {
		if !strings.Contains(line, "Info: ") {
			t.Errorf("Dovecot complains: %s", line)
		}
	}
	os.Remove(filepath.Join(p.dir, "log"))
}

// command is one of Dovecot's programs as the owner of the mail.
func (p *peer) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, append([]string{"-c", filepath.Join(p.dir, "conf")}, args...)...)
	cmd.Env = []string{"USER=bob", "HOME=" + p.dir, "PATH=" + os.Getenv("PATH")}
	cmd.Dir = p.dir
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(owner()), Gid: uint32(owner())}}
	}
	return cmd
}

// libexec is where Debian has the programs of sessions.
const libexec = "/usr/lib/dovecot/"

// imap opens a session on a pipe.
func (p *peer) imap(t *testing.T) *session {
	t.Helper()
	s := piped(t, p.command(libexec+"imap"))
	if greeting := s.line(); !strings.HasPrefix(greeting, "* PREAUTH") {
		t.Fatalf("got greeting %q of Dovecot", greeting)
	}
	return s
}

// pop3 returns the lines of a POP3 session.
func (p *peer) pop3(t *testing.T, commands string, args ...string) string {
	t.Helper()
	cmd := p.command(libexec+"pop3", args...)
	cmd.Stdin = strings.NewReader(commands)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dovecot's pop3: %v", err)
	}
	return string(out)
}

// piped starts a program that speaks IMAP on its standard input and output.
func piped(t *testing.T, cmd *exec.Cmd) *session {
	t.Helper()
	in, out, err := pipes(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return newSession(t, struct {
		io.Reader
		io.Writer
	}{out, in})
}

// pipes starts a program with pipes to it and from it.
func pipes(cmd *exec.Cmd) (in io.WriteCloser, out io.Reader, err error) {
	if in, err = cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	if out, err = cmd.StdoutPipe(); err != nil {
		return nil, nil, err
	}
	return in, out, cmd.Start()
}
