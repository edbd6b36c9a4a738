package mailbox

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestFolders(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for _, name := range []string{"Work.2024", "Entwürfe", "a&b", "Sent"} {
		if err := b.Create(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := b.Create(name); !errors.Is(err, ErrExists) {
			t.Errorf("%s: got %v, want ErrExists", name, err)
		}
	}
	for _, name := range []string{"", ".", "a.", ".a", "a..b", "a/b", "~a", "a\nb", "\xff", "..", "a*", strings.Repeat("x", 300)} {
		if err := b.Create(name); !errors.Is(err, ErrBadName) {
			t.Errorf("%q: got %v, want ErrBadName", name, err)
		}
		if _, err := b.Select(name, true); !errors.Is(err, ErrBadName) && !errors.Is(err, ErrNoFolder) {
			t.Errorf("%q: got %v, want ErrBadName or ErrNoFolder", name, err)
		}
	}
	if err := b.Create("inbox.Old"); err != nil {
		t.Error(err)
	}
	if err := b.Create("Inbox.Old"); !errors.Is(err, ErrExists) {
		t.Errorf("got %v, want INBOX in any case to be one folder", err)
	}
	os.MkdirAll(path+"/.inbox.hidden/cur", 0o700)
	os.Mkdir(path+"/.cache", 0o700)
	os.Mkdir(path+"/.&broken", 0o700)
	os.Symlink("/", path+"/.link")
	got, err := b.Folders()
	if want := []string{"INBOX", "Entwürfe", "INBOX.Old", "Sent", "Work.2024", "a&b"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := os.Stat(path + "/.Entw&APw-rfe/maildirfolder"); err != nil {
		t.Error(err)
	}
	if ok, err := b.Exists("Work"); ok || err != nil {
		t.Errorf("got %v, %v, want no parent made", ok, err)
	}
	if _, err := b.Select("link", true); !errors.Is(err, ErrNoFolder) {
		t.Errorf("got %v through a symbolic link, want ErrNoFolder", err)
	}
}

func TestSubscriptions(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for _, name := range []string{"Work.2024", "Entwürfe", "inbox", "inbox.a"} {
		if err := b.Subscribe(name, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Subscribe("Work.2024", false); err != nil {
		t.Fatal(err)
	}
	got, err := b.Subscriptions()
	if want := []string{"Entwürfe", "INBOX", "INBOX.a"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if err := b.Subscribe("a\nb", true); !errors.Is(err, ErrBadName) {
		t.Errorf("got %v, want ErrBadName", err)
	}
}

func TestLockPOP3(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	other := openBox(t, newStore(t, Options{}), path)
	release, err := b.LockPOP3()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.LockPOP3(); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	release()
	if release, err = other.LockPOP3(); err != nil {
		t.Fatalf("got %v after release", err)
	}
	release()
}
