package index

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func entries(n int) []Entry {
	out := make([]Entry, n)
	for i := range out {
		out[i] = Entry{UID: uint32(i + 1), Text: bytes.Repeat([]byte(fmt.Sprint(i, " ")), i%97*(1+i%13))}
	}
	return out
}

func TestColumn(t *testing.T) {
	d := folder(t)
	c, err := CreateColumn(d, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all := append(entries(3000), Entry{UID: 9, Text: make([]byte, MaxEntry)})
	places, err := c.Append(all[:1000])
	if err != nil {
		t.Fatal(err)
	}
	more, err := c.Append(all[1000:])
	if err != nil {
		t.Fatal(err)
	}
	places = append(places, more...)
	again, err := OpenColumn(d, 1, c.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(all))
	for _, i := range slices.Concat(order[:200], []int{0, 1, 2, 3, 4, 5}, order, order[:9]) {
		if got, ok := again.Text(places[i], all[i].UID); !ok || !bytes.Equal(got, all[i].Text) {
			t.Fatalf("%d: got %d bytes, %v, want %d", i, len(got), ok, len(all[i].Text))
		}
	}
	for _, bad := range [][2]uint32{{0, 1}, {places[3], 3}, {places[3] + 1, 4}, {1 << 31, 4}} {
		if got, ok := again.Text(bad[0], bad[1]); ok {
			t.Errorf("place %d, UID %d: got %q, want nothing", bad[0], bad[1], got)
		}
	}
	if _, err := OpenColumn(d, 1, c.ID()+1); !errors.Is(err, ErrNone) {
		t.Errorf("another number: got %v, want ErrNone", err)
	}
	if _, err := OpenColumn(d, 0, c.ID()); !errors.Is(err, ErrNone) {
		t.Errorf("another column: got %v, want ErrNone", err)
	}
}

// TestColumnDamage: what is read is what was written, or nothing.
func TestColumnDamage(t *testing.T) {
	d := folder(t)
	c, err := CreateColumn(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all := entries(60)
	places, err := c.Append(all)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.Path, columnName(0))
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2000 {
		r := rand.New(rand.NewPCG(3, uint64(n)))
		b := bytes.Clone(good)
		switch at := r.IntN(len(b)); n % 3 {
		case 0:
			b[at] ^= byte(1 + r.IntN(255))
		case 1:
			b = b[:at]
		case 2:
			b = slices.Insert(b, at, byte(r.IntN(256)))
		}
		put(t, path, b)
		x, err := OpenColumn(d, 0, c.ID())
		if err != nil {
			continue
		}
		for i, e := range all {
			if got, ok := x.Text(places[i], e.UID); ok && !bytes.Equal(got, e.Text) {
				t.Fatalf("%d: got %q for %d, want %q or nothing", n, got, e.UID, e.Text)
			}
		}
		x.Close()
	}
}

func FuzzColumn(f *testing.F) {
	d := folder(f)
	c, err := CreateColumn(d, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	places, err := c.Append(entries(3))
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(d.Path, columnName(0))
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, places[1], uint32(2))
	f.Fuzz(func(t *testing.T, b []byte, place, uid uint32) {
		put(t, path, b)
		x, err := OpenColumn(d, 0, c.ID())
		if err != nil {
			return
		}
		defer x.Close()
		if text, ok := x.Text(place, uid); ok && !bytes.Contains(b, text) {
			t.Fatalf("got %q, which is not in the file", text)
		}
	})
}
