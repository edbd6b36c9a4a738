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
