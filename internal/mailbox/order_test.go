package mailbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/internal/durable"
)

// TestFolderIsSynced: what is filed is answered when the folder of its name is
// synced.
func TestFolderIsSynced(t *testing.T) {
	disk := &durable.Disk{}
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{Disk: disk}), path)
	if err := b.Create("Work"); err != nil {
		t.Fatal(err)
	}
	file := func(f Flags) func() { return func() { appendText(t, b, "INBOX", "x", f) } }
	for _, tt := range []struct {
		name, want string
		do         func()
	}{
		{"without flags", "new", file(Flags{})},
		{"with flags", "cur", file(Flags{System: Seen})},
		{"copied", ".Work/cur", func() {
			if _, _, _, err := sel(t, b, "INBOX", false).Copy([]int{2}, "Work"); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		named, synced := "", ""
		disk.Hook = func(op durable.Op) error {
			switch op.Name {
			case "rename":
				named, synced = op.To, ""
			case "syncdir":
				folder, _ := os.Readlink(op.Path)
				synced += folder + "\n"
			}
			return nil
		}
		tt.do()
		disk.Hook = nil
		if !strings.Contains(synced, filepath.Join(path, tt.want)+"\n") {
			t.Errorf("%s: got %q synced behind the name %q, want %s", tt.name, synced, named, tt.want)
		}
	}
}

// TestForgottenTombs: of messages that are gone so many are remembered, and of what is
// forgotten it is known that it may be missing.
func TestForgottenTombs(t *testing.T) {
	var p picture
	mods := []uint64{}
	for uid := range uint32(maxTombs + 1) {
		p.bury([]uint32{uid + 1})
		mods = append(mods, p.mod)
	}
	if len(p.tombs) > maxTombs || len(p.tombs) == 0 {
		t.Fatalf("got %d, want at most %d", len(p.tombs), maxTombs)
	}
	first := p.tombs[0].uid
	if p.forgotten < mods[first-2] || p.forgotten >= mods[first-1] {
		t.Errorf("got forgotten up to %d, want up to that of UID %d, %d", p.forgotten, first-1, mods[first-2])
	}
}
