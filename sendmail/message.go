package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"posthorn/internal/message"
)

// letter is a message as it came: its header in fields, its text kept.
type letter struct {
	fields []field
	text   store
}

// field is one header field, folded lines and all, without its last line feed.
type field struct {
	name string
	line string
}

// value is what stands behind the colon.
func (f field) value() string {
	_, v, _ := strings.Cut(f.line, ":")
	return v
}

func (f field) is(names ...string) bool {
	for _, n := range names {
		if strings.EqualFold(f.name, n) {
			return true
		}
	}
	return false
}

// errHeaderSize says that a header is larger than smtpd takes.
var errHeaderSize = errors.New("the message's header is too large")

// readLetter reads a message of at most so many bytes, up to its end or, unless
// dots says otherwise, to a line with only a dot. Lines may end in LF or CRLF.
// The caller closes its text.
func readLetter(r io.Reader, dots bool, most int64) (*letter, error) {
	l := &letter{text: store{most: most}}
	in := &lines{r: bufio.NewReaderSize(r, 64<<10), dots: dots}
	err := l.readHeader(in)
	if err == nil {
		err = in.copyTo(&l.text)
	}
	if err != nil {
		l.text.close()
		return nil, err
	}
	return l, nil
}

// readHeader reads up to the empty line, or to the first line that can be no
// field: it is text then (RFC 5322 2.2). A line From of a mailbox file in front
// is left out.
func (l *letter) readHeader(in *lines) error {
	size := 0
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		n := len(l.fields)
		name := fieldName(line)
		switch {
		case len(line) == 0:
			return nil
		case n == 0 && name == "" && (bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))):
		case (line[0] == ' ' || line[0] == '\t') && n > 0:
			l.fields[n-1].line += "\n" + string(line)
		case name != "":
			l.fields = append(l.fields, field{name, string(line)})
		default:
			in.unread = true
			return nil
		}
		if size += len(line) + 2; size > message.MaxHeader {
			return errHeaderSize
		}
	}
}

// fieldName returns the name of a field, or "" for a line that is none.
func fieldName(line []byte) string {
	name, _, ok := bytes.Cut(line, []byte(":"))
	name = bytes.TrimRight(name, " \t") // RFC 5322 4.5
	if !ok || bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return ""
	}
	return string(name)
}

// lines reads a message by lines.
type lines struct {
	r      *bufio.Reader
	dots   bool
	line   []byte // the last one, without its end
	unread bool   // it is text, and to be copied
	part   bool   // and its end is still to come
	ended  bool   // by a dot
}

// next returns the next line, without its end, or io.EOF behind the last.
func (l *lines) next() ([]byte, error) {
	l.line = l.line[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if l.line = append(l.line, part...); len(l.line) > message.MaxHeader {
			return nil, errHeaderSize
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && l.line[0] > ' ' && fieldName(l.line) == "":
			l.part = true
			return l.line, nil
		case err == nil || errors.Is(err, io.EOF) && len(l.line) > 0:
			l.line = bytes.TrimSuffix(bytes.TrimSuffix(l.line, []byte("\n")), []byte("\r"))
			if len(l.line) == 1 && l.line[0] == '.' && !l.dots {
				l.ended = true
				return nil, io.EOF
			}
			return l.line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// copyTo copies the rest, lines of any length.
func (l *lines) copyTo(w io.Writer) error {
	if l.unread {
		if !l.part {
			l.line = append(l.line, '\n')
		}
		if _, err := w.Write(l.line); err != nil {
			return err
		}
	}
	for start := !l.part; !l.ended; {
		part, err := l.r.ReadSlice('\n')
		if start && !l.dots && (string(part) == ".\n" || string(part) == ".\r\n" || string(part) == "." && errors.Is(err, io.EOF)) {
			return nil
		}
		if _, werr := w.Write(part); werr != nil {
			return werr
		}
		start = err == nil
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
	return nil
}
