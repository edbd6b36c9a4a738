package mailbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExpungeOfNow: a message from which another program has taken \Deleted stays, even
// if the session that names it does not know yet; one that is removed in any case goes.
func TestExpungeOfNow(t *testing.T) {
	for _, tt := range []struct {
		name   string
		remove func(v *View, uid uint32) error
		left   int
	}{
		{"all", func(v *View, _ uint32) error { return v.Expunge(nil) }, 1},
		{"by UID", func(v *View, uid uint32) error { return v.Expunge([]uint32{uid}) }, 1},
		{"in any case", func(v *View, uid uint32) error { return v.Remove([]uint32{uid}) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := t.TempDir()
			v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
			uid := appendText(t, v.box, "INBOX", "x", Flags{System: Deleted | Seen})
			syncView(t, v, true)
			if got := v.At(1).Flags.System; got != Deleted|Seen {
				t.Fatalf("got the flags %v", got)
			}
			files, err := filepath.Glob(filepath.Join(path, "cur", "*:2,ST"))
			if err != nil || len(files) != 1 {
				t.Fatalf("got %q, %v, want one file", files, err)
			}
			if err := os.Rename(files[0], strings.TrimSuffix(files[0], "T")); err != nil {
				t.Fatal(err)
			}
			if err := tt.remove(v, uid); err != nil {
				t.Fatal(err)
			}
			syncView(t, v, true)
			if v.Len() != tt.left {
				t.Errorf("got %d messages, want %d", v.Len(), tt.left)
			}
		})
	}
}
