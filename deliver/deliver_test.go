package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/directory"
	"posthorn/internal/handover"
	"posthorn/internal/id"
	"posthorn/internal/verdict"
)

// done fails the test for each result that is not done.
func done(t *testing.T, results []handover.DeliverResult) {
	t.Helper()
	for _, r := range results {
		if r.Verdict.Kind != verdict.Done {
			t.Errorf("%s: got %v, want done", r.Box, r.Verdict)
		}
	}
}

func TestVirtualUsers(t *testing.T) {
	in := begin(t)
	ann := in.add("ann@example.org", vmail(), "mail/example.org/ann")
	bob := in.add("bob@example.org", vmail(), "mail/example.org/bob")
	msg := id.New()
	results := in.deliver(t, msg, 1, "Subject: x\n\nboth\n", ann.Name, bob.Name)
	done(t, results)
	done(t, in.deliver(t, id.New(), 1, "Subject: x\n\none\n", ann.Name))
	both := "Return-Path: <a@example.net>\nSubject: x\n\nboth\n"
	one := "Return-Path: <a@example.net>\nDelivered-To: ann@example.org\nSubject: x\n\none\n"
	if got := stored(t, bob); len(got) != 1 || got[0] != both {
		t.Errorf("bob: got %q, want %q", got, both)
	}
	if got := stored(t, ann); len(got) != 2 || got[0] != one || got[1] != both {
		t.Errorf("ann: got %q, want %q and %q", got, one, both)
	}
	want := fmt.Sprintf("delivered id=%s box=ann@example.org to=ann@example.org verdict=done status=2.0.0 file=", msg)
	if line := in.logged(t, want); !strings.Contains(line, "1792411200."+msg+".node1") || !strings.HasSuffix(line, " try=1") {
		t.Errorf("got %s, want the file's name and the try", line)
	}
}

func TestSecondTryIsNoSecondCopy(t *testing.T) {
	in := begin(t)
	ann := in.add("ann@example.org", vmail(), "mail/example.org/ann")
	bob := in.add("bob@example.org", vmail(), "mail/example.org/bob")
	msg := id.New()
	done(t, in.deliver(t, msg, 1, "x\n", ann.Name))
	done(t, in.deliver(t, msg, 2, "x\n", ann.Name, bob.Name))
	for _, b := range []directory.Box{ann, bob} {
		if got := stored(t, b); len(got) != 1 {
			t.Errorf("%s: got %d copies, want 1", b.Name, len(got))
		}
	}
}

func TestOneBadBox(t *testing.T) {
	in := begin(t)
	ann := in.add("ann@example.org", vmail(), "mail/example.org/ann")
	gone := in.add("gone@example.org", vmail(), "mail/example.org/gone")
	gone.Verdict = verdict.New(verdict.Never, "5.2.1", "box is closed")
	in.boxes["gone@example.org"] = gone
	eve := in.add("eve@example.org", vmail()+1, "mail/example.org/eve")
	link := in.add("link@example.org", vmail(), "mail/example.org/link")
	os.MkdirAll(filepath.Dir(link.Home), 0o700)
	os.Chown(filepath.Dir(link.Home), vmail(), vmail())
	os.Symlink(in.dir+"/home", link.Home)
	results := in.deliver(t, id.New(), 1, "x\n", "none@example.org", gone.Name, ann.Name, eve.Name, link.Name)
	for i, want := range []string{"4.2.1", "4.2.1", "2.0.0", "4.3.0", "4.3.0"} {
		v := results[i].Verdict
		if v.Status != want || v.Kind == verdict.Never || strings.Contains(v.Text, "/") {
			t.Errorf("%s: got %v, want %s and nothing permanent", results[i].Box, v, want)
		}
	}
	if entries, _ := os.ReadDir(in.dir + "/home"); len(entries) != 0 {
		t.Errorf("behind the link: got %v, want nothing", entries)
	}
	in.logged(t, "undelivered id=")
}

func TestDescriptorIsChecked(t *testing.T) {
	in := begin(t)
	ann := in.add("ann@example.org", vmail(), "mail/example.org/ann")
	path := filepath.Join(t.TempDir(), "spool")
	os.WriteFile(path, []byte("mail"), 0o600)
	for name, c := range map[string]struct {
		flags int
		size  int64
	}{"writable": {os.O_RDWR, 4}, "short": {os.O_RDONLY, 5}, "none": {-1, 4}} {
		var f *os.File
		if c.flags >= 0 {
			var err error
			if f, err = os.OpenFile(path, c.flags, 0); err != nil {
				t.Fatal(err)
			}
			defer f.Close()
		}
		r := handover.DeliverRequest{ID: id.New(), Try: 1, Time: time.Now(), From: addr.Address{}, Size: c.size, Boxes: []handover.BoxRcpt{{Box: ann.Name, Rcpt: ann.Name}}}
		got, err := in.client.Do(context.Background(), r, f)
		if v := verdict.Of(err); err == nil || v.Kind != verdict.Later {
			t.Errorf("%s: got %v, %v, want later", name, got, err)
		}
	}
	in.logged(t, "deliver-refused id=")
	if got := stored(t, ann); got != nil {
		t.Errorf("got %q, want nothing delivered", got)
	}
}

func TestAuthdAway(t *testing.T) {
	in := begin(t)
	ann := in.add("ann@example.org", vmail(), "mail/example.org/ann")
	os.Remove(filepath.Join(in.dir, "run", "auth.sock"))
	if v := in.deliver(t, id.New(), 1, "x\n", ann.Name)[0].Verdict; v.Kind != verdict.Later || v.Status != "4.3.0" {
		t.Errorf("got %v, want later 4.3.0", v)
	}
}

// TestConfined asks for a box that the users table does not name, where only
// Landlock keeps deliver out, and for one that it names.
func TestConfined(t *testing.T) {
	needLandlock(t)
	open := begin(t, "landlock no")
	os.Chmod(open.dir+"/home", 0o777)
	done(t, open.deliver(t, id.New(), 1, "x\n", open.add("eve@example.org", vmail(), "home/eve").Name))
	in := begin(t, "landlock require")
	os.Chmod(in.dir+"/home", 0o777)
	eve := in.add("eve@example.org", vmail(), "home/eve")
	if v := in.deliver(t, id.New(), 1, "x\n", eve.Name)[0].Verdict; v.Kind != verdict.Later {
		t.Errorf("outside mail-root: got %v, want later", v)
	}
	in.stop(t)
	os.WriteFile(in.dir+"/users", []byte("eve@example.org:x:::::"+"\nbob@example.org:x:::"+":"+in.dir+"/home/bob::\n"), 0o644)
	in.start(t)
	bob := in.add("bob@example.org", vmail(), "home/bob")
	done(t, in.deliver(t, id.New(), 1, "x\n", bob.Name))
	if got := stored(t, bob); len(got) != 1 {
		t.Errorf("home in the users table: got %d messages, want 1", len(got))
	}
}

// stop ends deliver as a supervisor does and waits for it.
func (in *instance) stop(t *testing.T) {
	t.Helper()
	in.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-in.done:
		if err != nil {
			t.Errorf("SIGTERM: got %v, want exit code 0", err)
		}
	case <-time.After(wait):
		t.Fatal("deliver did not end")
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.lines = nil
}

func TestManyRequests(t *testing.T) {
	in := begin(t, "deliver-concurrency 3")
	ann := in.add("ann@example.org", vmail(), "mail/example.org/ann")
	t.Run("parallel", func(t *testing.T) {
		for i := range 20 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				done(t, in.deliver(t, id.New(), 1, "x\n", ann.Name))
			})
		}
	})
	if got := stored(t, ann); len(got) != 20 {
		t.Errorf("got %d messages, want 20", len(got))
	}
}
