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

	"posthorn/internal/attr"
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

// A message whose file is nowhere must not pass for one that has reached its
// end. A clock set far ahead has a draft removed as a leftover while it is
// written, and an administrator may remove the folder below smtpd.
func TestLostIsNotDeparted(t *testing.T) {
	folder := func(t *testing.T, s *Spool) Incoming {
		t.Helper()
		f, err := s.Folder()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		in, err := s.Incoming().Through(f)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	collect := func(t *testing.T, s *Spool) {
		t.Helper()
		s.now = func() time.Time { return time.Now().Add(leftoverAge) }
		if _, err := s.Collect(nobody); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, s *Spool) {
		t.Helper()
		if err := os.Remove(filepath.Join(s.dir, "incoming")); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		disk *durable.Disk
		lose func(t *testing.T, s *Spool)
		hand func(t *testing.T, s *Spool, d *Draft) error
	}{
		{"a leftover, handed over", noUnnamed(), collect, func(t *testing.T, s *Spool, d *Draft) error { _, err := submit(t, s, d); return err }},
		{"a leftover, kept", noUnnamed(), collect, func(t *testing.T, s *Spool, d *Draft) error { return d.Keep() }},
		{"its folder removed, kept", &durable.Disk{}, remove, func(t *testing.T, s *Spool, d *Draft) error { return d.Keep() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openSpool(t, t.TempDir(), c.disk)
			d := draft(t, folder(t, s), envelope())
			defer d.Close()
			c.lose(t, s)
			if err := c.hand(t, s, d); err == nil || errors.Is(err, ErrDeparted) {
				t.Errorf("got %v, want another error: the message is nowhere", err)
			}
		})
	}
}

// A message that reaches its end at once while it is collected is not tried again.
func TestCollectedWhileItDeparts(t *testing.T) {
	s := openSpool(t, t.TempDir(), &durable.Disk{})
	d := draft(t, s.Incoming(), envelope())
	defer d.Close()
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Receive(ro, d.Envelope().ID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := d.Keep(); err != nil {
		t.Fatal(err)
	}
	all, err := s.Collect(func(string) (Ref, bool) { return Ref{}, m.Depart() != nil })
	if len(all) != 0 || err != nil {
		t.Errorf("got %v, %v, want nothing to try", all, err)
	}
	if left, _ := readNames(s.Incoming().Dir); len(left) != 0 {
		t.Errorf("left in incoming: %v", left)
	}
}

// A message whose maker keeps it in the very moment in which it leaves the queue
// is not tried again.
func TestKeptWhileItIsRemoved(t *testing.T) {
	var keep func()
	disk := &durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "unlink" && keep != nil {
			f := keep
			keep = nil
			f()
		}
		return nil
	}}
	s := openSpool(t, t.TempDir(), disk)
	d := draft(t, s.Incoming(), envelope())
	defer d.Close()
	m, err := submit(t, s, d)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	kept := 0
	keep = func() {
		if err := d.Keep(); err != nil {
			t.Error(err)
		}
		kept++
	}
	if err := s.Remove(m); err != nil || kept != 1 {
		t.Fatalf("remove: %v, kept %d times", err, kept)
	}
	if all, err := s.Collect(nobody); len(all) != 0 || err != nil {
		t.Errorf("got %v, %v, want nothing to try", all, err)
	}
}
