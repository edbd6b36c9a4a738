package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// hooked returns a Disk that writes down its steps ("syncdir new") and fails
// the step number fail (from 1) with err.
func hooked(fail int, err error) (*durable.Disk, func() []string) {
	var mu sync.Mutex
	var steps []string
	d := &durable.Disk{Hook: func(op durable.Op) error {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, op.Name)
		if len(steps) == fail {
			return err
		}
		return nil
	}}
	return d, func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(steps) }
}

func openDir(t *testing.T, path string) int {
	t.Helper()
	fd, err := Open(Place{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func TestMake(t *testing.T) {
	root := t.TempDir()
	d, steps := hooked(0, nil)
	p := Place{root, filepath.Join(root, "example.org", "ann", "Maildir")}
	if err := Make(d, p); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{p.Path, filepath.Dir(p.Path), p.Path + "/new", p.Path + "/cur", p.Path + "/tmp"} {
		st, err := os.Lstat(dir)
		if err != nil || st.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: got %v, %v, want a folder of mode 0700", dir, st, err)
		}
	}
	want := strings.Fields("mkdir syncdir mkdir syncdir mkdir syncdir mkdir mkdir syncdir mkdir")
	if got := steps(); !slices.Equal(got, want) {
		t.Errorf("steps: got %v, want %v", got, want)
	}
	if err := Make(d, p); err != nil {
		t.Errorf("made twice: got %v, want nil", err)
	}
}

func TestMakeMakesTheRoot(t *testing.T) {
	top := t.TempDir()
	p := Place{top + "/home", top + "/home/Maildir"}
	d, steps := hooked(0, nil)
	if err := Make(d, p); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields("mkdir syncdir mkdir syncdir mkdir mkdir syncdir mkdir")
	if got := steps(); !slices.Equal(got, want) {
		t.Errorf("steps: got %v, want %v", got, want)
	}
	if err := Make(d, Place{top + "/none/home", top + "/none/home/Maildir"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("root in a missing folder: got %v, want an error", err)
	}
}

func TestMakeFailsWithEachStep(t *testing.T) {
	for n := 1; n <= 10; n++ {
		broken := errors.New("broken")
		d, _ := hooked(n, broken)
		root := t.TempDir()
		p := Place{root, filepath.Join(root, "o", "a", "Maildir")}
		if err := Make(d, p); !errors.Is(err, broken) {
			t.Errorf("step %d: got %v, want the hook's error", n, err)
		}
		if err := Make(new(durable.Disk), p); err != nil {
			t.Errorf("after step %d: got %v, want the rest made", n, err)
		}
	}
}

func TestNothingOutsideTheRoot(t *testing.T) {
	top := t.TempDir()
	root, other := filepath.Join(top, "root"), filepath.Join(top, "other")
	os.MkdirAll(filepath.Join(root, "real"), 0o700)
	os.MkdirAll(filepath.Join(other, "new"), 0o700)
	os.Symlink(other, filepath.Join(root, "link"))
	os.Symlink("real", filepath.Join(root, "inner"))
	for _, path := range []string{
		"link", "link/Maildir", "inner/Maildir", "../other", "real/../../other", "link/../../other",
	} {
		p := Place{root, root + "/" + path}
		if fd, err := Open(p); err == nil {
			unix.Close(fd)
			t.Errorf("open %s: got nil, want an error", path)
		}
		if err := Make(new(durable.Disk), p); err == nil {
			t.Errorf("make %s: got nil, want an error", path)
		}
	}
	if names, _ := os.ReadDir(other); len(names) != 1 {
		t.Errorf("outside the root: got %v, want only new", names)
	}
	// Without a root that is the parent, and what leads there is trusted.
	for path, want := range map[string]bool{"real": true, "link/new": true, "real/./": true, "link": false, "inner": false, "inner/": false, "link/.": false, "real/none": false} {
		fd, err := Open(Place{"", root + "/" + path})
		if err == nil {
			unix.Close(fd)
		}
		if err == nil != want {
			t.Errorf("open %s without a root: got %v, want done %v", path, err, want)
		}
	}
	if _, err := Open(Place{"", "relative"}); err == nil {
		t.Error("relative path: got nil, want an error")
	}
}

// TestWalkNameByName holds the way of old kernels to the same rules.
func TestWalkNameByName(t *testing.T) {
	root := t.TempDir()
	os.MkdirAll(filepath.Join(root, "a", "b"), 0o700)
	os.Symlink("a", filepath.Join(root, "link"))
	fd := openDir(t, root)
	if got, err := sub(fd, "a"); err != nil {
		t.Errorf("folder: got %v, want nil", err)
	} else {
		unix.Close(got)
	}
	for _, name := range []string{"link", "..", "none"} {
		if got, err := sub(fd, name); err == nil {
			unix.Close(got)
			t.Errorf("%s: got nil, want an error", name)
		}
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 3000 {
		want = append(want, fmt.Sprintf("%d.%s.mx,S=%d", i, strings.Repeat("x", i%200), i))
		os.WriteFile(filepath.Join(dir, want[i]), nil, 0o600)
	}
	os.WriteFile(filepath.Join(dir, ".hidden"), nil, 0o600)
	slices.Sort(want)
	fd := openDir(t, dir)
	for range 2 { // the second call begins at the start again
		var got []string
		for name, err := range List(fd) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(name))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("got %d names, want %d", len(got), len(want))
		}
	}
	for range List(fd) {
		break
	}
	for name, err := range List(-1) {
		if err == nil || name != nil {
			t.Errorf("bad descriptor: got %q, %v, want an error", name, err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	dir := b.TempDir()
	for i := range 10000 {
		os.WriteFile(filepath.Join(dir, fmt.Sprintf("1792411200.%s.mx,S=%d,W=%d:2,S", anID, i, i)), nil, 0o600)
	}
	fd, err := Open(Place{Path: dir})
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fd)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range List(fd) {
			n++
		}
		if n != 10000 {
			b.Fatalf("got %d names", n)
		}
	}
}

func TestClean(t *testing.T) {
	dir := t.TempDir()
	keep := filepath.Join(t.TempDir(), "kept")
	os.WriteFile(keep, []byte("precious"), 0o600)
	os.WriteFile(filepath.Join(dir, "old"), nil, 0o600)
	os.Symlink(keep, filepath.Join(dir, "link"))
	os.Mkdir(filepath.Join(dir, "folder"), 0o700)
	fd := openDir(t, dir)
	d := new(durable.Disk)
	if err := Clean(d, fd, time.Now().Add(35*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "old")); err != nil {
		t.Errorf("after 35 hours: got %v, want the file to be there", err)
	}
	if err := Clean(d, fd, time.Now().Add(37*time.Hour)); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 2 || left[0].Name() != "folder" || left[1].Name() != "link" {
		t.Errorf("after 37 hours: got %v, want folder and link", left)
	}
	if got, _ := os.ReadFile(keep); string(got) != "precious" {
		t.Errorf("behind the link: got %q", got)
	}
}

func TestCleanGoesOnAfterAnError(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		os.WriteFile(filepath.Join(dir, name), nil, 0o600)
	}
	broken := errors.New("broken")
	d, _ := hooked(1, broken)
	if err := Clean(d, openDir(t, dir), time.Now().Add(37*time.Hour)); !errors.Is(err, broken) {
		t.Errorf("got %v, want the hook's error", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("got %v, want one file left", left)
	}
}

// TestMakersDeath makes a Maildir whose maker dies at each step, and delivers
// to it then: every name on the way must be synced by somebody.
func TestMakersDeath(t *testing.T) {
	for n := 1; n <= 10; n++ {
		root := t.TempDir()
		p := Place{root, filepath.Join(root, "o", "a", "Maildir")}
		steps, alive := 0, true
		unsynced := map[string]bool{} // folders with a name that nobody has synced
		note := func(op durable.Op) error {
			if steps++; alive && steps >= n {
				return errors.New("dead")
			}
			switch {
			case op.Name == "mkdir" && op.Path != "tmp":
				unsynced[op.Path] = true
			case op.Name == "syncdir" && op.Path == p.Path:
				delete(unsynced, "cur")
				delete(unsynced, "new")
			case op.Name == "syncdir":
				delete(unsynced, op.Path)
			}
			return nil
		}
		_ = Make(&durable.Disk{Hook: note}, p)
		alive = false
		if err := failed(NewDelivery(&durable.Disk{Hook: note}, "node").Deliver([]Place{p}, message("x"))); err != nil {
			t.Fatalf("dead at step %d: %v", n, err)
		}
		if len(unsynced) > 0 {
			t.Errorf("dead at step %d: got delivered without a sync of %v", n, unsynced)
		}
	}
}

// TestEntries: plain files are told from all else, as far as the file system says.
func TestEntries(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(dir+"/file", nil, 0o600), os.Mkdir(dir+"/folder", 0o700), os.Symlink("file", dir+"/link"), unix.Mkfifo(dir+"/pipe", 0o600)); err != nil {
		t.Fatal(err)
	}
	fd, err := Open(Place{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	got := map[string]bool{}
	for e, err := range Entries(fd) {
		if err != nil {
			t.Fatal(err)
		}
		got[string(e.Name)] = e.Plain
	}
	if want := map[string]bool{"file": true, "folder": false, "link": false, "pipe": false}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
