package find

import (
	"math/rand/v2"
	"strings"
	"testing"

	"posthorn/imapd/internal/charset"
)

// TestContains searches in pieces what is folded as a whole.
func TestContains(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	words := []string{"a", "B", "ab", "é", "e\u0301", "ﬁ", "x", " ", "Q", "q", "-", "ß", "ss", "\r\n", "zebra"}
	text := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(words[r.IntN(len(words))])
		}
		return b.String()
	}
	for range 20000 {
		long, short := text(r.IntN(40)), text(1+r.IntN(3))
		if r.IntN(2) == 0 {
			long = strings.Map(func(c rune) rune {
				if c >= 0x80 {
					return -1
				}
				return c
			}, long)
		}
		n := newNeedle(short)
		size := 2*n.overlap() + 4 + r.IntN(60)
		got, err := contains(strings.NewReader(long), make([]byte, size), n)
		if want := strings.Contains(charset.Fold(long), n.text); got != want || err != nil {
			t.Fatalf("%q in %q, %d bytes at a time: got %v, %v, want %v", short, long, size, got, err, want)
		}
	}
}

// BenchmarkBody searches 14 KiB of US-ASCII.
func BenchmarkBody(b *testing.B) {
	message := "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat("a line of text that is as long as others are in mail, about so\r\n", 200)
	src := strings.NewReader(message)
	b.ReportAllocs()
	for b.Loop() {
		if found, err := New(src, src.Size()).Body("tomorrow"); found || err != nil {
			b.Fatal(found, err)
		}
	}
}
