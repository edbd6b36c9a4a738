package deflate

import (
	"bytes"
	"compress/flate"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// texts are what is compressed in these tests.
func texts() map[string][]byte {
	random := make([]byte, 100_000)
	rnd := rand.NewChaCha8([32]byte{1})
	rnd.Read(random)
	return map[string][]byte{
		"nothing":  nil,
		"commands": []byte("a NOOP\r\nb FETCH 1 FLAGS\r\nc FETCH 2 FLAGS\r\n"),
		"far":      append(append([]byte("far away"), make([]byte, 32<<10-8)...), "far away"...),
		"same":     bytes.Repeat([]byte{'x'}, 200_000),
		"random":   random,
		"text":     []byte(strings.Repeat("Whose woods these are I think I know. ", 3000)),
	}
}

func TestReader(t *testing.T) {
	for name, text := range texts() {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.BestCompression} {
			var packed bytes.Buffer
			w, _ := flate.NewWriter(&packed, level)
			w.Write(text[:len(text)/2])
			w.Flush()
			w.Write(text[len(text)/2:])
			w.Close()
			for way, src := range map[string]io.Reader{"at once": &packed, "byte by byte": iotest.OneByteReader(bytes.NewReader(packed.Bytes()))} {
				got, err := io.ReadAll(NewReader(src, nil))
				if err != nil || !bytes.Equal(got, text) {
					t.Errorf("%s, level %d, %s: got %d bytes, %v, want %d", name, level, way, len(got), err, len(text))
				}
			}
		}
	}
}

// TestPoll: the end of a flush that comes late is nothing to wait behind.
func TestPoll(t *testing.T) {
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestSpeed)
	w.Write([]byte("a NOOP\r\n"))
	w.Flush()
	all := packed.Bytes()
	parts := [][]byte{all[:len(all)-4], all[len(all)-4:]}
	r := NewReader(iotest.ErrReader(io.ErrUnexpectedEOF), nil)
	for i, want := range []bool{true, false} {
		r.src = bytes.NewReader(parts[i])
		if got, err := r.Poll(); got != want || err != nil {
			t.Errorf("part %d: got %v, %v, want %v", i, got, err, want)
		}
		if want {
			b := make([]byte, 100)
			if n, err := r.Read(b); string(b[:n]) != "a NOOP\r\n" || err != nil {
				t.Errorf("got %q, %v", b[:n], err)
			}
		}
	}
	if _, err := r.Poll(); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
}

// TestPack undoes what Pack did, with our Reader and the library's.
func TestPack(t *testing.T) {
	p := NewPackers(1)
	for name, text := range texts() {
		var all []byte
		for rest := text; len(rest) > 0; {
			n := min(len(rest), Chunk)
			packed, err := p.Pack(nil, rest[:n])
			if err != nil || len(packed) > n+Overhead {
				t.Fatalf("%s: got %d bytes of %d, %v", name, len(packed), n, err)
			}
			all, rest = append(all, packed...), rest[n:]
		}
		for reader, r := range map[string]io.Reader{"ours": NewReader(nil, all), "compress/flate": flate.NewReader(bytes.NewReader(all))} {
			got := make([]byte, len(text))
			if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s: %s: got %v, or other text", name, reader, err)
			}
		}
	}
}

// TestFlushes: what was sent is there when its last bit is, whatever the client's
// way of flushing is. The bytes are zlib's.
func TestFlushes(t *testing.T) {
	for name, packed := range map[string]string{
		"sync":    "4a54f0f3f70fe0e502000000ffff",
		"full":    "4a54f0f3f70fe0e502000000ffff",
		"partial": "4a54f0f3f70fe0e50208",
	} {
		in, _ := hex.DecodeString(packed)
		r := NewReader(iotest.ErrReader(errors.New("waits")), in)
		if !r.Ready() {
			t.Errorf("%s: got nothing", name)
		}
		got := make([]byte, 100)
		n, err := r.Read(got)
		if want := "a NOOP\r\n"; string(got[:n]) != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got[:n], err, want)
		}
		if r.Ready() {
			t.Errorf("%s: got more", name)
		}
		if n, err := r.Read(got); n > 0 || err == nil || err.Error() != "waits" {
			t.Errorf("%s: got %d bytes, %v", name, n, err)
		}
	}
}

func TestNonsense(t *testing.T) {
	for name, packed := range map[string]string{
		"block of type 3":             "07",
		"stored with wrong inverse":   "010500fbff",
		"distance before the start":   "4b04a2",
		"too many lengths":            "fdffff",
		"repeat without a length":     "0500000000000000000000ff",
		"plain text":                  hex.EncodeToString([]byte("a NOOP\r\nb NOOP\r\n")),
		"a code with too many leaves": "ed" + strings.Repeat("ff", 40),
	} {
		in, err := hex.DecodeString(packed)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(NewReader(bytes.NewReader(in), nil))
		want, werr := io.ReadAll(flate.NewReader(bytes.NewReader(in)))
		if (err == nil) != (werr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Errorf("%s: got %q, %v, the library %q, %v", name, got, err, want, werr)
		}
	}
}

// TestReaderHoldsLittle: a reader of little has a small window, one at rest no
// input.
func TestReaderHoldsLittle(t *testing.T) {
	p := NewPackers(1)
	packed, err := p.Pack(nil, []byte("a NOOP\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(bytes.NewReader(packed), nil)
	if _, err := io.ReadFull(r, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if r.Ready(); len(r.window) > firstSize || len(r.bits.in) > 0 {
		t.Errorf("got a window of %d bytes and %d of input", len(r.window), len(r.bits.in))
	}
}

// FuzzReader compares with the library, which is stricter in nothing.
func FuzzReader(f *testing.F) {
	p := NewPackers(1)
	for _, text := range texts() {
		packed, _ := p.Pack(nil, text[:min(len(text), 1000)])
		f.Add(packed)
	}
	f.Add([]byte("\x05\xe0\x81\x00\x00\x00\x00\x00\x10\xff"))
	f.Fuzz(func(t *testing.T, packed []byte) {
		const most = 1 << 20
		got, err := io.ReadAll(io.LimitReader(NewReader(bytes.NewReader(packed), nil), most))
		slow, serr := io.ReadAll(io.LimitReader(NewReader(iotest.OneByteReader(bytes.NewReader(packed)), nil), most))
		if !bytes.Equal(got, slow) || (err == nil) != (serr == nil) {
			t.Fatalf("byte by byte: got %d bytes, %v, at once %d, %v", len(slow), serr, len(got), err)
		}
		want, werr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), most))
		if werr == nil && (err != nil && err != io.EOF || !bytes.Equal(got, want)) {
			t.Fatalf("got %d bytes, %v, want %d", len(got), err, len(want))
		}
		if err == ErrData && werr == nil {
			t.Fatal("got an error, the library none")
		}
	})
}
