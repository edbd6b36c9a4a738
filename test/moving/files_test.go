package moving

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// shared returns a folder in which the owner of the mail may write.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "moving")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, owner(), groupOf()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func asIs(name string) string { return name }

// anns is what ann's client sees.
func anns(t *testing.T, i *instance.Instance) []string {
	t.Helper()
	return sight(t, login(t, i.Addr["imaps"], suite.Ann, instance.Password), asIs)
}

// withoutUIDs leaves out what an mbox cannot keep.
func withoutUIDs(lines []string) (rest []string) {
	for _, line := range lines {
		name, _, _ := strings.Cut(line, " uidvalidity ")
		if name != line {
			rest = append(rest, name)
			continue
		}
		flags := strings.Index(line, " [") // behind name and UID
		rest = append(rest, line[:strings.LastIndex(line[:flags], " ")]+line[flags:])
	}
	return rest
}

// TestFiles moves bob's mail to ann by files, in both forms.
func TestFiles(t *testing.T) {
	for _, format := range []string{"maildir", "mbox"} {
		t.Run(format, func(t *testing.T) {
			i := suite.Server(t, instance.Options{})
			c := login(t, i.Addr["imaps"], suite.Bob, instance.Password)
			for n, name := range []string{"INBOX", "Work", "Work.2024", "Entwürfe"} {
				if name != "INBOX" {
					if err := c.Create(name, nil).Wait(); err != nil {
						t.Fatal(err)
					}
				}
				for m := range 8 {
					file(t, c, name, 10*n+m)
				}
			}
			to := filepath.Join(shared(t), "out")
			run := func(words ...string) string {
				t.Helper()
				out, err := i.Posthorn("", words...)
				if err != nil {
					t.Fatalf("%q: %v\n%s", words, err, out)
				}
				return out
			}
			run("export", "-format", format, "bob", to)
			if out := run("import", "ann", to); !strings.Contains(out, ": brought 32 messages ") {
				t.Errorf("got %s", out)
			}
			want, got := ours(t, i), anns(t, i)
			if format == "mbox" {
				want, got = withoutUIDs(want), withoutUIDs(got)
			}
			compare(t, format, got, want)
			if out := run("import", "ann", to); !strings.Contains(out, ": brought 0 messages ") || !strings.Contains(out, " 32 were here, 0 failed") {
				t.Errorf("a second time: got %s", out)
			}
			if format == "maildir" {
				if out := run("export", "bob", to); !strings.Contains(out, ": brought 0 messages ") {
					t.Errorf("export again: got %s", out)
				}
			} else if out, err := i.Posthorn("", "export", "-format", "mbox", "bob", to); err == nil || !strings.Contains(out, "is there already") {
				t.Errorf("export over files: got %v, %s", err, out)
			}
		})
	}
}

// tree makes a Maildir as other programs leave it, and gives it to the owner of the
// mail.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := shared(t)
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestTrees brings Maildirs of other programs: in folders within folders, with the
// files of Dovecot and Courier, and with what is no mail.
func TestTrees(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	const text = "Subject: x\n\n"
	dovecot := tree(t, map[string]string{
		"cur/1.a.old:2,SRab": text + "1", "cur/2.b.old:2,P": text + "2", "new/3.c.old": text + "3", "cur/.hidden": "",
		"dovecot-uidlist":  "3 V1500000000 N9 G0123456789abcdef0123456789abcdef\n4 PUIDL-4 :1.a.old\n8 :2.b.old\n",
		"dovecot-keywords": "0 $Later\n1 Work\n", "subscriptions": "Sub/Deep\nGone\n",
		"Sub/cur/4.d.old:2,S": text + "4", "Sub/Deep/cur/5.e.old:2,S": text + "5", "v1.2/cur/x": text + "6",
		"posthorn-undelete/2026-11-23/cur/7.g.old:2,S": text + "removed",
	})
	out, err := i.Posthorn("", "import", "bob", dovecot)
	if err != nil || !strings.Contains(out, "4 folders: brought 6 messages") || !strings.Contains(out, "v1.2 -> v1_2: 1 messages") {
		t.Errorf("got %v\n%s", err, out)
	}
	got := strings.Join(ours(t, i), "\n") + "\n"
	for _, want := range []string{"INBOX uidvalidity 1500000000\n", `INBOX 000004 ["$Later" "Work" "\\Answered" "\\Seen"] `, `INBOX 000008 ["$Forwarded"] `, `INBOX 1048585 [] `, `Sub.Deep `, `v1_2 `} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %q", got, want)
		}
	}
	courier := tree(t, map[string]string{
		"cur/1.a.old:2,S": text + "1", "cur/2.b.old:2,": text + "2", "new/x": "", ".Sent.2020/cur/3.c.old:2,S": text + "3",
		"courierimapuiddb": "1 1400000000 20\n7 1.a.old\n12 2.b.old\n", "courierimapsubscribed": "INBOX\nINBOX.Sent.2020\n",
	})
	out, err = i.Posthorn("", "import", "ann", courier)
	if err != nil || !strings.Contains(out, "2 folders: brought 4 messages") {
		t.Errorf("got %v\n%s", err, out)
	}
	got = strings.Join(anns(t, i), "\n") + "\n"
	for _, want := range []string{"INBOX uidvalidity 1400000000\n", `INBOX 000007 ["\\Seen"] `, `INBOX 000012 [] `, "Sent.2020 "} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %q", got, want)
		}
	}
	if entries, _ := os.ReadDir(courier); len(entries) != 5 {
		t.Errorf("the source was changed: %v", entries)
	}
}

// TestRefused: what cannot be meant, or must not be read.
func TestRefused(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	for _, tt := range []struct {
		words []string
		want  string
	}{
		{[]string{"import", "bob"}, "expected: import"},
		{[]string{"import", "bob", "imap://carl:secret@localhost"}, "found a password on the command line"},
		{[]string{"import", "bob", "pop3://carl@localhost"}, "expected imap://user@host"},
		{[]string{"import", "bob", "imaps://localhost"}, "expected imap://user@host"},
		{[]string{"import", "-quoting", "mboxcl", "bob", "-"}, "expected mboxrd"},
		{[]string{"import", "nobody", "/etc/passwd"}, "expected a user"},
		{[]string{"import", "bob", "/nowhere"}, "no such file"},
		{[]string{"import", "bob", "/etc/passwd"}, "not an mbox file"},
		{[]string{"import", "bob", "-"}, "expected a file"},
		{[]string{"export", "-format", "tar", "bob", "x"}, "expected: export"},
	} {
		out, err := i.Posthorn("", tt.words...)
		if err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("%q: got %v, %s, want %s", tt.words, err, out, tt.want)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	secret := filepath.Join(t.TempDir(), "mbox") // root's
	os.WriteFile(secret, []byte("From root Sat Feb  1 03:04:05 2020\n\nsecret\n"), 0o600)
	if out, err := i.Posthorn("", "import", "bob", secret); err == nil || !strings.Contains(out, "permission denied") {
		t.Errorf("a file of root's: got %v, %s", err, out)
	}
}
