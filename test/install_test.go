package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamesAreInstalled: whatever the tree has to install has its line in the
// table of paths. That make install does what the table says is for test/units.
func TestNamesAreInstalled(t *testing.T) {
	table, err := os.ReadFile("../etc/install.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"doc/man/*.[1-9]", "doc/*.md", "doc/protocol/*.md", "etc/systemd/*.service", "etc/systemd/*.socket",
		"etc/systemd/*.target", "etc/systemd/*/*.conf", "etc/sysusers.d/*", "etc/tmpfiles.d/*", "etc/runit/*", "etc/s6/*", "etc/hooks/*"} {
		files, err := filepath.Glob("../" + pattern)
		if err != nil || len(files) == 0 {
			t.Errorf("%s: got %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			if name := strings.TrimPrefix(file, "../"); !strings.Contains(string(table), " "+name+"\n") {
				t.Errorf("%s: got no line in etc/install.txt, expected one", name)
			}
		}
	}
}
