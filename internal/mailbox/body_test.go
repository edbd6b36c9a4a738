package mailbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// crlf is the slow and plain way from a file to a message.
func crlf(file string) string {
	var b strings.Builder
	for i := range len(file) {
		if file[i] == '\n' && (i == 0 || file[i-1] != '\r') {
			b.WriteByte('\r')
		}
		b.WriteByte(file[i])
	}
	return b.String()
}

// putFile files content in cur/ under name, as another program would.
func putFile(t testing.TB, path, name, content string) {
	t.Helper()
	if err := os.MkdirAll(path+"/cur", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "cur", name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func randomText(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "ab\r\n\n"[r.IntN(5)]
	}
	return string(b)
}

func TestBodyEqualsThePlainWay(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i, n := range []int{0, 1, 2, 100, block - 1, block, block + 1, 3 * block, 3*block + 7, 0, block - 1, block, 3 * block} {
		path := t.TempDir()
		file := randomText(r, n)
		if n > block { // a CRLF across two blocks
			file = file[:block-1] + "\r\n" + file[block+1:]
		}
		want := crlf(file)
		if i > 8 {
			file = want // which has its line ends already
		}
		putFile(t, path, "1.a.x:2,", file)
		v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
		for range 2 { // the second time the size is known
			b, err := v.Open(1)
			if err != nil {
				t.Fatal(err)
			}
			if b.Size() != int64(len(want)) {
				t.Fatalf("%d bytes: got size %d, want %d", n, b.Size(), len(want))
			}
			got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
			if err != nil || string(got) != want {
				t.Fatalf("%d bytes: got %d bytes, %v, not the message", n, len(got), err)
			}
			for range 50 {
				off := r.IntN(len(want) + 1)
				p := make([]byte, r.IntN(2*block))
				m, err := b.ReadAt(p, int64(off))
				end := min(off+len(p), len(want))
				if string(p[:m]) != want[off:end] || (err == nil) != (m == len(p)) || err != nil && err != io.EOF {
					t.Fatalf("%d bytes: got %d bytes, %v at %d, want %d", n, m, err, off, end-off)
				}
			}
			b.Close()
		}
	}
}

func TestHeaderSize(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		want       int64
	}{
		{"empty", "", 0},
		{"usual", "A: b\nC: d\n\ntext\n", 14},
		{"CRLF in the file", "A: b\r\n\r\ntext\r\n", 8},
		{"no header", "\ntext\n", 2},
		{"no end", "A: b\nC: d\n", 12},
		{"long", "A: " + strings.Repeat("x", 4092) + "\n\ntext", 4099},
		{"end across the buffer", "A: " + strings.Repeat("x", 4090) + "\n\ntext", 4097},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := t.TempDir()
			putFile(t, path, "1.a.x:2,", tt.file)
			b, err := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true).Open(1)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if got, err := b.HeaderSize(); got != tt.want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, tt.want)
			}
		})
	}
}

func TestTruncatedFile(t *testing.T) {
	for _, end := range []string{"\n", "\r\n"} {
		t.Run(fmt.Sprintf("%q", end), func(t *testing.T) { testTruncated(t, end) })
	}
}

func testTruncated(t *testing.T, end string) {
	path := t.TempDir()
	putFile(t, path, "1.a.x:2,", strings.Repeat("line"+end, 20000))
	v := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
	b, err := v.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := os.Truncate(path+"/cur/1.a.x:2,", int64(8+2*len(end))); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, io.NewSectionReader(b, block*2, b.Size())); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want ErrUnexpectedEOF", err)
	}
	again, err := v.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Size() != 12 {
		t.Errorf("got size %d of the short file, want 12", again.Size())
	}
}

func TestLyingNames(t *testing.T) {
	path := t.TempDir()
	putFile(t, path, "1.a.x,S=99,W=3:2,S", "A: b\n\ntext\n")
	putFile(t, path, "2.b.x,S=11,W=3,X=kept:2,F", "A: b\n\ntext\n")
	putFile(t, path, "3.c.x,S=11,W=14:2,", "A: b\n\ntext\n")
	b := openBox(t, newStore(t, Options{}), path)
	ro := sel(t, b, "INBOX", true)
	for seq := 1; seq <= 3; seq++ {
		if got := content(t, ro, seq); got != "A: b\r\n\r\ntext\r\n" {
			t.Errorf("got %q", got)
		}
		if m, err := ro.Measure(seq); m.Size != 14 || err != nil {
			t.Errorf("got size %d, %v, want 14", m.Size, err)
		}
	}
	syncView(t, ro, true)
	if _, err := os.Stat(path + "/cur/1.a.x,S=99,W=3:2,S"); err != nil {
		t.Errorf("got %v, want the name untouched by a read-only session", err)
	}
	before := list(ro)
	rw := sel(t, b, "INBOX", false)
	for _, name := range []string{"1.a.x,S=11,W=14:2,S", "2.b.x,S=11,W=14,X=kept:2,F", "3.c.x,S=11,W=14:2,"} {
		if _, err := os.Stat(path + "/cur/" + name); err != nil {
			t.Error(err)
		}
	}
	after := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
	if list(rw) != before || list(after) != before {
		t.Errorf("got %q and %q, want the UIDs of before: %q", list(rw), list(after), before)
	}
	uidlist, _ := os.ReadFile(path + "/dovecot-uidlist")
	if want := "\n1 G1.a.x,S=99,W=3 :1.a.x,S=11,W=14\n"; !bytes.Contains(uidlist, []byte(want)) {
		t.Errorf("got %q, want the old GUID kept", uidlist)
	}
}

// TestLyingNamesStay: names that the uidlist has no room to be corrected with stay, and
// so do the UIDs of their messages.
func TestLyingNamesStay(t *testing.T) {
	path := t.TempDir()
	putFile(t, path, "1.a.x,S=99,W=3:2,S", "A: b\n\ntext\n")
	putFile(t, path, "2.b.x,S=11,W=14:2,S", "A: b\n\ntext\n")
	disk := &durable.Disk{}
	b := openBox(t, newStore(t, Options{Disk: disk}), path)
	ro := sel(t, b, "INBOX", true)
	content(t, ro, 1)
	before := list(ro)
	disk.Hook = func(op durable.Op) error {
		if strings.Contains(op.Path, "dovecot-uidlist.tmp") {
			return unix.ENOSPC
		}
		return nil
	}
	rw := sel(t, b, "INBOX", false)
	disk.Hook = nil
	after := sel(t, openBox(t, newStore(t, Options{}), path), "INBOX", true)
	if list(rw) != before || list(after) != before {
		t.Errorf("got %q and %q, want the UIDs of before: %q", list(rw), list(after), before)
	}
}

func TestDates(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for i, date := range []time.Time{time.Unix(1, 0), time.Unix(-86400*365, 0), time.Unix(1<<33, 0)} {
		if _, _, err := b.Append("INBOX", Incoming{Reader: strings.NewReader("x"), Size: 1, Date: date}); err != nil {
			t.Fatal(err)
		}
		v := sel(t, b, "INBOX", true)
		if m, err := v.Measure(i + 1); !m.Date.Equal(date) || err != nil {
			t.Errorf("got %v, %v, want %v", m.Date, err, date)
		}
		v.Close()
	}
}

func FuzzToLF(f *testing.F) {
	f.Add("a\r\nb\r\n", 3)
	f.Add("\r\r\n\r", 1)
	f.Fuzz(func(t *testing.T, s string, cut int) {
		if cut < 0 || cut > len(s) {
			cut = len(s) / 2
		}
		out, rest := toLF([]byte(s[:cut]), false)
		got := string(out)
		out, more := toLF([]byte(string(rest)+s[cut:]), true)
		got += string(out)
		if want := strings.ReplaceAll(s, "\r\n", "\n"); got != want || len(more) != 0 {
			t.Errorf("got %q rest %q, want %q", got, more, want)
		}
		var c counter
		c.count([]byte(got[:len(got)/2]))
		c.count([]byte(got[len(got)/2:]))
		if want := int64(len(crlf(got)) - len(got)); c.bare != want {
			t.Errorf("%q: got %d bare line ends, want %d", got, c.bare, want)
		}
	})
}
