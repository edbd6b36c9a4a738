package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
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
		Body: "8bitmime", UTF8: true,
		Rcpts: []addr.Address{{Local: "bob", Domain: "b.example"}, {Local: `q"q`, Domain: "c.example"}},
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
	if err := s.Scan(func(e Entry) { all = append(all, e) }); err != nil {
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
	m.SetVerdict([]int{0}, 1, verdict.New(verdict.Later, "4.2.2", "box \"full\"\nreally ü"), "mx[192.0.2.1]")
	m.SetNext(1, time.UnixMicro(1_800_000_100_000_000))
	m.Owe(Notice{ID: id.New(), Kind: "delay", Targets: []int{0}})
	m.SetHeld(true)
	if err := m.Flush(); err != nil {
		t.Fatal(err)
	}
	s.Close()

	s = openSpool(t, dir, &durable.Disk{})
	all := scan(t, s)
	if len(all) != 1 || all[0].Try != 1 || !all[0].Held || !all[0].Owed || all[0].Next.UnixMicro() != 1_800_000_100_000_000 {
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

func TestTornTailsAreIgnoredAndEnded(t *testing.T) {
	for _, tail := range []string{"next=1", "next=99 try=9 sum=00000000\n", "\x00\x00\x00\x00", strings.Repeat("x", 3*maxRecord), "sum=\n", " sum=00000000\n"} {
		t.Run(fmt.Sprintf("%.12q", tail), func(t *testing.T) {
			s := openSpool(t, t.TempDir(), &durable.Disk{})
			m := queued(t, s)
			if _, err := m.file.WriteAt([]byte(tail), m.end); err != nil {
				t.Fatal(err)
			}
			again, err := s.Load(m.Ref())
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if again.Try != 0 || !again.Expanded {
				t.Errorf("got try %d, expanded %v, want the torn line unread", again.Try, again.Expanded)
			}
			again.SetNext(1, time.UnixMicro(5))
			if err := again.Flush(); err != nil {
				t.Fatal(err)
			}
			last, err := s.Load(m.Ref())
			if err != nil {
				t.Fatal(err)
			}
			defer last.Close()
			if last.Try != 1 {
				t.Errorf("line behind a torn one: got try %d, want 1", last.Try)
			}
		})
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

// Files with a name take the place of unnamed ones where there are none.
func TestFileSystemWithoutUnnamedFiles(t *testing.T) {
	disk := &durable.Disk{Hook: func(op durable.Op) error {
		if op.Name == "unnamed" {
			return syscall.EOPNOTSUPP
		}
		return nil
	}}
	s := openSpool(t, t.TempDir(), disk)
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

func TestManyTargetsInFewLines(t *testing.T) {
	s := openSpool(t, t.TempDir(), &durable.Disk{})
	d := draft(t, s.Incoming(), envelope())
	defer d.Close()
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	m, err := s.Receive(ro, d.Envelope().ID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	targets := make([]Target, 20_000)
	var even, all []int
	for n := range targets {
		targets[n] = Target{Kind: "box", Value: fmt.Sprint(n)}
		if n%2 == 0 {
			even = append(even, n)
		}
		all = append(all, n)
	}
	if err := m.SetTargets(targets); err != nil {
		t.Fatal(err)
	}
	m.SetVerdict(even, 1, verdict.New(verdict.Done, "2.0.0", strings.Repeat("ü", 5000)), "")
	m.SetVerdict(all, 2, verdict.New(verdict.Never, "5.0.0", "no"), "")
	m.Owe(Notice{ID: id.New(), Kind: "failure", Targets: even})
	if err := s.Commit(m); err != nil {
		t.Fatal(err)
	}
	again, err := s.Load(m.Ref())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for n := range again.Targets {
		want := []verdict.Kind{verdict.Done, verdict.Never}[n%2]
		if got := again.Targets[n].Verdict.Kind; got != want {
			t.Fatalf("target %d: got %v, want %v", n, got, want)
		}
		if got := again.Targets[n].Failed; got != (n%2 == 0) {
			t.Fatalf("target %d: got noticed %v", n, got)
		}
	}
	if len(again.Notices) != 1 || len(again.Notices[0].Targets) != len(even) {
		t.Errorf("got %d notices, want one for %d targets", len(again.Notices), len(even))
	}
}

func TestRecordsComeBackAsTheyWent(t *testing.T) {
	for _, l := range []attr.List{
		{{Name: "a", Value: ""}},
		{{Name: "a", Value: `x y="z" sum=00000000`}, {Name: "b", Value: "ü\n\x00\xff"}, {Name: "c", Value: "k=v"}},
	} {
		b := appendRecord(nil, l)
		if bytes.Count(b, []byte("\n")) != 1 {
			t.Errorf("%v: got %q, want one line", l, b)
		}
		got, ok := parseRecord(string(b[:len(b)-1]))
		if !ok || !reflect.DeepEqual(got, l) {
			t.Errorf("%q: got %v, %v, want %v", b, got, ok, l)
		}
	}
}

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		in   []int
		want string
	}{
		{[]int{0}, "0"}, {[]int{0, 1, 2}, "0-2"}, {[]int{0, 2, 3, 9}, "0,2-3,9"},
	} {
		got := formatRanges(c.in)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%v: got %v, want %s", c.in, got, c.want)
		}
		back, err := parseRanges(c.want, 10)
		if err != nil || !reflect.DeepEqual(back, c.in) {
			t.Errorf("%s: got %v, %v, want %v", c.want, back, err, c.in)
		}
	}
	for _, bad := range []string{"", "x", "5-2", "0-10", "10", "-1", "0-9,0-9", "1,,2", "99999999999999999999"} {
		if got, err := parseRanges(bad, 10); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestEnvelopeRefusals(t *testing.T) {
	e := envelope()
	good, _, err := e.encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new string }{
		{"version", "message/1", "message/2"},
		{"size of other width", "size=0000000000000000", "size=0"},
		{"negative size", "size=0000000000000000", "size=-000000000000001"},
		{"unknown origin", "origin=smtp", "origin=web"},
		{"unknown line", "helo=", "hello="},
		{"missing line", "helo=h.example\n", ""},
		{"bad sender", "from=ann@", "from=<ann>@"},
		{"no recipients", "rcpt=bob@b.example\nrcpt=\"q\\\"q\"@c.example\n", ""},
		{"null recipient", "rcpt=bob@b.example", "rcpt="},
		{"line behind the recipients", "c.example\n", "c.example\nx=y\n"},
		{"path as id", e.ID, "../../../../../etc/passwd1"},
		{"other body", "body=8bitmime", "body=binarymime"},
		{"other utf8", "utf8=yes", "utf8=maybe"},
		{"other time", "time=1", "time=x"},
	} {
		bad := strings.Replace(string(good), c.old, c.new, 1)
		if bad == string(good) {
			t.Fatalf("%s: nothing replaced in %q", c.name, good)
		}
		if got, err := parseEnvelope([]byte(bad)); err == nil {
			t.Errorf("%s: got %+v, want an error", c.name, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	e := envelope()
	e.Size = int64(len(body))
	head, _, err := e.encode()
	if err != nil {
		f.Fatal(err)
	}
	whole := append(head, body...)
	f.Add(whole)
	whole = appendRecord(whole, targetRecord(0, Target{Kind: "box", Value: "b", Rcpt: "c", Origin: "users:1"}))
	whole = appendRecord(whole, attr.List{{Name: "expanded", Value: "1"}})
	whole = appendRecord(whole, verdictRecord("0", 1, verdict.New(verdict.Later, "4.0.0", "x y"), "h"))
	whole = appendRecord(whole, nextRecord(1, time.UnixMicro(7)))
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readFrom(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("got %v, want %v", err, ErrFormat)
			}
			return
		}
		if m.Offset+m.Size > int64(len(b)) {
			t.Errorf("got a message of %d bytes at %d in a file of %d", m.Size, m.Offset, len(b))
		}
		if _, _, err := m.Envelope.encode(); err != nil {
			t.Errorf("cannot write what was read: %v", err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add("a=b c=\"d e\" f=\"\"")
	f.Add("verdict=later targets=0-3,5 try=1 status=4.0.0 text=\"x\\ny\"")
	f.Fuzz(func(t *testing.T, s string) {
		line := string(appendSum([]byte(s), []byte(s))) // a right checksum gets the fuzzer past it
		l, ok := parseRecord(line)
		if !ok {
			return
		}
		b := appendRecord(nil, l)
		again, ok := parseRecord(string(b[:len(b)-1]))
		if !ok || !reflect.DeepEqual(again, l) {
			t.Errorf("%q: got %v, %v, want %v", line, again, ok, l)
		}
	})
}
