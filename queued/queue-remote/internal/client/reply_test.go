package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"posthorn/internal/verdict"
)

func parseReply(s string) (Reply, error) {
	return readReply(bufio.NewReaderSize(strings.NewReader(s), 2*maxReplyLine))
}

func TestReply(t *testing.T) {
	tests := []struct {
		name, in, want, status string
		err                    error
	}{
		{"one line", "250 ok\r\n", "250 ok", "", nil},
		{"no text", "250\r\n", "250", "", nil},
		{"blank text", "250 \r\n", "250", "", nil},
		{"bare LF", "250 ok\n", "250 ok", "", nil},
		{"many lines", "250-a\r\n250-\r\n250 b\r\n", "250 a  b", "", nil},
		{"status", "550 5.1.1 no\r\n", "550 5.1.1 no", "5.1.1", nil},
		{"status alone", "550 5.1.1\r\n", "550 5.1.1", "5.1.1", nil},
		{"long status", "452 4.31.999 x\r\n", "452 4.31.999 x", "4.31.999", nil},
		{"status of another class", "550 4.1.1 no\r\n", "550 4.1.1 no", "", nil},
		{"no status", "550 5.1 5.1.1234 no\r\n", "550 5.1 5.1.1234 no", "", nil},
		{"foreign bytes", "250 a\x00b\x1b[0m\xff\tc\r\n", "250 a?b?[0m? c", "", nil},
		{"a CR within", "250 a\rb\r\n", "250 a?b", "", nil},
		{"class 1", "150 x\r\n", "", "", ErrReply},
		{"class 6", "650 x\r\n", "", "", ErrReply},
		{"no code", "hello\r\n", "", "", ErrReply},
		{"short", "25\r\n", "", "", ErrReply},
		{"bad separator", "250_ok\r\n", "", "", ErrReply},
		{"four digits", "2500 ok\r\n", "", "", ErrReply},
		{"empty", "\r\n", "", "", ErrReply},
		{"codes differ", "250-a\r\n251 b\r\n", "", "", ErrReply},
		{"cut short", "250 ok", "", "", io.ErrUnexpectedEOF},
		{"cut short between lines", "250-ok\r\n", "", "", io.EOF},
		{"nothing", "", "", "", io.EOF},
		{"long line", "250 " + strings.Repeat("x", maxReplyLine) + "\r\n", "", "", ErrReply},
		{"line without end", "250 " + strings.Repeat("x", 1<<20), "", "", ErrReply},
		{"endless", strings.Repeat("250-x\r\n", maxReplyLines+1), "", "", ErrReply},
		{"too much", strings.Repeat("250-"+strings.Repeat("x", 1500)+"\r\n", 100), "", "", ErrReply},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := parseReply(tt.in)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			if err == nil && (r.String() != tt.want || r.Status != tt.status) {
				t.Errorf("got %q %q, want %q %q", r.String(), r.Status, tt.want, tt.status)
			}
		})
	}
}

func TestReplyTextIsBounded(t *testing.T) {
	r, err := parseReply(strings.Repeat("550-"+strings.Repeat("x", 400)+"\r\n", 10) + "550 end\r\n")
	if err != nil || len(r.String()) != maxReplyText {
		t.Errorf("got %d bytes %v, want %d", len(r.String()), err, maxReplyText)
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "550-5.1.1 a\r\n550 5.1.1 b\r\n", "250-\n250\n", "421 \xff\r\n", "354 go\r\n250 x\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := readReply(bufio.NewReaderSize(bytes.NewReader(in), 2*maxReplyLine))
		if err != nil {
			return
		}
		if r.Code < 200 || r.Code > 599 || len(r.Lines) == 0 || len(r.Lines) > maxReplyLines {
			t.Errorf("got %+v, which is no reply", r)
		}
		s := r.String()
		if len(s) > maxReplyText || strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("got the text %q, want printable ASCII", s)
		}
		v := r.Verdict()
		if v.Kind < verdict.Done || v.Kind > verdict.Never || len(v.Status) < 5 {
			t.Errorf("got %+v, which is no verdict", v)
		}
		extensions(r.Lines)
	})
}
