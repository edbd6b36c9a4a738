package mailbox

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"posthorn/internal/watch"
)

// sentry is what all Lookouts of a Store share.
type sentry struct {
	mu      sync.Mutex
	watcher *watch.Watcher[*beat] // nil when nobody looks at anything, or the kernel gave none
	closed  bool
	most    int // folders on the disk that may be watched; 0: not yet known
	walked  int // how many the rounds are for
	beats   map[fileID]*beat
	rounds  watch.Poller[*beat, trail] // look at what the kernel does not watch
}

// unwatched is a watch that the kernel refused, and that there is no other way for.
type unwatched struct{ error }

func (u unwatched) Unwrap() []error { return []error{ErrUnwatched, u.error} }

// beat is a folder on the disk that is watched.
type beat struct {
	id    fileID
	path  string // where it was; "" when the kernel watches it
	posts []post
}

// post is somebody to whom a beat matters.
type post struct {
	lookout *Lookout
	spot    Spot
	as      part
}

const beatEvents = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_MODIFY | unix.IN_ONLYDIR

// Where the kernel says how many watches a user may have, how many of these are for
// Lookouts at most, so that some are left for folders that are selected, how many
// where it says nothing, and how many folders are looked at now and then beside them.
const (
	maxWatches   = "/proc/sys/fs/inotify/max_user_watches"
	fewWatches   = 4096
	shareOfBeats = 2
	maxWalked    = 4096
)

// begin makes the inotify instance; s.mu is held.
func (s *sentry) begin() (err error) {
	if s.watcher != nil {
		return nil
	}
	if s.most == 0 {
		s.most = fewWatches
		if text, err := os.ReadFile(maxWatches); err == nil {
			if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				s.most = n / shareOfBeats
			}
		}
	}
	s.watcher, err = watch.New(curPause, s.told)
	return err
}

// close ends the watching.
func (s *sentry) close() {
	s.mu.Lock()
	w := s.watcher
	s.watcher, s.closed = nil, true
	s.mu.Unlock()
	if w != nil {
		w.Close()
	}
	s.rounds.Close()
}

// look begins to tell l of the folder that fd has open.
func (s *sentry) look(l *Lookout, spot Spot, fd int, as part) error {
	id, err := identify(fd)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	b := s.beats[id]
	if b == nil {
		b = &beat{id: id}
		if err := s.add(b, fd); err != nil {
			return err
		}
	}
	if p := (post{l, spot, as}); !slices.Contains(b.posts, p) {
		b.posts = append(b.posts, p)
		l.beats[spot] = append(l.beats[spot], b)
	}
	return nil
}

// add has the folder watched that fd has open, in one way or the other; s.mu is held.
func (s *sentry) add(b *beat, fd int) error {
	err := s.begin()
	if err == nil && s.watcher.Len() >= s.most {
		err = ErrUnwatched
	}
	if err == nil {
		err = s.watcher.Add(b, fd, beatEvents)
	}
	if err != nil {
		if s.walked >= maxWalked {
			return unwatched{err}
		}
		if b.path, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); err == nil {
			_, err = b.now()
		}
		if err != nil {
			return unwatched{err}
		}
		s.walked++
		s.rounds.Add(b)
	}
	if s.beats == nil {
		s.beats = map[fileID]*beat{}
	}
	s.beats[b.id] = b
	return nil
}

// end ends the watching of a folder; s.mu is held.
func (s *sentry) end(b *beat) {
	if s.beats[b.id] != b {
		return
	}
	delete(s.beats, b.id)
	if b.path != "" {
		s.walked--
		s.rounds.Remove(b)
	} else if s.watcher != nil {
		s.watcher.Remove(b)
	}
}

// dropOther is drop unless what look began for the spot was for the folder id.
func (s *sentry) dropOther(l *Lookout, spot Spot, id fileID) {
	s.mu.Lock()
	beats := l.beats[spot]
	s.mu.Unlock()
	if len(beats) > 0 && beats[0].id != id {
		s.drop(l, spot)
	}
}

// drop ends what look began for a spot.
func (s *sentry) drop(l *Lookout, spot Spot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range l.beats[spot] {
		b.posts = slices.DeleteFunc(b.posts, func(p post) bool { return p.lookout == l && p.spot == spot })
		if len(b.posts) == 0 {
			s.end(b)
		}
	}
	delete(l.beats, spot)
}

// told hands an event on. A folder that is gone is not watched any more.
func (s *sentry) told(b *beat, mask uint32, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range b.posts {
		news := p.as.news(mask, name)
		if news == 0 {
			continue
		}
		first := len(p.lookout.news) == 0
		p.lookout.news[p.spot] |= news
		if first {
			p.lookout.told()
		}
	}
	if mask&unix.IN_IGNORED != 0 {
		for _, p := range b.posts {
			p.lookout.forget(p.spot, b)
		}
		s.end(b)
	}
}

// met hands on what the rounds met with: what exactly is not known.
func (s *sentry) met(b *beat, err error) {
	if err != nil {
		s.told(b, unix.IN_IGNORED, "")
	} else {
		s.told(b, unix.IN_Q_OVERFLOW, "")
	}
}
