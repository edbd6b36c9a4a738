package mbox

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"posthorn/internal/mailbox"
)

// Quoting is how lines that look like a From line stand in a file.
type Quoting int

const (
	RD    Quoting = iota // `>From `, `>>From ` … have one '>' more than they had
	O                    // `>From ` was `From `; whatever has more was so
	Plain                // nothing was changed
)

// maxHeader bounds the header fields that are looked at.
const maxHeader = 256 << 10

// Letter returns the message of e in the file r, as it was before it came into the
// file, and its flags.
func Letter(r io.ReaderAt, e Entry, q Quoting) (mailbox.Flags, io.Reader, error) {
	section := io.NewSectionReader(r, e.Offset, trimmed(r, e))
	flags, err := flagsOf(io.NewSectionReader(r, e.Offset, e.Size))
	if err != nil {
		return flags, nil, err
	}
	return flags, &reader{in: bufio.NewReaderSize(section, 64<<10), quoting: q, header: true, start: true}, nil
}

// trimmed returns the size of a message without the empty line behind it.
func trimmed(r io.ReaderAt, e Entry) int64 {
	var end [4]byte
	tail := end[:min(e.Size, 4)]
	if _, err := r.ReadAt(tail, e.Offset+e.Size-int64(len(tail))); err != nil && err != io.EOF {
		return e.Size
	}
	switch {
	case bytes.HasSuffix(tail, []byte("\n\r\n")):
		return e.Size - 2
	case bytes.HasSuffix(tail, []byte("\n\n")):
		return e.Size - 1
	}
	return e.Size
}

// kept reports whether a line of a header is one of the mbox, not of the message.
func kept(line []byte) bool {
	name, _, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) > len("X-Keywords") {
		return false
	}
	switch strings.ToLower(string(name)) {
	case "status", "x-status", "x-keywords", "x-uid", "x-imap", "x-imapbase":
		return true
	}
	return false
}

// flagsOf reads the flags in a header.
func flagsOf(r io.Reader) (f mailbox.Flags, err error) {
	in := bufio.NewReaderSize(io.LimitReader(r, maxHeader), 4<<10)
	for {
		line, err := in.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !long {
			return f, ignoreEOF(err)
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return f, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		add(&f, strings.ToLower(string(name)), string(bytes.TrimSpace(value)))
		for long {
			_, err = in.ReadSlice('\n')
			long = errors.Is(err, bufio.ErrBufferFull)
		}
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// add adds the flags of a field.
func add(f *mailbox.Flags, name, value string) {
	switch name {
	case "status":
		if strings.Contains(value, "R") {
			f.System |= mailbox.Seen
		}
	case "x-status":
		for _, one := range statuses() {
			if strings.Contains(value, one.letter) {
				f.System |= one.flag
			}
		}
	case "x-keywords":
		f.Keywords = append(f.Keywords, strings.Fields(value)...)
	}
}

// status is a letter of X-Status.
type status struct {
	letter string
	flag   mailbox.SystemFlag
}

func statuses() []status {
	return []status{{"A", mailbox.Answered}, {"D", mailbox.Deleted}, {"F", mailbox.Flagged}, {"T", mailbox.Draft}}
}

// reader yields a message without what the mbox added to it.
type reader struct {
	in      *bufio.Reader
	quoting Quoting
	header  bool // we are in it
	start   bool // of a line
	drop    bool // the line, or field, is the mbox's
	out     []byte
	err     error
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.out) == 0 && r.err == nil {
		r.next()
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	if n == 0 && len(r.out) == 0 {
		return 0, r.err
	}
	return n, nil
}

// next reads a line, or a part of a long one.
func (r *reader) next() {
	line, err := r.in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		r.err = err
	}
	if r.start {
		line = r.begin(line)
	}
	r.start = err == nil
	if !r.drop {
		r.out = line
	}
}

// begin looks at the beginning of a line and returns what it was.
func (r *reader) begin(line []byte) []byte {
	if r.header && len(line) > 0 {
		if line[0] != ' ' && line[0] != '\t' {
			r.drop = kept(line)
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			r.header, r.drop = false, false
		}
		if r.header && r.quoting != RD { // others quote what comes behind the header
			return line
		}
	}
	bare := bytes.TrimLeft(line, ">")
	marks := len(line) - len(bare)
	if marks == 0 || !bytes.HasPrefix(bare, []byte("From ")) || r.quoting == Plain || r.quoting == O && marks > 1 {
		return line
	}
	return line[1:]
}

// ParseQuoting returns the quoting of that name: mboxrd, mboxo or none.
func ParseQuoting(name string) (Quoting, error) {
	switch name {
	case "mboxrd":
		return RD, nil
	case "mboxo":
		return O, nil
	case "none":
		return Plain, nil
	}
	return RD, fmt.Errorf("found %q, expected mboxrd, mboxo or none", name)
}
