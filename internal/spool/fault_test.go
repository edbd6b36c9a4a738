package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/durable"
	"posthorn/internal/verdict"
)

// fault is a disk that fails at its nth step: only then, or from then on, as
// for a process that was killed there.
type fault struct {
	n       int
	forever bool

	mu    sync.Mutex
	steps []durable.Op
}

func (f *fault) disk() *durable.Disk { return &durable.Disk{Hook: f.hook} }

func (f *fault) hook(op durable.Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, op)
	if len(f.steps) == f.n || f.forever && len(f.steps) > f.n {
		return syscall.EIO
	}
	return nil
}

// hit reports whether the disk has failed.
func (f *fault) hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.steps) >= f.n
}

// eachFault runs try with a disk that fails at step 1, 2, … once and for ever,
// until there is no such step. try gets a prepared spool folder.
func eachFault(t *testing.T, try func(t *testing.T, dir string, f *fault)) {
	t.Helper()
	for _, forever := range []bool{false, true} {
		for n := 1; ; n++ {
			f := &fault{n: n, forever: forever}
			t.Run(fmt.Sprintf("step %d forever %v", n, forever), func(t *testing.T) {
				dir := t.TempDir()
				openSpool(t, dir, &durable.Disk{}).Close()
				try(t, dir, f)
			})
			if !f.hit() {
				break
			}
			if n > 100 {
				t.Fatal("no end of steps")
			}
		}
	}
}

// found reopens the spool on a good disk and returns how often it has each
// message, after a start and a collection. Each is whole.
func found(t *testing.T, dir string) map[string]int {
	t.Helper()
	s := openSpool(t, dir, &durable.Disk{})
	defer s.Close()
	refs := map[string]Ref{}
	times := map[string]int{}
	note := func(e Entry) {
		refs[e.Ref.ID()] = e.Ref
		m, err := s.Load(e.Ref)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		checkContent(t, m)
		if !m.Gone {
			times[m.ID]++
		}
	}
	for _, e := range scan(t, s) {
		note(e)
	}
	all, err := s.Collect(func(msg string) (Ref, bool) { r, ok := refs[msg]; return r, ok })
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		note(e)
	}
	if odd, _ := readNames(filepath.Join(dir, "odd")); len(odd) != 0 {
		t.Errorf("set aside: %v", odd)
	}
	return times
}

// take is what queued does, on a disk that may fail.
func take(t *testing.T, s *Spool, d *Draft) error {
	t.Helper()
	m, err := submit(t, s, d)
	if err == nil {
		m.Close()
	}
	return err
}

// The maker is told done: the message is there, once. It is told no: it is not
// there, but for the one window that doc/spool.md names.
func TestFaultsWhileTakingIn(t *testing.T) {
	eachFault(t, func(t *testing.T, dir string, f *fault) {
		s := openSpool(t, dir, f.disk())
		d, err := s.Incoming().New(envelope())
		if err != nil {
			return
		}
		defer d.Close()
		d.Write([]byte(body))
		if err := d.Finish(); err != nil {
			t.Fatal(err)
		}
		err = take(t, s, d)
		s.Close()
		got := found(t, dir)[d.Envelope().ID]
		switch {
		case err == nil && got != 1:
			t.Errorf("acknowledged: got %d, want 1", got)
		case err != nil && got != 0 && !f.forever:
			t.Errorf("refused with %v: got %d, want 0", err, got)
		case got > 1:
			t.Errorf("got %d, want at most 1", got)
		}
	})
}

// Queued does not answer. A message that smtpd could not keep does not stay
// either: its client sends it again.
func TestFaultsWhileKeeping(t *testing.T) {
	eachFault(t, func(t *testing.T, dir string, f *fault) {
		d, err := Incoming{Dir: filepath.Join(dir, "incoming"), Disk: f.disk()}.New(envelope())
		if err != nil {
			return
		}
		d.Write([]byte(body))
		err = d.Keep()
		d.Close()
		got := found(t, dir)[d.Envelope().ID]
		if err == nil && got != 1 || err != nil && got != 0 && !f.forever {
			t.Errorf("kept with %v: got %d, want 1 for nil and 0 otherwise", err, got)
		}
	})
}

// The answer is lost, whatever it was: smtpd keeps the file.
func TestFaultsWhileKeepingWhatWasHandedOver(t *testing.T) {
	eachFault(t, func(t *testing.T, dir string, f *fault) {
		s := openSpool(t, dir, f.disk())
		d := draft(t, Incoming{Dir: s.Incoming().Dir, Disk: &durable.Disk{}}, envelope())
		defer d.Close()
		taken := take(t, s, d)
		d.in.Disk = f.disk() // the same count goes on
		kept := d.Keep()
		if kept == nil {
			s.Collect(nobody) // may run while we live, and fail
		}
		s.Close()
		got := found(t, dir)[d.Envelope().ID]
		if kept == nil && got != 1 {
			t.Errorf("acknowledged (taken: %v): got %d, want 1", taken, got)
		}
		if got > 1 {
			t.Errorf("got %d, want at most 1", got)
		}
	})
}

func TestFaultsWhileCollecting(t *testing.T) {
	eachFault(t, func(t *testing.T, dir string, f *fault) {
		s := openSpool(t, dir, f.disk())
		var want []string
		for range 3 {
			d := draft(t, Incoming{Dir: s.Incoming().Dir, Disk: &durable.Disk{}}, envelope())
			if err := d.Keep(); err != nil {
				t.Fatal(err)
			}
			d.Close()
			want = append(want, d.Envelope().ID)
		}
		// The second time finds what the first one left half done.
		refs := map[string]Ref{}
		for range 2 {
			entries, err := s.Collect(func(msg string) (Ref, bool) { r, ok := refs[msg]; return r, ok })
			if err != nil && !f.hit() {
				t.Error(err)
			}
			for _, e := range entries {
				if _, twice := refs[e.Ref.ID()]; twice {
					t.Errorf("%s was collected twice", e.Ref.ID())
				}
				refs[e.Ref.ID()] = e.Ref
			}
		}
		s.Close()
		got := found(t, dir)
		for _, msg := range want {
			if got[msg] != 1 {
				t.Errorf("%s: got %d, want 1", msg, got[msg])
			}
		}
	})
}

// What Flush said is written is read again; what it did not may be. A final
// verdict is never lost to a later line.
func TestFaultsWhileRecording(t *testing.T) {
	eachFault(t, func(t *testing.T, dir string, f *fault) {
		s := openSpool(t, dir, &durable.Disk{})
		d := draft(t, s.Incoming(), envelope())
		defer d.Close()
		m, err := submit(t, s, d)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s.disk = f.disk()
		var last int
		for try := 1; try <= 3; try++ {
			m.SetResult([]int{0}, try, Result{Verdict: verdict.New(verdict.Later, "4.0.0", "busy")})
			m.SetNext(try, time.UnixMicro(int64(try)))
			if m.Flush() == nil {
				last = try
			}
		}
		again, err := s.Load(m.Ref())
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if again.Try < last {
			t.Errorf("got try %d, want at least the %d that was acknowledged", again.Try, last)
		}
	})
}

func TestFaultsWhileRemoving(t *testing.T) {
	for _, kept := range []bool{false, true} {
		eachFault(t, func(t *testing.T, dir string, f *fault) {
			s := openSpool(t, dir, &durable.Disk{})
			d := draft(t, s.Incoming(), envelope())
			defer d.Close()
			m, err := submit(t, s, d)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if kept {
				if err := d.Keep(); err != nil {
					t.Fatal(err)
				}
			}
			s.disk = f.disk()
			err = s.Remove(m)
			s.disk = &durable.Disk{}
			s.Close()
			if got := found(t, dir)[m.ID]; err == nil && got != 0 {
				t.Errorf("removed: got %d, want 0", got)
			} else if err != nil && got != 1 {
				// A message whose end is in its file is not found again, though
				// its name is there.
				if data, _ := os.ReadFile(m.ref.path()); !strings.Contains(string(data), "gone=yes") {
					t.Errorf("not removed: got %d, want 1", got)
				}
			}
		})
	}
}

func TestFaultsWhileSettingAside(t *testing.T) {
	eachFault(t, func(t *testing.T, dir string, f *fault) {
		s := openSpool(t, dir, &durable.Disk{})
		m := queued(t, s)
		s.disk = f.disk()
		err := s.Odd(m.Ref(), errors.New("no use"))
		s.disk = &durable.Disk{}
		odd, _ := readNames(filepath.Join(dir, "odd"))
		_, there := os.Lstat(m.ref.path())
		if len(odd) == 0 && there != nil {
			t.Error("the message is nowhere")
		}
		if err == nil && len(odd) != 1 {
			t.Errorf("got %v in odd, want the message", odd)
		}
	})
}

// The order is the promise: file, name, folder, answer.
func TestOrderOfSteps(t *testing.T) {
	f := &fault{}
	dir := t.TempDir()
	s := openSpool(t, dir, f.disk())
	queued(t, s) // makes the bucket
	f.steps = nil
	m := queued(t, s)
	var names []string
	for _, op := range f.steps {
		names = append(names, op.Name)
	}
	if want := []string{"unnamed", "sync", "link", "syncdir"}; !slices.Equal(names, want) {
		t.Errorf("taking in: got %v, want %v", names, want)
	}
	if got := f.steps[3].Path; got != filepath.Dir(m.ref.path()) {
		t.Errorf("synced the folder %s, want the message's", got)
	}
	f.steps = nil
	d := draft(t, s.Incoming(), envelope())
	defer d.Close()
	if err := d.Keep(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Collect(nobody); err != nil {
		t.Fatal(err)
	}
	names = nil
	for _, op := range f.steps {
		names = append(names, op.Name+" "+filepath.Base(filepath.Dir(op.Path+"/x")))
	}
	bucket := filepath.Base(filepath.Dir(m.ref.path()))
	got := strings.Join(names, ", ")
	want := fmt.Sprintf("unnamed incoming, sync incoming, link incoming, syncdir incoming, sync %s, link %s, syncdir %s, unlink %s, syncdir incoming",
		d.env.ID, d.env.ID, bucket, d.env.ID)
	if got != want {
		t.Errorf("keeping and collecting: got %s, want %s", got, want)
	}
}

// A queued that died between the steps left its lines in the file. Another one
// takes the file as it is.
func TestTakenInAgainAfterACrash(t *testing.T) {
	dir := t.TempDir()
	f := &fault{n: 3, forever: true} // lines are written, then no bucket can be made
	s := openSpool(t, dir, f.disk())
	d := draft(t, Incoming{Dir: s.Incoming().Dir, Disk: &durable.Disk{}}, envelope())
	defer d.Close()
	if err := take(t, s, d); err == nil {
		t.Fatal("taken in on a dead disk")
	}
	s.Close()
	s = openSpool(t, dir, &durable.Disk{})
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	m, err := s.Receive(ro, d.env.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if !m.Expanded {
		t.Error("the lines of the first one are not read")
	}
	if err := s.Commit(m); err != nil {
		t.Error(err)
	}
}

// A name that was taken back is no sign that the message reached its end.
func TestTakenBackIsNotDeparted(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, &durable.Disk{})
	queued(t, s)
	f := &fault{n: 3}
	s.disk = f.disk()
	s.current.folder, _ = s.disk.Folder(s.current.path)
	d := draft(t, Incoming{Dir: s.Incoming().Dir, Disk: &durable.Disk{}}, envelope())
	defer d.Close()
	if err := take(t, s, d); err == nil {
		t.Fatalf("got no error, want the folder's sync to fail; steps %v", f.steps)
	}
	if err := d.Keep(); !errors.Is(err, errAborted) {
		t.Errorf("keep: got %v, want %v", err, errAborted)
	}
	if err := take(t, s, d); !errors.Is(err, errAborted) {
		t.Errorf("handed over again: got %v, want %v", err, errAborted)
	}
}
