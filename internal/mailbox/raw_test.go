package mailbox

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestFile reads a message as it stands in its file, whatever others do to it.
func TestFile(t *testing.T) {
	path := t.TempDir()
	const content = "Subject: a\n\nmixed\r\nends\n"
	putFile(t, path, "1.a.x:2,", content)
	putFile(t, path, "2.b.x:2,", "other\n")
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	read := func(f *File) string {
		t.Helper()
		size, err := f.Size()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(f, 0, size+1))
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, len(b)+1)
		if n, err := f.First(first); err != nil || string(first[:n]) != string(b) {
			t.Fatalf("got %q, %v first, want %q", first[:n], err, b)
		}
		return string(b)
	}
	file := func(seq int) *File {
		t.Helper()
		f, err := v.File(seq)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := file(1)
	if err := os.Rename(filepath.Join(path, "cur/1.a.x:2,"), filepath.Join(path, "cur/1.a.x:2,S")); err != nil {
		t.Fatal(err)
	}
	other := file(1)
	for _, f := range []*File{f, other} {
		if got := read(f); got != content {
			t.Errorf("got %q, want %q", got, content)
		}
		f.Close()
	}
	if err := os.Remove(filepath.Join(path, "cur/2.b.x:2,")); err != nil {
		t.Fatal(err)
	}
	for _, seq := range []int{0, 2, 3} {
		if _, err := v.File(seq); !errors.Is(err, ErrExpunged) {
			t.Errorf("message %d: got %v, want %v", seq, err, ErrExpunged)
		}
	}
}
