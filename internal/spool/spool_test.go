package spool

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/dsn"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/id"
	"posthorn/internal/verdict"
)

const body = "Subject: x\r\n\r\nhello\r\n"

func envelope() Envelope {
	return Envelope{
		ID: id.New(), Time: time.UnixMicro(1_800_000_000_000_001), Origin: "smtp",
		From: addr.Address{Local: "ann", Domain: "a.example"}, Auth: "ann", Client: "192.0.2.1", Helo: "h.example",
		Body: "8bitmime", UTF8: true, Mail: dsn.Mail{Ret: dsn.Full, Envid: "an id"},
		Rcpts: []Rcpt{
			{addr.Address{Local: "bob", Domain: "b.example"}, dsn.Rcpt{Orcpt: "rfc822;b@old.example", Notify: dsn.Success | dsn.Delay}},
			{Address: addr.Address{Local: `q"q`, Domain: "c.example"}},
		},
	}
}

// openSpool opens a spool on dir until the test ends.
func openSpool(t *testing.T, dir string, disk *durable.Disk) *Spool {
	t.Helper()
	if err := Prepare(dir, &durable.Disk{}, Owner{os.Geteuid(), os.Getegid(), os.Getegid()}); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, disk, evlog.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// draft writes a whole message.
func draft(t *testing.T, in Incoming, env Envelope) *Draft {
	t.Helper()
	d, err := in.New(env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d, body); err != nil {
		t.Fatal(err)
	}
	if err := d.Finish(); err != nil {
		t.Fatal(err)
	}
	return d
}

// submit does what queued does with a descriptor from smtpd.
func submit(t *testing.T, s *Spool, d *Draft) (*Message, error) {
	t.Helper()
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	m, err := s.Receive(ro, d.Envelope().ID)
	if err != nil {
		return nil, err
	}
	if !m.Expanded {
		if err := m.SetTargets([]Target{{Kind: "box", Value: "bob@b.example", Rcpt: "bob@b.example", Origin: "users:1"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Commit(m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// queued puts one message into the queue.
func queued(t *testing.T, s *Spool) *Message {
	t.Helper()
	d := draft(t, s.Incoming(), envelope())
	defer d.Close()
	m, err := submit(t, s, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func scan(t *testing.T, s *Spool) []Entry {
	t.Helper()
	var all []Entry
	examine := func(ref Ref) {
		if e, ok := s.Examine(ref); ok {
			all = append(all, e)
		}
	}
	if err := s.Scan(examine); err != nil {
		t.Fatal(err)
	}
	return all
}

func nobody(string) (Ref, bool) { return Ref{}, false }

// checkContent fails unless the message is whole.
func checkContent(t *testing.T, m *Message) {
	t.Helper()
	got, err := io.ReadAll(m.Content())
	if err != nil || string(got) != body {
		t.Errorf("content: got %q, %v, want %q", got, err, body)
	}
}

func TestMessageThroughTheQueue(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, &durable.Disk{})
	env := envelope()
	d := draft(t, s.Incoming(), env)
	defer d.Close()
	m, err := submit(t, s, d)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	env.Size = int64(len(body))
	env.Time = m.Time
	if !reflect.DeepEqual(m.Envelope, env) {
		t.Errorf("envelope: got %+v, want %+v", m.Envelope, env)
	}
	m.SetResult([]int{0}, 1, Result{Verdict: verdict.New(verdict.Later, "4.2.2", "box \"full\"\nreally ü"), Via: "mx[192.0.2.1]", Passed: true, At: time.UnixMicro(1_800_000_000_000_002)})
	m.SetNext(1, time.UnixMicro(1_800_000_100_000_000))
	m.Owe(Notice{ID: id.New(), Kind: "delay", Targets: []int{0}})
	m.SetHeld(true)
	if err := m.Flush(); err != nil {
		t.Fatal(err)
	}
	s.Close()

	s = openSpool(t, dir, &durable.Disk{})
	all := scan(t, s)
	if len(all) != 1 || all[0].Try != 1 || !all[0].Held || len(all[0].Owed) != 1 || all[0].Next.UnixMicro() != 1_800_000_100_000_000 {
		t.Fatalf("scan: got %+v", all)
	}
	again, err := s.Load(all[0].Ref)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !reflect.DeepEqual(again.Envelope, m.Envelope) || !reflect.DeepEqual(again.State, m.State) {
		t.Errorf("loaded: got %+v, want %+v", again.State, m.State)
	}
	checkContent(t, again)
	if err := s.Remove(again); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(dir + "/queue/*"); len(left) != 0 {
		t.Errorf("after the removal: got %v, want no bucket", left)
	}
}

func TestSecondOnOneSpoolIsRefused(t *testing.T) {
	dir := t.TempDir()
	openSpool(t, dir, &durable.Disk{})
	if _, err := Open(dir, &durable.Disk{}, evlog.New(io.Discard)); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want %v", err, ErrLocked)
	}
}

// A child that has the lock's descriptor, as each has between its fork and its
// exec, does not have the lock when it was given back.
func TestLockEndsThoughAChildHasIt(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, &durable.Disk{})
	child, err := syscall.Dup(int(s.lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(child)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, &durable.Disk{}, evlog.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestReceiveRefuses(t *testing.T) {
	s := openSpool(t, t.TempDir(), &durable.Disk{})
	d := draft(t, s.Incoming(), envelope())
	defer d.Close()
	name := d.Envelope().ID
	if _, err := s.Receive(d.File(), name); !errors.Is(err, ErrDescriptor) {
		t.Errorf("a descriptor open for writing: got %v", err)
	}
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	if _, err := s.Receive(ro, id.New()); !errors.Is(err, ErrDescriptor) {
		t.Errorf("another id: got %v", err)
	}
	if err := d.File().Truncate(d.offset + 3); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Receive(ro, name); !errors.Is(err, ErrFormat) {
		t.Errorf("a cut file: got %v", err)
	}
	folder, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if _, err := s.Receive(folder, name); !errors.Is(err, ErrDescriptor) {
		t.Errorf("a folder: got %v", err)
	}
}

func TestProbe(t *testing.T) {
	s := openSpool(t, t.TempDir(), &durable.Disk{})
	f, done, err := s.Incoming().Empty(id.New())
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	ro, err := attr.ReadOnly(f)
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	if err := s.Probe(ro); err != nil {
		t.Error(err)
	}
	if got := len(scan(t, s)); got != 0 {
		t.Errorf("after a probe: got %d messages", got)
	}
	f.WriteString("x")
	if err := s.Probe(ro); !errors.Is(err, ErrDescriptor) {
		t.Errorf("a probe with content: got %v", err)
	}
}

func TestOddFilesAreSetAside(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, &durable.Disk{})
	m := queued(t, s)
	odd := map[string]string{"no-id": "x", id.New(): "garbage", id.New(): ""}
	for name, text := range odd {
		if err := os.WriteFile(filepath.Join(filepath.Dir(m.ref.path()), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := id.New()
	if err := os.Symlink("/etc/passwd", filepath.Join(filepath.Dir(m.ref.path()), link)); err != nil {
		t.Fatal(err)
	}
	odd[link] = ""
	if all := scan(t, s); len(all) != 1 || all[0].Ref.ID() != m.ID {
		t.Errorf("got %+v, want only %s", all, m.ID)
	}
	for name := range odd {
		if _, err := os.Lstat(filepath.Join(dir, "odd", name)); err != nil {
			t.Errorf("%s: %v, want it in odd", name, err)
		}
	}
}

func TestBucketsRotate(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, &durable.Disk{})
	now := time.Now()
	s.now = func() time.Time { return now }
	first := queued(t, s)
	now = now.Add(bucketAge)
	second := queued(t, s)
	if first.ref.bucket == second.ref.bucket {
		t.Fatal("got one bucket, want a new one after its age")
	}
	if err := s.Remove(first); err != nil {
		t.Fatal(err)
	}
	left, _ := readNames(filepath.Join(dir, "queue"))
	if len(left) != 1 || left[0] != second.ref.bucket.name {
		t.Errorf("got buckets %v, want only %s", left, second.ref.bucket.name)
	}
	s.current.count = bucketSize
	third := queued(t, s)
	if third.ref.bucket == second.ref.bucket {
		t.Error("got a message in a full bucket")
	}
}

// noUnnamed is a disk whose file system has no unnamed files.
func noUnnamed() *durable.Disk {
	return &durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "unnamed" {
			return syscall.EOPNOTSUPP
		}
		return nil
	}}
}

// Files with a name take the place of unnamed ones where there are none.
func TestFileSystemWithoutUnnamedFiles(t *testing.T) {
	s := openSpool(t, t.TempDir(), noUnnamed())
	d := draft(t, s.Incoming(), envelope())
	m, err := submit(t, s, d)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d.Close()
	if left, _ := readNames(s.Incoming().Dir); len(left) != 0 {
		t.Errorf("left in incoming: %v", left)
	}
	kept := draft(t, s.Incoming(), envelope())
	if err := kept.Keep(); err != nil {
		t.Fatal(err)
	}
	kept.Close()
	if all, err := s.Collect(nobody); len(all) != 1 || err != nil {
		t.Errorf("kept: got %v, %v, want one", all, err)
	}
	if len(scan(t, s)) != 2 {
		t.Error("the queue does not hold both")
	}
}

// TestUnreadableMayBeANotice: what cannot be read at the start is not tried before it
// is known what was recorded of notices.
func TestUnreadableMayBeANotice(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, &durable.Disk{})
	name := filepath.Join(dir, "queue", "b", id.New())
	if err := os.MkdirAll(name, 0o700); err != nil { // EISDIR: the reason may pass
		t.Fatal(err)
	}
	all := scan(t, s)
	if len(all) != 1 || all[0].Ref.ID() != filepath.Base(name) || !all[0].Told {
		t.Errorf("got %+v, want it as what may be a notice", all)
	}
}
