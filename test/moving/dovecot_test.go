package moving

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

func ours(t *testing.T, i *instance.Instance) []string {
	t.Helper()
	return sight(t, login(t, i.Addr["imaps"], suite.Bob, instance.Password), func(s string) string { return s })
}

// theirs has their names as they are here.
func theirs(t *testing.T, d *elsewhere, rename func(string) string) []string {
	t.Helper()
	return sight(t, login(t, d.imaps, carl, password), rename)
}

// TestDovecot moves an account with folders of every kind, in both ways to use TLS.
func TestDovecot(t *testing.T) {
	for _, way := range []struct{ scheme, separator, prefix string }{{"imaps", "/", ""}, {"imap", ".", "INBOX."}} {
		t.Run(way.scheme, func(t *testing.T) {
			d := startDovecot(t, way.separator, way.prefix)
			folders := []string{"INBOX"}
			for _, name := range []string{"Work", "Work/2024", "Entwürfe", "台北", "a & b", "Gesendet &- mehr", "Empty/below"} {
				folders = append(folders, way.prefix+strings.ReplaceAll(name, "/", way.separator))
			}
			d.fill(t, folders, 12)
			rename := func(name string) string {
				return strings.ReplaceAll(strings.TrimPrefix(name, way.prefix), way.separator, ".")
			}
			i := suite.Server(t, instance.Options{})
			run := func(words ...string) string {
				words = append([]string{"import", "-ca", d.dir + "/tls.pem"}, append(words, "bob", d.address(way.scheme))...)
				out, err := i.Posthorn(password+"\n", words...)
				if err != nil {
					t.Fatalf("%q: %v\n%s", words, err, out)
				}
				return out
			}
			if out := run("-n"); !strings.Contains(out, "8 folders: would bring 93 messages") || !strings.Contains(out, "INBOX -> INBOX: 9 messages, 9 to bring\n") {
				t.Errorf("dry run: got %s", out)
			}
			if out := run(); !strings.Contains(out, "8 folders: brought 93 messages") || !strings.Contains(out, "0 were here, 0 failed; 8 folders keep their UIDs\n") {
				t.Errorf("got %s", out)
			}
			want := theirs(t, d, rename)
			got := ours(t, i)
			got = withoutOwn(got, want)
			compare(t, "after the import", got, want)
			c := login(t, d.imaps, carl, password)
			compare(t, "subscriptions", subscribed(t, login(t, i.Addr["imaps"], suite.Bob, instance.Password), func(s string) string { return s }), subscribed(t, c, rename))
			if out := run(); !strings.Contains(out, "brought 0 messages (0.0 MiB), 93 were here, 0 failed") {
				t.Errorf("a second time: got %s", out)
			}
			file(t, c, folders[1], 777)
			if out := run(); !strings.Contains(out, "brought 1 messages") || !strings.Contains(out, "93 were here, 0 failed") {
				t.Errorf("with one more there: got %s", out)
			}
			if out, err := i.Posthorn("", "mailbox", "check", "bob"); err != nil {
				t.Errorf("check: %v\n%s", err, out)
			}
		})
	}
}

// withoutOwn leaves out folders that only we have: those that sessions make.
func withoutOwn(got, want []string) (lines []string) {
	for _, line := range got {
		name, _, _ := strings.Cut(line, " uidvalidity ")
		keep := name == line
		for _, w := range want {
			keep = keep || strings.HasPrefix(w, name+" uidvalidity ")
		}
		if keep {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestDovecotKilled kills imports at many moments; the last one is let through.
func TestDovecotKilled(t *testing.T) {
	d := startDovecot(t, "/", "")
	folders := []string{"INBOX", "Work", "Work/2024", "Sent", "Lists/posthorn"}
	d.fill(t, folders, 120)
	want := theirs(t, d, func(s string) string { return strings.ReplaceAll(s, "/", ".") })
	i := suite.Server(t, instance.Options{})
	kills := 0
	for pause := 30 * time.Millisecond; ; pause = pause * 5 / 4 {
		cmd := exec.Command(filepath.Join(i.Bin, "posthorn"), d.words(i)...)
		cmd.Stdin = strings.NewReader(password + "\n")
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(pause, func() { cmd.Process.Kill() }) // the moment of a kill is no condition of the test
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			t.Logf("%d kills, then %s", kills, out.String())
			break
		}
		if cmd.ProcessState.Exited() {
			t.Fatalf("%v\n%s", err, out.String())
		}
		kills++
	}
	if kills < 3 {
		t.Errorf("got %d kills, want some", kills)
	}
	compare(t, "after all", withoutOwn(ours(t, i), want), want)
	if out, err := i.Posthorn("", "mailbox", "check", "bob"); err != nil && !strings.Contains(out, "a lock whose process is gone") {
		t.Errorf("check: %v\n%s", err, out)
	}
}
