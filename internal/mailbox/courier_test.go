package mailbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/courier"
	"posthorn/internal/durable"
)

// courierBox makes a Maildir as Courier leaves it: INBOX with three messages
// and a folder whose name is in UTF-8.
func courierBox(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	for name, content := range map[string]string{
		"cur/1700000001.a:2,S":             text("one"),
		"cur/1700000002.b:2,":              text("two"),
		"new/1700000003.c":                 text("three"),
		"cur/1700000004.d:2,":              text("only POP3 knows"),
		"courierimapuiddb":                 "1 795364218 12\n3 1700000001.a\n5 1700000002.b\n7 1700000009.gone\n11 1700000003.c\n",
		"courierimapkeywords/:list":        "foo\n$Junk\n\n1700000001.a:0 1\n",
		"courierimapkeywords/1700000002.b": "foo\n",
		"courierimapkeywords/1700000003.c": "bar\n",
		"courierpop3dsizelist":             "/3 5 99\n1700000001.a:2,S 31 1:99:0\n1700000004.d:2, 31 4:99:0\n",
		"courierimapsubscribed":            "INBOX\nINBOX.Entwürfe\n",
		".Entwürfe/cur/1.x:2,FS":           text("draft"),
		".Entwürfe/courierimapuiddb":       "1 795364219 9\n8 1.x\n",
	} {
		file := filepath.Join(path, name)
		os.MkdirAll(filepath.Dir(file), 0o700)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// adopted opens the box and compares it with what Courier had.
func adopted(t *testing.T, b *Box) {
	t.Helper()
	v := sel(t, b, "INBOX", false)
	defer v.Close()
	if v.UIDValidity() != 795364218 || v.UIDNext() < 13 {
		t.Errorf("got UIDVALIDITY %d, UIDNEXT %d, want 795364218, 13 or more", v.UIDValidity(), v.UIDNext())
	}
	var got []string
	for seq := 1; seq <= v.Len(); seq++ {
		m := v.At(seq)
		words := slices.Sorted(slices.Values(m.Flags.Keywords))
		got = append(got, fmt.Sprint(m.UID, " ", subjectOf(content(t, v, seq)), " ", words))
	}
	if want := "3 one [$Junk foo], 5 two [foo], 11 three [bar], 12 only POP3 knows []"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
	uidls, err := v.POP3IDs(false)
	if want := "map[3:UID1-99 12:UID4-99]"; fmt.Sprint(only(uidls)) != want || err != nil {
		t.Errorf("got UIDLs %v, %v, want %s", uidls, err, want)
	}
	w := sel(t, b, "Entwürfe", false)
	defer w.Close()
	if w.UIDValidity() != 795364219 || w.Len() != 1 || w.At(1).UID != 8 {
		t.Errorf("got UIDVALIDITY %d, %d messages, want 795364219 and one with UID 8", w.UIDValidity(), w.Len())
	}
	if got, err := b.Subscriptions(); fmt.Sprint(got) != "[Entwürfe INBOX]" || err != nil {
		t.Errorf("got subscriptions %v, %v", got, err)
	}
}

func TestFromCourier(t *testing.T) {
	path := courierBox(t)
	adopted(t, openBox(t, newStore(t, Options{}), path))
	adopted(t, openBox(t, newStore(t, Options{}), path))
}

// TestFromCourierFails fails each step of taking a box over: nobody sees a
// message under another UID, the next try takes over all, and no other does.
func TestFromCourierFails(t *testing.T) {
	for step := 1; ; step++ {
		path, disk, n := courierBox(t), new(durable.Disk), 0
		disk.Hook = func(op durable.Op) error {
			if n++; n == step {
				return unix.ENOSPC
			}
			return nil
		}
		s := newStore(t, Options{Disk: disk})
		if b, err := s.Open(path); err == nil {
			for _, name := range []string{"INBOX", "Entwürfe"} {
				if v, err := b.Select(name, false); err == nil {
					if v.UIDValidity() > 795364219 {
						t.Errorf("step %d: got UIDVALIDITY %d", step, v.UIDValidity())
					}
					v.Close()
				}
			}
			b.Close()
		}
		reached := n >= step
		disk.Hook = nil
		adopted(t, openBox(t, newStore(t, Options{}), path))
		notAgain(t, path, "INBOX", "Entwürfe")
		if t.Failed() {
			t.Fatalf("after step %d failed", step)
		}
		if !reached {
			if step < 10 {
				t.Errorf("got only %d steps: the hook does not see the disk", step)
			}
			return
		}
	}
}

// TestFromCourierTogether: another session renames a folder meanwhile.
func TestFromCourierTogether(t *testing.T) {
	path, disk := courierBox(t), new(durable.Disk)
	disk.Hook = func(op durable.Op) error {
		if op.Name == "rename" && op.Path == ".Entwürfe" {
			return os.Rename(filepath.Join(path, op.Path), filepath.Join(path, op.To))
		}
		return nil
	}
	adopted(t, openBox(t, newStore(t, Options{Disk: disk}), path))
}

// TestCourierOnlyOnce: when our list is lost, Courier's is too old: UIDs that
// were given since would go to other messages.
func TestCourierOnlyOnce(t *testing.T) {
	path := courierBox(t)
	b := openBox(t, newStore(t, Options{}), path)
	adopted(t, b)
	appendText(t, b, "INBOX", "new", Flags{})
	notAgain(t, path, "INBOX", "Entwürfe")
}

// notAgain loses the uidlists of folders.
func notAgain(t *testing.T, path string, names ...string) {
	t.Helper()
	b := openBox(t, newStore(t, Options{}), path)
	for _, name := range names {
		disk, _ := diskName(name)
		os.Remove(filepath.Join(path, disk, "dovecot-uidlist"))
		v := sel(t, b, name, false)
		if v.UIDValidity() == 795364218 || v.UIDValidity() == 795364219 {
			t.Errorf("%s: got Courier's UIDVALIDITY again, with UIDs that went to other messages", name)
		}
		v.Close()
	}
}

// TestCourierAgain: a mailbox that went back to Courier and comes again, without
// our old list, is taken over once more.
func TestCourierAgain(t *testing.T) {
	path := courierBox(t)
	b := openBox(t, newStore(t, Options{}), path)
	adopted(t, b)
	if err := courier.Export(b.store.locker, b.root, nil); err != nil {
		t.Fatal(err)
	}
	os.Remove(path + "/dovecot-uidlist")
	adopted(t, openBox(t, newStore(t, Options{}), path))
}

// TestCourierBesideDovecot: where Dovecot has been since, its lists count.
func TestCourierBesideDovecot(t *testing.T) {
	path := courierBox(t)
	os.WriteFile(path+"/dovecot-uidlist", []byte("3 V77 N20\n19 :1700000001.a\n"), 0o600)
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if v.UIDValidity() != 77 || v.At(1).UID != 19 {
		t.Errorf("got UIDVALIDITY %d, UID %d, want 77, 19", v.UIDValidity(), v.At(1).UID)
	}
	notAgain(t, path, "INBOX")
}

// TestCourierManyKeywords: the 26 of the most messages get letters, the others
// stand in posthorn-state.
func TestCourierManyKeywords(t *testing.T) {
	path := courierBox(t)
	var words []string
	for n := range 40 {
		words = append(words, fmt.Sprintf("w%02d", n))
	}
	os.WriteFile(path+"/courierimapkeywords/1700000001.a", []byte(strings.Join(words, "\n")), 0o600)
	os.WriteFile(path+"/courierimapkeywords/1700000002.b", []byte("w39\nw38\n"), 0o600)
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", false)
	if got := v.At(1).Flags.Keywords; len(got) != 40 {
		t.Errorf("got %d keywords, want 40", len(got))
	}
	letters := v.Keywords()[:26]
	if !slices.Contains(letters, "w39") || !slices.Contains(letters, "w38") {
		t.Errorf("got letters for %v, want those of two messages among them", letters)
	}
}

// only drops all but the saved UIDLs.
func only(ids map[uint32]POP3ID) map[uint32]string {
	uidls := map[uint32]string{}
	for uid, id := range ids {
		uidls[uid] = id.UIDL
	}
	return uidls
}
