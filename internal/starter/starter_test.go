package starter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/priv"
	"posthorn/internal/verdict"
)

// testChild is the argument by which the test binary is a child program.
const testChild = "starter-test-child"

// TestMain lets the test binary be the root process and the child.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Word {
		os.Exit(Main())
	}
	if len(os.Args) > 1 && os.Args[1] == testChild {
		os.Exit(childMain())
	}
	os.Exit(m.Run())
}

func childMain() int {
	c := &Child{Name: testChild, Log: evlog.New(os.Stderr)}
	c.Handle = func(_ context.Context, req attr.List, f *os.File) attr.List {
		if f != nil {
			defer f.Close()
		}
		switch req.Get("do") {
		case "die":
			os.Exit(3)
		case "read":
			text, err := io.ReadAll(f)
			return attr.List{{Name: "text", Value: string(text)}, {Name: "err", Value: fmt.Sprint(err)}}
		case "touch":
			err := os.WriteFile(req.Get("file"), nil, 0o600)
			return attr.List{{Name: "err", Value: fmt.Sprint(err)}}
		}
		groups, _ := os.Getgroups()
		fds, _ := os.ReadDir("/proc/self/fd")
		status, _ := os.ReadFile("/proc/self/status")
		return attr.List{
			{Name: "ids", Value: fmt.Sprint(os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid(), groups)},
			{Name: "env", Value: strings.Join(os.Environ(), " ")},
			{Name: "pid", Value: fmt.Sprint(os.Getpid())},
			{Name: "args", Value: strings.Join(os.Args[1:], " ")},
			{Name: "fds", Value: fmt.Sprint(len(fds))},
			{Name: "caps", Value: line(string(status), "CapEff") + line(string(status), "CapBnd") + line(string(status), "NoNewPrivs")},
		}
	}
	if err := c.Serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func line(text, key string) string {
	for l := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(l, key+":\t"); ok {
			return key + "=" + strings.TrimSpace(value) + " "
		}
	}
	return ""
}

// needRoot skips a test that changes uids. .ci/run is root once, so that
// nothing stays untested there.
func needRoot(t *testing.T) {
	t.Helper()
	needDrop(t)
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

// folder returns a folder that every uid may enter.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "starter")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// program copies this binary to where every uid may execute it.
func program(t *testing.T) string {
	t.Helper()
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder(t), "child")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// accounts writes a getent that knows the lines of passwd.
func accounts(t *testing.T, lines ...string) string {
	t.Helper()
	dir := folder(t)
	passwd := filepath.Join(dir, "passwd")
	os.WriteFile(passwd, []byte(strings.Join(lines, "\n")+"\n"), 0o644)
	getent := filepath.Join(dir, "getent")
	script := "#!/bin/sh\ngrep \"^[^:]*:[^:]*:$2:\" " + passwd + " || exit 2\n"
	if err := os.WriteFile(getent, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return getent
}

// begin starts a starter for the test.
func begin(t *testing.T, c Config) *Starter {
	t.Helper()
	needRoot(t)
	if c.Program == "" {
		c.Program = program(t)
	}
	c.Args = []string{testChild, "argument"}
	s, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		select {
		case <-s.Done():
		case <-time.After(10 * time.Second):
			t.Error("the root process did not end")
		}
	})
	return s
}

func ask(t *testing.T, s *Starter, id Identity, do string) attr.List {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	l, err := s.Do(ctx, id, nil, attr.List{{Name: "do", Value: do}}, nil)
	if err != nil {
		t.Fatalf("%v: %v", id, err)
	}
	return l
}

func TestChildrenHaveTheirOwnersRights(t *testing.T) {
	needRoot(t)
	s := begin(t, Config{MinUID: 1000, Vmail: Identity{500, 501}, Getent: accounts(t, "ann:x:61001:61002::/home/ann:/bin/sh")})
	t.Setenv("SECRET", "1")
	for id, home := range map[Identity]string{{61001, 61002}: "/home/ann", {61003, 61003}: "", {500, 501}: ""} {
		got := ask(t, s, id, "")
		want := attr.List{
			{Name: "ids", Value: fmt.Sprintf("%d %d %d %d [%d]", id.UID, id.UID, id.GID, id.GID, id.GID)},
			{Name: "env", Value: "PATH=/usr/bin:/bin HOME=" + home},
			{Name: "args", Value: testChild + " argument"},
			{Name: "caps", Value: "CapEff=0000000000000000 CapBnd=00000000000000c0 NoNewPrivs=1 "},
		}
		for _, a := range want {
			if got.Get(a.Name) != a.Value {
				t.Errorf("%v: %s: got %q, want %q", id, a.Name, got.Get(a.Name), a.Value)
			}
		}
		if again := ask(t, s, id, ""); again.Get("pid") != got.Get("pid") {
			t.Errorf("%v: got a second child, want the same", id)
		}
	}
}

// TestFoldersTellChildrenApart: what may not write the same folders is another
// process, and both of one uid go on side by side.
func TestFoldersTellChildrenApart(t *testing.T) {
	s := begin(t, Config{MinUID: 1000, Getent: accounts(t)})
	id := Identity{61001, 61001}
	pids := map[string]string{}
	for range 2 {
		for want, folders := range map[string][]string{"": nil, " -mail-root /a": {"/a"}, " -mail-root /a -mail-root /b": {"/a", "/b"}} {
			l, err := s.Do(t.Context(), id, folders, attr.List{{Name: "do", Value: ""}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := l.Get("args"); got != testChild+" argument"+want {
				t.Errorf("got the arguments %q, want %q at their end", got, want)
			}
			if before := pids[want]; before != "" && l.Get("pid") != before {
				t.Errorf("%q: got process %s, want %s again", want, l.Get("pid"), before)
			}
			pids[want] = l.Get("pid")
		}
	}
	if _, err := s.Do(t.Context(), id, []string{"-c"}, attr.List{{Name: "do", Value: ""}}, nil); err == nil {
		t.Error("a folder that is none: got no error")
	}
}

func TestRefused(t *testing.T) {
	needRoot(t)
	s := begin(t, Config{MinUID: 1000, Vmail: Identity{500, 501}, Getent: accounts(t, "ann:x:61001:61002::/home/ann:/bin/sh", "odd:x:61009:")})
	for name, id := range map[string]Identity{
		"root": {0, 61001}, "root's group": {61001, 0}, "below min-uid": {999, 1000}, "not its gid": {61001, 61001},
		"vmail's uid with another gid": {500, 61001}, "a system's group": {61003, 42}, "negative": {-1, -1}, "unreadable account": {61009, 61009},
	} {
		l, err := s.Do(context.Background(), id, nil, attr.List{{Name: "do", Value: ""}}, nil)
		if err == nil || verdict.Of(err).Kind != verdict.Later {
			t.Errorf("%s: got %v, %v, want later", name, l, err)
		}
	}
	ask(t, s, Identity{61001, 61002}, "") // still answers
}

func TestDeadChildIsStartedAgain(t *testing.T) {
	s := begin(t, Config{MinUID: 1000, Getent: accounts(t)})
	id := Identity{61001, 61001}
	first := ask(t, s, id, "").Get("pid")
	if l, err := s.Do(context.Background(), id, nil, attr.List{{Name: "do", Value: "die"}}, nil); !errors.Is(err, ErrEnded) {
		t.Errorf("dying child: got %v, %v, want ErrEnded", l, err)
	}
	if second := ask(t, s, id, "").Get("pid"); second == first {
		t.Errorf("got the pid %s again, want a new child", second)
	}
}

func TestDescriptorReachesTheChild(t *testing.T) {
	s := begin(t, Config{MinUID: 1000, Getent: accounts(t)})
	path := filepath.Join(t.TempDir(), "private") // where the child may not go
	os.WriteFile(path, []byte("mail"), 0o600)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := s.Do(context.Background(), Identity{61001, 61001}, nil, attr.List{{Name: "do", Value: "read"}}, f)
	if err != nil || got.Get("text") != "mail" {
		t.Errorf("got %v, %v, want the file's text", got, err)
	}
}

func TestRootProcessDies(t *testing.T) {
	needRoot(t)
	cmd := exec.Command(os.Args[0], Word)
	s, err := start(Config{Program: program(t), Args: []string{testChild}, MinUID: 1000, Getent: accounts(t)}, cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ask(t, s, Identity{61001, 61001}, "")
	cmd.Process.Signal(syscall.SIGKILL)
	<-s.Done()
	ask(t, s, Identity{61001, 61001}, "") // its child goes on
	if _, err := s.Do(context.Background(), Identity{61002, 61002}, nil, nil, nil); err == nil {
		t.Error("new child without the root process: got nil, want an error")
	}
}

func TestNotRoot(t *testing.T) {
	cmd := exec.Command(os.Args[0], Word)
	if os.Geteuid() == 0 {
		cmd = exec.Command(program(t), Word)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 61001, Gid: 61001}}
	}
	s, err := start(Config{Program: "/bin/true", MinUID: 1000}, cmd)
	if err == nil {
		s.Close()
		t.Error("starter of an ordinary user: got nil, want an error")
	}
}

func TestHomes(t *testing.T) {
	needRoot(t)
	dir := folder(t)
	other := folder(t)
	os.Symlink(other, dir+"/link")
	homes := map[int]string{61001: dir + "/ann", 61002: dir + "/link/bob", 61003: dir + "/none/eve", 61004: dir}
	var lines []string
	for uid, home := range homes {
		lines = append(lines, fmt.Sprintf("u%d:x:%d:%d::%s:/bin/sh", uid, uid, uid, home))
	}
	getent := accounts(t, lines...)
	off := begin(t, Config{MinUID: 1000, Getent: getent})
	ask(t, off, Identity{61001, 61001}, "")
	if _, err := os.Stat(homes[61001]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("create-homes no: got %v, want no home", err)
	}
	s := begin(t, Config{MinUID: 1000, Homes: true, Getent: getent})
	for range 2 {
		got, err := s.Do(context.Background(), Identity{61001, 61001}, nil, attr.List{{Name: "do", Value: "touch"}, {Name: "file", Value: homes[61001] + "/f"}}, nil)
		if err != nil || got.Get("err") != "<nil>" {
			t.Fatalf("write in the new home: got %v, %v", got, err)
		}
	}
	st, err := os.Lstat(homes[61001])
	if err != nil || st.Mode() != os.ModeDir|0o700 || st.Sys().(*syscall.Stat_t).Uid != 61001 || st.Sys().(*syscall.Stat_t).Gid != 61001 {
		t.Errorf("home: got %v, %v, want a folder of 61001 with mode 0700", st, err)
	}
	for _, uid := range []int{61002, 61003} {
		if _, err := s.Do(context.Background(), Identity{uid, uid}, nil, nil, nil); err == nil {
			t.Errorf("home %s: got nil, want an error", homes[uid])
		}
	}
	ask(t, s, Identity{61004, 61004}, "") // is there and not its: the child's matter
	for _, d := range []string{dir, other} {
		entries, _ := os.ReadDir(d)
		for _, e := range entries {
			if e.Name() != "ann" && e.Name() != "link" {
				t.Errorf("%s: got %s, want nothing left", d, e.Name())
			}
		}
	}
}

// TestIndexFolders: each owner gets a folder of his own, and without one his child all
// the same.
func TestIndexFolders(t *testing.T) {
	needRoot(t)
	dir := folder(t)
	if err := errors.Join(os.Mkdir(dir+"/61002", 0o755), os.Chown(dir+"/61002", 61003, 61003)); err != nil {
		t.Fatal(err)
	}
	for _, index := range []string{dir, dir + "/missing", dir} {
		s := begin(t, Config{MinUID: 1000, IndexDir: index, Getent: accounts(t)})
		for _, uid := range []int{61001, 61002} {
			caps := ask(t, s, Identity{uid, uid}, "").Get("caps")
			if !strings.Contains(caps, "CapEff=0000000000000000 ") {
				t.Errorf("%s, %d: got %q, want no capability in the child", index, uid, caps)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("got %v, %v, want two folders", entries, err)
	}
	for uid, owner := range map[string]uint32{"61001": 61001, "61002": 61003} {
		st, err := os.Lstat(dir + "/" + uid)
		if err != nil || st.Sys().(*syscall.Stat_t).Uid != owner || uid == "61001" && st.Mode() != os.ModeDir|0o700 {
			t.Errorf("%s: got %v, %v, want a folder of %d", uid, st, err, owner)
		}
	}
}

func TestManyAsk(t *testing.T) {
	s := begin(t, Config{MinUID: 1000, Getent: accounts(t)})
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			id := Identity{61001 + i%3, 61001 + i%3}
			if got := ask(t, s, id, "").Get("ids"); !strings.HasPrefix(got, fmt.Sprint(id.UID)) {
				t.Errorf("got %s, want an answer of uid %d", got, id.UID)
			}
		})
	}
	wg.Wait()
	if len(s.children) != 3 {
		t.Errorf("got %d children, want 3", len(s.children))
	}
}

// TestFoldersMadeAtOnce: several daemons have a starter, and make the same home for a
// user who comes by all of them at once.
func TestFoldersMadeAtOnce(t *testing.T) {
	needRoot(t)
	dir := folder(t)
	r := &root{disk: new(durable.Disk), log: evlog.New(io.Discard)}
	var wg sync.WaitGroup
	for i := range 100 {
		start := make(chan struct{})
		for range 3 {
			wg.Go(func() {
				<-start
				if err := r.makeHome(filepath.Join(dir, strconv.Itoa(i)), Identity{61001, 61001}); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 100 {
		t.Errorf("got %d folders, %v, want 100", len(entries), err)
	}
}
