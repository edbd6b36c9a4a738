package mailbox

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/statefile"
)

// ErrUnwatched says that no more folders can be watched, nor looked at now and then.
var ErrUnwatched = errors.New("too many folders are watched")

// News is a set of what may have changed at a place.
type News uint8

// What a Lookout tells of. Nothing of it is certain.
const (
	NewsOfMessages News = 1 << iota // of the folder
	NewsOfState                     // its rights and annotations
	NewsOfFolders                   // which folders the box has, and its subscriptions
)

// Spot is a place that a Lookout looks at: a folder, or with Folder "" the box itself.
type Spot struct {
	Box    *Box
	Folder string
}

// Identity tells a folder from others, whatever its name. It is only to be compared.
type Identity struct{ id fileID }

// Lookout tells somebody of changes in many folders, none of which it keeps open. It
// costs no goroutine: all Lookouts of a Store share one inotify instance, and what looks
// every two seconds at what the kernel does not watch. It is safe for concurrent use.
type Lookout struct {
	sentry *sentry
	told   func()

	// The sentry's mutex protects these.
	beats map[Spot][]*beat
	news  map[Spot]News
}

// Lookout returns one that looks at nothing. told is called when there is news and all
// before were taken; it must not wait for anything. The caller closes it.
func (s *Store) Lookout(told func()) *Lookout {
	return &Lookout{sentry: &s.sentry, told: told, beats: map[Spot][]*beat{}, news: map[Spot]News{}}
}

// Folder begins to look at the state of a folder and, if that is wanted, at its
// messages. It may be called again: it then looks at the folder that has the name now,
// and misses nothing of the one that had it.
// Errors: ErrNoFolder, ErrBadName, ErrUnwatched.
func (l *Lookout) Folder(b *Box, name string, messages bool) (Identity, error) {
	disk, err := diskName(name)
	if err != nil {
		return Identity{}, err
	}
	fd, err := beneath(b.root.FD, disk)
	if err != nil {
		return Identity{}, ErrNoFolder
	}
	defer unix.Close(fd)
	self, err := identify(fd)
	if err != nil {
		return Identity{}, ErrNoFolder
	}
	spot := Spot{b, name}
	l.sentry.dropOther(l, spot, self)
	err = l.look(spot, fd, inFolder)
	if messages && err == nil {
		if err = l.beneath(spot, fd, "new"); err == nil {
			err = l.beneath(spot, fd, "cur")
		}
	}
	return Identity{self}, err
}

// beneath looks at new/ or cur/. One that is not there yet is news of its folder when
// it is made.
func (l *Lookout) beneath(spot Spot, dirfd int, sub string) error {
	fd, err := beneath(dirfd, sub)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	return l.look(spot, fd, inMessages)
}

// Box begins to look at which folders a box has, and at its subscriptions. A folder
// that becomes one after it was made is noticed too. It may be called again. Errors:
// ErrUnwatched.
func (l *Lookout) Box(b *Box) error {
	spot := Spot{Box: b}
	if err := l.look(spot, b.root.FD, inRoot); err != nil {
		return err
	}
	entries, err := os.ReadDir("/proc/self/fd/" + strconv.Itoa(b.root.FD))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, ok := folderName(e.Name()); !ok || !e.IsDir() || b.isMaildir(e.Name()) {
			continue
		}
		fd, err := beneath(b.root.FD, e.Name())
		if err != nil {
			continue // it went away again
		}
		err = l.look(spot, fd, inFolderToBe)
		unix.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// Dir begins to look at the posthorn-state of any folder at path, for the Spot zero.
// Errors: ErrUnwatched.
func (l *Lookout) Dir(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	return l.look(Spot{}, fd, inFolder)
}

// forget takes away a folder on the disk that is gone; the sentry is locked.
func (l *Lookout) forget(spot Spot, b *beat) {
	left := slices.DeleteFunc(l.beats[spot], func(other *beat) bool { return other == b })
	if l.beats[spot] = left; len(left) == 0 {
		delete(l.beats, spot)
	}
}

// Drop ends the looking at a spot.
func (l *Lookout) Drop(spot Spot) { l.sentry.drop(l, spot) }

// Close ends the looking. Nobody is told any more.
func (l *Lookout) Close() {
	l.sentry.mu.Lock()
	spots := maps.Clone(l.beats)
	l.told = func() {}
	l.sentry.mu.Unlock()
	for spot := range spots {
		l.Drop(spot)
	}
}

// News returns where something may have changed since it was asked last, and what.
func (l *Lookout) News() map[Spot]News {
	l.sentry.mu.Lock()
	defer l.sentry.mu.Unlock()
	if len(l.news) == 0 {
		return nil
	}
	news := l.news
	l.news = map[Spot]News{}
	return news
}

// look has the sentry look at the folder that fd has open.
func (l *Lookout) look(spot Spot, fd int, as part) error { return l.sentry.look(l, spot, fd, as) }

// part is what a folder on the disk is to a spot.
type part uint8

const (
	inRoot part = iota
	inFolder
	inFolderToBe // a folder in the root that has no cur/ yet
	inMessages
)

// news returns what an event says to somebody to whom the folder is a part.
func (p part) news(mask uint32, name string) News {
	lost := mask&(unix.IN_Q_OVERFLOW|unix.IN_IGNORED) != 0
	switch p {
	case inMessages:
		if mask&unix.IN_MODIFY == 0 {
			return NewsOfMessages
		}
	case inFolder:
		switch {
		case lost || name == "new" || name == "cur": // that were made, maybe
			return NewsOfState | NewsOfMessages
		case name == statefile.Name:
			return NewsOfState
		}
	case inFolderToBe:
		if lost || name == "cur" {
			return NewsOfFolders
		}
	case inRoot:
		if lost || name == "subscriptions" || mask&unix.IN_ISDIR != 0 && strings.HasPrefix(name, ".") {
			return NewsOfFolders
		}
	}
	return 0
}
