package tables

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// word is a table of one word; "bad" is refused.
func word(content []byte) (*string, error) {
	s := strings.TrimSpace(string(content))
	if s == "bad" {
		return nil, errors.New("table:1: found bad")
	}
	return &s, nil
}

// put replaces the file as an editor does.
func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".tmp", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
}

func TestLive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	var reports []error
	l := &Live[string]{Path: path, Parse: word, Report: func(err error) { reports = append(reports, err) }}
	if err := l.Open(); err == nil {
		t.Fatal("missing file: got no error")
	}
	put(t, path, "one")
	if err := l.Open(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, content, want string
		reports             int
	}{
		{"unchanged", "", "one", 0},
		{"new content", "two", "two", 1},
		{"same length", "six", "six", 1},
		{"broken: the old one stays", "bad", "six", 1},
		{"still broken, said once", "", "six", 0},
		{"repaired", "four", "four", 1},
		{"the same again", "four", "four", 0},
		{"gone: the old one stays", "-", "four", 1},
		{"still gone, said once", "", "four", 0},
		{"back again", "four", "four", 1},
	} {
		reports = nil
		switch tc.content {
		case "":
		case "-":
			os.Remove(path)
		default:
			put(t, path, tc.content)
		}
		if got := *l.Get(); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
		if len(reports) != tc.reports {
			t.Errorf("%s: got the reports %v, want %d", tc.name, reports, tc.reports)
		}
	}
}

// TestLiveUnread: a change that could not be read, here for want of
// descriptors, is taken as soon as it can be.
func TestLiveUnread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	put(t, path, "one")
	var reports []error
	l := &Live[string]{Path: path, Parse: word, Report: func(err error) { reports = append(reports, err) }}
	if err := l.Open(); err != nil {
		t.Fatal(err)
	}
	put(t, path, "two")
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	first, second := *l.Get(), *l.Get()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if first != "one" || second != "one" || len(reports) != 1 || !errors.Is(reports[0], syscall.EMFILE) {
		t.Errorf("without descriptors: got %q, %q and the reports %v, want the old table twice and one report", first, second, reports)
	}
	if got := *l.Get(); got != "two" || len(reports) != 2 || reports[1] != nil {
		t.Errorf("afterwards: got %q and the reports %v, want the new table and its report", got, reports)
	}
}

// TestLiveOverwritten writes twice into one file within a tick of the file
// system's clock: the second content must be seen too.
func TestLiveOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	l := &Live[string]{Path: path, Parse: word}
	if err := l.Open(); err != nil {
		t.Fatal(err)
	}
	write("two")
	for deadline := time.Now().Add(5 * time.Second); *l.Get() != "two"; {
		if time.Now().After(deadline) {
			t.Fatalf("got %q, want two", *l.Get())
		}
	}
}

func TestLiveReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	none := "none"
	l := &Live[string]{Path: path, Parse: word, Missing: &none}
	if err := l.Open(); err != nil || *l.Get() != "none" {
		t.Fatalf("missing: got %v, want the table for a missing file", err)
	}
	put(t, path, "one")
	if got := *l.Get(); got != "one" {
		t.Errorf("appeared: got %q", got)
	}
	put(t, path, "bad")
	if err := l.Open(); err == nil || *l.Get() != "one" {
		t.Errorf("reload of a broken file: got %v and %q, want an error and the old one", err, *l.Get())
	}
	os.Remove(path)
	if got := *l.Get(); got != "one" {
		t.Errorf("removed: got %q, want the old one until a reload", got)
	}
	if err := l.Open(); err != nil || *l.Get() != "none" {
		t.Errorf("reload of a missing file: got %v and %q", err, *l.Get())
	}
}
