package tables

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"posthorn/internal/durable"
)

const edited = `# our accounts
ann:{PLAIN}one:1001:1001:Ann:/home/ann::userdb_mail=maildir:~/Mail

  # bob is away
bob@example.net:{PLAIN}two`

// editor returns an Editor of a file with content in a folder of its own.
func editor(t *testing.T, content string) *Editor {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return &Editor{Disk: new(durable.Disk), Path: path, Domain: "example.org"}
}

func (e *Editor) content(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(e.Path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEdit(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*Editor) error
		want string
	}{
		{"add", func(e *Editor) error { return e.Add("Carl", "{PLAIN}three") }, edited + "\ncarl@example.org:{PLAIN}three::::::\n"},
		{"remove", func(e *Editor) error { return e.Remove("ann@EXAMPLE.org") },
			"# our accounts\n\n  # bob is away\nbob@example.net:{PLAIN}two"},
		{"password", func(e *Editor) error { return e.SetPassword("ann", "{SHA}x=") }, strings.Replace(edited, "{PLAIN}one", "{SHA}x=", 1)},
		{"password of a short line", func(e *Editor) error { return e.SetPassword("bob@example.net", "new") },
			strings.Replace(edited, "{PLAIN}two", "new", 1)},
	} {
		e := editor(t, edited)
		if err := tc.edit(e); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if got := e.content(t); got != tc.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tc.name, got, tc.want)
		}
	}
}

func TestEditRefuses(t *testing.T) {
	bad := errors.New("found a bad hash")
	for _, tc := range []struct {
		name    string
		content string
		edit    func(*Editor) error
		want    string
	}{
		{"there already", edited, func(e *Editor) error { return e.Add("ann", "x") }, "exists already"},
		{"not there", edited, func(e *Editor) error { return e.Remove("dora") }, "no such user"},
		{"password of nobody", edited, func(e *Editor) error { return e.SetPassword("dora", "x") }, "no such user"},
		{"not a name", edited, func(e *Editor) error { return e.Add("a b", "x") }, "found the user"},
		{"a name that begins a comment", edited, func(e *Editor) error { return e.Add("#dora", "x") }, "no # in front"},
		{"colon in the hash", edited, func(e *Editor) error { return e.SetPassword("ann", "{PLAIN}a:b") }, "no colon"},
		{"line feed in the hash", edited, func(e *Editor) error { return e.Add("dora", "x\nroot:y") }, "no control character"},
		{"bad hash", edited, func(e *Editor) error {
			e.Check = func(string) error { return bad }
			return e.SetPassword("ann", "x")
		}, "found a bad hash"},
		{"broken table", edited + "\nnonsense\n", func(e *Editor) error { return e.Remove("ann") }, "users:6: found no colon"},
	} {
		e := editor(t, tc.content)
		if err := tc.edit(e); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
		if got := e.content(t); got != tc.content {
			t.Errorf("%s: the file was changed to\n%s", tc.name, got)
		}
	}
}

// TestEditPastABadHash: a hash that was there before does not keep others from
// changing theirs.
func TestEditPastABadHash(t *testing.T) {
	e := editor(t, edited)
	e.Check = func(stored string) error {
		if stored == "{PLAIN}one" {
			return errors.New("found a bad hash")
		}
		return nil
	}
	if err := e.SetPassword("bob@example.net", "{PLAIN}new"); err != nil {
		t.Error(err)
	}
}

func TestEditMakesTheFile(t *testing.T) {
	e := &Editor{Disk: new(durable.Disk), Path: filepath.Join(t.TempDir(), "users"), Domain: "example.org"}
	if err := e.Remove("ann"); !errors.Is(err, ErrNoUser) {
		t.Errorf("remove: got %v, want %v", err, ErrNoUser)
	}
	if err := e.Add("ann", "{PLAIN}x"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(e.Path)
	if err != nil || info.Mode().Perm() != newMode {
		t.Errorf("got %v, %v, want the mode %o", info.Mode(), err, newMode)
	}
}

func TestEditKeepsModeAndOwner(t *testing.T) {
	e := editor(t, edited)
	if err := os.Chmod(e.Path, 0o644); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 4711, 4712
		if err := os.Chown(e.Path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(e.Path, link); err != nil {
		t.Fatal(err)
	}
	path := e.Path
	e.Path = link
	if err := e.Remove("ann"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if info.Mode() != 0o644 || int(st.Uid) != uid || int(st.Gid) != gid {
		t.Errorf("got %v of %d:%d, want -rw-r--r-- of %d:%d", info.Mode(), st.Uid, st.Gid, uid, gid)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: got %v, %v, want it to stay one", info, err)
	}
}

// TestEditFailsWhole makes each step of an edit fail in turn.
func TestEditFailsWhole(t *testing.T) {
	var steps []string
	e := editor(t, edited)
	e.Disk = &durable.Disk{Hook: func(op durable.Op) error { steps = append(steps, op.Name); return nil }}
	if err := e.Remove("ann"); err != nil {
		t.Fatal(err)
	}
	after := e.content(t)
	if got, want := strings.Join(steps, " "), "unlink create sync rename syncdir"; got != want {
		t.Fatalf("got the steps %s, want %s", got, want)
	}
	for i, name := range steps {
		e := editor(t, edited)
		n, broken := 0, errors.New("broken")
		e.Disk = &durable.Disk{Hook: func(durable.Op) error {
			if n++; n == i+1 {
				return broken
			}
			return nil
		}}
		if err := e.Remove("ann"); !errors.Is(err, broken) {
			t.Errorf("%s: got %v, want the hook's error", name, err)
		}
		want := edited
		if name == "syncdir" {
			want = after
		}
		if got := e.content(t); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
		e.Disk = new(durable.Disk)
		if err := e.SetPassword("bob@example.net", "x"); err != nil {
			t.Errorf("after %s failed: %v", name, err)
		}
	}
}

// TestEditNoticesAnother: a program that does not know the lock writes the
// file while the edit runs.
func TestEditNoticesAnother(t *testing.T) {
	e := editor(t, edited)
	e.Disk = &durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "sync" {
			return os.WriteFile(e.Path, []byte(edited+"\ncarl:y\n"), 0o600)
		}
		return nil
	}}
	if err := e.Remove("ann"); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v, want %v", err, ErrChanged)
	}
	if got, want := e.content(t), edited+"\ncarl:y\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestEditorsWait lets many editors add a user each at one time.
func TestEditorsWait(t *testing.T) {
	const editors = 20
	e := editor(t, edited)
	var wg sync.WaitGroup
	for i := range editors {
		wg.Go(func() {
			if err := e.Add(fmt.Sprintf("user%d", i), "x"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	u, err := LoadUsers(e.Path, "example.org", nil)
	if err != nil || u.Len() != editors+2 {
		t.Errorf("got %v, %v, want %d users", u, err, editors+2)
	}
}
