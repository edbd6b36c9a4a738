package message

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"posthorn/internal/verdict"
)

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestIntake(t *testing.T) {
	disk := errors.New("disk")
	cut := errors.New("cut")
	ok := func(s string) io.Reader { return strings.NewReader(s) }
	for _, tc := range []struct {
		name      string
		normalize bool
		in        io.Reader
		want      string
		status    string
	}{
		{"usual", false, ok("A: b\r\n\r\nx\r\n"), "A: b\r\n\r\nx\r\n", ""},
		{"no line end", false, ok("A: b\r\n\r\nx"), "A: b\r\n\r\nx\r\n", ""},
		{"bare LF", false, ok("A: b\n\n"), "", "5.6.0"},
		{"bare LF mended", true, ok("A: b\n\nx\n"), "A: b\r\n\r\nx\r\n", ""},
		{"loop", false, ok(strings.Repeat("Received: x\r\n", 3) + "\r\n"), "", "5.4.6"},
		{"header too large", false, ok(strings.Repeat("A: b\r\n", MaxHeader/6+1)), "", "5.3.4"},
		{"broken off", false, io.MultiReader(ok("A: b\r\n"), iotest.ErrReader(cut)), "", "4.4.2"},
		{"a verdict", false, iotest.ErrReader(verdict.Fail(verdict.Never, "5.3.4", "large", nil)), "", "5.3.4"},
	} {
		var out bytes.Buffer
		i := Intake{MaxReceived: 2}
		i.Lines.Normalize = tc.normalize
		err := i.Copy(&out, tc.in)
		if tc.status != "" && (err == nil || verdict.Of(err).Status != tc.status) || tc.status == "" && (err != nil || out.String() != tc.want) {
			t.Errorf("%s: got %q, %v, want %q %s", tc.name, out.String(), err, tc.want, tc.status)
		}
	}
	if err := (&Intake{}).Copy(brokenWriter{disk}, ok("A: b\r\n")); err != disk {
		t.Errorf("writer: got %v, want %v", err, disk)
	}
}
