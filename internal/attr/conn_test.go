package attr

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair returns both ends of a Unix stream socket.
func pair(t *testing.T) (*Conn, *Conn) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	ca, cb := NewConn(a), NewConn(b)
	for _, c := range []*Conn{ca, cb} {
		c.SetDeadline(time.Now().Add(10 * time.Second))
		t.Cleanup(func() { c.Close() })
	}
	return ca, cb
}

func tempFile(t *testing.T, content string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "f")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	f.WriteString(content)
	return f
}

func TestConnPassesOneDescriptor(t *testing.T) {
	a, b := pair(t)
	ro, err := ReadOnly(tempFile(t, "body"))
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	if err := a.Write(List{{"n", "1"}}, ro); err != nil {
		t.Fatal(err)
	}
	if err := a.Write(List{{"n", "2"}}, nil); err != nil {
		t.Fatal(err)
	}
	l, f, err := b.Read()
	if err != nil || f == nil || l.Get("n") != "1" {
		t.Fatalf("first list: got %v, %v, %v", l, f, err)
	}
	defer f.Close()
	if got, err := io.ReadAll(io.NewSectionReader(f, 0, 100)); string(got) != "body" || err != nil {
		t.Errorf("descriptor: got %q, %v", got, err)
	}
	if _, err := f.WriteAt([]byte("x"), 0); err == nil {
		t.Error("a read-only descriptor could be written")
	}
	if l, f, err := b.Read(); err != nil || f != nil || l.Get("n") != "2" {
		t.Errorf("second list: got %v, %v, %v", l, f, err)
	}
	a.Close()
	if _, _, err := b.Read(); err != io.EOF {
		t.Errorf("after the close: got %v, want end of file", err)
	}
}

func TestConnRefusesTwoDescriptors(t *testing.T) {
	a, b := pair(t)
	f := tempFile(t, "")
	rights := unix.UnixRights(int(f.Fd()), int(f.Fd()))
	if _, _, err := a.Unix().WriteMsgUnix([]byte("n=1\n\n"), rights, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Read(); !errors.Is(err, ErrDescriptors) {
		t.Errorf("two at once: got %v, want %v", err, ErrDescriptors)
	}

	a, b = pair(t)
	one := unix.UnixRights(int(f.Fd()))
	a.Unix().WriteMsgUnix([]byte("n=1\n"), one, nil)
	a.Unix().WriteMsgUnix([]byte("\n"), one, nil)
	if _, _, err := b.Read(); !errors.Is(err, ErrDescriptors) {
		t.Errorf("one after another: got %v, want %v", err, ErrDescriptors)
	}
}

// TestListInPieces: a list that is here as a whole is read another way than one
// that comes in pieces, to the same end.
func TestListInPieces(t *testing.T) {
	for _, in := range []string{"a=1\nb=2\n\n", "\n", "a\n\n", "=\n\n", "a=\x00\n\n", "a=1\n\nb=2\n\n"} {
		a, b := pair(t)
		a.Unix().Write([]byte(in))
		whole, _, werr := b.Read()
		first, rest := in[:len(in)-1], in[len(in)-1:]
		a, b = pair(t)
		a.Unix().Write([]byte(first))
		if first != "" {
			b.Wait()
		}
		go a.Unix().Write([]byte(rest))
		pieces, _, perr := b.Read()
		if !reflect.DeepEqual(whole, pieces) || (werr == nil) != (perr == nil) {
			t.Errorf("%q: got %v, %v as a whole and %v, %v in pieces, want the same", in, whole, werr, pieces, perr)
		}
	}
}

// TestDeadlineMoves: one that is near enough stays, one that would be felt does
// not.
func TestDeadlineMoves(t *testing.T) {
	a, _ := pair(t)
	start := time.Now()
	for _, c := range []struct {
		name     string
		to, want time.Duration
	}{
		{"the first", time.Minute, time.Minute}, {"a little later", 63 * time.Second, time.Minute},
		{"much later", 2 * time.Minute, 2 * time.Minute}, {"sooner", time.Second, time.Second}, {"much later again", time.Hour, time.Hour},
	} {
		if err := a.Until(start.Add(c.to)); err != nil || a.until.Sub(start) != c.want {
			t.Errorf("%s: got %v, %v, want %v", c.name, a.until.Sub(start), err, c.want)
		}
	}
}

// TestLostDescriptorStaysLost waits before it reads, as servers do: the error
// that the waiting met must not be forgotten, for nothing more comes.
func TestLostDescriptorStaysLost(t *testing.T) {
	a, b := pair(t)
	f := tempFile(t, "x")
	raw := unix.UnixRights(int(f.Fd()), int(f.Fd()))
	if _, _, err := a.Unix().WriteMsgUnix([]byte("n=1\n\n"), raw, nil); err != nil {
		t.Fatal(err)
	}
	b.SetDeadline(time.Now().Add(10 * time.Second))
	b.Wait()
	if _, _, err := b.Read(); !errors.Is(err, ErrDescriptors) {
		t.Errorf("got %v, want %v", err, ErrDescriptors)
	}
}
