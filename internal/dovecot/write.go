package dovecot

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// uidlistBroken is the name under which a list with unreadable lines is kept
// when it is replaced.
const uidlistBroken = "dovecot-uidlist.broken"

// damageGap is how many UIDs are passed over when a list was found broken:
// lines that are lost may have been announced.
const damageGap = 1000

// ErrExhausted means that no UID is left under this UIDVALIDITY.
var ErrExhausted = errors.New("no UID is left in this folder")

// Create makes the folder's list, or replaces an unreadable one, with the
// UIDVALIDITY, the lowest UID to give, and the records that are known from
// elsewhere, in the order of their UIDs. The caller holds the lock.
func (l *Uidlist) Create(uidvalidity, next uint32, known []Record) error {
	if err := l.keepBroken(); err != nil {
		return err
	}
	return l.Renumber(uidvalidity, next, known)
}

// Renumber is Create in place of a list that could be read, and need not be kept.
func (l *Uidlist) Renumber(uidvalidity, next uint32, known []Record) error {
	l.forget()
	l.head = Header{UIDValidity: uidvalidity, GUID: cmp.Or(l.GUID(), newGUID()), version: 3}
	l.next = max(l.next, next)
	return l.write(func(w *bufio.Writer) (err error) {
		var b []byte
		for _, r := range known {
			b = r.append(b[:0])
			_, err = w.Write(b) // bufio keeps the first error
		}
		return err
	})
}

// Reserve makes sure that n UIDs from Next on can be announced without ever
// being given again: N on the disk is above them and synced when it returns.
// A list that cannot be appended to is rewritten. The caller holds the lock
// and has called Load since it took it.
func (l *Uidlist) Reserve(n uint32) error {
	if uint64(l.next)+uint64(n) > MaxUID {
		return ErrExhausted
	}
	if l.Damaged() > 0 || l.torn {
		l.next = min(higher(max(l.next, l.last+1), damageGap), MaxUID-n)
	}
	if l.Damaged() > 0 || l.torn || l.head.version != 3 || l.head.nLn != nextDigits {
		return l.rewrite(n, func(*Record) bool { return true })
	}
	if l.next+n <= l.head.Next {
		return nil
	}
	raised := higher(l.next, max(n, l.step))
	if _, err := l.dir.Disk.WriteAt(l.file, fmt.Appendf(nil, "%0*d", nextDigits, raised), int64(l.head.nAt)); err != nil {
		return fmt.Errorf("raising N: %w", err)
	}
	if err := l.dir.Disk.Sync(l.file); err != nil {
		return err
	}
	if err := l.keepName(); err != nil {
		return err
	}
	l.head.Next = raised
	return l.own()
}

// keepName makes the name of a list durable that another wrote: he may have
// died before, and a power cut would bring back a list with a lower N.
func (l *Uidlist) keepName() error {
	if l.named {
		return nil
	}
	err := l.dir.Disk.SyncDirAt(l.dir.FD, l.dir.Path)
	l.named = err == nil
	return err
}

// Append gives each record the next UID and writes the lines. Their UIDs may
// be announced when it returns nil; the lines themselves are not synced, since
// what a power cut takes gets new UIDs above N. The caller holds the lock and
// has called Reserve for as many records.
func (l *Uidlist) Append(recs []Record) error {
	if l.next+uint32(len(recs)) > l.head.Next {
		return errors.New("uidlist: append without reserve")
	}
	size := 0
	for i := range recs {
		size += len("4294967295  :\n") + len(recs[i].Fields) + len(recs[i].Name)
	}
	b := make([]byte, 0, size)
	for i := range recs {
		recs[i].UID = l.next + uint32(i)
		b = recs[i].append(b)
		recs[i].At = l.end + int64(len(b)) - 1 - int64(len(recs[i].Name))
	}
	if _, err := l.dir.Disk.WriteAt(l.file, b, l.end); err != nil {
		l.dir.Disk.Truncate(l.file, l.end) // else the next writer finds it torn and rewrites
		return fmt.Errorf("appending to uidlist: %w", err)
	}
	l.end += int64(len(b))
	l.count += len(recs)
	l.next += uint32(len(recs))
	l.last = max(l.last, l.next-1)
	return l.own()
}

// Rewrite replaces the list by the records for which keep returns true; keep
// may change a record's Name and Fields. The caller holds the lock and has
// called Load since it took it.
func (l *Uidlist) Rewrite(keep func(*Record) bool) error { return l.rewrite(0, keep) }

func (l *Uidlist) rewrite(n uint32, keep func(*Record) bool) error {
	if l.file == nil {
		return ErrNoList
	}
	if l.Damaged() > 0 || l.torn {
		if err := l.keepBroken(); err != nil {
			return err
		}
	}
	old := io.NewSectionReader(l.file, 0, l.end)
	version := l.head.version
	l.head.broken = false
	if l.next+n > l.head.Next {
		l.head.Next = higher(l.next, max(n, l.step))
	}
	waited := l.rewound
	err := l.write(func(w *bufio.Writer) error { return copyRecords(w, old, version, keep) })
	l.rewound = waited // what was written was not given to anybody
	return err
}

// copyRecords writes those lines of an old list that keep wants.
func copyRecords(w *bufio.Writer, old io.Reader, version int, keep func(*Record) bool) error {
	src := Uidlist{end: 0}
	r := bufio.NewReaderSize(old, 64<<10)
	if _, err := skipLine(r); err != nil { // the header
		return ignoreEOF(err)
	}
	var werr error
	var b []byte
	var rec Record // one for all lines: keep's argument is garbage else, a line
	err := src.lines(r, version, func(line Record) {
		if rec = line; !keep(&rec) {
			return
		}
		b = rec.append(b[:0])
		if _, err := w.Write(b); err != nil {
			werr = err
		}
	})
	return errors.Join(err, werr)
}

// write replaces the file by l.head and the records that body writes, then
// takes it for the present list.
func (l *Uidlist) write(body func(*bufio.Writer) error) error {
	if l.head.GUID == "" {
		l.head.GUID = newGUID()
	}
	if l.next > l.head.Next || l.head.Next == 0 {
		l.head.Next = higher(l.next, l.step)
	}
	err := l.dir.Replace(UidlistName, func(f io.Writer) error {
		w := bufio.NewWriterSize(f, 64<<10)
		w.Write(l.head.append(nil)) // bufio keeps the error for Flush
		if err := body(w); err != nil {
			return err
		}
		return w.Flush()
	})
	if err != nil {
		l.forget()
		l.head.Next = 0 // what stands on the disk is read again
		return fmt.Errorf("rewriting uidlist: %w", err)
	}
	next := l.next
	l.rewrites++
	l.forget()
	err = l.Load(func() {}, func(Record) {})
	l.next = next // N is our own reservation
	l.named = err == nil
	return err
}

// keepBroken gives a list that is about to be replaced a second name.
func (l *Uidlist) keepBroken() error {
	d := l.dir
	if err := d.Disk.RemoveAt(d.FD, uidlistBroken); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err := d.Disk.LinkAt(d.FD, UidlistName, d.FD, uidlistBroken)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// own takes the file's present stamp as one of our own making.
func (l *Uidlist) own() (err error) {
	l.seen, err = stampOf(l.file)
	return err
}

// newGUID returns a folder's GUID as Dovecot writes it.
func newGUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand.Read)
	return hex.EncodeToString(b[:])
}
