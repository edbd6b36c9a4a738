package mailbox

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// sentry is what all Lookouts of a Store share. Its zero value is ready.
type sentry struct {
	mu      sync.Mutex
	watcher *watcher[*beat]
	closed  bool
	most    int // folders on the disk that may be watched
	beats   map[fileID]*beat
}

// unwatched is a watch that the kernel refused.
type unwatched struct{ error }

func (u unwatched) Unwrap() []error { return []error{ErrUnwatched, u.error} }

// beat is a folder on the disk that is watched.
type beat struct {
	id    fileID
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
// Lookouts at most, so that some are left for folders that are selected, and how many
// where it says nothing.
const (
	maxWatches   = "/proc/sys/fs/inotify/max_user_watches"
	fewWatches   = 4096
	shareOfBeats = 2
)

// begin makes the inotify instance; s.mu is held.
func (s *sentry) begin() error {
	switch {
	case s.closed:
		return ErrClosed
	case s.watcher != nil:
		return nil
	}
	s.most = fewWatches
	if text, err := os.ReadFile(maxWatches); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			s.most = n / shareOfBeats
		}
	}
	w, err := newWatcher(curPause, s.told)
	if err == nil {
		s.watcher, s.beats = w, map[fileID]*beat{}
	}
	return err
}

// close ends the watching.
func (s *sentry) close() {
	s.mu.Lock()
	w := s.watcher
	s.watcher, s.closed = nil, true
	s.mu.Unlock()
	if w != nil {
		w.close()
	}
}

// look begins to tell l of the folder that fd has open.
func (s *sentry) look(l *Lookout, spot Spot, fd int, as part) error {
	id, err := identify(fd)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return unwatched{err}
	}
	b := s.beats[id]
	if b == nil {
		if len(s.beats) >= s.most {
			return ErrUnwatched
		}
		b = &beat{id: id}
		if err := s.watcher.add(b, fd, beatEvents); err != nil {
			return unwatched{err}
		}
		s.beats[id] = b
	}
	if p := (post{l, spot, as}); !slices.Contains(b.posts, p) {
		b.posts = append(b.posts, p)
		l.beats[spot] = append(l.beats[spot], b)
	}
	return nil
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
		if len(b.posts) == 0 && s.beats[b.id] == b {
			delete(s.beats, b.id)
			if s.watcher != nil {
				s.watcher.remove(b)
			}
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
	if mask&unix.IN_IGNORED != 0 && s.beats[b.id] == b && s.watcher != nil {
		for _, p := range b.posts {
			p.lookout.forget(p.spot, b)
		}
		delete(s.beats, b.id)
		s.watcher.remove(b)
	}
}
