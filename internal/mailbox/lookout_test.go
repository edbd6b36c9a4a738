package mailbox

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// lookOut returns a Lookout and what waits for its news of a spot.
func lookOut(t *testing.T, s *Store) (*Lookout, func(spot Spot, want News)) {
	t.Helper()
	told := make(chan struct{}, 1)
	l := s.Lookout(func() {
		select {
		case told <- struct{}{}:
		default:
		}
	})
	t.Cleanup(l.Close)
	all := map[Spot]News{}
	return l, func(spot Spot, want News) {
		t.Helper()
		for all[spot]&want != want {
			select {
			case <-told:
			case <-time.After(20 * time.Second):
				t.Fatalf("got %v, want %d of %v", all, want, spot)
			}
			for at, n := range l.News() {
				all[at] |= n
			}
		}
		clear(all)
	}
}

func TestLookout(t *testing.T) {
	s := newStore(t, Options{})
	testLookout(t, s)
}

// TestLookoutWalks: folders are looked at where the kernel watches none.
func TestLookoutWalks(t *testing.T) {
	s := newStore(t, Options{})
	s.sentry.most, s.sentry.rounds.Every = -1, time.Millisecond
	testLookout(t, s)
	s.sentry.mu.Lock()
	defer s.sentry.mu.Unlock()
	if s.sentry.walked != len(s.sentry.beats) || s.sentry.walked == 0 {
		t.Errorf("got %d of %d folders on the rounds, want all", s.sentry.walked, len(s.sentry.beats))
	}
}

func testLookout(t *testing.T, s *Store) {
	path := t.TempDir()
	b := openBox(t, s, path)
	b.Create("a")
	l, news := lookOut(t, s)
	before := instances(t)
	a, folders := Spot{b, "a"}, Spot{Box: b}
	if err := l.Box(b); err != nil {
		t.Fatal(err)
	}
	id, err := l.Folder(b, "a", true)
	if err != nil {
		t.Fatal(err)
	}
	if got := instances(t) - before; got != 1 {
		t.Errorf("got %d instances, want 1", got)
	}
	appendText(t, b, "a", "x", Flags{})
	news(a, NewsOfMessages)
	if err := os.WriteFile(path+"/.a/posthorn-state", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	news(a, NewsOfState)
	b.Subscribe("x", true)
	news(folders, NewsOfFolders)
	os.Mkdir(path+"/.b", 0o700) // by another program, which makes the rest later
	news(folders, NewsOfFolders)
	if err := l.Box(b); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(path+"/.b/cur", 0o700)
	news(folders, NewsOfFolders)
	if _, err := l.Folder(b, "b", true); err != nil {
		t.Fatal(err)
	}
	os.Mkdir(path+"/.b/new", 0o700)
	news(Spot{b, "b"}, NewsOfState|NewsOfMessages)
	b.Rename("a", "c")
	news(folders, NewsOfFolders)
	if now, err := l.Folder(b, "c", true); err != nil || now != id {
		t.Errorf("got %v, %v for the folder's new name, want %v", now, err, id)
	}
	l.Drop(a)
	appendText(t, b, "c", "x", Flags{})
	news(Spot{b, "c"}, NewsOfMessages)
	for _, tt := range []struct {
		name string
		want error
	}{{"gone", ErrNoFolder}, {"..", ErrBadName}} {
		if _, err := l.Folder(b, tt.name, true); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestLookoutGivesBack: what is watched for nobody any more is not watched.
func TestLookoutGivesBack(t *testing.T) {
	path := t.TempDir()
	s := newStore(t, Options{})
	b := openBox(t, s, path)
	b.Create("a")
	watched := func() (int, int) {
		s.sentry.mu.Lock()
		defer s.sentry.mu.Unlock()
		return len(s.sentry.beats), s.sentry.watcher.Len()
	}
	one, _ := lookOut(t, s)
	two, news := lookOut(t, s)
	for _, l := range []*Lookout{one, two, two} {
		if _, err := l.Folder(b, "a", true); err != nil {
			t.Fatal(err)
		}
	}
	if beats, watches := watched(); beats != 3 || watches != 3 {
		t.Errorf("got %d and %d watches of a folder that two look at, want 3", beats, watches)
	}
	one.Close()
	appendText(t, b, "a", "x", Flags{})
	news(Spot{b, "a"}, NewsOfMessages)
	os.RemoveAll(filepath.Join(path, ".a"))
	news(Spot{b, "a"}, NewsOfState)
	b.Create("a")
	if _, err := two.Folder(b, "a", true); err != nil {
		t.Fatal(err)
	}
	appendText(t, b, "a", "x", Flags{})
	news(Spot{b, "a"}, NewsOfMessages)
	two.Close()
	if beats, watches := watched(); beats != 0 || watches != 0 {
		t.Errorf("got %d and %d watches for nobody, want none", beats, watches)
	}
}

// TestLookoutIsBounded: so many folders on the disk and no more.
func TestLookoutIsBounded(t *testing.T) {
	s := newStore(t, Options{})
	b := openBox(t, s, t.TempDir())
	l, news := lookOut(t, s)
	if _, err := l.Folder(b, "INBOX", true); err != nil {
		t.Fatal(err)
	}
	s.sentry.mu.Lock()
	s.sentry.most, s.sentry.walked = s.sentry.watcher.Len()+2, maxWalked
	s.sentry.mu.Unlock()
	b.Create("a")
	if _, err := l.Folder(b, "a", true); !errors.Is(err, ErrUnwatched) {
		t.Errorf("got %v, want ErrUnwatched", err)
	}
	appendText(t, b, "INBOX", "x", Flags{})
	news(Spot{b, "INBOX"}, NewsOfMessages)
	if got := l.News(); len(got) != 0 && !maps.Equal(got, map[Spot]News{{b, "INBOX"}: NewsOfMessages}) {
		t.Errorf("got %v", got)
	}
}

// TestLookoutForgetsWhatIsGone: folders that come and go leave nothing with who is
// told of them.
func TestLookoutForgetsWhatIsGone(t *testing.T) {
	path := t.TempDir()
	s := newStore(t, Options{})
	b := openBox(t, s, path)
	l, news := lookOut(t, s)
	folders := Spot{Box: b}
	for range 5 {
		if err := os.Mkdir(path+"/.soon", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := l.Box(b); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path + "/.soon"); err != nil {
			t.Fatal(err)
		}
		watched := func() int {
			l.sentry.mu.Lock()
			defer l.sentry.mu.Unlock()
			return len(l.beats[folders])
		}
		for end := time.Now().Add(20 * time.Second); watched() > 1 && time.Now().Before(end); {
			news(folders, NewsOfFolders)
		}
		if n := watched(); n != 1 {
			t.Fatalf("got %d folders watched for the box, want its root alone", n)
		}
	}
}
