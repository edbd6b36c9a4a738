package owner

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/deliver/internal/box"
	"posthorn/internal/attr"
	"posthorn/internal/id"
	"posthorn/internal/maildir"
	"posthorn/internal/priv"
	"posthorn/internal/verdict"
)

// TestMain lets the test binary be deliver-box, which confines itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-node" {
		if err := Run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
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

// begin starts deliver-box under the tests' uid and returns deliver's end.
func begin(t *testing.T, args ...string) *attr.Conn {
	t.Helper()
	needDrop(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	cmd := exec.Command(os.Args[0], append([]string{"-node", "node1"}, args...)...)
	var log bytes.Buffer
	cmd.Stderr = &log
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	c, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	conn := attr.NewConn(c.(*net.UnixConn))
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	t.Cleanup(func() {
		conn.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("got %v, want exit code 0; its log: %s", err, &log)
		}
	})
	return conn
}

// ask delivers a short message to the Maildirs at paths below root.
func ask(t *testing.T, conn *attr.Conn, root string, paths ...string) (attr.List, []box.Result) {
	t.Helper()
	return askWith(t, conn, os.O_RDONLY, root, paths...)
}

// askWith is ask with a descriptor that is open with flags.
func askWith(t *testing.T, conn *attr.Conn, flags int, root string, paths ...string) (attr.List, []box.Result) {
	t.Helper()
	spool := filepath.Join(t.TempDir(), "spool")
	if err := os.WriteFile(spool, []byte("mail\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(spool, flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j := box.Job{ID: id.New(), Try: 1, Time: time.Unix(1792411200, 0), Size: 6}
	for _, p := range paths {
		j.Boxes = append(j.Boxes, box.Box{Name: p, Rcpt: p + "@example.org", Place: maildir.Place{Root: root, Path: filepath.Join(root, p)}})
	}
	if err := conn.Write(append(attr.List{{Name: "tag", Value: "7"}}, j.Encode()...), f); err != nil {
		t.Fatal(err)
	}
	answer, _, err := conn.Read()
	if err != nil || answer.Get("tag") != "7" {
		t.Fatalf("got %v, %v, want an answer with the tag", answer, err)
	}
	return answer, box.DecodeResults(j.Boxes, answer)
}

func TestCage(t *testing.T) {
	if abi := priv.LandlockABI(); abi == 0 {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatal("the kernel has no Landlock")
		}
		t.Skip("needs Landlock: the kernel has none")
	}
	home := t.TempDir()
	conn := begin(t, "-mail-root", home+"/Maildir")
	for range 2 {
		if _, r := ask(t, conn, home, "Maildir"); r[0].Err != nil {
			t.Fatalf("own Maildir: %v", r[0].Err)
		}
	}
	answer, _ := ask(t, conn, home, "Maildir", ".ssh")
	if answer.Get("again") != "yes" || len(answer) != 2 {
		t.Errorf("another folder: got %v, want again=yes alone", answer)
	}
	if _, err := os.Lstat(home + "/.ssh"); err == nil {
		t.Error("another folder was made")
	}
	if _, _, err := conn.Read(); err == nil {
		t.Error("the process goes on, want it to end for a new one")
	}
}

// TestBadFileIsLater: a descriptor against the protocol is not delivered from.
func TestBadFileIsLater(t *testing.T) {
	root := t.TempDir()
	_, results := askWith(t, begin(t, "-mail-root", root), os.O_RDWR, root, "ann", "bob")
	for _, r := range results {
		if v := verdict.Of(r.Err); v.Kind != verdict.Later {
			t.Errorf("got %v, want later", v)
		}
	}
}

func TestAllFoldersOfTheOwnerAreOpen(t *testing.T) {
	root, other := t.TempDir(), t.TempDir()
	conn := begin(t, "-mail-root", root, "-mail-root", other)
	for _, c := range []struct {
		root  string
		paths []string
	}{
		{root, []string{"ann/Maildir"}}, {root, []string{"ann/Maildir", "bob/Maildir"}}, {root, []string{"eve/Maildir"}}, {other, []string{"Maildir"}},
	} {
		_, results := ask(t, conn, c.root, c.paths...)
		for i, r := range results {
			if r.Err != nil || !strings.HasPrefix(r.File, "1792411200.") {
				t.Errorf("%s: got %+v, want it delivered", c.paths[i], r)
			}
		}
	}
}

// TestMissingMaildir: the process makes those of its first request; one that was
// missing then is made by the next process, whose cage has a rule for it.
func TestMissingMaildir(t *testing.T) {
	home := t.TempDir()
	args := []string{"-mail-root", home + "/a", "-mail-root", home + "/b"}
	conn := begin(t, args...)
	if _, r := ask(t, conn, home, "a"); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	if answer, _ := ask(t, conn, home, "b"); answer.Get("again") != "yes" {
		t.Errorf("got %v, want again=yes", answer)
	}
	conn = begin(t, args...)
	for _, name := range []string{"b", "a", "b"} {
		if _, r := ask(t, conn, home, name); r[0].Err != nil {
			t.Errorf("%s: %v", name, r[0].Err)
		}
	}
}

func TestGarbage(t *testing.T) {
	conn := begin(t)
	for name, l := range map[string]attr.List{
		"nothing": {}, "no request": {{Name: "a", Value: "b"}},
		"outside": {{Name: "request", Value: "deliver"}, {Name: "id", Value: id.New()}, {Name: "try", Value: "1"}, {Name: "time", Value: "1"},
			{Name: "offset", Value: "0"}, {Name: "size", Value: "0"}, {Name: "box", Value: "b"}, {Name: "root", Value: "/a"}, {Name: "mail", Value: "/b"}},
	} {
		if err := conn.Write(append(attr.List{{Name: "tag", Value: "1"}}, l...), nil); err != nil {
			t.Fatal(err)
		}
		answer, _, err := conn.Read()
		if err != nil || answer.Get("verdict") != verdict.Later.String() {
			t.Errorf("%s: got %v, %v, want later", name, answer, err)
		}
	}
}

func TestVersion(t *testing.T) {
	var out strings.Builder
	if err := Run([]string{"-V"}, &out, os.Stderr); err != nil || !strings.HasPrefix(out.String(), "deliver-box ") {
		t.Errorf("got %q, %v, want the version", &out, err)
	}
}
