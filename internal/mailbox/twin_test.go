package mailbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTwins: a second file of a name that is known is another message, whichever of
// the two the folder's listing has first.
func TestTwins(t *testing.T) {
	const messages = 20
	path := filepath.Join(t.TempDir(), "Maildir")
	for n := range messages {
		deliver(t, path, fmt.Sprintf("17000000%02d.a.x", n), fmt.Sprintf("first %d", n))
	}
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	for n := range messages {
		name := filepath.Join(path, "cur", fmt.Sprintf("17000000%02d.a.x:2,S", n))
		if err := os.WriteFile(name, []byte("Subject: second\n\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.Sync(true); err != nil {
		t.Fatal(err)
	}
	if v.Len() != 2*messages {
		t.Fatalf("got %d messages, want %d", v.Len(), 2*messages)
	}
	for seq := 1; seq <= messages; seq++ {
		if m := v.At(seq); m.UID != uint32(seq) || m.Flags.System != 0 || !strings.Contains(content(t, v, seq), fmt.Sprintf("first %d\r\n", seq-1)) {
			t.Errorf("message %d: got %+v, %q", seq, m, content(t, v, seq))
		}
		if m := v.At(messages + seq); m.UID <= messages || m.Flags.System != Seen || !strings.Contains(content(t, v, messages+seq), "second") {
			t.Errorf("message %d: got %+v, %q", messages+seq, m, content(t, v, messages+seq))
		}
	}
	all := make([]int, v.Len())
	for i := range all {
		all[i] = i + 1
	}
	if _, err := v.Store(all, Replace, Flags{System: Flagged}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); !rests(v); tire(v) { // the events of the second files come when they like
		if time.Now().After(end) {
			t.Fatal("does not rest")
		}
		syncView(t, v, true)
	}
	if got, want := seen(v), files(t, path); got != want {
		t.Errorf("rested: got %q, want %q", got, want)
	}
}

// TestTwinInNew: a file that comes to new/ with the name of a message in cur/, as out
// of a backup, is another message, and the one that was there keeps its UID.
func TestTwinInNew(t *testing.T) {
	for _, readOnly := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "Maildir")
		deliver(t, path, "1700000000.a.x", "first")
		b := openBox(t, newStore(t, Options{}), path)
		v := sel(t, b, "INBOX", false)
		if _, err := v.Store([]int{1}, Replace, Flags{System: Seen}); err != nil {
			t.Fatal(err)
		}
		if readOnly {
			v.Close()
			v = sel(t, b, "INBOX", true)
		}
		for range 2 { // until cur/ stands still
			time.Sleep(10 * young)
			syncView(t, v, true)
		}
		deliver(t, path, "1700000000.a.x", "second")
		syncView(t, v, true)
		deliver(t, path, "1700000001.b.x", "third")
		if err := os.Rename(filepath.Join(path, "new/1700000001.b.x"), filepath.Join(path, "cur/1700000001.b.x:2,F")); err != nil {
			t.Fatal(err)
		}
		check := func(v *View) {
			t.Helper()
			if v.Len() != 3 || v.At(1).UID != 1 || !strings.Contains(content(t, v, 1), "first") {
				t.Errorf("read-only %v: got %s", readOnly, list(v))
			}
		}
		for range 3 {
			time.Sleep(10 * young)
			if c := syncView(t, v, true); len(c.Expunged) > 0 {
				t.Errorf("read-only %v: got %v expunged, for nothing was", readOnly, c.Expunged)
			}
		}
		check(v)
		check(sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true))
	}
}
