package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// Columns is how many columns an index has.
const Columns = 4

// MaxEntry bounds what a column keeps of one message.
const MaxEntry = 256 << 10

// columnMagic is the format of a column and its version.
const columnMagic = "PHC2"

// Sizes on the disk. Entries begin at multiples of unit: so a record has room for
// the places in 32 GiB.
const (
	columnHead = 16 // magic, four bytes that are free, the column's number
	entryHead  = 8  // length and UID, in front of the text; a checksum is behind it
	unit       = 8
)

// ErrFull means that a column has no room for another entry.
var ErrFull = errors.New("column is full")

// Column is an open file of texts, one entry a message. It is only ever appended
// to, so a place that was returned once keeps its entry.
type Column struct {
	dir  Dir
	file *os.File
	id   uint64
	read *window
}

// columnName returns the file of the column with that index.
func columnName(i int) string {
	return [Columns]string{"posthorn.envelope", "posthorn.head", "posthorn.search", "posthorn.parts"}[i]
}

// OpenColumn opens the column of that index whose number is id; any other is
// ErrNone. The caller holds the lock, and closes the column.
func OpenColumn(d Dir, i int, id uint64) (*Column, error) {
	f, err := d.open(columnName(i))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNone, err)
	}
	head := make([]byte, columnHead)
	_, err = f.ReadAt(head, 0)
	if err != nil || string(head[:len(columnMagic)]) != columnMagic || binary.LittleEndian.Uint64(head[8:]) != id || id == 0 {
		f.Close()
		return nil, ErrNone
	}
	return &Column{dir: d, file: f, id: id, read: &window{file: f}}, nil
}

// CreateColumn makes an empty column of that index in place of any that is there.
// The caller holds the lock, and closes the column.
func CreateColumn(d Dir, i int) (*Column, error) {
	head := append([]byte(columnMagic), make([]byte, columnHead-len(columnMagic))...)
	id := random()
	binary.LittleEndian.PutUint64(head[8:], id)
	f, err := d.replace(columnName(i), func(w io.Writer) error {
		_, err := w.Write(head)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making column: %w", err)
	}
	return &Column{dir: d, file: f, id: id, read: &window{file: f}}, nil
}

// ID returns the column's number, which no other column has.
func (c *Column) ID() uint64 { return c.id }

// Close closes the file.
func (c *Column) Close() error { return c.file.Close() }

// Removed reports whether the file has no name any more: nobody will open it again.
func (c *Column) Removed() bool {
	var st unix.Stat_t
	return unix.Fstat(int(c.file.Fd()), &st) != nil || st.Nlink == 0
}

// Entry is what a column keeps of a message.
type Entry struct {
	UID  uint32
	Text []byte // at most MaxEntry
}

// Append appends entries and returns their places. The caller holds the lock.
// Errors: ErrFull.
func (c *Column) Append(entries []Entry) ([]uint32, error) {
	st, err := c.file.Stat()
	if err != nil {
		return nil, err
	}
	at := (max(st.Size(), columnHead) + unit - 1) / unit * unit
	places, size := make([]uint32, len(entries)), 0
	for _, e := range entries {
		size += entryHead + len(e.Text) + sumSize + unit
	}
	b := make([]byte, 0, size)
	for i, e := range entries {
		place := (at + int64(len(b))) / unit
		if place > math.MaxUint32 {
			return nil, ErrFull
		}
		places[i] = uint32(place)
		b = e.append(b)
	}
	_, err = c.dir.Disk.WriteAt(c.file, b, at)
	return places, err
}

// append appends the entry as it stands in the file.
func (e Entry) append(b []byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Text)))
	b = binary.LittleEndian.AppendUint32(b, e.UID)
	b = append(append(b, e.Text...), make([]byte, sumSize)...)
	seal(b[at:])
	return append(b, make([]byte, (unit-len(b)%unit)%unit)...)
}

// Text returns the entry of the message uid at a place, valid until the next
// call; ok is false when it is not there or not as it was written.
func (c *Column) Text(place, uid uint32) (text []byte, ok bool) {
	at := int64(place) * unit
	if place == 0 {
		return nil, false
	}
	head, ok := c.read.bytes(at, entryHead)
	if !ok {
		return nil, false
	}
	n := binary.LittleEndian.Uint32(head)
	if n > MaxEntry || binary.LittleEndian.Uint32(head[4:]) != uid {
		return nil, false
	}
	b, ok := c.read.bytes(at, entryHead+int(n)+sumSize)
	if !ok || !sealed(b) {
		return nil, false
	}
	return b[entryHead : entryHead+int(n)], true
}

// Size returns how large the file is.
func (c *Column) Size() int64 {
	st, err := c.file.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}

// Length returns how much of the file the entry at a place takes, 0 when it is not
// there.
func (c *Column) Length(place uint32) int64 {
	head, ok := c.read.bytes(int64(place)*unit, entryHead)
	if !ok || place == 0 {
		return 0
	}
	return entryHead + int64(binary.LittleEndian.Uint32(head)) + sumSize
}

// window is a part of a file in memory. Who reads one entry after the other reads
// much at a time.
type window struct {
	file *os.File
	at   int64
	buf  []byte
}

// Sizes of a window: where entries are read at random, and one after the other.
const (
	smallWindow = 4 << 10
	largeWindow = 128 << 10
)

// bytes returns n bytes of the file, valid until the next call.
func (w *window) bytes(at int64, n int) ([]byte, bool) {
	if at < w.at || at+int64(n) > w.at+int64(len(w.buf)) {
		size := smallWindow
		if end := w.at + int64(len(w.buf)); len(w.buf) > 0 && at >= w.at && at < end+smallWindow {
			size = largeWindow
		}
		w.fill(at, max(n, size))
	}
	if at < w.at || at+int64(n) > w.at+int64(len(w.buf)) {
		return nil, false
	}
	return w.buf[at-w.at:][:n], true
}

// fill reads up to size bytes from at on.
func (w *window) fill(at int64, size int) {
	if cap(w.buf) < size {
		w.buf = make([]byte, size)
	}
	n, _ := w.file.ReadAt(w.buf[:size], at) // what cannot be read is not there
	w.at, w.buf = at, w.buf[:n]
}
