package mailbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"posthorn/internal/id"
)

// bring files messages that had UIDs elsewhere, and returns these by their ids.
func bring(t *testing.T, b *Box, folder string, uids ...uint32) map[string]uint32 {
	t.Helper()
	var all []Incoming
	ids := make(map[string]uint32)
	for _, uid := range uids {
		one := id.Key{0: byte(255 - uid), 15: 1}.String() // in another order
		ids[one] = uid
		all = append(all, Incoming{Reader: strings.NewReader(text(fmt.Sprint(uid))), Size: -1, ID: one, UIDL: fmt.Sprint("old-", uid)})
	}
	if _, _, err := b.AppendAll(folder, slices.Values(all)); err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestRenumber(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	appendText(t, b, "INBOX", "ours", Flags{})
	uids := bring(t, b, "INBOX", 5, 2, 70, 9)
	deliver(t, path, "1.a.test", "delivered")
	found, err := b.IDs("INBOX")
	if err != nil || len(found) != 5 {
		t.Errorf("got ids %v, %v, want five", found, err)
	}
	for one := range uids {
		if !found[one] {
			t.Errorf("%s is missing in %v", one, found)
		}
	}
	v := sel(t, b, "INBOX", true)
	elsewhere := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if ok, err := b.Renumber("INBOX", Elsewhere{77, 71, uids}); !ok || err != nil {
		t.Fatalf("got %v, %v", ok, err)
	}
	for _, v := range []*View{v, elsewhere} {
		if _, err := v.Sync(true); !errors.Is(err, ErrReset) {
			t.Errorf("got %v, want %v", err, ErrReset)
		}
	}
	next := uint32(71 + uidGap)
	for _, b := range []*Box{b, openBox(t, newStore(t, Options{}), path)} {
		v := sel(t, b, "INBOX", true)
		if got, want := uidsOf(v), []uint32{2, 5, 9, 70, next, next + 1}; !slices.Equal(got, want) || v.UIDValidity() != 77 {
			t.Fatalf("got %d of %d, want %d of 77", got, v.UIDValidity(), want)
		}
		for seq, subject := range []string{"2", "5", "9", "70"} {
			if got := content(t, v, seq+1); got != text(subject) {
				t.Errorf("message %d: got %q, want %s", seq+1, got, subject)
			}
		}
		if ids, err := v.POP3IDs(false); err != nil || ids[5].UIDL != "old-5" {
			t.Errorf("got %v, %v, want the UIDL", ids, err)
		}
	}
	if uid := appendText(t, b, "INBOX", "new", Flags{}); uid < next+2 {
		t.Errorf("got %d for a new message, want at least %d", uid, next+2)
	}
	if ok, err := b.Renumber("INBOX", Elsewhere{77, 4293000000, nil}); ok || err != nil {
		t.Errorf("without UIDs left: got %v, %v, want false", ok, err)
	}
}

func TestLockImport(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	release, err := b.LockImport()
	if err != nil {
		t.Fatal(err)
	}
	other := openBox(t, newStore(t, Options{}), path)
	if _, err := other.LockImport(); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want %v", err, ErrLocked)
	}
	release()
	if release, err = other.LockImport(); err != nil {
		t.Fatal(err)
	}
	release()
}
