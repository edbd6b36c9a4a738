package mimepart

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// inMemory is a message that is there as a whole.
type inMemory struct {
	*strings.Reader
	all []byte
}

func (m inMemory) All() []byte { return m.all }

// dashed returns what may be delimiters, with their places and how many line ends are
// in front of them, and the line ends of all.
func dashed(src io.ReaderAt, from, size int64, hop bool) (found []string) {
	l := newLines(src, from, size)
	for l.next() {
		if l.fresh && strings.HasPrefix(string(l.frag), "--") {
			feeds := l.feeds
			if l.eol {
				feeds--
			}
			found = append(found, fmt.Sprintf("%d %d %q", l.start, feeds, l.frag[:min(len(l.frag), 5)]))
		}
		if hop {
			l.hop()
		}
	}
	return append(found, fmt.Sprint(l.feeds, l.err))
}

// TestHop: what is passed over is what has no delimiter.
func TestHop(t *testing.T) {
	for n := range 300 {
		r := rand.New(rand.NewPCG(7, uint64(n)))
		var b strings.Builder
		for range r.IntN(200) {
			b.WriteString([]string{"-", "--", "--b", "\n", "\r\n", "\n\n", "text", strings.Repeat("long ", r.IntN(8000))}[r.IntN(8)])
		}
		msg := b.String()
		from := int64(r.IntN(len(msg)/2 + 1))
		size := from + int64(r.IntN(len(msg)-int(from)+1))
		want := dashed(strings.NewReader(msg), from, size, false)
		all := []byte(msg)
		memory := inMemory{strings.NewReader(""), all} // not read
		for name, got := range map[string][]string{
			"read":             dashed(strings.NewReader(msg), from, size, true),
			"in memory":        dashed(memory, from, size, true),
			"in memory, lines": dashed(memory, from, size, false),
		} {
			if from < size && !slices.Equal(got, want) {
				t.Fatalf("%d, %s: got %q, want %q", n, name, got, want)
			}
		}
		if string(all) != msg {
			t.Fatalf("%d: the message was changed", n)
		}
	}
}
