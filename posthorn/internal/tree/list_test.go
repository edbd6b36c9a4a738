package tree

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestUnlisted: a file that cannot be listed is counted, for it was not brought.
func TestUnlisted(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 {
		name := filepath.Join(dir, "cur", fmt.Sprintf("170000000%d.M1P1.host:2,", n))
		err := os.WriteFile(name, []byte("Subject: x\n\nx\n"), 0o600)
		if n == 1 && err == nil {
			err = os.Rename(name, filepath.Join(dir, "elsewhere"))
			if err == nil {
				err = os.Symlink(filepath.Join(dir, "elsewhere"), name)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	folders, err := s.Folders()
	if err != nil || len(folders) == 0 {
		t.Fatalf("got %v, %v, want the INBOX", folders, err)
	}
	l, err := s.List(folders[0])
	if err != nil || len(l.Items) != 2 || l.Unlisted != 1 || len(l.Notes) != 1 {
		t.Errorf("got %+v, %v, want two messages, and one that is not listed", l, err)
	}
}
