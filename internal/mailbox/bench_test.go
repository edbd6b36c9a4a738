package mailbox

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"posthorn/internal/picture"
)

// fill makes n messages with their uidlist.
func fill(b *testing.B, n int) string {
	b.Helper()
	path := b.TempDir()
	for _, sub := range []string{"/cur", "/new", "/tmp"} {
		if err := os.MkdirAll(path+sub, 0o700); err != nil {
			b.Fatal(err)
		}
	}
	for i := range n {
		if err := os.WriteFile(fmt.Sprintf("%s/cur/%d.M%dP7.host,S=19,W=22:2,S", path, 1700000000+i, i), []byte("From: a\n\nhello you\n"), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	s := New(Options{})
	box := openBox(b, s, path)
	sel(b, box, "INBOX", false).Close()
	s.Close()
	return path
}

// BenchmarkSelectCold opens a folder that is not in memory.
func BenchmarkSelectCold(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := fill(b, n)
			b.ReportAllocs()
			for b.Loop() {
				s := New(Options{})
				box := openBox(b, s, path)
				v := sel(b, box, "INBOX", false)
				if v.Len() != n {
					b.Fatalf("got %d messages", v.Len())
				}
				v.Close()
				s.Close()
			}
		})
	}
}

// BenchmarkSelectFirst opens a folder that nobody has opened before: all messages
// get a UID.
func BenchmarkSelectFirst(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := fill(b, n)
			b.ReportAllocs()
			for b.Loop() {
				for _, name := range []string{"dovecot-uidlist", "posthorn.index"} {
					if err := os.Remove(path + "/" + name); err != nil {
						b.Fatal(err)
					}
				}
				s := New(Options{})
				box := openBox(b, s, path)
				v := sel(b, box, "INBOX", false)
				if v.Len() != n {
					b.Fatalf("got %d messages", v.Len())
				}
				v.Close()
				s.Close()
			}
		})
	}
}

// BenchmarkSelectWarm opens a folder that another session has open, or had a
// moment ago.
func BenchmarkSelectWarm(b *testing.B) {
	for _, n := range []int{100, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			box := openBox(b, newStore(b, Options{}), fill(b, n))
			for b.Loop() {
				sel(b, box, "INBOX", false).Close()
			}
		})
	}
}

// BenchmarkOpen reads one small message.
func BenchmarkOpen(b *testing.B) {
	v := sel(b, openBox(b, newStore(b, Options{}), fill(b, 10)), "INBOX", true)
	b.ReportAllocs()
	for b.Loop() {
		content(b, v, 1)
	}
}

// BenchmarkStoreOne changes one flag and syncs.
func BenchmarkStoreOne(b *testing.B) {
	path := fill(b, 10000)
	v := sel(b, openBox(b, newStore(b, Options{}), path), "INBOX", false)
	seq := 0
	for b.Loop() {
		seq++
		if _, err := v.Store([]int{1 + seq%v.Len()}, Op(1+seq/v.Len()%2), Flags{System: Flagged}); err != nil {
			b.Fatal(err)
		}
		if _, err := v.Sync(true); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAt reads flags and sizes, as FETCH 1:* FAST does.
func BenchmarkAt(b *testing.B) {
	v := sel(b, openBox(b, newStore(b, Options{}), fill(b, 10000)), "INBOX", true)
	for b.Loop() {
		for seq := range v.Len() {
			v.At(seq + 1)
		}
	}
}

// BenchmarkRead opens messages of 13 KB and reads them, as RETR does.
func BenchmarkRead(b *testing.B) {
	path := b.TempDir()
	for _, sub := range []string{"/cur", "/new", "/tmp"} {
		if err := os.MkdirAll(path+sub, 0o700); err != nil {
			b.Fatal(err)
		}
	}
	text := "From: a\n\n" + strings.Repeat(strings.Repeat("x", 70)+"\n", 190)
	if err := os.WriteFile(path+"/cur/1700000000.M1P7.host:2,S", []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	v := sel(b, openBox(b, newStore(b, Options{}), path), "INBOX", false)
	defer v.Close()
	p := make([]byte, 32<<10)
	b.ReportAllocs()
	for b.Loop() {
		m, err := v.Open(1)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := m.ReadAt(p[:m.Size()], 0); n != len(text)+192 || err != nil {
			b.Fatalf("got %d octets, %v", n, err)
		}
		m.Close()
	}
}

// BenchmarkLarge reads a message of 2 MiB that nobody has read, in blocks, as FETCH
// does.
func BenchmarkLarge(b *testing.B) {
	for _, end := range []string{"\n", "\r\n"} {
		b.Run(fmt.Sprintf("%q", end), func(b *testing.B) {
			path := b.TempDir()
			text := "From: a" + end + end + strings.Repeat(strings.Repeat("x", 82)+end, 2<<20/84)
			name := "/1700000000.M1P7.host:2,S"
			for _, sub := range []string{"/cur", "/new", "/tmp"} {
				if err := os.MkdirAll(path+sub, 0o700); err != nil {
					b.Fatal(err)
				}
			}
			if err := os.WriteFile(path+"/cur"+name, []byte(text), 0o600); err != nil {
				b.Fatal(err)
			}
			v := sel(b, openBox(b, newStore(b, Options{}), path), "INBOX", false)
			defer v.Close()
			p := make([]byte, 32<<10)
			b.ReportAllocs()
			for b.Loop() {
				v.folder.Find(1).State &^= picture.Counted
				m, err := v.Open(1)
				if err != nil {
					b.Fatal(err)
				}
				for off := int64(0); off < m.Size(); {
					n, err := m.ReadAt(p[:min(int64(len(p)), m.Size()-off)], off)
					if err != nil {
						b.Fatal(err)
					}
					off += int64(n)
				}
				m.Close()
			}
		})
	}
}

// BenchmarkStoreMany changes a flag of 1,000 messages of 10,000.
func BenchmarkStoreMany(b *testing.B) {
	v := sel(b, openBox(b, newStore(b, Options{}), fill(b, 10000)), "INBOX", false)
	seqs := make([]int, 1000)
	for i := range seqs {
		seqs[i] = i + 1
	}
	op := Add
	for b.Loop() {
		if _, err := v.Store(seqs, op, Flags{System: Flagged}); err != nil {
			b.Fatal(err)
		}
		if _, err := v.Sync(true); err != nil {
			b.Fatal(err)
		}
		op = Add + Remove - op
	}
}
