package mailbox

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"posthorn/internal/id"
)

// bring files a message as it was elsewhere.
func bring(t *testing.T, b *Box, folder string, uids ...uint32) []uint32 {
	t.Helper()
	var all []Incoming
	for _, uid := range uids {
		all = append(all, Incoming{Reader: strings.NewReader(text(fmt.Sprint(uid))), Size: -1, UID: uid, ID: id.Key{6: byte(uid), 15: 1}.String(), UIDL: fmt.Sprint("old-", uid)})
	}
	_, got, err := b.AppendAll(folder, slices.Values(all))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestBringUIDs(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{Shared: true}), path)
	if ok, err := b.Adopt("INBOX", 77); !ok || err != nil {
		t.Fatalf("got %v, %v, want the UIDVALIDITY", ok, err)
	}
	for _, tt := range []struct{ give, want []uint32 }{
		{[]uint32{2, 5, 6}, []uint32{2, 5, 6}},
		{[]uint32{9}, []uint32{9}},
		{[]uint32{7, 12}, []uint32{10, 12}}, // 7 is below what was given
		{[]uint32{11, 13}, []uint32{13, 14}},
		{[]uint32{4294967295}, nil},
	} {
		if tt.want == nil {
			_, _, err := b.AppendAll("INBOX", slices.Values([]Incoming{{Reader: strings.NewReader("x"), Size: -1, UID: tt.give[0]}}))
			if err == nil {
				t.Errorf("UID %d was given", tt.give[0])
			}
			continue
		}
		if got := bring(t, b, "INBOX", tt.give...); !slices.Equal(got, tt.want) {
			t.Errorf("%d: got %d, want %d", tt.give, got, tt.want)
		}
	}
	if uid := appendText(t, b, "INBOX", "new", Flags{}); uid != 15 {
		t.Errorf("got %d for a new message, want 15", uid)
	}
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
	if got, want := uidsOf(v), []uint32{2, 5, 6, 9, 10, 12, 13, 14, 15}; !slices.Equal(got, want) || v.UIDValidity() != 77 {
		t.Errorf("got %d of %d, want %d of 77", got, v.UIDValidity(), want)
	}
	if got := content(t, v, 2); got != text("5") {
		t.Errorf("got %q", got)
	}
	ids, err := v.POP3IDs(false)
	if err != nil || ids[5].UIDL != "old-5" {
		t.Errorf("got %v, %v, want the UIDL", ids[5], err)
	}
	found, err := b.IDs("INBOX")
	if err != nil || len(found) != 9 {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestAdoptOnlyWhatIsEmpty(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	appendText(t, b, "INBOX", "one", Flags{})
	b.Create("Used")
	if _, err := b.Status("Used"); err != nil { // gives it a uidlist
		t.Fatal(err)
	}
	b.Create("Delivered")
	deliver(t, path+"/.Delivered", "1.a.test", "one")
	b.Create("Dovecot's")
	index := make([]byte, 64)
	copy(index, []byte{7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0})
	os.WriteFile(path+"/.Dovecot's/dovecot.index", index, 0o600)
	for name, want := range map[string]bool{"INBOX": false, "Used": true, "Delivered": false, "Dovecot's": false} {
		ok, err := b.Adopt(name, 99)
		if ok != want || err != nil {
			t.Errorf("%s: got %v, %v, want %v", name, ok, err, want)
		}
		if st, err := b.Status(name); err != nil || (st.UIDValidity == 99) != want {
			t.Errorf("%s: got UIDVALIDITY %d, %v", name, st.UIDValidity, err)
		}
		if again, err := b.Adopt(name, 99); again != want || err != nil {
			t.Errorf("%s again: got %v, %v, want %v", name, again, err, want)
		}
	}
}

func TestAdoptWhileOpen(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	v := sel(t, b, "INBOX", false)
	elsewhere := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if ok, err := b.Adopt("INBOX", 99); !ok || err != nil {
		t.Fatalf("got %v, %v", ok, err)
	}
	bring(t, b, "INBOX", 3)
	for _, v := range []*View{v, elsewhere} {
		if _, err := v.Sync(true); !errors.Is(err, ErrReset) {
			t.Errorf("got %v, want %v", err, ErrReset)
		}
	}
}

// TestBringKilled: a process that died between the names and the lines takes no
// UID from the messages after its own.
func TestBringKilled(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{Shared: true}), path)
	b.Adopt("INBOX", 99)
	bring(t, b, "INBOX", 1, 2)
	uidlist, _ := os.ReadFile(path + "/dovecot-uidlist")
	bring(t, b, "INBOX", 3, 4, 5)
	os.WriteFile(path+"/dovecot-uidlist", uidlist, 0o600)
	b = openBox(t, newStore(t, Options{Shared: true}), path)
	if ids, err := b.IDs("INBOX"); len(ids) != 5 || err != nil {
		t.Fatalf("got %v, %v, want five", ids, err)
	}
	if got := bring(t, b, "INBOX", 6); got[0] != 6 {
		t.Errorf("got %d, want 6", got)
	}
	v := sel(t, b, "INBOX", true)
	for seq := 1; seq <= 6; seq++ {
		if got, want := content(t, v, seq), text(fmt.Sprint(seq)); got != want || v.At(seq).UID != uint32(seq) {
			t.Errorf("UID %d: got %q, want %q", v.At(seq).UID, got, want)
		}
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
