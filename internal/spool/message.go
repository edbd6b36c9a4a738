package spool

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"posthorn/internal/attr"
)

// Message is an open message of the spool, with what is known of it. What is
// set on it stands in memory at once and in the file after Flush. It is not
// safe for concurrent use; the caller closes it.
type Message struct {
	Envelope
	State
	Offset int64 // where the message begins in the file

	ref     Ref
	spool   *Spool
	file    *os.File
	end     int64  // of the file, as last seen
	torn    bool   // the file does not end with a line feed
	settled bool   // what was read from the file is known to be durable
	pending []byte // lines that are not in the file yet, or not for sure

	opening sync.Mutex
	ro      *os.File // for those who may only read; nil until it is asked for
}

// read takes in the file that f is. A file that is no message gives ErrFormat.
func read(f *os.File) (*Message, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: found %v, expected a regular file", ErrFormat, info.Mode().Type())
	}
	m, err := readFrom(f, info.Size())
	if err != nil {
		return nil, err
	}
	m.file = f
	return m, nil
}

// readFrom takes in a file of size bytes.
func readFrom(r io.ReaderAt, size int64) (*Message, error) {
	m := &Message{end: size}
	var err error
	if m.Envelope, m.Offset, err = readEnvelope(r); err != nil {
		return nil, err
	}
	behind := m.end - m.Offset - m.Size
	if behind < 0 {
		return nil, fmt.Errorf("%w: found %d bytes, expected at least %d", ErrFormat, m.end, m.Offset+m.Size)
	}
	if behind == 0 {
		return m, nil
	}
	return m, m.readRecords(io.NewSectionReader(r, m.Offset+m.Size, behind), behind)
}

// readRecords takes in the lines behind the message, of size bytes. A line without a right
// checksum is as though it were not there: nobody was told that it was
// written. The last one may lack its line feed: the next one written begins with it,
// and would else bring back a line that had not been there.
func (m *Message) readRecords(r io.Reader, size int64) error {
	in := bufio.NewReaderSize(r, int(min(size, maxRecord)))
	for {
		line, err := in.ReadSlice('\n')
		m.torn = err == io.EOF && len(line) > 0
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue // the pieces of it fail as lines
		case err != nil && err != io.EOF:
			return fmt.Errorf("read records: %w", err)
		}
		if err := m.readRecord(strings.TrimSuffix(string(line), "\n")); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
	}
}

// readRecord takes in one line.
func (m *Message) readRecord(line string) error {
	l, ok := parseRecord(line)
	if !ok {
		return nil
	}
	if err := m.apply(l); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return m.checkOrig()
}

// checkOrig holds the newest target to the recipients of the envelope.
func (m *Message) checkOrig() error {
	n := len(m.Targets)
	if n > 0 && m.Targets[n-1].Orig >= len(m.Rcpts) {
		return fmt.Errorf("%w: target %d is for recipient %d of %d", ErrFormat, n-1, m.Targets[n-1].Orig, len(m.Rcpts))
	}
	return nil
}

// Ref returns where the message is in the queue.
func (m *Message) Ref() Ref { return m.ref }

// File returns the message's file, open for reading and writing. It stays the
// message's.
func (m *Message) File() *os.File { return m.file }

// ReadOnly returns the file as opened for processes that may only read it: as it
// was handed over, or opened once more. It stays the message's. ReadOnly may be
// called concurrently.
func (m *Message) ReadOnly() (*os.File, error) {
	m.opening.Lock()
	defer m.opening.Unlock()
	if m.ro == nil {
		ro, err := attr.ReadOnly(m.file)
		if err != nil {
			return nil, err
		}
		m.ro = ro
	}
	return m.ro, nil
}

// Content returns the message itself, without envelope and records.
func (m *Message) Content() *io.SectionReader { return io.NewSectionReader(m.file, m.Offset, m.Size) }

// Close closes the file.
func (m *Message) Close() error {
	if m.ro != nil {
		m.ro.Close()
	}
	return m.file.Close()
}

func (m *Message) add(l attr.List) { m.pending = appendRecord(m.pending, l) }

// SetTargets records where the message goes, once.
func (m *Message) SetTargets(targets []Target) error {
	if len(targets) == 0 || len(targets) > MaxTargets {
		return fmt.Errorf("found %d targets, expected 1 to %d", len(targets), MaxTargets)
	}
	start := len(m.pending)
	for n, t := range targets {
		m.add(targetRecord(n, t))
	}
	sum := crc32.Checksum(m.pending[start:], castagnoli)
	m.add(attr.List{{Name: "expanded", Value: fmt.Sprint(len(targets))}, {Name: "of", Value: formatSum(sum)}})
	m.Targets, m.Expanded = targets, true
	return nil
}

// SetResult records what came of a try for targets, given in rising order. A
// target that has a final verdict keeps it.
func (m *Message) SetResult(targets []int, try int, r Result) {
	m.settle(targets, try, r)
	for _, ranges := range formatRanges(targets) {
		m.add(verdictRecord(ranges, try, r))
	}
}

// SetNext records that a try ended and when the next one is due.
func (m *Message) SetNext(try int, next time.Time) {
	m.Try, m.Next = try, next
	m.add(nextRecord(try, next))
}

// SetHeld records that the message waits for the administrator, or no longer.
func (m *Message) SetHeld(held bool) {
	m.Held = held
	m.add(attr.List{{Name: "hold", Value: yesNo(held)}})
}

// Owe records a notice that will be sent. Its targets are in rising order.
func (m *Message) Owe(n Notice) {
	m.note(n)
	for _, r := range formatRanges(n.Targets) {
		m.add(noticeRecord(n, r))
	}
}

// Sent records that the notice is durable on its own.
func (m *Message) Sent(notice string) {
	for i := range m.Notices {
		if m.Notices[i].ID == notice {
			m.Notices[i].Sent = true
		}
	}
	m.add(attr.List{{Name: "sent", Value: notice}})
}

// Depart records that a message without a name in the queue has reached its end,
// for the maker that does not hear so and keeps it. The line is not made
// durable: it saves a try, and a try finds what it says.
func (m *Message) Depart() error {
	m.pending = m.pending[:0]
	m.add(recordGone)
	return m.write()
}

// Flush writes what was set and makes it durable. After an error the lines are
// written again by the next Flush: a failed sync says nothing of what reached
// the disk.
func (m *Message) Flush() error {
	if len(m.pending) == 0 {
		return nil
	}
	if err := m.write(); err != nil {
		return err
	}
	m.settled = false
	if err := m.Settle(); err != nil {
		return err
	}
	m.pending = m.pending[:0]
	return nil
}

// Settle makes durable what was read from the file: who wrote the last lines
// may have died before he synced them. It is for what must not be done twice
// when a power cut takes such a line.
func (m *Message) Settle() error {
	if m.settled {
		return nil
	}
	if err := m.spool.disk.Sync(m.file); err != nil {
		return fmt.Errorf("sync records: %w", err)
	}
	m.settled = true
	return nil
}

// write appends the pending lines, and ends a torn line first: joined to the
// next one it would take it with it.
func (m *Message) write() error {
	b := m.pending
	if m.torn {
		b = append([]byte{'\n'}, b...)
	}
	n, err := m.spool.disk.WriteAt(m.file, b, m.end)
	m.end += int64(n)
	if err != nil {
		m.torn = m.torn || n > 0
		return fmt.Errorf("write records: %w", err)
	}
	m.torn = false
	return nil
}
