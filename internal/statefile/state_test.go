package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/durable"
)

// folder is a folder for a test, and the File of its state.
func folder(t *testing.T, disk *durable.Disk) (*File, string) {
	t.Helper()
	path := t.TempDir()
	return again(t, path, disk), filepath.Join(path, Name)
}

// again returns another File of the folder path.
func again(t *testing.T, path string, disk *durable.Disk) *File {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	locker, err := dovecot.NewLocker()
	if err != nil {
		t.Fatal(err)
	}
	return New(dovecot.Dir{Disk: disk, FD: fd, Path: path}, locker)
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, path, content string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != content {
		t.Errorf("got the file %q, %v, want %q", got, err, content)
	}
}

func update(t *testing.T, f *File, change func(*Changes)) {
	t.Helper()
	if err := f.Update(func(c *Changes) error { change(c); return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		name, content string
		want          string // as it is written anew
		torn          bool
	}{
		{"nothing", "", "posthorn-state 1\n", false},
		{"a fact of each kind",
			"posthorn-state 1\nkeywords 1.a.h X Y\nmetadata /shared/comment two words\nacl anyone lr\naccount /private/a b\nshare ann@x.example anyone\n",
			"posthorn-state 1\naccount /private/a b\nmetadata /shared/comment two words\nacl anyone lr\nshare ann@x.example anyone\nkeywords 1.a.h X Y\n", false},
		{"the last counts", "acl anyone lr\nacl anyone l\n", "posthorn-state 1\nacl anyone l\n", false},
		{"taken away", "acl anyone lr\n-acl anyone\n", "posthorn-state 1\n", false},
		{"taken away and back", "acl anyone lr\n-acl anyone\nacl anyone r\n", "posthorn-state 1\nacl anyone r\n", false},
		{"an empty value", "metadata /shared/a\n", "posthorn-state 1\nmetadata /shared/a\n", false},
		{"escapes", "metadata /a%20b%25 c%0Ad %25\n", "posthorn-state 1\nmetadata /a%20b%25 c%0Ad %25\n", false},
		{"negative rights", "acl -ann@x.example w\n", "posthorn-state 1\nacl -ann@x.example w\n", false},
		{"no line end", "acl anyone lr\nacl ann@x.example lr", "posthorn-state 1\nacl anyone lr\n", true},
		{"strange lines stay", "# mine\nacl anyone lr\n\nfuture a b\nacl\n-acl a b\nacl a%2 b\nacl a%zz b\nacl  b\r\n",
			"posthorn-state 1\n# mine\n\nfuture a b\nacl\n-acl a b\nacl a%2 b\nacl a%zz b\nacl  b\r\nacl anyone lr\n", false},
		{"a version further down", "acl anyone lr\nposthorn-state 2\n", "posthorn-state 1\nposthorn-state 2\nacl anyone lr\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := File{content: parse([]byte(tt.content))}
			if got := string(f.format()); got != tt.want || f.torn != tt.torn {
				t.Errorf("got %q, torn %v, want %q, %v", got, f.torn, tt.want, tt.torn)
			}
		})
	}
}

// TestUpdate writes the first file, adds to it, and reads it.
func TestUpdate(t *testing.T) {
	f, path := folder(t, &durable.Disk{})
	update(t, f, func(*Changes) {})
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v after no change, want no file", err)
	}
	update(t, f, func(c *Changes) {
		c.Set(Rights, "anyone", "lr")
		c.Set(Metadata, "/shared/a b", "1\n2 %")
	})
	update(t, f, func(c *Changes) {
		c.Drop(Rights, "anyone")
		c.Drop(Rights, "nobody")
		c.Set(Metadata, "/shared/a b", "1\n2 %")
		if _, ok := c.Get(Rights, "anyone"); ok {
			t.Error("got rights that were just taken away")
		}
	})
	want(t, path, "posthorn-state 1\nmetadata /shared/a%20b 1%0A2 %25\nacl anyone lr\n-acl anyone\n")
	other := again(t, filepath.Dir(path), &durable.Disk{})
	if changed, err := other.Load(); !changed || err != nil {
		t.Errorf("got %v, %v, want the file read", changed, err)
	}
	if changed, err := other.Load(); changed || err != nil {
		t.Errorf("got %v, %v the second time, want nothing new", changed, err)
	}
	for _, f := range []*File{f, other} {
		if v, ok := f.Get(Metadata, "/shared/a b"); v != "1\n2 %" || !ok || f.Len(Rights) != 0 {
			t.Errorf("got %q, %v and %v", v, ok, f.All(Rights))
		}
	}
}

// TestCompaction writes a new file when most lines are out of date.
func TestCompaction(t *testing.T) {
	f, path := folder(t, &durable.Disk{})
	put(t, path, "# kept\nacl anyone lr\n")
	for i := range 2 * slack {
		update(t, f, func(c *Changes) { c.Set(Metadata, "/shared/n", fmt.Sprint(i)) })
	}
	got, err := os.ReadFile(path)
	if err != nil || bytes.Count(got, []byte("\n")) > slack+6 || !bytes.HasPrefix(got, []byte("posthorn-state 1\n# kept\n")) {
		t.Errorf("got %d lines, %v: %.60q", bytes.Count(got, []byte("\n")), err, got)
	}
	if v, _ := f.Get(Rights, "anyone"); v != "lr" {
		t.Errorf("got the rights %q, want lr", v)
	}
}

// TestTorn: what was not written to its end never was.
func TestTorn(t *testing.T) {
	f, path := folder(t, &durable.Disk{})
	put(t, path, "posthorn-state 1\nacl anyone lr\nacl anyone lrswipkx")
	if f.Load(); f.All(Rights)["anyone"] != "lr" {
		t.Errorf("got %v, want lr", f.All(Rights))
	}
	update(t, f, func(c *Changes) { c.Set(Rights, "ann@x.example", "l") })
	want(t, path, "posthorn-state 1\nacl ann@x.example l\nacl anyone lr\n")
}

func TestRefusals(t *testing.T) {
	f, path := folder(t, &durable.Disk{})
	for name, set := range map[string][2]string{
		"key": {strings.Repeat("k", MaxKey+1), ""}, "value": {"k", strings.Repeat("v", MaxValue+1)},
	} {
		err := f.Update(func(c *Changes) error { c.Set(Metadata, set[0], set[1]); return nil })
		if !errors.Is(err, ErrTooLong) {
			t.Errorf("%s: got %v, want ErrTooLong", name, err)
		}
	}
	boom := errors.New("boom")
	if err := f.Update(func(c *Changes) error { c.Set(Rights, "a", "l"); return boom }); err != boom || f.Len(Rights) != 0 {
		t.Errorf("got %v and %v, want nothing written", err, f.All(Rights))
	}
	put(t, path, "posthorn-state 2\nacl anyone lr\n")
	err := f.Update(func(c *Changes) error { c.Set(Rights, "a", "l"); return nil })
	if !errors.Is(err, ErrVersion) || f.Len(Rights) != 1 {
		t.Errorf("got %v, %v, want a file of another version read and left alone", err, f.All(Rights))
	}
	want(t, path, "posthorn-state 2\nacl anyone lr\n")
}

// TestFaults has each step fail once: the file says what was before or after,
// and so does memory once it is asked again.
func TestFaults(t *testing.T) {
	for _, before := range []string{"", "posthorn-state 1\nacl anyone lr\n", "posthorn-state 1\nacl anyone lr\ntorn"} {
		for n := range 12 {
			disk := &durable.Disk{}
			f, path := folder(t, disk)
			if before != "" {
				put(t, path, before)
			}
			f.Load()
			old := maps.Clone(f.All(Rights))
			steps := 0
			disk.Hook = func(op durable.Op) error {
				if steps++; steps == n+1 && !strings.HasSuffix(op.Path, ".lock") && !strings.HasSuffix(op.To, ".lock") {
					return unix.EIO
				}
				return nil
			}
			err := f.Update(func(c *Changes) error { c.Set(Rights, "ann@x.example", "l"); return nil })
			disk.Hook = nil
			f.Load()
			fresh := again(t, filepath.Dir(path), disk)
			fresh.Load()
			wanted := maps.Clone(old)
			if wanted == nil {
				wanted = map[string]string{}
			}
			wanted["ann@x.example"] = "l"
			got := f.All(Rights)
			if !maps.Equal(got, fresh.All(Rights)) {
				t.Errorf("step %d of %q: memory has %v, the file %v", n, before, got, fresh.All(Rights))
			}
			if !maps.Equal(got, wanted) && (err == nil || !maps.Equal(got, old)) {
				t.Errorf("step %d of %q: got %v, %v", n, before, got, err)
			}
		}
	}
}

// TestTogether has several processes' worth of Files write one file.
func TestTogether(t *testing.T) {
	f, path := folder(t, &durable.Disk{})
	var wg sync.WaitGroup
	for i := range 4 {
		g := again(t, filepath.Dir(path), &durable.Disk{})
		wg.Go(func() {
			for n := range 10 {
				err := g.Update(func(c *Changes) error {
					old, _ := c.Get(Metadata, "/shared/all")
					c.Set(Metadata, "/shared/all", old+"x")
					c.Set(Rights, fmt.Sprint(i, n), "l")
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := f.Load(); err != nil {
		t.Fatal(err)
	}
	if v, _ := f.Get(Metadata, "/shared/all"); len(v) != 40 || f.Len(Rights) != 40 {
		t.Errorf("got %d and %d changes, want 40", len(v), f.Len(Rights))
	}
}

// TestNameOfAnother: a file whose maker died before its name was durable gets a
// durable name with what is added to it.
func TestNameOfAnother(t *testing.T) {
	disk := &durable.Disk{}
	f, path := folder(t, disk)
	put(t, path, "posthorn-state 1\n")
	var synced []string
	disk.Hook = func(op durable.Op) error {
		if strings.HasPrefix(op.Name, "sync") {
			synced = append(synced, op.Name)
		}
		return nil
	}
	for _, v := range []string{"l", "lr"} {
		update(t, f, func(c *Changes) { c.Set(Rights, "a", v) })
	}
	if got, want := strings.Join(synced, " "), "sync syncdir sync"; got != want {
		t.Errorf("got the syncs %s, want %s", got, want)
	}
}

// TestNothingNewIsDurableToo: an Update that finds everything as it is to be makes that
// durable where somebody failed to, and once.
func TestNothingNewIsDurableToo(t *testing.T) {
	disk := &durable.Disk{}
	f, path := folder(t, disk)
	set := func(c *Changes) error { c.Set(Rights, "a", "l"); return nil }
	disk.Hook = func(op durable.Op) error {
		if op.Name == "syncdir" {
			return unix.EIO
		}
		return nil
	}
	if err := f.Update(set); !errors.Is(err, unix.EIO) {
		t.Fatalf("got %v, want %v", err, unix.EIO)
	}
	for _, f := range []*File{f, again(t, filepath.Dir(path), disk)} {
		var synced []string
		disk.Hook = func(op durable.Op) error {
			if strings.HasPrefix(op.Name, "sync") {
				synced = append(synced, op.Name)
			}
			return nil
		}
		for range 2 {
			if err := f.Update(set); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := strings.Join(synced, " "), "sync syncdir"; got != want {
			t.Errorf("got the syncs %q, want %q", got, want)
		}
	}
}

// TestNews: what an Update reads is told of by the next Load.
func TestNews(t *testing.T) {
	f, path := folder(t, &durable.Disk{})
	put(t, path, "acl anyone lr\n")
	update(t, f, func(c *Changes) { c.Set(Rights, "a", "l") })
	for _, want := range []bool{true, false} {
		if got, err := f.Changed(); got != want || err != nil {
			t.Errorf("changed: got %v, %v, want %v", got, err, want)
		}
		if got, err := f.Load(); got != want || err != nil {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

// FuzzParse holds that what is written anew says the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"posthorn-state 1\nkeywords 1.a.h X Y\n-keywords 1.a.h\nacl -bob lr\n", "metadata /a%20b c%0A\n# x\nacl a", "posthorn-state 9\n\x00\n", "acl a%25 %\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		one := File{content: parse(b)}
		two := File{content: parse(one.format())}
		for _, k := range kinds() {
			if !maps.Equal(one.facts[k], two.facts[k]) {
				t.Errorf("got %v, want %v", two.facts[k], one.facts[k])
			}
		}
		if !reflect.DeepEqual(one.strange, two.strange) && one.version {
			t.Errorf("got the strange lines %q, want %q", two.strange, one.strange)
		}
		if two.torn || two.lines != one.live() || one.size > int64(len(b)) {
			t.Errorf("torn %v, %d lines of %d", two.torn, two.lines, one.live())
		}
	})
}
