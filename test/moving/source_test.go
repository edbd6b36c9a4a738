// Package moving tests that mail moves here from a real server, and away again.
package moving

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

const (
	carl     = "carl"
	password = "overthere"
)

// elsewhere is a Dovecot whose user carl has mail.
type elsewhere struct {
	dir, mail   string
	imap, imaps string // addresses
}

// startDovecot runs Dovecot for as long as the test.
func startDovecot(t *testing.T, separator, prefix string) *elsewhere {
	t.Helper()
	suite.Need(t, "dovecot")
	dir, err := os.MkdirTemp("", "moving") // short, and open to other uids
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	d := &elsewhere{dir: dir, mail: dir + "/mail/" + carl, imap: freeAddr(t), imaps: freeAddr(t)}
	if err := instance.WriteCertificate(dir+"/tls.pem", "localhost"); err != nil {
		t.Fatal(err)
	}
	internal, group := names(t)
	conf, err := os.ReadFile("testdata/dovecot")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("%DIR%", dir, "%USER%", internal, "%GROUP%", group, "%UID%", fmt.Sprint(owner()), "%GID%", fmt.Sprint(groupOf()),
		"%SEPARATOR%", separator, "%PREFIX%", prefix, "%IMAP%", port(d.imap), "%IMAPS%", port(d.imaps)).Replace(string(conf))
	if err := os.WriteFile(dir+"/conf", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(d.mail, 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chown(dir+"/mail", owner(), -1)
	os.Chown(d.mail, owner(), -1)
	d.run(t)
	return d
}

func (d *elsewhere) run(t *testing.T) {
	t.Helper()
	cmd := exec.Command("dovecot", "-F", "-c", d.dir+"/conf")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = suite.Limit
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if log, _ := os.ReadFile(d.dir + "/log"); t.Failed() {
			t.Logf("Dovecot said:\n%s\n%s", said.String(), log)
		}
	})
	suite.Eventually(t, "Dovecot listens", func() bool {
		c, err := net.Dial("tcp", d.imaps)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func owner() int {
	if os.Geteuid() == 0 {
		return instance.UIDs["vmail"]
	}
	return os.Geteuid()
}

func groupOf() int {
	if os.Geteuid() == 0 {
		return instance.UIDs["vmail"]
	}
	return os.Getegid()
}

// names returns the user and group whom Dovecot's own processes belong to.
func names(t *testing.T) (name, group string) {
	t.Helper()
	if os.Geteuid() == 0 {
		return "nobody", "nogroup"
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return u.Username, g.Name
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// login opens a session of go-imap's client.
func login(t *testing.T, addr, user, password string) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialTLS(addr, &imapclient.Options{TLSConfig: &tls.Config{InsecureSkipVerify: true}})
	if err == nil {
		err = c.Login(user, password).Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// fill gives carl folders and messages of every kind.
func (d *elsewhere) fill(t *testing.T, folders []string, messages int) {
	t.Helper()
	c := login(t, d.imaps, carl, password)
	for n, name := range folders {
		if name != "INBOX" {
			if err := c.Create(name, nil).Wait(); err != nil {
				t.Fatal(err)
			}
		}
		if n%2 == 0 {
			c.Subscribe(name).Wait()
		}
		for m := range messages {
			file(t, c, name, n*messages+m)
		}
	}
	// UIDs have gaps, as they do.
	if _, err := c.Select(folders[0], nil).Wait(); err != nil {
		t.Fatal(err)
	}
	store := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := c.Store(imap.UIDSetNum(3, 4, imap.UID(messages)), store, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Expunge().Close(); err != nil {
		t.Fatal(err)
	}
}

// file files message n.
func file(t *testing.T, c *imapclient.Client, folder string, n int) {
	t.Helper()
	flags := [][]imap.Flag{nil, {imap.FlagSeen}, {imap.FlagAnswered, imap.FlagForwarded}, {imap.FlagFlagged, "Later", "NonJunk"}, {imap.FlagDraft, imap.FlagSeen}, {"Project-X"}}[n%6]
	body := fmt.Sprintf("From: a@example.org\r\nSubject: message %d\r\n\r\n%s", n, strings.Repeat("From here to there.\r\nGr\xc3\xbc\xc3\x9fe\r\n", n*37%400))
	date := time.Date(2019, 1, 1+n%28, n%24, n%60, n%59, 0, time.FixedZone("", 3600*(n%5)))
	a := c.Append(folder, int64(len(body)), &imap.AppendOptions{Flags: flags, Time: date})
	if _, err := io.WriteString(a, body); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Wait(); err != nil {
		t.Fatal(err)
	}
}

// sight is all that a client sees of an account: a line for each message and folder.
// rename says what a folder is called in it.
func sight(t *testing.T, c *imapclient.Client, rename func(string) string) []string {
	t.Helper()
	var lines []string
	all, err := c.List("", "*", nil).Collect()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if len(f.Attrs) > 0 && f.Attrs[0] == imap.MailboxAttrNoSelect {
			continue
		}
		box, err := c.Select(f.Mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil {
			t.Fatalf("%s: %v", f.Mailbox, err)
		}
		name := rename(f.Mailbox)
		lines = append(lines, fmt.Sprintf("%s uidvalidity %d", name, box.UIDValidity))
		if box.NumMessages == 0 {
			continue
		}
		section := &imap.FetchItemBodySection{Peek: true}
		messages, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, m := range messages {
			var flags []string
			for _, flag := range m.Flags {
				if flag != `\Recent` {
					flags = append(flags, string(flag))
				}
			}
			sort.Strings(flags)
			lines = append(lines, fmt.Sprintf("%s %06d %q %s %q", name, m.UID, flags, m.InternalDate.UTC().Format(time.RFC3339), m.FindBodySection(section)))
		}
	}
	sort.Strings(lines)
	return lines
}

// compare fails the test where two sights differ, with the first lines that do.
func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	shown := 0
	for i := 0; i < max(len(got), len(want)) && shown < 5; i++ {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("%s: got  %.200s\nwant %.200s", what, g, w)
			shown++
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: got %d lines, want %d", what, len(got), len(want))
	}
}

// subscribed returns the folders subscribed to.
func subscribed(t *testing.T, c *imapclient.Client, rename func(string) string) (names []string) {
	t.Helper()
	all, err := c.List("", "*", &imap.ListOptions{SelectSubscribed: true}).Collect()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		names = append(names, rename(f.Mailbox))
	}
	sort.Strings(names)
	return names
}

// address is carl's, as import has it.
func (d *elsewhere) address(scheme string) string {
	addr := d.imaps
	if scheme == "imap" {
		addr = d.imap
	}
	return scheme + "://" + carl + "@localhost:" + port(addr)
}

// words are the words of an import into bob's mailbox.
func (d *elsewhere) words(i *instance.Instance, more ...string) []string {
	words := []string{"-c", filepath.Join(i.Dir, "posthorn.conf"), "import", "-ca", d.dir + "/tls.pem"}
	return append(append(words, more...), "bob", d.address("imaps"))
}
