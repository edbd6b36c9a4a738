// Package mbox reads and writes mbox files: messages one behind the other, each
// with a line `From sender date` in front and an empty line behind.
//
// Such a line counts as one only at the beginning or behind an empty line, and only
// with a date as programs write it. Lines of a message that look like one have a
// '>' in front, in two ways: mboxrd gives it to those that have some already, too,
// and so can be read back as it was; mboxo does not. Content-Length is not believed.
// Flags are in the header fields Status, X-Status and X-Keywords, which are no part
// of the message.
package mbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrFormat is that a file does not begin as an mbox does.
var ErrFormat = errors.New("not an mbox file: its first line is no `From sender date`")

// Entry is one message of a file.
type Entry struct {
	Offset, Size int64     // of the message as it stands there, without the line in front
	Date         time.Time // of that line; in UTC where it names no zone
}

// lineMax is the longest From line; longer ones belong to a message.
const lineMax = 1 << 10

// Scan calls each with the messages of a file in their order, until it returns an
// error. cut says that the file ended within a line: its last message may not be
// whole. Errors: ErrFormat.
func Scan(r io.Reader, each func(Entry) error) (cut bool, err error) {
	s := scanner{r: bufio.NewReaderSize(r, 64<<10), each: each, blank: true}
	for {
		more, err := s.line()
		if err != nil {
			return false, err
		}
		if !more {
			return s.unended, s.finish(s.at)
		}
	}
}

// scanner is a file that is being read.
type scanner struct {
	r       *bufio.Reader
	each    func(Entry) error
	at      int64 // of the line to come
	blank   bool  // the line before was empty, or there is none
	open    bool  // there is a message
	entry   Entry
	unended bool // the last line has no end
}

// line takes in a line.
func (s *scanner) line() (more bool, err error) {
	line, err := s.r.ReadSlice('\n')
	size := int64(len(line))
	from := s.blank && len(line) <= lineMax && err == nil && bytes.HasPrefix(line, []byte("From "))
	var date time.Time
	if from {
		date, from = fromDate(string(bytes.TrimRight(line, "\r\n")))
	}
	empty := string(line) == "\n" || string(line) == "\r\n"
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = s.r.ReadSlice('\n')
		size += int64(len(line))
	}
	if err != nil && err != io.EOF {
		return false, err
	}
	if size == 0 {
		return false, nil
	}
	switch {
	case from:
		if err := s.finish(s.at); err != nil {
			return false, err
		}
		s.open, s.entry = true, Entry{Offset: s.at + size, Date: date}
	case !s.open && !empty:
		return false, ErrFormat
	}
	s.at += size
	s.blank = empty
	s.unended = err == io.EOF
	return true, nil
}

// finish ends the message before end; the empty line behind it is not its own.
func (s *scanner) finish(end int64) error {
	if !s.open {
		return nil
	}
	s.open = false
	s.entry.Size = end - s.entry.Offset
	return s.each(s.entry)
}

// months by their names.
const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// fromDate returns the date of a line `From sender Mon Jan  2 15:04:05 2006`, as
// ctime(3) has it, maybe with a zone before or behind the year.
func fromDate(line string) (time.Time, bool) {
	fields := splitFields(line)
	for i := 1; i+4 < len(fields); i++ {
		if !weekday(fields[i]) {
			continue
		}
		if t, ok := dateOf(fields[i+1:]); ok {
			return t, true
		}
	}
	return time.Time{}, false
}

func splitFields(line string) (fields []string) {
	for _, f := range bytes.Fields([]byte(line)) {
		fields = append(fields, string(f))
	}
	return fields
}

func weekday(s string) bool {
	switch s {
	case "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun":
		return true
	}
	return false
}

// dateOf reads month, day, clock, and year and zone in either order.
func dateOf(f []string) (time.Time, bool) {
	month := bytes.Index([]byte(months), []byte(f[0]))
	if len(f[0]) != 3 || month < 0 || month%3 != 0 {
		return time.Time{}, false
	}
	year, zone := f[3], ""
	if len(f) > 4 && !isYear(year) {
		year, zone = f[4], f[3]
	} else if len(f) > 4 {
		zone = f[4]
	}
	if !isYear(year) {
		return time.Time{}, false
	}
	clock := f[2]
	if len(clock) == len("15:04") {
		clock += ":00"
	}
	t, err := time.Parse("Jan 2 15:04:05 2006", fmt.Sprintf("%s %s %s %s", f[0], f[1], clock, year))
	if err != nil {
		return time.Time{}, false
	}
	if z, err := time.Parse("-0700", zone); err == nil {
		_, offset := z.Zone()
		t = t.Add(-time.Duration(offset) * time.Second)
	}
	return t, true
}

func isYear(s string) bool {
	return len(s) == 4 && bytes.IndexFunc([]byte(s), func(r rune) bool { return r < '0' || r > '9' }) < 0
}
