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
	"strings"
	"sync"
)

// maxValue bounds one value, so that a foreign string cannot fill the log.
const maxValue = 1000

// Log writes events to one stream. It is safe for concurrent use.
type Log struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

// New returns a log that writes each event to w with one Write.
func New(w io.Writer) *Log { return &Log{w: w} }

// event writes one line; kv are keys and values in turn. A value that is empty
// is left out.
func (l *Log) event(name string, kv ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := append(l.buf[:0], name...)
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] == "" {
			continue
		}
		b = append(b, ' ')
		b = append(b, kv[i]...)
		b = append(b, '=')
		b = appendValue(b, kv[i+1])
	}
	b = append(b, '\n')
	if cap(b) <= 8192 {
		l.buf = b
	}
	l.w.Write(b) // a log that cannot be written must not stop mail
}

// appendValue writes v, quoted where it could be mistaken for anything else.
func appendValue(b []byte, v string) []byte {
	if len(v) > maxValue {
		v = v[:maxValue] + "…"
	}
	if strings.ContainsFunc(v, needsQuote) {
		return strconv.AppendQuoteToASCII(b, v)
	}
	return append(b, v...)
}

func needsQuote(r rune) bool {
	return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' || r == '='
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
