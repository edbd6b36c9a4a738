package maildir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gomaildir "github.com/emersion/go-maildir"
	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
	"posthorn/internal/id"
	"posthorn/internal/verdict"
)

const header = "Return-Path: <a@example.net>\n"

// message returns a message of the given text, with LF written as CRLF.
func message(text string) Message {
	wire := strings.ReplaceAll(text, "\n", "\r\n")
	return Message{
		ID: id.New(), Time: time.Unix(1792411200, 0), Try: 1, Header: []byte(header),
		Body: strings.NewReader(wire), Size: int64(len(wire)),
	}
}

// boxes returns n places under one root, none of them made yet.
func boxes(t *testing.T, n int) []Place {
	root := t.TempDir()
	var places []Place
	for i := range n {
		places = append(places, Place{root, filepath.Join(root, fmt.Sprintf("user%d", i), "Maildir")})
	}
	return places
}

// stored returns the messages that go-maildir finds in new/ and cur/, sorted.
func stored(t *testing.T, p Place) []string {
	t.Helper()
	dir := gomaildir.Dir(p.Path)
	if _, err := dir.Unseen(); err != nil {
		t.Fatal(err)
	}
	messages, err := dir.Messages()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range messages {
		r, err := m.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	slices.Sort(all)
	return all
}

// leftInTmp returns the names in tmp/ of all places.
func leftInTmp(t *testing.T, places []Place) []string {
	t.Helper()
	var left []string
	for _, p := range places {
		entries, err := os.ReadDir(filepath.Join(p.Path, "tmp"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range entries {
			left = append(left, e.Name())
		}
	}
	return left
}

func failed(results []Result) error {
	var errs []error
	for _, r := range results {
		errs = append(errs, r.Err)
	}
	return errors.Join(errs...)
}

func TestDeliverOne(t *testing.T) {
	big := strings.Repeat("0123456789abcdef\n", 20000)
	for _, c := range []struct{ name, wire, want string }{
		{"plain", "Subject: hi\r\n\r\nbody\r\n", "Subject: hi\n\nbody\n"},
		{"empty", "", ""},
		{"no end", "Subject: hi\r\n\r\nbody", "Subject: hi\n\nbody"},
		{"lone CR and LF", "a\rb\nc\r\r\nd\r", "a\rb\nc\r\nd\r"},
		{"blocks", strings.ReplaceAll(big, "\n", "\r\n"), big},
		{"CR at a block's end", strings.Repeat("x", chunk-1) + "\r\nend\r", strings.Repeat("x", chunk-1) + "\nend\r"},
		{"NUL and 8 bit", "a\x00\xff\r\n", "a\x00\xff\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			places := boxes(t, 1)
			d := NewDelivery(new(durable.Disk), "mx/1:2")
			m := message("")
			m.Body, m.Size = strings.NewReader(c.wire), int64(len(c.wire))
			r := d.Deliver(places, m)[0]
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			n, err := ParseName(r.File)
			text := header + c.want
			virtual := int64(len(text) + strings.Count(text, "\n"))
			want := Name{Unique: "1792411200." + m.ID + `.mx\0571\0722`, Size: int64(len(text)), Virtual: virtual}
			if err != nil || n != want {
				t.Errorf("name: got %+v, %v, want %+v", n, err, want)
			}
			st, err := os.Stat(filepath.Join(places[0].Path, "new", r.File))
			if err != nil || st.Mode() != 0o600 {
				t.Errorf("file: got %v, %v, want mode 0600", st, err)
			}
			if got := stored(t, places[0]); len(got) != 1 || got[0] != text {
				t.Errorf("go-maildir reads %.100q, want %.100q", got, text)
			}
			if left := leftInTmp(t, places); left != nil {
				t.Errorf("left in tmp/: %v", left)
			}
		})
	}
}

func TestDeliverManyIsOneFile(t *testing.T) {
	places := boxes(t, 5)
	for _, p := range places {
		if err := Make(new(durable.Disk), p); err != nil {
			t.Fatal(err)
		}
	}
	disk, steps := hooked(0, nil)
	d := NewDelivery(disk, "mx")
	if err := failed(d.Deliver(append(places, places[2]), message("Subject: x\n\nall\n"))); err != nil {
		t.Fatal(err)
	}
	want := strings.Fields("create sync link link link link rename syncdir syncdir syncdir syncdir syncdir")
	if got := steps(); !slices.Equal(got, want) {
		t.Errorf("steps: got %v, want %v", got, want)
	}
	for _, p := range places {
		names, _ := filepath.Glob(p.Path + "/new/*")
		if len(names) != 1 {
			t.Fatalf("%s: got %v, want one file", p.Path, names)
		}
		if got := linkCount(t, names[0]); got != 5 {
			t.Errorf("%s: got %d links, want 5", p.Path, got)
		}
		if got := stored(t, p); len(got) != 1 || got[0] != header+"Subject: x\n\nall\n" {
			t.Errorf("%s: go-maildir reads %q", p.Path, got)
		}
	}
	if left := leftInTmp(t, places); left != nil {
		t.Errorf("left in tmp/: %v", left)
	}
}

func linkCount(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return uint64(st.Nlink)
}

// TestDeliverFailsAtEachStep makes each step fail in turn, for one box and for
// several: no result may say done without the file being there, nothing stays
// in tmp/ unless the removing itself failed, and the next try ends with one
// copy in each box.
func TestDeliverFailsAtEachStep(t *testing.T) {
	for _, count := range []int{1, 3} {
		all, steps := hooked(0, nil)
		if err := failed(NewDelivery(all, "mx").Deliver(boxes(t, count), message("x\n"))); err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= len(steps()); n++ {
			failStep(t, count, n)
		}
	}
}

func failStep(t *testing.T, count, n int) {
	t.Helper()
	broken := errors.New("broken")
	disk, steps := hooked(n, broken)
	places := boxes(t, count)
	d := NewDelivery(disk, "mx")
	m := message("x\n")
	results := d.Deliver(places, m)
	name := steps()[n-1]
	if err := failed(results); !errors.Is(err, broken) {
		t.Errorf("%d boxes, step %d (%s): got %v, want the hook's error", count, n, name, err)
	}
	for i, r := range results {
		if r.Err == nil && len(stored(t, places[i])) != 1 {
			t.Errorf("%d boxes, step %d (%s): box %d is done without a file", count, n, name, i)
		}
		if kind := verdict.Of(r.Err).Kind; r.Err != nil && kind != verdict.Later {
			t.Errorf("%d boxes, step %d (%s): got %v, want later", count, n, name, kind)
		}
	}
	if left := leftInTmp(t, places); left != nil {
		t.Errorf("%d boxes, step %d (%s): left in tmp/: %v", count, n, name, left)
	}
	m.Try = 2
	if err := failed(d.Deliver(places, m)); err != nil {
		t.Errorf("%d boxes, after step %d (%s): got %v, want done", count, n, name, err)
	}
	for i, p := range places {
		if got := stored(t, p); len(got) != 1 {
			t.Errorf("%d boxes, after step %d (%s): got %d copies in box %d, want 1", count, n, name, len(got), i)
		}
	}
}

// failNamed returns a Disk whose steps of that name fail with err, the first
// let of them excepted.
func failNamed(name string, let int, err error) *durable.Disk {
	var mu sync.Mutex
	return &durable.Disk{Hook: func(op durable.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if op.Name != name {
			return nil
		}
		if let--; let >= 0 {
			return nil
		}
		return err
	}}
}

func TestOwnFilesWhereLinksAreRefused(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EXDEV, unix.EMLINK, unix.EPERM, unix.EOPNOTSUPP} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			places := boxes(t, 4)
			d := NewDelivery(failNamed("link", 1, errno), "mx")
			if err := failed(d.Deliver(places, message("x\n"))); err != nil {
				t.Fatal(err)
			}
			var links []uint64
			for _, p := range places {
				names, _ := filepath.Glob(p.Path + "/new/*")
				links = append(links, linkCount(t, names[0]))
				if got := stored(t, p); len(got) != 1 || got[0] != header+"x\n" {
					t.Errorf("%s: go-maildir reads %q", p.Path, got)
				}
			}
			if want := []uint64{2, 2, 1, 1}; !slices.Equal(links, want) {
				t.Errorf("links: got %v, want %v", links, want)
			}
			if left := leftInTmp(t, places); left != nil {
				t.Errorf("left in tmp/: %v", left)
			}
		})
	}
}

func TestTwoFileSystems(t *testing.T) {
	other, err := os.MkdirTemp("/dev/shm", "posthorn-test")
	if err != nil {
		t.Skipf("no second file system: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(other) })
	places := boxes(t, 2)
	for i := range 2 {
		places = append(places, Place{other, filepath.Join(other, fmt.Sprint(i), "Maildir")})
	}
	for _, p := range places {
		if err := Make(new(durable.Disk), p); err != nil {
			t.Fatal(err)
		}
	}
	disk, steps := hooked(0, nil)
	d := NewDelivery(disk, "mx")
	if err := failed(d.Deliver(places, message("x\n"))); err != nil {
		t.Fatal(err)
	}
	for _, p := range places {
		if got := stored(t, p); len(got) != 1 {
			t.Errorf("%s: got %d messages, want 1", p.Path, len(got))
		}
	}
	want := strings.Fields("create create sync sync link link rename rename syncdir syncdir syncdir syncdir")
	if got := steps(); !slices.Equal(got, want) {
		t.Errorf("steps: got %v, want %v", got, want)
	}
}

func TestFullDisk(t *testing.T) {
	for errno, status := range map[unix.Errno]string{unix.ENOSPC: "4.3.1", unix.EDQUOT: "4.2.2", unix.EIO: "4.3.0"} {
		for _, step := range []string{"create", "sync", "link", "rename", "mkdir"} {
			places := boxes(t, 2)
			for i, r := range NewDelivery(failNamed(step, 0, errno), "mx").Deliver(places, message("x\n")) {
				if step == "link" && i == 0 || step == "rename" && i == 1 {
					continue // the other of the two takes no such step
				}
				if v := verdict.Of(r.Err); v.Kind != verdict.Later || v.Status != status {
					t.Errorf("%v at %s, box %d: got %v, want later %s", errno, step, i, v, status)
				}
				if strings.Contains(verdict.Of(r.Err).Text, "/") {
					t.Errorf("%v: text %q names a path", errno, verdict.Of(r.Err).Text)
				}
			}
			if left := leftInTmp(t, places); left != nil {
				t.Errorf("%v at %s: left in tmp/: %v", errno, step, left)
			}
		}
	}
}
