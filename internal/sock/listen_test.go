package sock

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// TestPlaceTouchesOurSocketOnly: where others may write in the folder, what they
// put in the place of the socket keeps owner and mode.
func TestPlaceTouchesOurSocketOnly(t *testing.T) {
	for name, plant := range map[string]func(victim, tmp string) error{
		"symbolic link": os.Symlink,
		"hard link":     os.Link,
		"another file":  func(_, tmp string) error { return os.WriteFile(tmp, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			victim, tmp := filepath.Join(dir, "victim"), filepath.Join(dir, "tmp")
			l, err := net.Listen("unix", victim) // of this process's uid, as the socket that was made is
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			os.Chmod(victim, 0o600)
			if err := plant(victim, tmp); err != nil {
				t.Fatal(err)
			}
			if err := place(tmp, filepath.Join(dir, "s"), Options{Mode: 0o666, UID: -1, GID: -1}); err == nil {
				t.Error("got no error, want a refusal")
			}
			for _, path := range []string{victim, tmp} {
				if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != 0o600 {
					t.Errorf("%s: got %v, %v, want it as it was", filepath.Base(path), fi, err)
				}
			}
		})
	}
}
