package mime

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// nobody is the uid and gid of Dovecot when root tests: it refuses uid 0.
const nobody = 65534

// writeMaildir makes a Maildir of messages; message n has UID n+1, for a
// uidlist says so.
func writeMaildir(t *testing.T, dir string, messages []Message) {
	t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var uids strings.Builder
	fmt.Fprintf(&uids, "3 V1 N%d G0123456789abcdef0123456789abcdef\n", len(messages)+1)
	arrived := time.Date(2026, 5, 14, 3, 2, 1, 0, time.UTC)
	for i, m := range messages {
		name := fmt.Sprintf("%d.%d.corpus", arrived.Unix(), i+1)
		fmt.Fprintf(&uids, "%d :%s\n", i+1, name)
		file := filepath.Join(dir, "cur", name+":2,S")
		if err := os.WriteFile(file, []byte(m.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, arrived, arrived); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "dovecot-uidlist"), []byte(uids.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// give makes a folder and all in it another user's, when root tests.
func give(t *testing.T, dir string, id int) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, id, id)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ours starts our server over messages and returns a client that has them
// selected.
func ours(t *testing.T, messages []Message) *client {
	t.Helper()
	i := suite.Server(t, instance.Options{})
	user, domain, _ := strings.Cut(suite.Bob, "@")
	root := filepath.Join(i.Dir, "mail", domain)
	writeMaildir(t, filepath.Join(root, user, "Maildir"), messages)
	give(t, root, instance.UIDs["vmail"])
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: suite.Limit}, "tcp", i.Addr["imaps"], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * suite.Limit))
	c := &client{name: "ours", r: bufio.NewReader(conn), w: conn}
	return greeted(t, c, "LOGIN "+suite.Bob+" "+instance.Password)
}

// greeted reads the greeting, logs in and selects.
func greeted(t *testing.T, c *client, commands ...string) *client {
	t.Helper()
	if _, err := c.response(); err != nil {
		t.Fatalf("%s: greeting: %v", c.name, err)
	}
	for _, command := range append(commands, "EXAMINE INBOX") {
		if _, err := c.ask(command); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

const dovecotConf = `base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = %[1]s/log
mail_home = %[1]s
mail_uid = %[3]d
mail_gid = %[4]d
first_valid_uid = 1
ssl = no
%[2]s
namespace inbox {
  inbox = yes
  separator = .
}
`

// dovecot starts Dovecot's IMAP process over messages, as the master would once
// someone has logged in, and returns a client that has them selected.
func dovecot(t *testing.T, messages []Message) *client {
	t.Helper()
	suite.Need(t, "doveadm")
	dir, err := os.MkdirTemp("", "posthorn-dovecot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	mail := filepath.Join(dir, "Maildir")
	writeMaildir(t, mail, messages)
	location := "mail_location = maildir:" + mail
	if version, _ := exec.Command("dovecot", "--version").Output(); strings.HasPrefix(string(version), "2.4") {
		location = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\nmail_driver = maildir\nmail_path = " + mail
	}
	cmd := exec.Command("doveadm", "-c", dir+"/conf", "exec", "imap")
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = nobody, nobody
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := os.WriteFile(dir+"/conf", fmt.Appendf(nil, dovecotConf, dir, location, uid, gid), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/run", 0o700); err != nil {
		t.Fatal(err)
	}
	give(t, dir, nobody)
	cmd.Env = []string{"USER=nobody", "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	return greeted(t, pipe(t, cmd))
}

// pipe starts a program that speaks IMAP on its standard input and output.
func pipe(t *testing.T, cmd *exec.Cmd) *client {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killer := time.AfterFunc(2*suite.Limit, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		cmd.Wait()
		killer.Stop()
	})
	return &client{name: "dovecot", r: bufio.NewReader(out), w: in}
}
