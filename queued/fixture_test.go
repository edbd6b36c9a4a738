package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/door"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/handover"
	"posthorn/internal/id"
	"posthorn/internal/sock"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
)

const body = "Subject: hello\r\nFrom: ann@test\r\n\r\nhello\r\n"

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// world is everything around a queue: a spool, a configuration, and the other
// daemons on sockets, which say what a test wants.
type world struct {
	t     testing.TB
	dir   string
	conf  *conf.Config
	log   *logbook
	read  chan struct{} // when there is one, nothing that was found is read before it is closed
	ahead atomic.Int64  // how far the queue's time of day was set, in nanoseconds

	authd   *fake
	deliver *fake
	remote  *fake

	mu      sync.Mutex
	aliases map[string][]directory.Target // by address; others lead to the box of their name
	missing map[string]verdict.Verdict    // by address
	say     map[string]verdict.Verdict    // by box or recipient, instead of done
	silent  map[string]bool               // destinations nobody answers at
	boxes   map[string][]delivery
	sent    []sending
	changed chan struct{} // closed and made anew at each change
}

type delivery struct {
	id      string
	try     int
	content string
}

type sending struct {
	handover.RemoteRequest
	content string
}

// newWorld makes a world whose daemons all answer and whose queue keeps each
// message before it is tried. extra are lines of configuration.
func newWorld(t testing.TB, extra ...string) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), log: &logbook{},
		aliases: map[string][]directory.Target{}, missing: map[string]verdict.Verdict{}, say: map[string]verdict.Verdict{},
		silent: map[string]bool{}, boxes: map[string][]delivery{}, changed: make(chan struct{}),
	}
	w.log.world = w
	file := filepath.Join(w.dir, "posthorn.conf")
	text := "hostname mx.test\ndomain test\npostmaster root@test\nrun-dir " + w.dir + "\nspool " + filepath.Join(w.dir, "spool") +
		"\ntransport " + filepath.Join(w.dir, "transport") + "\nretry-jitter 0\nat-once no\n" + strings.Join(extra, "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.conf, err = conf.Load(file); err != nil {
		t.Fatal(err)
	}
	for i, d := range w.conf.Retry { // a second of configuration is a hundredth here
		w.conf.Retry[i] = d / 100
	}
	w.conf.Expire, w.conf.DelayWarning = w.conf.Expire/10, w.conf.DelayWarning/10
	if err := spool.Prepare(w.conf.Spool, &durable.Disk{}, spool.Owner{UID: os.Geteuid(), GID: os.Getegid(), Incoming: os.Getegid()}); err != nil {
		t.Fatal(err)
	}
	w.authd = w.fake("auth", directory.Proto, w.resolve)
	w.deliver = w.fake("deliver", handover.DeliverProto, w.put)
	w.remote = w.fake("remote", handover.RemoteProto, w.send)
	for _, f := range []*fake{w.authd, w.deliver, w.remote} {
		f.start()
	}
	return w
}

// fake is one of the other daemons.
type fake struct {
	w      *world
	name   string
	proto  string
	answer func(req attr.List, f *os.File) attr.List
	cancel context.CancelFunc
	done   chan struct{}
}

func (w *world) fake(name, proto string, answer func(attr.List, *os.File) attr.List) *fake {
	f := &fake{w: w, name: name, proto: proto, answer: answer}
	w.t.Cleanup(f.stop)
	return f
}

func (f *fake) start() {
	f.w.t.Helper()
	l, err := sock.Listen(f.w.conf.Socket(f.name), sock.Options{Mode: 0o600, UID: -1, GID: -1})
	if err != nil {
		f.w.t.Fatal(err)
	}
	var ctx context.Context
	ctx, f.cancel = context.WithCancel(context.Background())
	f.done = make(chan struct{})
	s := &sock.Server{Name: f.name, Proto: f.proto, Log: evlog.New(io.Discard)}
	s.Handle = func(_ context.Context, _ sock.Peer, req attr.List, file *os.File) (attr.List, *os.File) {
		if file != nil {
			defer file.Close()
		}
		return f.answer(req, file), nil
	}
	go func() { defer close(f.done); s.Serve(ctx, l) }()
}

func (f *fake) stop() {
	if f.cancel != nil {
		f.cancel()
		<-f.done
		f.cancel = nil
	}
}

// note tells those who wait that something changed. w.mu is held.
func (w *world) note() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// set changes what the daemons say.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// await waits until cond, which is called with w.mu held, is true.
func (w *world) await(what string, cond func() bool) {
	w.t.Helper()
	end := time.After(limit)
	for {
		w.mu.Lock()
		ok, changed := cond(), w.changed
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-end:
			w.t.Fatalf("waited for %s in vain; log:\n%s", what, w.log)
		}
	}
}

// resolve answers as authd does.
func (w *world) resolve(req attr.List, _ *os.File) attr.List {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := req.All("address")
	if len(all) == 1 {
		return w.leads(all[0])
	}
	l := sock.Reply(verdict.Of(nil))
	for _, a := range all {
		l.Add("address", a)
		l = append(l, w.leads(a)...)
	}
	return l
}

// leads answers for one address.
func (w *world) leads(a string) attr.List {
	if v, ok := w.missing[a]; ok {
		return sock.Reply(v)
	}
	l := sock.Reply(verdict.Of(nil))
	local := strings.HasSuffix(a, "@test")
	targets := w.aliases[a]
	switch {
	case targets == nil && local:
		targets = []directory.Target{{Kind: "box", Value: a, Rcpt: a, Origin: "users:1"}}
	case targets == nil:
		targets = []directory.Target{{Kind: "address", Value: a, Rcpt: a}}
	}
	l.Add("local", yesNo(local))
	for _, t := range targets {
		l.Add("target", string(t.Kind))
		l.Add("value", t.Value)
		l.Add("rcpt", t.Rcpt)
		l.Add("origin", t.Origin)
	}
	return l
}

// content reads the message out of a request's descriptor.
func content(f *os.File, offset, size int64) string {
	b, err := io.ReadAll(io.NewSectionReader(f, offset, size))
	if err != nil || int64(len(b)) != size {
		return fmt.Sprintf("unreadable: %d of %d bytes, %v", len(b), size, err)
	}
	return string(b)
}

// put answers as deliver does: from the second try on a box that has the
// message does not get it again.
func (w *world) put(req attr.List, f *os.File) attr.List {
	r, err := handover.DecodeDeliver(req)
	if err != nil {
		return sock.Reply(verdict.New(verdict.Later, "4.3.5", err.Error()))
	}
	text := content(f, r.Offset, r.Size)
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.note()
	var results []handover.DeliverResult
	for _, b := range r.Boxes {
		v, ok := w.say[b.Box]
		if !ok {
			v = verdict.New(verdict.Done, "2.0.0", "kept")
		}
		// The request of a queued that was killed may come behind the next one's:
		// then the name is taken in the box.
		has := slices.ContainsFunc(w.boxes[b.Box], func(d delivery) bool { return d.id == r.ID && (r.Try > 1 || d.try > r.Try) })
		if v.Kind == verdict.Done && !has {
			w.boxes[b.Box] = append(w.boxes[b.Box], delivery{r.ID, r.Try, text})
		}
		results = append(results, handover.DeliverResult{Box: b.Box, Verdict: v})
	}
	return handover.EncodeDeliverResults(results)
}

// send answers as queue-remote does.
func (w *world) send(req attr.List, f *os.File) attr.List {
	r, err := handover.DecodeRemote(req)
	if err != nil {
		return sock.Reply(verdict.New(verdict.Later, "4.3.5", err.Error()))
	}
	text := content(f, r.Offset, r.Size)
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.note()
	w.sent = append(w.sent, sending{r, text})
	answer := handover.RemoteResult{Reached: !w.silent[r.Destination]}
	for _, a := range r.Rcpts {
		v, ok := w.say[a.String()]
		if !ok {
			v = verdict.New(verdict.Done, "2.0.0", "250 ok")
		}
		if !answer.Reached {
			v = verdict.New(verdict.Later, "4.4.1", "no host answers")
		}
		answer.Rcpts = append(answer.Rcpts, handover.RcptResult{Rcpt: a.String(), Verdict: v, Host: "mx." + a.Domain + "[192.0.2.1]", DSN: a.Domain == "dsn.example" && v.Kind == verdict.Done})
	}
	return answer.Encode()
}

// running is a queue at work.
type running struct {
	*queue
	w    *world
	stop func()
}

// open makes a queue as main does, but for rights.
func (w *world) open(disk *durable.Disk) (*queue, error) {
	q, err := newQueue(w.conf, disk, evlog.New(w.log), dns{})
	if err != nil {
		return nil, err
	}
	q.clock = newClock(func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) })
	q.collectEvery, q.soonest = 20*time.Millisecond, 10*time.Millisecond
	if w.read != nil {
		q.examine = func(ref spool.Ref) (spool.Entry, bool) { <-w.read; return q.spool.Examine(ref) }
	}
	q.directory = directory.New(w.conf.Socket("auth"))
	q.deliver = handover.NewDeliverClient(w.conf.Socket("deliver"), nil)
	q.remote = handover.NewRemoteClient(w.conf.Socket("remote"), nil)
	q.listener, err = sock.Listen(w.conf.Socket("queue"), sock.Options{Mode: 0o600, UID: -1, GID: -1})
	return q, err
}

// run starts a queue, which ends with the test or with stop.
func (w *world) run() *running {
	w.t.Helper()
	return w.runOn(&durable.Disk{})
}

func (w *world) runOn(disk *durable.Disk) *running {
	w.t.Helper()
	before := len(w.log.lines("queue-found"))
	var q *queue
	var err error
	// A process that another test is just starting holds the old socket open
	// between its fork and its exec.
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		if q, err = w.open(disk); !errors.Is(err, sock.ErrBusy) || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Serve(ctx) }()
	r := &running{queue: q, w: w}
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				w.t.Errorf("Serve: %v", err)
			}
		case <-time.After(limit):
			w.t.Errorf("Serve did not end")
		}
	})
	w.t.Cleanup(r.stop)
	w.await("the start", func() bool { return len(w.log.lines("queue-found")) > before })
	return r
}

// submit hands a message over and returns its id.
func (w *world) submit(from string, rcpts ...string) string {
	w.t.Helper()
	d := w.draft(from, rcpts...)
	defer d.Close()
	c := door.New(w.conf.Socket("queue"))
	defer c.Close()
	if err := c.Submit(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
	return d.Envelope().ID
}

func (w *world) draft(from string, rcpts ...string) *spool.Draft {
	w.t.Helper()
	return w.draftOf(id.New(), from, rcpts...)
}

func (w *world) draftOf(msg, from string, rcpts ...string) *spool.Draft {
	w.t.Helper()
	sender, err := addr.ParseOrNull(from)
	if err != nil {
		w.t.Fatal(err)
	}
	env := spool.Envelope{ID: msg, Time: time.Now(), Origin: "smtp", From: sender, Body: "7bit"}
	for _, r := range rcpts {
		a, err := addr.Parse(r)
		if err != nil {
			w.t.Fatal(err)
		}
		env.Rcpts = append(env.Rcpts, spool.Rcpt{Address: a})
	}
	return w.draftAs(env)
}

// draftAs makes a message with an envelope.
func (w *world) draftAs(env spool.Envelope) *spool.Draft {
	w.t.Helper()
	in := spool.Incoming{Dir: filepath.Join(w.conf.Spool, "incoming"), Disk: &durable.Disk{}}
	d, err := in.New(env)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := io.WriteString(d, body); err != nil {
		w.t.Fatal(err)
	}
	return d
}

// files counts the messages of the queue's folder.
func (w *world) files() int {
	names, err := filepath.Glob(filepath.Join(w.conf.Spool, "queue", "*", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	return len(names)
}

func (w *world) odd() []string {
	names, err := filepath.Glob(filepath.Join(w.conf.Spool, "odd", "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}

// awaitEmpty waits until nothing is in the queue, in memory or on disk.
func (w *world) awaitEmpty(r *running) {
	w.t.Helper()
	w.await("an empty queue", func() bool { return r.schedule.Len() == 0 })
	if n := w.files(); n != 0 {
		w.t.Errorf("got %d files in the queue, want none", n)
	}
}
