package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// recorder returns a Disk that writes down its steps, and where to read them.
func recorder() (*Disk, func() []string) {
	var mu sync.Mutex
	var names []string
	d := &Disk{Hook: func(op Op) error {
		mu.Lock()
		defer mu.Unlock()
		names = append(names, op.Name)
		return nil
	}}
	return d, func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(names) }
}

func TestUnnamedThenLinked(t *testing.T) {
	dir := t.TempDir()
	d, steps := recorder()
	f, err := d.Unnamed(dir, 0o660)
	if errors.Is(err, ErrNoUnnamed) {
		t.Skip("no O_TMPFILE in the folder for temporary files")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("mail")
	path := filepath.Join(dir, "named")
	if err := errors.Join(d.Sync(f), d.LinkFile(f, path), d.SyncDir(dir)); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); string(got) != "mail" {
		t.Errorf("got %q, %v, want the content under its name", got, err)
	}
	if err := d.LinkFile(f, path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second link: got %v, want it to exist", err)
	}
	want := []string{"unnamed", "sync", "link", "syncdir", "link"}
	if got := steps(); !slices.Equal(got, want) {
		t.Errorf("steps: got %v, want %v", got, want)
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	os.WriteFile(a, []byte("a"), 0o600)
	os.WriteFile(b, []byte("precious"), 0o600)
	d := new(Disk)
	for name, call := range map[string]func() error{
		"link":       func() error { return d.Link(a, b) },
		"rename new": func() error { return d.RenameNew(a, b) },
		"create":     func() error { _, err := d.Create(b, 0o600); return err },
	} {
		if err := call(); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: got %v, want it to exist", name, err)
		}
	}
	if got, _ := os.ReadFile(b); string(got) != "precious" {
		t.Errorf("got %q, want the old content", got)
	}
}

// TestReplaceFailsWhole makes each step of Replace fail in turn: the old
// content must stand, or the new one once it was renamed.
func TestReplaceFailsWhole(t *testing.T) {
	d, steps := recorder()
	path := filepath.Join(t.TempDir(), "table")
	if err := d.Replace(path, 0o600, []byte("old")); err != nil {
		t.Fatal(err)
	}
	for i, name := range steps() {
		n := 0
		broken := errors.New("broken")
		d := &Disk{Hook: func(Op) error {
			if n++; n == i+1 {
				return broken
			}
			return nil
		}}
		os.WriteFile(path, []byte("old"), 0o600)
		err := d.Replace(path, 0o600, []byte("new"))
		if !errors.Is(err, broken) {
			t.Errorf("step %d (%s): got error %v, want the hook's", i, name, err)
		}
		got, _ := os.ReadFile(path)
		want := "old"
		if name == "syncdir" {
			want = "new"
		}
		if string(got) != want {
			t.Errorf("step %d (%s): got %q, want %q", i, name, got, want)
		}
	}
	if err := d.Replace(path, 0o600, []byte("new")); err != nil {
		t.Errorf("after the failures: %v", err)
	}
}

func TestReplaceAfterCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	os.WriteFile(path+".new", []byte("half"), 0o600)
	d := new(Disk)
	if err := d.Replace(path, 0o600, []byte("whole")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "whole" {
		t.Errorf("got %q", got)
	}
}

// TestFolderShares holds the first sync until others wait: they must share the
// second, and each must see one that began after its call.
func TestFolderShares(t *testing.T) {
	const waiters = 20
	var syncs atomic.Int32
	first, release := make(chan struct{}), make(chan struct{})
	d := &Disk{Hook: func(Op) error {
		if syncs.Add(1) == 1 {
			close(first)
			<-release
		}
		return nil
	}}
	f, err := d.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var wg sync.WaitGroup
	wg.Go(func() { f.Sync() })
	<-first
	for range waiters {
		wg.Go(func() {
			if err := f.Sync(); err != nil {
				t.Error(err)
			}
		})
	}
	close(release)
	wg.Wait()
	if n := syncs.Load(); n < 2 || n > waiters {
		t.Errorf("got %d syncs for 1 + %d callers, want at least 2 and fewer than callers", n, waiters)
	}
}

func TestFolderTellsAll(t *testing.T) {
	broken := errors.New("broken")
	d := &Disk{Hook: func(Op) error { return broken }}
	f, err := d.Folder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); !errors.Is(err, broken) {
		t.Errorf("got %v, want the sync's error", err)
	}
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	d, steps := recorder()
	if err := d.MkdirAll(filepath.Join(dir, "a/b/c"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := []string{"mkdir", "mkdir", "mkdir", "syncdir", "mkdir", "syncdir", "mkdir", "syncdir"}
	if got := steps(); !slices.Equal(got, want) {
		t.Errorf("steps: got %v, want %v", got, want)
	}
	if info, err := os.Stat(filepath.Join(dir, "a/b/c")); err != nil || !info.IsDir() {
		t.Errorf("got %v, %v, want a folder", info, err)
	}
	if err := d.MkdirAll(filepath.Join(dir, "a/b/c"), 0o700); err != nil {
		t.Errorf("again: got %v, want nil", err)
	}
	os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)
	if err := d.MkdirAll(filepath.Join(dir, "file/a"), 0o700); err == nil {
		t.Error("below a file: got nil, want an error")
	}
}
