package spool

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/durable"
	"posthorn/internal/id"
)

func TestKeptMessagesAreCollected(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, &durable.Disk{})
	var want []string
	for range 3 {
		d := draft(t, s.Incoming(), envelope())
		if err := d.Keep(); err != nil {
			t.Fatal(err)
		}
		d.Close()
		want = append(want, d.Envelope().ID)
	}
	all, err := s.Collect(nobody)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		got = append(got, e.Ref.ID())
		m, err := s.Load(e.Ref)
		if err != nil {
			t.Fatal(err)
		}
		checkContent(t, m)
		m.Close()
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if left, _ := readNames(s.Incoming().Dir); len(left) != 0 {
		t.Errorf("left in incoming: %v", left)
	}
	if len(scan(t, s)) != len(want) {
		t.Errorf("the queue does not hold what was collected")
	}
}

// smtpd keeps a message because the answer was lost, and queued has it: the
// one file must not become two messages, whenever it is seen.
func TestKeptAndQueuedIsOneMessage(t *testing.T) {
	for _, c := range []struct {
		name string
		kept func(t *testing.T, s *Spool, d *Draft, m *Message)
	}{
		{"kept while in the queue", func(t *testing.T, s *Spool, d *Draft, m *Message) {
			if err := d.Keep(); err != nil {
				t.Fatal(err)
			}
			all, err := s.Collect(func(string) (Ref, bool) { return m.Ref(), true })
			if len(all) != 0 || err != nil {
				t.Errorf("got %v, %v, want nothing new", all, err)
			}
			if err := s.Remove(m); err != nil {
				t.Error(err)
			}
		}},
		{"kept in the queue, collected after its end", func(t *testing.T, s *Spool, d *Draft, m *Message) {
			if err := d.Keep(); err != nil {
				t.Fatal(err)
			}
			if err := s.Remove(m); err != nil {
				t.Error(err)
			}
		}},
		{"kept after its end", func(t *testing.T, s *Spool, d *Draft, m *Message) {
			if err := s.Remove(m); err != nil {
				t.Error(err)
			}
			if err := d.Keep(); err != nil {
				t.Errorf("got %v, want the draft content with its end", err)
			}
			if _, err := submit(t, s, d); !errors.Is(err, ErrDeparted) {
				t.Errorf("handed over once more: got %v, want %v", err, ErrDeparted)
			}
		}},
		{"kept while handed over", func(t *testing.T, s *Spool, d *Draft, m *Message) {
			if err := d.Keep(); err != nil {
				t.Fatal(err)
			}
			all, err := s.Collect(func(string) (Ref, bool) { return Ref{}, true })
			if len(all) != 0 || err != nil {
				t.Errorf("got %v, %v, want nothing now", all, err)
			}
			if err := s.Remove(m); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openSpool(t, t.TempDir(), &durable.Disk{})
			d := draft(t, s.Incoming(), envelope())
			defer d.Close()
			m, err := submit(t, s, d)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			c.kept(t, s, d, m)
			all, err := s.Collect(nobody)
			if len(all) != 0 || err != nil {
				t.Errorf("after its end: got %v, %v, want nothing", all, err)
			}
			if left, _ := readNames(s.Incoming().Dir); len(left) != 0 {
				t.Errorf("left in incoming: %v", left)
			}
		})
	}
}

func TestStrangersInIncoming(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, &durable.Disk{})
	in := s.Incoming().Dir
	old := time.Now().Add(-leftoverAge - time.Hour)
	for _, name := range []string{"tmp.young", "tmp.old", "other.young", "other.old"} {
		path := filepath.Join(in, name)
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".old") {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	bad, fifo := id.New(), id.New()
	if err := os.WriteFile(filepath.Join(in, bad), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(in, fifo), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Collect(nobody); len(all) != 0 || err != nil {
		t.Errorf("got %v, %v", all, err)
	}
	left, _ := readNames(in)
	if want := []string{"other.young", "tmp.young"}; !reflect.DeepEqual(left, want) {
		t.Errorf("left in incoming: got %v, want %v", left, want)
	}
	odd, _ := readNames(filepath.Join(dir, "odd"))
	if len(odd) != 3 {
		t.Errorf("odd: got %v, want other.old, %s and %s", odd, bad, fifo)
	}
}
