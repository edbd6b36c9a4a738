package stamp

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func write(t *testing.T, path, content string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// settled waits until a change of the file would be seen.
func settled(t *testing.T, path string) Stamp {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if s := Of(path); s.Settled() {
			return s
		}
	}
	t.Fatal("the file never settles")
	return Stamp{}
}

func TestVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	missing := Of(path)
	if !missing.IsMissing() || !missing.Settled() || missing != Missing() || missing.String() != "missing" {
		t.Errorf("a file that is not there: got %+v", missing)
	}
	at := time.Now()
	write(t, path, "one", at)
	if s := Of(path); s.Settled() || s.String() != "" {
		t.Errorf("a file just written: got settled %v, %q, want no word for it", s.Settled(), s)
	}
	first := settled(t, path)
	if again := Of(path); again != first || again.String() != first.String() || again.String() == "" {
		t.Errorf("the same version: got %v, want %v", again, first)
	}
	write(t, path, "two", at) // same size and time of change, as far as its owner says
	second := settled(t, path)
	if second == first || second.Like(first) || second.String() == first.String() {
		t.Errorf("another version: got %v again", second)
	}
	if s := Of(path + "/below"); !s.IsMissing() || s.String() != "" {
		t.Errorf("a file that cannot be looked at: got %+v, want no word for it", s)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if s := OfInfo(info); !s.Like(second) {
		t.Errorf("of os.Stat: got %v, want %v", s, second)
	}
}
