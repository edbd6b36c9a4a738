package evlog

import (
	"bufio"
	"io"
	"os"
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
