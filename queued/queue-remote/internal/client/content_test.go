package client

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
)

func TestScan(t *testing.T) {
	tests := []struct {
		name, text       string
		header, body, od bool
	}{
		{"plain", "A: b\r\n\r\nc\r\n", false, false, false},
		{"empty", "", false, false, false},
		{"header only", "A: b\r\n", false, false, false},
		{"8-bit header", "A: \xc3\xa4\r\n\r\nc\r\n", true, false, false},
		{"8-bit body", "A: b\r\n\r\n\xe4\r\n", false, true, false},
		{"empty header", "\r\n\xe4\r\n", false, true, false},
		{"bare LF", "A: b\n\r\nc\r\n", false, false, true},
		{"bare CR", "A: b\r\n\r\nc\rd\r\n", false, false, true},
		{"two CRs", "A: b\r\r\n", false, false, true},
		{"CR at the end", "A: b\r\n\r", false, false, true},
		{"no end of line", "A: b\r\n\r\nc", false, false, true},
		{"NUL", "A: b\r\n\r\n\x00\r\n", false, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Scan(iotest.OneByteReader(strings.NewReader(tt.text)), 1)
			want := Content{int64(len(tt.text)), tt.header, tt.body, tt.od}
			if err != nil || got != want {
				t.Errorf("got %+v %v, want %+v", got, err, want)
			}
		})
	}
}

// stuffed runs text through the stuffer in blocks of n bytes.
func stuffed(text string, n int, odd bool) string {
	s := newStuffer(n, odd)
	for b := []byte(text); len(b) > 0; {
		k := min(n, len(b))
		s.add(b[:k])
		b = b[k:]
	}
	s.end()
	return string(s.out)
}

func TestStuffing(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "a\r\n", "a\r\n.\r\n"},
		{"empty", "", ".\r\n"},
		{"dot first", ".\r\n", "..\r\n.\r\n"},
		{"dots", "a\r\n.\r\n..b\r\n.", "a\r\n..\r\n...b\r\n..\r\n.\r\n"},
		{"no end of line", "a", "a\r\n.\r\n"},
		{"bare LF", "a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"},
		{"LF dot CRLF", "a\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"},
		{"bare CR", "a\r.\rb\r\n", "a . b\r\n.\r\n"},
		{"CR CR LF", "a\r\r\n.\r\n", "a \r\n..\r\n.\r\n"},
		{"CR at the end", "a\r\n\r", "a\r\n \r\n.\r\n"},
		{"NUL", "a\x00\r\n\x00.\r\n", "a \r\n .\r\n.\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			found, _ := Scan(strings.NewReader(tt.text), 10)
			for n := 1; n < 6; n++ {
				if got := stuffed(tt.text, n, found.Odd); got != tt.want {
					t.Errorf("blocks of %d: got %q, want %q", n, got, tt.want)
				}
			}
		})
	}
}

// FuzzStuffing holds the one thing that matters: the end of the message stands
// at the end and nowhere else, whatever a server takes for a line end, and a
// clean message comes back as it was.
func FuzzStuffing(f *testing.F) {
	for _, s := range []string{"", "a\r\n.\r\nb\r\n", "\n.\n", "\r.\r", "\r\n.\r\r\n", "\r\n\x00.\r\n", ".\r\n.", "\r\n.\r"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		n = max(1, min(n, 100))
		found, err := Scan(bytes.NewReader(in), int64(len(in)))
		if err != nil {
			t.Fatal(err)
		}
		out := stuffed(string(in), n, found.Odd)
		body, ok := strings.CutSuffix(out, ".\r\n")
		if !ok || body != "" && !strings.HasSuffix(body, "\r\n") {
			t.Fatalf("got %q, want CRLF . CRLF at the end", out)
		}
		if i := strings.IndexAny(strings.ReplaceAll(body, "\r\n", ""), "\r\n\x00"); i >= 0 {
			t.Fatalf("got %q, want no CR, LF or NUL but CRLF", out)
		}
		lines := strings.Split(body, "\r\n")
		for i, line := range lines {
			if strings.HasPrefix(line, ".") && !strings.HasPrefix(line, "..") {
				t.Fatalf("got the line %q, want its dot doubled", line)
			}
			lines[i] = strings.TrimPrefix(line, ".")
		}
		if back := strings.Join(lines, "\r\n"); !found.Odd && back != string(in) {
			t.Fatalf("got %q back, want %q", back, in)
		}
	})
}
