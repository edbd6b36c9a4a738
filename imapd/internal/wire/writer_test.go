package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestWriterStrings(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", `""`},
		{"abc", `"abc"`},
		{`a"\b`, `"a\"\\b"`},
		{"a\nb", "{3}\r\na\nb"},
		{"ü", "{2}\r\nü"},
	}
	for _, tt := range tests {
		var out strings.Builder
		w := NewWriter(&out, NewPool())
		w.AString(tt.in)
		if err := w.Flush(); err != nil || out.String() != tt.want {
			t.Errorf("%q: got %q, %v, want %q", tt.in, out.String(), err, tt.want)
		}
	}
}

func TestWriterAcrossBuffers(t *testing.T) {
	var out strings.Builder
	w := NewWriter(&out, NewPool())
	body := strings.Repeat("0123456789", 20000)
	w.Raw(body[:bufferSize-3])
	w.Num(1234567)
	w.Copy(strings.NewReader(body), 10, 150000)
	w.Raw(body)
	want := body[:bufferSize-3] + "1234567" + body[10:150010] + body
	if err := w.Flush(); err != nil || out.String() != want {
		t.Errorf("got %d bytes, %v, want %d others", out.Len(), err, len(want))
	}
	if w.buf != nil {
		t.Error("a flushed writer holds a buffer")
	}
}

func TestWriterNoNUL(t *testing.T) {
	var out strings.Builder
	w := NewWriter(&out, NewPool())
	w.Copy(strings.NewReader("\x00a\x00\x00b"), 0, 5)
	if err := w.Flush(); err != nil || out.String() != "\x80a\x80\x80b" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestWriterShortBody(t *testing.T) {
	w := NewWriter(&strings.Builder{}, NewPool())
	w.Copy(strings.NewReader("abc"), 0, 5)
	if err := w.Flush(); !errors.Is(err, errShort) {
		t.Errorf("got %v, want %v", err, errShort)
	}
}

func TestWriterKeepsError(t *testing.T) {
	w := NewWriter(failing{}, NewPool())
	w.Raw("x")
	if err := w.Flush(); err == nil {
		t.Fatal("got no error")
	}
	w.Raw(strings.Repeat("x", 3*bufferSize))
	if err := w.Flush(); !errors.Is(err, errGone) {
		t.Errorf("got %v, want %v", err, errGone)
	}
}

var errGone = errors.New("gone")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errGone }
