// Package evlog writes the log: one line an event, `event id=… key=value …`,
// with every value quoted so that no client can forge a line.
//
// Each event is one exported method; together the methods of a program's file
// are the complete list of what it may say, which posthorn-log(5) repeats.
//
// A line is written before its caller goes on, so a reader that stalls, as
// journald or svlogd on a full disk, stops the daemon where it would speak. That
// is meant: the log is the record of what became of each message, clients wait
// or try again, and a log that ran behind would lose its last lines in a crash
// or grow in memory without end. A reader that has died stops nothing.
package evlog

import (
	"io"
	"strconv"
	"sync"
)

// Bounds of one value and of one line, so that a foreign string cannot fill the
// log. A pipe takes a line of PIPE_BUF bytes as a whole: of two daemons that
// write to one, neither can end up within a line of the other.
const (
	maxValue = 1000
	maxLine  = 4096
)

// Log writes events to one stream. It is safe for concurrent use.
type Log struct {
	front string // of each line

	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

// New returns a log that writes each event to w with one Write.
func New(w io.Writer) *Log { return &Log{w: w} }

// NewNamed is New with name and a colon in front of each line, for a stream that
// others write to as well.
func NewNamed(w io.Writer, name string) *Log { return &Log{w: w, front: name + ": "} }

// event writes one line; kv are keys and values in turn. A value that is empty
// is left out.
func (l *Log) event(name string, kv ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := append(append(l.buf[:0], l.front...), name...)
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] == "" {
			continue
		}
		b = append(b, ' ')
		b = append(b, kv[i]...)
		b = append(b, '=')
		b = appendValue(b, kv[i+1])
	}
	b = append(b[:min(len(b), maxLine-1)], '\n')
	l.buf = b
	l.w.Write(b) // a log that cannot be written must not stop mail
}

// appendValue writes v, quoted where it could be mistaken for anything else.
func appendValue(b []byte, v string) []byte {
	if len(v) > maxValue {
		v = v[:maxValue] + "…"
	}
	for i := range len(v) {
		if c := v[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=' {
			return strconv.AppendQuoteToASCII(b, v)
		}
	}
	return append(b, v...)
}

// number writes n in decimal.
func number[T ~int | ~int64 | ~uint32 | ~uint64](n T) string { return strconv.FormatInt(int64(n), 10) }

// cause returns err's text, or "" for nil.
func cause(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
