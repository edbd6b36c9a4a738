package mailbox

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// TestFaults fails each step of filing and copying in turn: a message that was
// answered with a UID is there for a process that comes later, with that UID;
// one that was not is not there.
func TestFaults(t *testing.T) {
	for _, op := range []string{"append", "append new", "copy"} {
		t.Run(op, func(t *testing.T) {
			step := 1
			for fault(t, op, step) {
				step++
			}
			if step < 6 {
				t.Errorf("got only %d steps: the hook does not see the disk", step)
			}
		})
	}
}

// fault reports whether the step was reached.
func fault(t *testing.T, op string, step int) (reached bool) {
	t.Helper()
	path := t.TempDir()
	setup := openBox(t, newStore(t, Options{}), path)
	appendText(t, setup, "INBOX", "one", Flags{Keywords: []string{"kept"}})
	appendText(t, setup, "INBOX", "two", Flags{})
	setup.Create("Dest")
	disk, n := new(durable.Disk), 0
	b := openBox(t, newStore(t, Options{Disk: disk}), path)
	v := sel(t, b, "INBOX", false)
	disk.Hook = func(durable.Op) error {
		if n++; n == step {
			reached = true
			return unix.EIO
		}
		return nil
	}
	var uids []uint32
	var err error
	switch m := text("new"); op {
	case "append", "append new":
		f := Flags{}
		if op == "append" {
			f.Keywords = []string{"word"}
		}
		uids = []uint32{0}
		_, uids[0], err = b.Append("Dest", Incoming{Reader: strings.NewReader(m), Size: int64(len(m)), Flags: f})
	case "copy":
		_, _, uids, err = v.Copy([]int{1, 2}, "Dest")
	}
	disk.Hook = nil
	later := sel(t, openBox(t, newStore(t, Options{}), path), "Dest", true)
	if err != nil && later.Len() != 0 {
		t.Errorf("step %d: got %d messages after %v", step, later.Len(), err)
	}
	for _, uid := range uids {
		if err == nil && later.At(later.After(uid)).UID != uid {
			t.Errorf("step %d: UID %d was answered and is not there: %s", step, uid, list(later))
		}
	}
	if left, _ := filepath.Glob(path + "/.Dest/*/*.localhost*"); err != nil && len(left) > 0 && step > 1 {
		t.Errorf("step %d: got %q left after %v", step, left, err)
	}
	return reached
}

// TestChangeFaults fails each step of a change of flags and of an expunge: the
// picture stays what the files are.
func TestChangeFaults(t *testing.T) {
	for step := 1; ; step++ {
		path := t.TempDir()
		disk, n, reached := new(durable.Disk), 0, false
		b := openBox(t, newStore(t, Options{Disk: disk}), path)
		for i := range 3 {
			appendText(t, b, "INBOX", fmt.Sprint(i), Flags{})
		}
		v := sel(t, b, "INBOX", false)
		disk.Hook = func(op durable.Op) error {
			if op.Name == "unlink" && strings.HasSuffix(op.Path, ".lock") {
				return nil // tried twice; see the dotlock's own test
			}
			if n++; n == step {
				reached = true
				return unix.EIO
			}
			return nil
		}
		_, serr := v.Store([]int{1, 2, 3}, Add, Flags{System: Deleted, Keywords: []string{"x"}})
		xerr := v.Remove([]uint32{1, 3})
		disk.Hook = nil
		if reached && serr == nil && xerr == nil {
			t.Errorf("step %d: the failure was not told", step)
		}
		syncView(t, v, true)
		w := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
		if got, want := list(w), strings.ReplaceAll(list(v), "+", ""); got != want {
			t.Errorf("step %d: got %q in the files, %q in the picture", step, got, want)
		}
		if !reached {
			break
		}
	}
}
