package survey

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-maildir"
	"golang.org/x/sys/unix"

	"posthorn/internal/mailbox"
)

const message = "Subject: x\n\ntext\n" // 17 bytes, 20 with CRLF

// box makes a Maildir by way of our own server's code: two messages in INBOX
// and one in Sent.
func box(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Maildir")
	s := mailbox.New(mailbox.Options{})
	defer s.Close()
	b, err := s.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Create("Entwürfe"); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		folder string
		flags  mailbox.Flags
	}{{"INBOX", mailbox.Flags{}}, {"INBOX", mailbox.Flags{System: mailbox.Seen | mailbox.Flagged, Keywords: []string{"word"}}}, {"Entwürfe", mailbox.Flags{System: mailbox.Draft}}} {
		_, _, err := b.Append(m.folder, mailbox.Incoming{Reader: strings.NewReader(message), Size: int64(len(message)), Flags: m.flags})
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func look(t *testing.T, path string) *Survey {
	t.Helper()
	s, err := Maildir(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStat compares with go-maildir, which reads Maildirs in its own way.
func TestStat(t *testing.T) {
	path := box(t)
	s := look(t, path)
	if len(s.Findings) > 0 || len(s.Folders) != 2 || s.Folders[1].Name != "Entwürfe" {
		t.Fatalf("got %+v, want two folders and no finding", s)
	}
	for _, f := range s.Folders {
		// It moves what is in new/ to cur/, so it comes after us.
		fresh, err := maildir.Dir(f.Path).Unseen()
		if err != nil {
			t.Fatal(err)
		}
		messages, unseen, bytes := 0, 0, int64(0)
		err = maildir.Dir(f.Path).Walk(func(m *maildir.Message) error {
			st, err := os.Stat(m.Filename())
			if err != nil {
				return err
			}
			messages++
			bytes += st.Size()
			if !strings.Contains(fmt.Sprint(m.Flags()), fmt.Sprint(maildir.FlagSeen)) {
				unseen++
			}
			return nil
		})
		if err != nil || messages != f.Messages || bytes != f.Bytes || unseen != f.Unseen || len(fresh) > messages {
			t.Errorf("%s: got %+v, go-maildir sees %d messages, %d unseen, %d bytes (%v)", f.Name, f, messages, unseen, bytes, err)
		}
	}
	words := "keywords 1.gone Word Other\nkeywords 2.gone other More\n" // one has a letter
	if err := os.WriteFile(path+"/posthorn-state", []byte(words), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := look(t, path).Folders[0]; f.Keywords != 3 {
		t.Errorf("got %+v, want 3 keywords", f)
	}
	if f := s.Folders[0]; f.Keywords != 1 || f.UIDValidity == 0 || f.Next < 3 {
		t.Errorf("got %+v, want a keyword, a UIDVALIDITY and UID 3 or more next", f)
	}
}

// TestFindings harms a Maildir in each way; nothing is changed by looking.
func TestFindings(t *testing.T) {
	old := time.Now().Add(-40 * time.Hour)
	for name, tc := range map[string]struct {
		harm func(path, one string) error // one is the file of a message in cur
		want string                       // in a line
	}{
		"no tmp":            {func(p, _ string) error { return os.Remove(p + "/tmp") }, "/tmp: found nothing"},
		"a file with a dot": {func(p, _ string) error { return os.WriteFile(p+"/.A", nil, 0o600) }, ""},
		"open root":         {func(p, _ string) error { return os.Chmod(p, 0o755) }, "mode 0755"},
		"open message":      {func(_, one string) error { return os.Chmod(one, 0o622) }, "mode 0622"},
		"shut message":      {func(_, one string) error { return os.Chmod(one, 0o200) }, "mode 0200"},
		"link":              {func(p, one string) error { return os.Symlink(one, p+"/new/link") }, "/new/link: found no regular file"},
		"folder in cur":     {func(p, _ string) error { return os.Mkdir(p+"/cur/x", 0o700) }, "/cur/x: found no regular file"},
		"fifo":              {func(p, _ string) error { return unix.Mkfifo(p+"/cur/fifo", 0o600) }, "/cur/fifo: found no regular file"},
		"flags in new":      {func(p, _ string) error { return os.WriteFile(p+"/new/1.a:2,S", nil, 0o600) }, "a name that no mail program makes"},
		"odd flags":         {func(p, _ string) error { return os.WriteFile(p+"/cur/1.a:2,SF", nil, 0o600) }, "a name that no mail program makes"},
		"size":              {func(_, one string) error { return os.WriteFile(one, []byte("A: b\n\n"), 0o600) }, "found 6 bytes, expected 17 as S= says"},
		"CRLF size": {func(p, _ string) error { return os.WriteFile(p+"/cur/1.a,W=9:2,", []byte("A: b\n\n"), 0o600) },
			"found 8 bytes with CRLF line ends, expected 9 as W= says"},
		"two of one name": {func(p, one string) error {
			base, _, _ := strings.Cut(filepath.Base(one), ":")
			return os.WriteFile(p+"/new/"+base, []byte(message), 0o600)
		}, "expected one name for each message"},
		"torn uidlist":    {func(p, _ string) error { return appendTo(p+"/dovecot-uidlist", "77 :x") }, "a last line without its end"},
		"damaged uidlist": {func(p, _ string) error { return appendTo(p+"/dovecot-uidlist", "1 :x\nrubbish\n") }, "2 lines that cannot be read"},
		"no header":       {func(p, _ string) error { return os.WriteFile(p+"/dovecot-uidlist", []byte("x\n"), 0o600) }, "no header that can be read"},
		"two UIDs": {func(p, one string) error {
			base, _, _ := strings.Cut(filepath.Base(one), ":")
			return appendTo(p+"/dovecot-uidlist", "7777 :"+base+"\n")
		}, "expected one UID for each file"},
		"lines of the gone": {func(p, _ string) error {
			var b strings.Builder
			for n := range 1200 {
				b.WriteString(strconv.Itoa(5000+n) + " :gone" + strconv.Itoa(n) + "\n")
			}
			return appendTo(p+"/dovecot-uidlist", b.String())
		}, "1200 lines without a file"},
		"strange state": {func(p, _ string) error {
			return os.WriteFile(p+"/posthorn-state", []byte("# mine\n\nacl anyone lr\nacl\nrights anyone lr\n"), 0o600)
		}, "posthorn-state: found 2 lines that are not understood"},
		"torn state": {func(p, _ string) error { return os.WriteFile(p+"/posthorn-state", []byte("acl anyone"), 0o600) }, "posthorn-state: found a last line without"},
		"stale lock": {func(p, _ string) error {
			os.WriteFile(p+"/dovecot-uidlist.lock", []byte("1:elsewhere"), 0o600)
			return os.Chtimes(p+"/dovecot-uidlist.lock", old, old)
		}, "dovecot-uidlist.lock: found a lock whose process is gone"},
		"name of a folder": {func(p, _ string) error { return os.MkdirAll(p+"/.Früh/cur", 0o700) }, "expected .Fr&APw-h"},
	} {
		path := box(t)
		seen, _ := filepath.Glob(path + "/cur/*S*:2,*S*")
		if err := tc.harm(path, seen[0]); err != nil {
			t.Fatal(err)
		}
		before := tree(t, path)
		var lines []string
		for _, f := range look(t, path).Findings {
			lines = append(lines, f.String())
		}
		got := strings.Join(lines, "\n")
		if !strings.Contains(got, tc.want) || (tc.want == "") != (got == "") {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
		if after := tree(t, path); after != before {
			t.Errorf("%s: looking changed\n%s\nto\n%s", name, before, after)
		}
	}
}

func TestWrongOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give a file away")
	}
	path := box(t)
	if err := os.Chown(path+"/new", 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if s := look(t, path); len(s.Findings) != 1 || !strings.Contains(s.Findings[0].String(), "owner 65534") {
		t.Errorf("got %v, want the owner of new", s.Findings)
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

// tree lists all names with mode, size and time.
func tree(t *testing.T, path string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(path, func(p string, fi os.FileInfo, err error) error {
		fmt.Fprintln(&b, p, fi.Mode(), fi.Size(), fi.ModTime())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
