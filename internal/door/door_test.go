package door

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/id"
	"posthorn/internal/sock"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
)

// queue is a Queue over a real spool; what once or refuse holds, if anything,
// is its answer.
type queue struct {
	*spool.Spool
	refuse atomic.Pointer[verdict.Error]
	once   atomic.Pointer[verdict.Error] // the next answer alone
	ids    chan string
}

func (q *queue) Probe(_ context.Context, f *os.File) error {
	if e := cmp.Or(q.once.Swap(nil), q.refuse.Load()); e != nil {
		return e
	}
	return q.Spool.Probe(f)
}

func (q *queue) Submit(_ context.Context, msg string, f *os.File) error {
	defer f.Close()
	if e := cmp.Or(q.once.Swap(nil), q.refuse.Load()); e != nil {
		return e
	}
	m, err := q.Receive(f, msg)
	if err != nil {
		return err
	}
	defer m.Close()
	q.ids <- msg
	return q.Commit(m)
}

type fixture struct {
	queue
	client *Client
	path   string
}

// open makes a spool, and a server in front of it unless listen is false.
func open(t *testing.T, listen bool) *fixture {
	t.Helper()
	dir := t.TempDir()
	if err := spool.Prepare(dir, &durable.Disk{}, spool.Owner{UID: os.Geteuid(), GID: os.Getegid(), Incoming: os.Getegid()}); err != nil {
		t.Fatal(err)
	}
	s, err := spool.Open(dir, &durable.Disk{}, evlog.New(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	x := &fixture{queue: queue{Spool: s, ids: make(chan string, 10)}, path: filepath.Join(dir, "queue.sock")}
	x.client = New(x.path, os.Geteuid())
	t.Cleanup(x.client.Close)
	if !listen {
		return x
	}
	l, err := sock.Listen(x.path, sock.Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); Serve(ctx, l, nil, evlog.New(io.Discard), &x.queue) }()
	t.Cleanup(func() { cancel(); <-done })
	return x
}

func (x *fixture) draft(t *testing.T) *spool.Draft {
	t.Helper()
	d, err := x.Incoming().New(spool.Envelope{
		ID: id.New(), Time: time.Now(), Origin: "smtp", Body: "7bit",
		Rcpts: []spool.Rcpt{{Address: addr.Address{Local: "a", Domain: "b.example"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if _, err := io.WriteString(d, "x\r\n"); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestProbeAndSubmit(t *testing.T) {
	x := open(t, true)
	if err := x.client.Probe(t.Context(), x.Incoming()); err != nil {
		t.Fatal(err)
	}
	d := x.draft(t)
	if err := x.client.Submit(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got := <-x.ids; got != d.Envelope().ID {
		t.Errorf("got id %s, want %s", got, d.Envelope().ID)
	}
}

func TestARefusalIsAVerdictAndKeepsNothing(t *testing.T) {
	x := open(t, true)
	x.refuse.Store(verdict.Fail(verdict.Later, "4.3.1", "no room", errors.New("disk full")))
	var e *verdict.Error
	if err := x.client.Submit(t.Context(), x.draft(t)); !errors.As(err, &e) || e.Status != "4.3.1" {
		t.Errorf("submit: got %v, want the refusal", err)
	}
	if err := x.client.Probe(t.Context(), x.Incoming()); !errors.As(err, &e) || e.Status != "4.3.1" {
		t.Errorf("probe: got %v, want the refusal", err)
	}
	if left := names(t, x.Incoming().Dir); len(left) != 0 {
		t.Errorf("kept %v, want nothing: the client was told no", left)
	}
}

func TestWithoutQueuedTheMessageIsKept(t *testing.T) {
	x := open(t, false)
	d := x.draft(t)
	if err := x.client.Submit(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if left := names(t, x.Incoming().Dir); len(left) != 1 || left[0] != d.Envelope().ID {
		t.Errorf("got %v in incoming, want %s", left, d.Envelope().ID)
	}
	var e *verdict.Error
	if err := x.client.Probe(t.Context(), x.Incoming()); err == nil || errors.As(err, &e) {
		t.Errorf("probe: got %v, want an error that is no refusal", err)
	}
}

func TestRequestsAgainstTheProtocol(t *testing.T) {
	x := open(t, true)
	c := &sock.Client{Path: x.path, Proto: Proto}
	defer c.Close()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, r := range []struct {
		name string
		req  attr.List
		file *os.File
	}{
		{"no descriptor", attr.List{{Name: "request", Value: "probe"}}, nil},
		{"a device", attr.List{{Name: "request", Value: "probe"}}, f},
		{"no id", attr.List{{Name: "request", Value: "submit"}}, f},
		{"a path as id", attr.List{{Name: "request", Value: "submit"}, {Name: "id", Value: "../x"}}, f},
		{"unknown", attr.List{{Name: "request", Value: "x"}}, f},
	} {
		l, err := c.Do(t.Context(), r.req, r.file)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		if v, err := sock.Verdict(l); err != nil || v.Kind != verdict.Later {
			t.Errorf("%s: got %v, %v, want later", r.name, v, err)
		}
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// FuzzDetail: what queued is said to answer to posthorn queue. What was understood
// can be said again.
func FuzzDetail(f *testing.F) {
	var l attr.List
	d := Detail{Summary: Summary{ID: id.New(), State: "deferred", Arrived: time.UnixMicro(1), Next: time.UnixMicro(2), Rcpt: "bob@test", Rcpts: 1}}
	d.Recipients = []Recipient{{Address: "bob@test"}}
	d.Targets = []TargetDetail{{Kind: "box", Value: "bob@test", Verdict: "later", Try: 1}}
	d.Append(&l, 0)
	b, err := attr.Append(nil, l)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := attr.Parse(b)
		if err != nil {
			return
		}
		var d, again Detail
		if d.read(l) != nil || len(d.Targets) > MaxPage || len(d.Recipients) > MaxPage {
			return
		}
		var said attr.List
		d.Append(&said, 0)
		if err := again.read(said); err != nil || !reflect.DeepEqual(again, d) {
			t.Errorf("%+v came back as %+v, %v", d, again, err)
		}
	})
}
