package mailbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/internal/index"
)

// sleeper is a session with six messages whose folder has lain down.
func sleeper(t *testing.T) (v *View, path string) {
	t.Helper()
	path = t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for i := range 6 {
		appendText(t, b, "INBOX", fmt.Sprint(i), Flags{System: Seen})
	}
	v = sel(t, b, "INBOX", false)
	lull(t, v)
	return v, path
}

// lull has the folder lie down; the events of others come when they like.
func lull(t *testing.T, v *View) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !rests(v); tire(v) {
		if time.Now().After(end) {
			t.Fatal("does not rest")
		}
		syncView(t, v, true)
	}
}

// TestToldOfWhatWent: a session that rested learns which messages another process
// removed, whatever became of the index meanwhile, and of those that came.
func TestToldOfWhatWent(t *testing.T) {
	for name, hurt := range map[string]func(file string) error{
		"whole":   func(string) error { return nil },
		"removed": os.Remove,
		"empty":   func(file string) error { return os.Truncate(file, 0) },
		"cut":     func(file string) error { return os.Truncate(file, 256+2*64) },
		"header":  func(file string) error { return flip(file, 84) },
		"record":  func(file string) error { return flip(file, 256+64+8) }, // of message 2
	} {
		t.Run(name, func(t *testing.T) {
			v, path := sleeper(t)
			if err := hurt(filepath.Join(path, index.Name)); err != nil {
				t.Fatal(err)
			}
			other := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
			if err := other.Remove([]uint32{2, 5}); err != nil {
				t.Fatal(err)
			}
			appendText(t, other.box, "INBOX", "new", Flags{})
			if c := syncView(t, v, false); len(c.Expunged) != 0 || c.Exists != 7 || v.At(2).UID != 2 || !v.At(2).Gone {
				t.Errorf("without expunge: got %+v and %+v, want 7 messages, UID 2 gone", c, v.At(2))
			}
			if c := syncView(t, v, true); !slices.Equal(c.Vanished, []uint32{2, 5}) {
				t.Errorf("got %+v, want 2 and 5 vanished", c)
			}
			if got := seen(v); got != files(t, path) {
				t.Errorf("got %q, want %q", got, files(t, path))
			}
		})
	}
}

// flip changes the byte at.
func flip(file string, at int64) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	b[0] ^= 0x55
	_, werr := f.WriteAt(b[:], at)
	return errors.Join(err, werr)
}

// TestWakesAfterListOfAnother: the index knows where the names stand in a uidlist that
// another program wrote anew.
func TestWakesAfterListOfAnother(t *testing.T) {
	v, path := sleeper(t)
	rewriteList(t, path)
	if c := syncView(t, v, true); c.Exists != 7 {
		t.Fatalf("got %+v, want 7 messages", c)
	}
	lull(t, v)
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.wake(); err != nil || !f.loaded {
		t.Errorf("got %v, in memory %v, want the picture of the index", err, f.loaded)
	}
}

// rewriteList files a message and writes a uidlist as Dovecot does: all of it, each
// line longer.
func rewriteList(t *testing.T, path string) {
	t.Helper()
	name := filepath.Join(path, "dovecot-uidlist")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.ReplaceAll(string(text), " :", " W9 :") + "1001 :1.noticed\n")
	if err := errors.Join(os.WriteFile(name+".x", text, 0o600), os.Rename(name+".x", name)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "cur", "1.noticed:2,S"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestToldOfNoUID: a session that a resting folder was opened for learns what went from
// the index; where that was cut the session ends.
func TestToldOfNoUID(t *testing.T) {
	for _, lost := range []bool{false, true} {
		v, path := sleeper(t)
		w := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
		if !rests(w) {
			t.Fatal("the folder does not rest")
		}
		if lost {
			os.Truncate(filepath.Join(path, index.Name), 0)
		}
		if err := v.Remove([]uint32{3}); err != nil {
			t.Fatal(err)
		}
		c, err := w.Sync(true)
		if lost != errors.Is(err, ErrReset) || !lost && !slices.Equal(c.Vanished, []uint32{3}) {
			t.Errorf("index lost %v: got %+v, %v, want 3 vanished or ErrReset", lost, c, err)
		}
	}
}
