package quota

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/conf"
	"posthorn/internal/durable"
	"posthorn/internal/maildir"
)

// box makes a Maildir++ with 3 messages of 600 octets together.
func box(t *testing.T, limit conf.Quota) (b Box, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "Maildir")
	for _, sub := range []string{"cur", "new", "tmp", ".Sent/cur", ".Sent/new", ".empty", "other/cur"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, dir, "new/1.a.x", 100)
	put(t, dir, "cur/2.b.x,S=200:2,S", 1)
	put(t, dir, ".Sent/cur/3.c.x:2,T", 300)
	put(t, dir, "other/cur/4.d.x", 1000)
	if err := os.Symlink("cur", filepath.Join(dir, ".link")); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return Box{Disk: new(durable.Disk), FD: fd, Limit: limit}, dir
}

func put(t *testing.T, dir, name string, size int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", size)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

func TestUsage(t *testing.T) {
	limit := conf.Quota{Storage: 1000, Messages: 10}
	long := "1000S,10C\n" + strings.Repeat("1 0\n", maxFile/4)
	for _, tt := range []struct{ name, file, want, after string }{
		{"no file", "", "{600 3}", "1000S,10C\n600 3\n"},
		{"a file", "1000S,10C\n500 2\n-100 -1\n", "{400 1}", "1000S,10C\n500 2\n-100 -1\n"},
		{"Courier's padding", "1000S,10C\n  500   2\n\n", "{500 2}", "1000S,10C\n  500   2\n\n"},
		{"in the other order", "10C,1000S\n500 2\n", "{500 2}", "10C,1000S\n500 2\n"},
		{"other limits", "2000S\n500 2\n", "{600 3}", "1000S,10C\n600 3\n"},
		{"cut", "1000S,10C\n500", "{600 3}", "1000S,10C\n600 3\n"},
		{"no sums", "1000S,10C\n", "{600 3}", "1000S,10C\n600 3\n"},
		{"below zero", "1000S,10C\n500 2\n-600 -1\n", "{600 3}", "1000S,10C\n600 3\n"},
		{"rubbish", "1000S,10C\n500 two\n", "{600 3}", "1000S,10C\n600 3\n"},
		{"zeros of a crash", "\x00\x00\x00\n", "{600 3}", "1000S,10C\n600 3\n"},
		{"too large", long, "{600 3}", "1000S,10C\n600 3\n"},
		{"numbers without end", "1000S,10C\n99999999999999999999 1\n", "{600 3}", "1000S,10C\n600 3\n"},
	} {
		b, dir := box(t, limit)
		if tt.file != "" {
			if err := os.WriteFile(filepath.Join(dir, File), []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		u, err := b.Usage()
		if got := fmt.Sprint(u); got != tt.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", tt.name, got, err, tt.want)
		}
		if got := content(t, dir); got != tt.after {
			t.Errorf("%s: got the file %q, want %q", tt.name, got, tt.after)
		}
	}
}

func TestNoLimits(t *testing.T) {
	b, dir := box(t, conf.Quota{Mailboxes: 5})
	u, err := b.Usage()
	if u != (Usage{}) || err != nil || b.Room(Usage{1 << 40, 1}) != nil {
		t.Errorf("got %v, %v", u, err)
	}
	if got := content(t, dir); got != "" {
		t.Errorf("got the file %q", got)
	}
}

func TestFileIsNone(t *testing.T) {
	b, dir := box(t, conf.Quota{Storage: 1000})
	if err := os.Symlink("new/1.a.x", filepath.Join(dir, File)); err != nil {
		t.Fatal(err)
	}
	if u, err := b.Usage(); u != (Usage{600, 3}) || err != nil || content(t, dir) != "1000S\n600 3\n" {
		t.Errorf("got %v, %v, %q", u, err, content(t, dir))
	}
}

func TestRoom(t *testing.T) {
	b, dir := box(t, conf.Quota{Storage: 1000, Messages: 5})
	for _, tt := range []struct {
		more Usage
		want error
	}{{Usage{400, 1}, nil}, {Usage{401, 1}, ErrOver}, {Usage{1, 2}, nil}, {Usage{1, 3}, ErrOver}, {Usage{1 << 62, 1}, ErrOver}} {
		if err := b.Room(tt.more); err != tt.want {
			t.Errorf("%v: got %v, want %v", tt.more, err, tt.want)
		}
	}
	// Somebody else removed messages and did not say so.
	if err := os.Remove(filepath.Join(dir, ".Sent/cur/3.c.x:2,T")); err != nil {
		t.Fatal(err)
	}
	if err := b.Room(Usage{500, 1}); err != ErrOver {
		t.Errorf("got %v, want %v: the file is young", err, ErrOver)
	}
	old := time.Now().Add(-believed - time.Minute)
	if err := os.Chtimes(filepath.Join(dir, File), old, old); err != nil {
		t.Fatal(err)
	}
	if err := b.Room(Usage{500, 1}); err != nil || content(t, dir) != "1000S,5C\n300 2\n" {
		t.Errorf("got %v, %q", err, content(t, dir))
	}
	// Lines may be wrong: what says that it is full is counted.
	if err := maildir.AddSize(b.Disk, b.FD, 900, 1); err != nil {
		t.Fatal(err)
	}
	if err := b.Room(Usage{500, 1}); err != nil || content(t, dir) != "1000S,5C\n300 2\n" {
		t.Errorf("got %v, %q", err, content(t, dir))
	}
}

// TestUnwritable: who cannot write the file counts.
func TestUnwritable(t *testing.T) {
	b, _ := box(t, conf.Quota{Storage: 500})
	b.Disk.Hook = func(durable.Op) error { return unix.ENOSPC }
	if u, err := b.Usage(); u != (Usage{600, 3}) || err != nil || b.Room(Usage{1, 1}) != ErrOver {
		t.Errorf("got %v, %v", u, err)
	}
}

// TestFiledMeanwhile: a message that is filed behind the back of a count is in none of
// its sums, so the file that has its line is not replaced by them.
func TestFiledMeanwhile(t *testing.T) {
	const before = "1000S\n500 2\n"
	for _, tt := range []struct {
		name   string
		busy   int  // counts during which somebody files a message
		remade bool // by the others
		counts int
		want   string
	}{
		{"nobody", 0, false, 1, "1000S\n600 3\n"},
		{"one", 1, false, 2, "1000S\n600 3\n"},
		{"the file made anew", 1, true, 2, "1000S\n600 3\n"},
		{"without end", tries, false, tries, before + strings.Repeat("7 1\n", tries)},
	} {
		b, dir := box(t, conf.Quota{Storage: 1000})
		rewrite := func() {
			err := errors.Join(os.WriteFile(filepath.Join(dir, "tmp/x"), []byte(before), 0o600),
				os.Rename(filepath.Join(dir, "tmp/x"), filepath.Join(dir, File)))
			if err != nil {
				t.Fatal(err)
			}
		}
		rewrite()
		counts := 0
		_, err := b.settle(func() (Usage, error) {
			if counts++; counts > tt.busy {
				return b.count()
			}
			if tt.remade {
				rewrite()
			} else if err := maildir.AddSize(b.Disk, b.FD, 7, 1); err != nil {
				t.Error(err)
			}
			return b.count()
		})
		if got := content(t, dir); got != tt.want || counts != tt.counts || err != nil {
			t.Errorf("%s: got the file %q after %d counts, %v, want %q after %d", tt.name, got, counts, err, tt.want, tt.counts)
		}
	}
}

// TestTogether has many file messages at a time, and the file made anew between.
func TestTogether(t *testing.T) {
	b, dir := box(t, conf.Quota{Storage: 1 << 30})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 50 {
				put(t, dir, fmt.Sprintf("new/9.%dx%d.x,S=10", i, n), 1)
				if err := maildir.AddSize(b.Disk, b.FD, 10, 1); err != nil {
					t.Error(err)
				}
				if err := b.Room(Usage{10, 1}); err != nil {
					t.Error(err)
				}
				if n%10 == 0 {
					_ = os.Remove(filepath.Join(dir, File))
				}
			}
		})
	}
	wg.Wait()
	if err := os.Remove(filepath.Join(dir, File)); err != nil {
		t.Fatal(err)
	}
	if u, err := b.Usage(); u != (Usage{600 + 4000, 403}) || err != nil {
		t.Errorf("got %v, %v", u, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1000S,10C\n500 2\n-100 -1\n", "10C\n\n 5  1 \n", "S\n", "\x00\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s, ok := parse(in[:min(len(in), maxFile)])
		if !ok {
			return
		}
		line := fmt.Sprintf("%s\n%d %d\n", s.limit, s.sum.Bytes, s.sum.Messages)
		if again, ok := parse([]byte(line)); !ok || again.sum != s.sum || again.limit != s.limit {
			t.Fatalf("%q became %q, and that %v, %v", in, line, again, ok)
		}
	})
}
