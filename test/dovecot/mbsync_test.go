package dovecot

import (
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// rest of mbsync's configuration behind the account.
const channel = `
IMAPStore far
Account a

MaildirStore near
Inbox %[1]s/near
SubFolders Maildir++

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
`

// mirror is a Maildir that mbsync keeps in step with a server.
type mirror struct{ dir string }

// sync runs mbsync against the account.
func (m mirror) sync(t *testing.T, account string) {
	t.Helper()
	rc := filepath.Join(m.dir, "mbsyncrc")
	text := "IMAPAccount a\n" + account + fmt.Sprintf(channel, m.dir)
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	suite.Must(t, "", "mbsync", "-c", rc, "c")
}

func (m mirror) withUs(t *testing.T, i *instance.Instance) {
	t.Helper()
	_, port, _ := net.SplitHostPort(i.Addr["imaps"])
	m.sync(t, fmt.Sprintf("Host localhost\nPort %s\nUser %s\nPass %s\nSSLType IMAPS\nCertificateFile %s\n",
		port, suite.Bob, instance.Password, filepath.Join(i.Dir, "tls.pem")))
}

func (m mirror) withDovecot(t *testing.T, p *peer) {
	t.Helper()
	tunnel := "env -i USER=bob HOME=" + p.dir + " " + libexec + "imap -c " + filepath.Join(p.dir, "conf")
	if os.Geteuid() == 0 {
		tunnel = fmt.Sprintf("setpriv --reuid %d --regid %d --clear-groups %s", owner(), group(), tunnel)
	}
	m.sync(t, fmt.Sprintf("Tunnel %q\n", tunnel))
}

// files returns, by folder and UID, the name that mbsync gave a message when
// it downloaded it.
func (m mirror) files(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	root := filepath.Join(m.dir, "near")
	for _, pattern := range []string{"cur/*", "new/*", ".*/cur/*", ".*/new/*"} {
		paths, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, path := range paths {
			folder, _ := filepath.Rel(root, filepath.Dir(filepath.Dir(path)))
			base, _, _ := strings.Cut(filepath.Base(path), ":")
			unique, uid, ok := strings.Cut(base, ",U=")
			if !ok {
				t.Fatalf("%s: mbsync left it without a UID", path)
			}
			key := folder + " UID " + uid
			if out[key] != "" {
				t.Errorf("%s was downloaded twice", key)
			}
			out[key] = unique
		}
	}
	return out
}

// TestNothingIsDownloadedTwice has mbsync meet one mailbox at our server, at
// Dovecot and at our server again, changed in between by each side.
func TestNothingIsDownloadedTwice(t *testing.T) {
	suite.Need(t, "mbsync", "setpriv")
	i := suite.Server(t, instance.Options{})
	m := mirror{t.TempDir()}
	if err := os.Mkdir(filepath.Join(m.dir, "near"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := ours(t, i)
	fill(s)
	s.logout()
	m.withUs(t, i)
	first := m.files(t)
	if len(first) != 18 { // of 20, two are marked as deleted
		t.Errorf("got %d files after the first sync, want 18: %v", len(first), first)
	}
	i.StopServer()

	p := newPeer(t, bobs(i))
	m.withDovecot(t, p)
	if second := m.files(t); !maps.Equal(first, second) {
		t.Errorf("at Dovecot: got files\n%v\nwant\n%v", second, first)
	}
	d := p.imap(t)
	edit(d, "Theirs")
	d.logout()
	m.withDovecot(t, p)
	after := m.files(t)
	kept := 0
	for key, name := range first {
		if have, ok := after[key]; ok && have != name {
			t.Errorf("%s was downloaded again", key)
		} else if ok {
			kept++
		}
	}
	if kept < 15 {
		t.Errorf("got %d messages as they were, want most: %v", kept, after)
	}

	if err := i.StartServer(nil); err != nil {
		t.Fatal(err)
	}
	m.withUs(t, i)
	if third := m.files(t); !maps.Equal(after, third) {
		t.Errorf("at our server again: got files\n%v\nwant\n%v", third, after)
	}
}
