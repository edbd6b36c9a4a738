package dovecot

import (
	"golang.org/x/sys/unix"
)

// Place is how far a follower came in a list, for one that goes on there later,
// maybe in another process.
type Place struct {
	Inode uint64
	Size  int64
	Time  int64  // of the last change, in nanoseconds
	Lines int    // records in the file
	Last  uint32 // the highest UID in it
	Next  uint32 // the lowest UID that may be given
}

// Place returns where the follower stands; ok is false when the list has lines
// that must be read again, or is none.
func (l *Uidlist) Place() (p Place, ok bool) {
	if l.file == nil || l.rewound || l.torn || l.Damaged() > 0 || l.end != l.seen.size {
		return Place{}, false
	}
	return Place{l.seen.ino, l.seen.size, l.seen.mtime.Nano(), l.count, l.last, l.next}, true
}

// Return has the follower go on at p and reports whether the list is the one of
// p, unchanged; if it is not, the follower is as before. Nothing but the header
// is read.
func (l *Uidlist) Return(p Place) (bool, error) {
	f, err := l.dir.open(UidlistName, unix.O_RDWR)
	if err != nil {
		return false, nil // Load says what it is
	}
	now, err := stampOf(f)
	if err != nil || now.ino != p.Inode || now.size != p.Size || now.mtime.Nano() != p.Time {
		f.Close()
		return false, err
	}
	was := *l
	l.Close()
	l.file = f
	head, _, err := l.readHeader()
	if err != nil || head.broken {
		f.Close()
		*l = was
		l.forget()
		return false, nil
	}
	l.seen, l.head, l.end = now, head, p.Size
	l.last, l.count, l.next = p.Last, p.Lines, max(l.next, p.Next)
	l.damaged, l.torn, l.rewound = 0, false, false
	return true, nil
}

// Names reads the whole list as it is: where a Record's At says, its name stands.
// It is for a follower that has just returned to its place.
func (l *Uidlist) Names() ([]byte, error) {
	b := make([]byte, l.end)
	_, err := l.file.ReadAt(b, 0)
	return b, err
}

// Rewrites counts how often this follower gave the list a new content, in which
// every name stands elsewhere.
func (l *Uidlist) Rewrites() int { return l.rewrites }
