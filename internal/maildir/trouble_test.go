package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
	"posthorn/internal/verdict"
)

func TestOneBadBoxHarmsNoOther(t *testing.T) {
	places := boxes(t, 4)
	for _, p := range places {
		if err := Make(new(durable.Disk), p); err != nil {
			t.Fatal(err)
		}
	}
	replace(t, places[0].Path+"/tmp") // cannot hold the draft
	replace(t, places[2].Path+"/new")
	results := NewDelivery(new(durable.Disk), "mx").Deliver(places, message("x\n"))
	for i, r := range results {
		if bad := i == 0 || i == 2; bad != (r.Err != nil) {
			t.Errorf("box %d: got %v", i, r.Err)
		}
	}
}

// replace puts a symbolic link to another folder where a folder was.
func replace(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), path); err != nil {
		t.Fatal(err)
	}
}

func TestLaterTryFindsTheFirst(t *testing.T) {
	for _, where := range []string{"new", "cur"} {
		places := boxes(t, 2)
		disk, steps := hooked(0, nil)
		d := NewDelivery(disk, "mx")
		m := message("x\n")
		first := d.Deliver(places[:1], m)[0]
		if first.Err != nil {
			t.Fatal(first.Err)
		}
		file := first.File
		if where == "cur" {
			file += ":2,S"
			os.Rename(places[0].Path+"/new/"+first.File, places[0].Path+"/cur/"+file)
		}
		before := len(steps())
		m.Try = 2
		results := d.Deliver(places, m)
		if err := failed(results); err != nil {
			t.Fatal(err)
		}
		if results[0].File != file {
			t.Errorf("%s: got %q, want what was found, %q", where, results[0].File, file)
		}
		if got := steps()[before:]; !slices.Contains(got, "syncdir") {
			t.Errorf("%s: steps %v, want the found name synced", where, got)
		}
		for _, p := range places {
			if got := stored(t, p); len(got) != 1 {
				t.Errorf("%s: %s: got %d copies, want 1", where, p.Path, len(got))
			}
		}
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	places := boxes(t, 2)
	d := NewDelivery(new(durable.Disk), "mx")
	m := message("x\n")
	first := d.Deliver(places, m)
	if err := failed(first); err != nil {
		t.Fatal(err)
	}
	// The same try again, as when queued gave up waiting for the first.
	if err := failed(d.Deliver(places, m)); err != nil {
		t.Errorf("the same again: got %v, want done", err)
	}
	for i, p := range places {
		path := filepath.Join(p.Path, "new", first[i].File)
		os.Remove(path)
		os.WriteFile(path, []byte("precious"), 0o600)
	}
	for i, r := range d.Deliver(places, m) {
		if !errors.Is(r.Err, unix.EEXIST) {
			t.Errorf("box %d: another content under the name: got %v, want an error", i, r.Err)
		}
		if got := stored(t, places[i]); len(got) != 1 || got[0] != "precious" {
			t.Errorf("box %d: got %q, want the old content", i, got)
		}
	}
	if left := leftInTmp(t, places); left != nil {
		t.Errorf("left in tmp/: %v", left)
	}
}

func TestMissingFoldersAreMade(t *testing.T) {
	for _, name := range []string{"tmp", "new", "cur"} {
		places := boxes(t, 1)
		if err := Make(new(durable.Disk), places[0]); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(places[0].Path, name))
		m := message("x\n")
		m.Try = 2
		if err := failed(NewDelivery(new(durable.Disk), "mx").Deliver(places, m)); err != nil {
			t.Errorf("without %s: got %v, want done", name, err)
		}
	}
}

func TestFileSystemWithoutNoReplace(t *testing.T) {
	places := boxes(t, 1)
	d := NewDelivery(failNamed("rename", 0, unix.EINVAL), "mx")
	if err := failed(d.Deliver(places, message("x\n"))); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, places[0]); len(got) != 1 {
		t.Errorf("got %d messages, want 1", len(got))
	}
	if left := leftInTmp(t, places); left != nil {
		t.Errorf("left in tmp/: %v", left)
	}
}

func TestMaildirsize(t *testing.T) {
	places := boxes(t, 3)
	for _, p := range places {
		if err := Make(new(durable.Disk), p); err != nil {
			t.Fatal(err)
		}
	}
	target := filepath.Join(t.TempDir(), "target")
	os.WriteFile(target, []byte("precious"), 0o600)
	os.WriteFile(places[0].Path+"/maildirsize", []byte("1000000S,1000C\n0 0\n"), 0o600)
	os.Symlink(target, places[1].Path+"/maildirsize")
	d := NewDelivery(new(durable.Disk), "mx")
	m := message("x\n")
	for _, m.Try = range []int{1, 2} { // the second adds nothing
		if err := failed(d.Deliver(places, m)); err != nil {
			t.Fatal(err)
		}
	}
	want := fmt.Sprintf("1000000S,1000C\n0 0\n%d 1\n", len(header+"x\n"))
	if got, _ := os.ReadFile(places[0].Path + "/maildirsize"); string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, _ := os.ReadFile(target); string(got) != "precious" {
		t.Errorf("behind a link: got %q", got)
	}
	if _, err := os.Lstat(places[2].Path + "/maildirsize"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file before: got %v, want none after", err)
	}
}

func TestShortOrUnreadableMessage(t *testing.T) {
	short := message("x\n")
	short.Size += 5
	unreadable := message("x\n")
	unreadable.Body = badDisk{}
	named := message("x\n")
	named.ID = "../../etc/passwd"
	for name, m := range map[string]Message{"short": short, "unreadable": unreadable, "no id": named} {
		places := boxes(t, 2)
		for i, r := range NewDelivery(new(durable.Disk), "mx").Deliver(places, m) {
			if v := verdict.Of(r.Err); v.Kind != verdict.Later {
				t.Errorf("%s, box %d: got %v, want later", name, i, v)
			}
		}
		if left := leftInTmp(t, places); left != nil {
			t.Errorf("%s: left in tmp/: %v", name, left)
		}
	}
}

// badDisk fails to read.
type badDisk struct{}

func (badDisk) ReadAt([]byte, int64) (int, error) { return 0, unix.EIO }

func TestMoreBoxesThanMayBeOpen(t *testing.T) {
	places := boxes(t, placesAtOnce+3)
	if err := failed(NewDelivery(new(durable.Disk), "mx").Deliver(places, message("x\n"))); err != nil {
		t.Fatal(err)
	}
	for _, p := range places {
		if names, _ := filepath.Glob(p.Path + "/new/*"); len(names) != 1 {
			t.Fatalf("%s: got %v, want one file", p.Path, names)
		}
	}
}

// TestManyAtOnce delivers to boxes that do not exist yet, from all sides.
func TestManyAtOnce(t *testing.T) {
	places := boxes(t, 3)
	d := NewDelivery(new(durable.Disk), "mx")
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if err := failed(d.Deliver(places, message("x\n"))); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, p := range places {
		if got := stored(t, p); len(got) != 20 {
			t.Errorf("%s: got %d messages, want 20", p.Path, len(got))
		}
	}
	if len(d.folders.open) != 0 || len(d.making.running) != 0 {
		t.Errorf("still held: %v %v", d.folders.open, d.making.running)
	}
}

func TestOldFilesInTmpGo(t *testing.T) {
	places := boxes(t, 1)
	if err := Make(new(durable.Disk), places[0]); err != nil {
		t.Fatal(err)
	}
	left := places[0].Path + "/tmp/1.P1.mx"
	os.WriteFile(left, nil, 0o600)
	d := NewDelivery(new(durable.Disk), "mx")
	d.now = func() time.Time { return time.Now().Add(37 * time.Hour) }
	if err := failed(d.Deliver(places, message("x\n"))); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want the old file gone", err)
	}
}

func FuzzToLF(f *testing.F) {
	for _, s := range []string{"", "\r", "\r\n", "a\r\r\nb\nc\r", "\r\n\r\n.\r\n"} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		want := bytes.ReplaceAll(in, []byte("\r\n"), []byte("\n"))
		cut = max(0, min(cut, len(in)))
		out, rest := toLF(bytes.Clone(in[:cut]), false)
		got := bytes.Clone(out)
		out, rest = toLF(append(bytes.Clone(rest), in[cut:]...), true)
		got = append(got, out...)
		if !bytes.Equal(got, want) || len(rest) != 0 {
			t.Errorf("%q cut at %d: got %q and %q, want %q", in, cut, got, rest, want)
		}
	})
}

func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			root := b.TempDir()
			var places []Place
			for i := range n {
				places = append(places, Place{root, filepath.Join(root, fmt.Sprint(i), "Maildir")})
			}
			d := NewDelivery(new(durable.Disk), "mx")
			text := strings.Repeat("0123456789\n", 400)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := failed(d.Deliver(places, message(text))); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
