package evlog

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
)

func ExampleLog_Listening() {
	l := New(os.Stdout)
	l.Listening("smtp", "[::1]:25")
	l.Listening("smtp\nlistening service=forged", `a "b" c=d`)
	// Output:
	// listening service=smtp addr=[::1]:25
	// listening service="smtp\nlistening service=forged" addr="a \"b\" c=d"
}

func TestOneLineWhateverTheValue(t *testing.T) {
	for _, v := range []string{"a\nb", "a\rb", "a\x00b", "a\u2028b", "a\x1b[2Jb", strings.Repeat("x", 5000), "\xff\xfe"} {
		var b strings.Builder
		New(&b).event("e", "k", v)
		got := b.String()
		if strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") || len(got) > 5000 {
			t.Errorf("value %.20q: got %.80q, want one line of bounded length", v, got)
		}
		for _, c := range got[:len(got)-1] {
			if c < ' ' || c > '~' {
				t.Errorf("value %.20q: got the character %q in the log", v, c)
			}
		}
	}
}

// TestLineFitsAPipe: a line that came to a pipe in two writes could be cut by
// another daemon's, and its second half begin one.
func TestLineFitsAPipe(t *testing.T) {
	var b strings.Builder
	long := strings.Repeat("\xff", maxValue)
	NewNamed(&b, "smtpd").event("e", "a", long, "b", long, "c", " fatal err=forged")
	if got := b.String(); len(got) != maxLine || !strings.HasPrefix(got, `smtpd: e a="\xff`) || strings.Count(got, "\n") != 1 || got[maxLine-1] != '\n' {
		t.Errorf("got %d bytes, %.40q…, want one line of %d", len(got), got, maxLine)
	}
}

// BenchmarkEvent is what the log costs beside the write.
func BenchmarkEvent(b *testing.B) {
	l := NewNamed(io.Discard, "deliver")
	b.ReportAllocs()
	for b.Loop() {
		l.Delivered("06ev0c8z1k3n5q7r9t2v4x6y8a", "ann@example.org", "ann@example.org", "1792411200.06ev0c8z1k3n5q7r9t2v4x6y8a.mx,S=4096,W=4200", 1)
	}
}

// TestStalledReader: what was said is written, however long the reader takes,
// and a reader that has gone keeps nobody.
func TestStalledReader(t *testing.T) {
	r, w := io.Pipe()
	l := New(w)
	said := make(chan struct{})
	go func() {
		l.Stopping()
		l.Stopping()
		close(said)
	}()
	in := bufio.NewReader(r)
	if line, err := in.ReadString('\n'); line != "stopping\n" || err != nil {
		t.Fatalf("got %q, %v", line, err)
	}
	select {
	case <-said:
		t.Error("the second event returned before its line was read")
	default:
	}
	if line, err := in.ReadString('\n'); line != "stopping\n" || err != nil {
		t.Fatalf("got %q, %v", line, err)
	}
	<-said
	r.Close()
	l.Stopping()
}

// FuzzEvent: whatever the values, an event is one line of printable ASCII, and
// its keys are ours.
func FuzzEvent(f *testing.F) {
	f.Add("a\nb", "x service=forged")
	f.Add(`"`, `\" k=`)
	f.Add("\xff\u2028", strings.Repeat("é", 700))
	f.Fuzz(func(t *testing.T, one, two string) {
		var b strings.Builder
		New(&b).event("e", "one", one, "two", two)
		line, ok := strings.CutSuffix(b.String(), "\n")
		if !ok || len(line) >= maxLine || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Fatalf("got %q, want one line of printable ASCII", b.String())
		}
		if len(line) == maxLine-1 { // cut off
			return
		}
		rest := strings.TrimPrefix(line, "e")
		for _, kv := range [][2]string{{"one", one}, {"two", two}} {
			if kv[1] == "" {
				continue
			}
			value, ok := strings.CutPrefix(rest, " "+kv[0]+"=")
			if !ok {
				t.Fatalf("got %q, want %s in it", line, kv[0])
			}
			end := strings.IndexByte(value+" ", ' ')
			if quoted, err := strconv.QuotedPrefix(value); err == nil && value[0] == '"' {
				end = len(quoted)
			}
			rest = value[end:]
		}
		if rest != "" {
			t.Errorf("got %q, want nothing behind the values, found %q", line, rest)
		}
	})
}
