package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/directory"
	"posthorn/internal/id"
	"posthorn/internal/priv"
	"posthorn/internal/verdict"
)

// needRoot skips a test that changes uids. .ci/run is root once, so that
// nothing stays untested there.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to change uids: run the tests as root to include it")
	}
}

// needDrop skips a test of processes that give rights away where this build
// cannot, as under the race detector.
func needDrop(t *testing.T) {
	t.Helper()
	if err := priv.Able(); err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func needLandlock(t *testing.T) {
	t.Helper()
	if abi := priv.LandlockABI(); abi < 4 {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatalf("Landlock ABI %d, expected 4 or more", abi)
		}
		t.Skipf("needs Landlock with TCP rules (Linux 6.7): the kernel has ABI %d", abi)
	}
}

// systemUser adds a box of uid with a home, as authd answers for a system user.
func (in *instance) systemUser(t *testing.T, name string, uid int) directory.Box {
	t.Helper()
	b := in.add(name, uid, "home/"+name)
	if err := os.Mkdir(b.Home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(b.Home, uid, uid); err != nil {
		t.Fatal(err)
	}
	return b
}

// owned fails the test unless everything in the box is its owner's alone.
func owned(t *testing.T, b directory.Box) {
	t.Helper()
	filepath.Walk(b.Mail, func(path string, fi os.FileInfo, err error) error {
		if err != nil {
			t.Error(err)
			return nil
		}
		want := os.FileMode(0o600)
		if fi.IsDir() {
			want = os.ModeDir | 0o700
		}
		st := fi.Sys().(*syscall.Stat_t)
		if int(st.Uid) != b.UID || int(st.Gid) != b.GID || fi.Mode() != want {
			t.Errorf("%s: got uid %d, gid %d, %v, want %d, %d, %v", path, st.Uid, st.Gid, fi.Mode(), b.UID, b.GID, want)
		}
		return nil
	})
}

func TestSystemUsers(t *testing.T) {
	needRoot(t)
	in := begin(t, "system-users yes", "min-uid 1000")
	ann := in.systemUser(t, "ann", 61001)
	bob := in.systemUser(t, "bob", 61002)
	eve := in.add("eve@example.org", 61000, "mail/example.org/eve")
	root := in.systemUser(t, "root", 0)
	daemon := in.systemUser(t, "daemon", 999)
	root.UID, root.GID = 1, 1 // the directory's client takes no 0
	in.boxes["root"] = root
	results := in.deliver(t, id.New(), 1, "Subject: x\n\nall\n", "ann", "bob", eve.Name, "root", "daemon")
	done(t, results[:3])
	for _, b := range []directory.Box{ann, bob, eve} {
		got := stored(t, b)
		want := "Return-Path: <a@example.net>\nDelivered-To: " + b.Name + "\nSubject: x\n\nall\n"
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %q, want %q", b.Name, got, want)
		}
		owned(t, b)
	}
	for i, b := range []directory.Box{root, daemon} {
		if v := results[3+i].Verdict; v.Kind != verdict.Later || stored(t, b) != nil {
			t.Errorf("%s: got %v, want later and nothing written", b.Name, v)
		}
	}
	in.logged(t, "start-refused uid=999")
	in.logged(t, "delivered id=")
}

// TestSystemUsersByLMTP: the owner's process reads what deliver holds in memory.
func TestSystemUsersByLMTP(t *testing.T) {
	needRoot(t)
	line, path := feedSocket(t, "")
	in := begin(t, "system-users yes", "min-uid 1000", line)
	ann := in.systemUser(t, "ann@example.org", 61001)
	in.systemUser(t, "daemon@example.org", 999)
	f := dialLMTP(t, path)
	f.say("MAIL FROM:<a@example.net>\r\nRCPT TO:<ann@example.org>\r\nRCPT TO:<daemon@example.org>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\n",
		"250", "250", "250", "354", "250 2.0.0", "451 4.")
	if got := stored(t, ann); len(got) != 1 || !strings.HasSuffix(got[0], "\nSubject: x\n\ny\n") {
		t.Errorf("got %q, want the message", got)
	}
	owned(t, ann)
}

// processes returns the status of deliver, its starter and the children.
func (in *instance) processes(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil || filepath.Dir(exe) != filepath.Join(in.dir, "libexec") {
			continue
		}
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		name := filepath.Base(exe)
		if strings.HasSuffix(string(args), "\x00starter\x00") {
			name = "starter"
		}
		for found[name] != "" {
			name += "'"
		}
		found[name] = string(status)
	}
	return found
}

// TestRights holds the processes to the table of design: who has which uid,
// groups and capabilities.
func TestRights(t *testing.T) {
	needRoot(t)
	in := begin(t, "system-users yes")
	in.systemUser(t, "ann", 61001)
	done(t, in.deliver(t, id.New(), 1, "x\n", "ann"))
	found := in.processes(t)
	for name, want := range map[string][]string{
		"deliver":     {"Uid:\t61100\t61100\t61100\t61100", "Gid:\t61100\t61100\t61100\t61100", "Groups:\t61901 ", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1"},
		"starter":     {"Uid:\t0\t0\t0\t0", "CapEff:\t00000000000000c0", "CapPrm:\t00000000000000c0", "CapBnd:\t00000000000000c0", "NoNewPrivs:\t1"},
		"deliver-box": {"Uid:\t61001\t61001\t61001\t61001", "Gid:\t61001\t61001\t61001\t61001", "Groups:\t61001 ", "CapEff:\t0000000000000000", "CapBnd:\t00000000000000c0", "NoNewPrivs:\t1"},
	} {
		for _, line := range want {
			if !strings.Contains(found[name], "\n"+line+"\n") {
				t.Errorf("%s: got %s, want the line %q", name, found[name], line)
			}
		}
	}
	if len(found) != 3 {
		t.Errorf("got %d processes, want deliver, its starter and a deliver-box", len(found))
	}
}

// TestOwnersCage gives ann a second box in a folder that is hers, of which the
// users table did not know: the running deliver-box cannot write there, a second
// one beside it can.
func TestOwnersCage(t *testing.T) {
	needRoot(t)
	needLandlock(t)
	in := begin(t, "system-users yes", "landlock require")
	ann := in.systemUser(t, "ann", 61001)
	done(t, in.deliver(t, id.New(), 1, "x\n", "ann"))
	second := ann
	second.Name, second.Mail = "ann2", ann.Home+"//elsewhere/Maildir" // as of a home with a final slash
	in.mu.Lock()
	in.boxes["ann2"] = second
	in.mu.Unlock()
	for range 2 {
		done(t, in.deliver(t, id.New(), 1, "x\n", "ann2"))
		done(t, in.deliver(t, id.New(), 1, "x\n", "ann"))
	}
	if got := stored(t, second); len(got) != 2 {
		t.Errorf("second box: got %d messages, want 2", len(got))
	}
	if found := in.processes(t); found["deliver-box'"] == "" || found["deliver-box''"] != "" {
		t.Errorf("got %d processes, want deliver, its starter and a deliver-box for each box", len(found))
	}
	// A Maildir that was made anew is another folder to Landlock: the first
	// try ends the old process, the second succeeds.
	os.RemoveAll(ann.Mail)
	msg := id.New()
	in.deliver(t, msg, 1, "x\n", "ann")
	done(t, in.deliver(t, msg, 2, "x\n", "ann"))
	if got := stored(t, ann); len(got) != 1 {
		t.Errorf("made anew: got %d messages, want 1", len(got))
	}
}

func TestHomeIsMissing(t *testing.T) {
	needRoot(t)
	in := begin(t, "system-users yes", "create-homes no")
	ann := in.add("ann", 61001, "home/ann")
	if v := in.deliver(t, id.New(), 1, "x\n", "ann")[0].Verdict; v.Kind != verdict.Later {
		t.Errorf("got %v, want later", v)
	}
	if _, err := os.Lstat(ann.Home); !os.IsNotExist(err) {
		t.Errorf("home: got %v, want none", err)
	}
}

// TestStarterDies: deliver ends so that its supervisor starts both again.
func TestStarterDies(t *testing.T) {
	needRoot(t)
	in := begin(t, "system-users yes")
	for line := range strings.Lines(in.processes(t)["starter"]) {
		if pid, ok := strings.CutPrefix(line, "Pid:\t"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(pid))
			syscall.Kill(n, syscall.SIGKILL)
		}
	}
	select {
	case err := <-in.done:
		if in.cmd.ProcessState.ExitCode() != 111 {
			t.Errorf("got %v, want exit code 111", err)
		}
	case <-time.After(wait):
		t.Error("deliver goes on without its starter")
	}
}
