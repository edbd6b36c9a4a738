package dovecot

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// UidlistName is the file that a Uidlist follows.
const UidlistName = "dovecot-uidlist"

// ErrNoList means that the folder has no readable list: Create makes one.
var ErrNoList = errors.New("no uidlist")

// Uidlist follows one folder's list: Load reads what is new since the last
// Load. It is used by one goroutine at a time, and closed by who made it.
type Uidlist struct {
	dir  Dir
	step uint32

	file  *os.File // kept open, so that its inode's number cannot come back
	seen  stamp
	head  Header // as last read or written; UIDVALIDITY outlives the file
	next  uint32 // the lowest UID that may be given
	last  uint32 // the highest in the list
	end   int64  // after the last whole line that was read
	count int    // records in the file

	mark    Mark // where an earlier follower left off
	damaged int  // lines that could not be read
	torn    bool // bytes behind end without a line end
	rewound bool
	named   bool // the file's name is known to be durable

	rewrites int // by this follower
}

// stamp tells whether a file changed.
type stamp struct {
	ino   uint64
	size  int64
	mtime unix.Timespec
}

// NewUidlist returns the follower of d's list. When N is reached it is raised
// by step: 1,000 saves a sync for each message; 0 keeps N exact, for folders
// where others read it.
func NewUidlist(d Dir, step uint32) *Uidlist { return &Uidlist{dir: d, step: step, next: 1} }

// Mark is how far a follower came with the UIDs that it has reserved.
type Mark struct {
	uidvalidity uint32
	guid        string
	reserved    uint32 // N on the disk
	next        uint32
}

// Mark returns where the next follower of this list in this process may go on:
// without it each would begin at N and pass over a thousand UIDs.
func (l *Uidlist) Mark() Mark {
	return Mark{l.head.UIDValidity, l.head.GUID, l.head.Next, l.next}
}

// Resume has the first Load go on at m, if nobody else gave UIDs or reserved
// any since.
func (l *Uidlist) Resume(m Mark) { l.mark = m }

// resumed reports whether the list stands as m says; all of it was read.
func (l *Uidlist) resumed(m Mark, head Header) bool {
	return m.guid != "" && m.guid == head.GUID && m.uidvalidity == head.UIDValidity &&
		m.reserved == head.Next && l.last < m.next && l.Damaged() == 0 && !head.broken && !l.torn
}

// Close closes the list's file.
func (l *Uidlist) Close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// UIDValidity returns the list's UIDVALIDITY, 0 before one was read. It stays
// known when the file disappears.
func (l *Uidlist) UIDValidity() uint32 { return l.head.UIDValidity }

// GUID returns the folder's id, 32 hexadecimal digits, "" where the list has none.
func (l *Uidlist) GUID() string {
	if b, err := hex.DecodeString(l.head.GUID); err != nil || len(b) != 16 {
		return ""
	}
	return l.head.GUID
}

// Next returns the lowest UID that a new message can get (UIDNEXT).
func (l *Uidlist) Next() uint32 { return l.next }

// Records returns how many lines the file has, of messages that are there and
// of others.
func (l *Uidlist) Records() int { return l.count }

// Damaged returns how many lines of the file could not be read.
func (l *Uidlist) Damaged() int {
	if l.head.broken {
		return l.damaged + 1
	}
	return l.damaged
}

// Torn reports whether the file's last line had no end when it was read: cut
// off, or being written.
func (l *Uidlist) Torn() bool { return l.torn }

// Changed reports whether the file changed since the last Load or own change.
func (l *Uidlist) Changed() (bool, error) {
	var st unix.Stat_t
	err := retry(func() error {
		return unix.Fstatat(l.dir.FD, UidlistName, &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err == unix.ENOENT {
		return l.seen != stamp{}, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "stat", Path: l.dir.Path + "/" + UidlistName, Err: err}
	}
	return stamp{st.Ino, st.Size, st.Mtim} != l.seen, nil
}

// Load reads the list and gives each the new records, in the order of their
// UIDs. reset is called before the first when the list was replaced: all are
// given anew. Errors: ErrNoList when there is none with a readable header;
// UIDValidity and Next then keep what they were.
func (l *Uidlist) Load(reset func(), each func(Record)) error {
	f, err := l.dir.open(UidlistName, unix.O_RDWR)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EROFS) {
		f, err = l.dir.open(UidlistName, unix.O_RDONLY)
	}
	if errors.Is(err, os.ErrNotExist) {
		l.forget()
		return ErrNoList
	}
	if err != nil {
		return err
	}
	now, err := stampOf(f)
	if err != nil {
		f.Close()
		return err
	}
	replaced := l.file == nil || now.ino != l.seen.ino || now.size < l.end
	all := replaced || l.rewound
	l.named = l.named && !replaced
	l.Close()
	l.file = f
	if err := l.read(all, replaced, now.size, reset, each); err != nil {
		l.forget()
		return err
	}
	l.seen, l.rewound = now, false
	return nil
}

// Rewind makes the next Load give all records anew. Which UID is next stays
// known.
func (l *Uidlist) Rewind() { l.rewound = true }

// forget drops what is known of the file, but not which UIDs were given.
func (l *Uidlist) forget() {
	l.Close()
	l.seen, l.end, l.last, l.count, l.damaged, l.torn = stamp{}, 0, 0, 0, 0, false
}

// read takes in the open file up to size: all of it, or what is behind l.end.
func (l *Uidlist) read(all, replaced bool, size int64, reset func(), each func(Record)) error {
	head, headEnd, err := l.readHeader()
	if err != nil {
		return err
	}
	fresh := head.UIDValidity != l.head.UIDValidity
	if fresh {
		l.next = 1
	}
	count := l.count
	if all || fresh {
		l.end, l.last, l.count, l.damaged = headEnd, 0, 0, 0
		reset()
	}
	r := bufio.NewReaderSize(io.NewSectionReader(l.file, l.end, size-l.end), 64<<10)
	if err := l.lines(r, head.version, each); err != nil {
		return err
	}
	// Another writer gave UIDs, or raised N because it is about to.
	if l.count != count || head.Next != l.head.Next || replaced || fresh {
		if l.resumed(l.mark, head) {
			l.next = max(l.next, l.mark.next)
		} else {
			l.next = max(l.next, head.Next, l.last+1)
		}
		l.mark = Mark{}
	}
	l.head = head
	return nil
}

// readHeader reads the first line and returns where it ends.
func (l *Uidlist) readHeader() (Header, int64, error) {
	buf := make([]byte, maxLine)
	n, err := l.file.ReadAt(buf, 0)
	if err != nil && err != io.EOF {
		return Header{}, 0, err
	}
	line, _, ok := bytes.Cut(buf[:n], []byte{'\n'})
	head, err := ParseHeader(line)
	if ok && err == nil {
		return head, int64(len(line)) + 1, nil
	}
	head, end, ok := salvageHeader(buf[:n])
	if !ok {
		return Header{}, 0, fmt.Errorf("%w: its header is unreadable", ErrNoList)
	}
	return head, end, nil
}

// lines reads whole lines up to the end of r. What stands behind the last line
// end may be a line that somebody is writing just now.
func (l *Uidlist) lines(r *bufio.Reader, version int, each func(Record)) error {
	for {
		line, err := r.ReadSlice('\n')
		n := int64(len(line))
		long := errors.Is(err, bufio.ErrBufferFull)
		if long {
			var rest int64
			rest, err = skipLine(r)
			n += rest
		}
		if err != nil {
			l.torn = n > 0
			return ignoreEOF(err)
		}
		l.end += n
		l.count++
		if long || !l.take(line[:len(line)-1], version, each) {
			l.damaged++
		}
	}
}

// take gives each the record in line, if it can be one.
func (l *Uidlist) take(line []byte, version int, each func(Record)) bool {
	if len(line) > maxLine {
		return false
	}
	rec, err := ParseRecord(line, version)
	if err != nil || rec.UID <= l.last {
		return false
	}
	l.last = rec.UID
	rec.At = l.end - 1 - int64(len(rec.Name))
	each(rec)
	return true
}

// skipLine passes over the rest of a line that is too long.
func skipLine(r *bufio.Reader) (n int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		n += int64(len(part))
		if !errors.Is(err, bufio.ErrBufferFull) {
			return n, err
		}
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// stampOf is the stamp of an open file.
func stampOf(f *os.File) (stamp, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return stamp{}, err
	}
	var st unix.Stat_t
	var serr error
	err = raw.Control(func(fd uintptr) {
		serr = retry(func() error { return unix.Fstat(int(fd), &st) })
	})
	return stamp{st.Ino, st.Size, st.Mtim}, errors.Join(err, serr)
}

// higher returns a + b, at most the highest UID + 1.
func higher(a, b uint32) uint32 {
	return uint32(min(uint64(a)+uint64(b), math.MaxUint32))
}
