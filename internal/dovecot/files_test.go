package dovecot

import (
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestKeywords(t *testing.T) {
	k := ParseKeywords([]byte("0 foo\n1 $Junk\n3 FOO\n99 x\n-1 y\n4 a b\n5 ok\nrubbish\n\n6 x\\y\n"))
	if k[0] != "foo" || k[1] != "$Junk" || k[5] != "ok" {
		t.Errorf("got %q", k)
	}
	for _, i := range []int{2, 3, 4, 6} {
		if got := k.Name(i); got != "" {
			t.Errorf("got %q at %d, want none", got, i)
		}
	}
	// The letters of what cannot be told are in the names of files too.
	if err := k.Add([]string{"$junk", "new", "newer"}); err != nil || k.Index("NEW") != 2 || k.Index("newer") != 7 {
		t.Errorf("got %v %q, want new and newer in free places", err, k)
	}
	d, path := testDir(t)
	if err := k.Save(d); err != nil {
		t.Fatal(err)
	}
	const want = "0 foo\n1 $Junk\n2 new\n3 FOO\n4 a b\n5 ok\n6 x\\y\n7 newer\n"
	if got, err := os.ReadFile(path + "/" + keywordsName); string(got) != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, bad := range []string{"", "a b", "a\nb", "(x", `\Seen`, strings.Repeat("x", 300), "a]"} {
		if err := k.Add([]string{bad}); !errors.Is(err, ErrKeyword) {
			t.Errorf("%.10q: got %v, want ErrKeyword", bad, err)
		}
	}
}

func TestKeywordsFull(t *testing.T) {
	d, _ := testDir(t)
	var k Keywords
	for i := range MaxKeywords {
		if !k.Room() {
			t.Fatalf("got no room at %d", i)
		}
		if err := k.Add([]string{"k" + string(rune('a'+i))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Add([]string{"more"}); !errors.Is(err, ErrKeywordsFull) || k.Room() {
		t.Errorf("got %v room %v, want ErrKeywordsFull", err, k.Room())
	}
	if err := k.Save(d); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadKeywords(d); got != k || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, k)
	}
}

func TestSubscriptions(t *testing.T) {
	for _, tt := range []struct {
		name, before, set string
		on                bool
		want              string
	}{
		{"new file", "", "Work.2024", true, "V\t2\n\nWork\t2024\n"},
		{"newer form", "V\t2\n\nSent\nWork\t2024\n", "A.b", true, "V\t2\n\nSent\nWork\t2024\nA\tb\n"},
		{"newer form, off", "V\t2\n\nSent\nWork\t2024\n", "Work.2024", false, "V\t2\n\nSent\n"},
		{"older form", "Sent\nWork.2024\n", "Foo.bar", true, "Sent\nWork.2024\nFoo.bar\n"},
		{"no last line end", "Sent", "Foo", true, "Sent\nFoo\n"},
		{"there already", "Sent\n", "Sent", true, "Sent\n"},
		{"twice", "Sent\nSent\n", "Foo", true, "Sent\nFoo\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, path := testDir(t)
			if tt.before != "" {
				put(t, path+"/subscriptions", tt.before)
			}
			if err := newLocker(t).Subscribe(d, tt.set, tt.on); err != nil {
				t.Fatal(err)
			}
			got := get(t, path+"/subscriptions")
			if tt.name == "twice" || tt.name == "there already" {
				s, _ := LoadSubscriptions(d)
				got = strings.Join(s.Names, "\n") + "\n"
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if _, err := os.Stat(path + "/subscriptions.lock"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("got %v, want no lock left", err)
			}
		})
	}
}

func TestSubscribeRefusesLineEnds(t *testing.T) {
	d, _ := testDir(t)
	for _, name := range []string{"", "a\nb", "a\tb", "a\x00"} {
		if newLocker(t).Subscribe(d, name, true) == nil {
			t.Errorf("%q: got nil, want an error", name)
		}
	}
}

func TestNewUIDValidity(t *testing.T) {
	locker := newLocker(t)
	now := time.Unix(0x60000000, 0)
	for _, tt := range []struct {
		name    string
		files   map[string]string
		want    uint32
		oldGone string
	}{
		{"new Maildir", nil, 0x60000000, ""},
		{"as Dovecot left it", map[string]string{"dovecot-uidvalidity": "6b02ee33", "dovecot-uidvalidity.6b02ee33": ""}, 0x6b02ee34, "dovecot-uidvalidity.6b02ee33"},
		{"the name is ahead", map[string]string{"dovecot-uidvalidity": "6b02ee33", "dovecot-uidvalidity.6b02ee40": ""}, 0x6b02ee41, ""},
		{"whoever gave one died", map[string]string{"dovecot-uidvalidity": "6b02ee33", "dovecot-uidvalidity.6b02ee33": "", "dovecot-uidvalidity.6b02ee34": ""}, 0x6b02ee35, "dovecot-uidvalidity.6b02ee34"},
		{"only the content", map[string]string{"dovecot-uidvalidity": "6b02ee33"}, 0x6b02ee34, ""},
		{"only a name", map[string]string{"dovecot-uidvalidity.6b02ee33": "", "dovecot-uidvalidity.x": ""}, 0x6b02ee34, ""},
		{"garbled", map[string]string{"dovecot-uidvalidity": "zzzzzzzz", "dovecot-uidvalidity.1": ""}, 0x60000000, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, path := testDir(t)
			for name, content := range tt.files {
				put(t, path+"/"+name, content)
			}
			got, err := locker.NewUIDValidity(d, now)
			if got != tt.want || err != nil {
				t.Fatalf("got %x, %v, want %x", got, err, tt.want)
			}
			if second, err := locker.NewUIDValidity(d, now); second != tt.want+1 || err != nil {
				t.Errorf("got %x, %v the second time, want one more", second, err)
			}
			if _, err := os.Stat(path + "/" + tt.oldGone); tt.oldGone != "" && err == nil {
				t.Errorf("got %s still there", tt.oldGone)
			}
		})
	}
}

func TestParseIndex(t *testing.T) {
	// The header of a dovecot.index of Dovecot 2.3.19.
	h := [32]byte{7, 3, 0x78, 0, 0xe8, 1, 0, 0, 0x10, 0, 0, 0, 1, 0, 0, 0,
		0x30, 0xee, 0x02, 0x6b, 0, 0, 0, 0, 0x31, 0xee, 0x02, 0x6b, 5, 0, 0, 0}
	if v, n, ok := parseIndex(h); v != 1795354161 || n != 5 || !ok {
		t.Errorf("got %d %d %v, want 1795354161 5 true", v, n, ok)
	}
	h[0] = 9
	if _, _, ok := parseIndex(h); ok {
		t.Error("got an unknown version accepted")
	}
}

func TestControlFilesAreNotFollowed(t *testing.T) {
	d, path := testDir(t)
	put(t, path+"/elsewhere", "3 V5 N4\n1 :a\n")
	if err := os.Symlink("elsewhere", path+"/dovecot-uidlist"); err != nil {
		t.Fatal(err)
	}
	if err := NewUidlist(d, 0).Load(func() {}, func(Record) {}); err == nil || errors.Is(err, ErrNoList) {
		t.Errorf("got %v for a symbolic link, want another error", err)
	}
	if err := os.Mkdir(path+"/dovecot-keywords", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeywords(d); err == nil {
		t.Error("got a folder read as a file")
	}
}

func FuzzSmallFiles(f *testing.F) {
	f.Add([]byte("0 foo\n1 $Junk\n"))
	f.Add([]byte("V\t2\n\nSent\nWork\t2024\n"))
	f.Add([]byte("Sent\nINBOX\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		k := ParseKeywords(content)
		for i := range k {
			if name := k.Name(i); name != "" && (CheckKeyword(name) != nil || k.Index(name) != i) {
				t.Errorf("got keyword %q at %d", name, i)
			}
		}
		s := ParseSubscriptions(content)
		again := ParseSubscriptions(s.format())
		if strings.Join(s.Names, "\n") != strings.Join(again.Names, "\n") {
			t.Errorf("got %q after writing %q", again.Names, s.Names)
		}
	})
}

// FuzzLeftBehind: what other programs wrote into a lock, the name of a
// dovecot-uidvalidity file, and the head of dovecot.index.
func FuzzLeftBehind(f *testing.F) {
	f.Add("123:host\n")
	f.Add("6560cc44")
	f.Add("\x07\x03x\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x44\xcc\x60\x65\x05\x00\x00\x00")
	f.Fuzz(func(t *testing.T, s string) {
		if pid, host, ok := parseLock(s); ok && (pid <= 0 || strings.Contains(host, "\n") && !strings.Contains(strings.TrimSpace(s), "\n")) {
			t.Errorf("%q: got %d and %q", s, pid, host)
		}
		if n, err := parseHex(s); err == nil && (n == 0 || len(s) != 8) {
			t.Errorf("%q: got %d", s, n)
		}
		var head [32]byte
		copy(head[:], s)
		if v, _, ok := parseIndex(head); ok != (v != 0) {
			t.Errorf("%q: got %d, %v", s, v, ok)
		}
	})
}

// TestUIDValidityTogether: folders that are first opened at the same moment
// each get their own.
func TestUIDValidityTogether(t *testing.T) {
	locker := newLocker(t)
	d, _ := testDir(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	given := make(map[uint32]bool)
	for range 16 {
		wg.Go(func() {
			for range 8 {
				n, err := locker.NewUIDValidity(d, time.Unix(1700000000, 0))
				mu.Lock()
				if err != nil || given[n] {
					t.Errorf("got %d, %v, given before: %v", n, err, given[n])
				}
				given[n] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	names, err := d.Names("")
	for _, name := range names {
		if strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".lock") {
			t.Errorf("%s is left", name)
		}
	}
	last, err2 := locker.NewUIDValidity(d, time.Unix(1700000000, 0))
	for n := range given {
		if n >= last {
			t.Errorf("got %d after %d", last, n)
		}
	}
	if err = errors.Join(err, err2); err != nil {
		t.Error(err)
	}
}
