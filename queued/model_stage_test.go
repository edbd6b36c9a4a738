package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/durable"
	"posthorn/internal/evlog"
	"posthorn/internal/handover"
	"posthorn/internal/spool"
	"posthorn/internal/verdict"
)

// stage is what a history is played on: a folder, its neighbours, and the queue
// that works there now, which dies and comes back. The clock is synctest's.
type stage struct {
	t    *testing.T
	seed uint64
	conf *conf.Config
	log  *logbook

	queue *queue
	disk  *fate
	again int // the next queue is killed at this step of its start; 0: not
	end   func()

	directory string          // how authd does
	down      map[string]bool // deliver, remote
	says      map[string]string

	mu      sync.Mutex
	letters map[string]*letter
	order   []*letter
	busy    map[string]int // calls that run, by message; "": of the directory
	seen    int            // faults of this disk that were taken note of
	stuck   sync.Map       // names of what could not be removed
	wrong   []string
	diary   []string
	tally   tally
}

func newStage(t *testing.T, seed uint64) *stage {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "posthorn.conf")
	text := "hostname mx.test\ndomain test\npostmaster root@test\nretry-jitter 0\nrun-dir " + dir + "\nspool " + dir + "/spool\ntransport " + dir + "/transport\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	c.AtOnce = seed%2 == 1
	if err := spool.Prepare(c.Spool, &durable.Disk{}, spool.Owner{UID: os.Geteuid(), GID: os.Getegid(), Incoming: os.Getegid()}); err != nil {
		t.Fatal(err)
	}
	return &stage{
		t: t, seed: seed, conf: c, log: &logbook{world: &world{changed: make(chan struct{})}},
		down: map[string]bool{}, says: map[string]string{}, letters: map[string]*letter{}, busy: map[string]int{},
	}
}

func (s *stage) note(format string, args ...any) {
	s.diary = append(s.diary, time.Now().Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

// fail notes what is wrong; s.mu is held, or nothing else runs.
func (s *stage) fail(format string, args ...any) {
	s.wrong = append(s.wrong, time.Now().Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

// model does something to the model.
func (s *stage) model(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

// start starts queues until one has found what the spool holds.
func (s *stage) start() {
	for tries := 0; ; tries++ {
		s.disk, s.seen = &fate{died: make(chan struct{}), stuck: func(name string) { s.stuck.Store(name, true) }}, 0
		if s.again > 0 {
			s.disk.crashIn(s.again)
			s.again = 0
		}
		err := s.open()
		if err == nil {
			return
		}
		if s.tally.crashes++; tries > 0 {
			s.t.Fatal(err)
		}
	}
}

// open starts a queue as Serve does, but for its sockets.
func (s *stage) open() error {
	d := &durable.Disk{Hook: s.disk.step}
	q, err := newQueue(s.conf, d, evlog.New(s.log), dns{})
	if err != nil {
		return err
	}
	q.collectEvery = 20 * time.Minute
	n := &neighbour{s, s.disk}
	q.directory, q.deliver, q.remote = n, boxes{n}, hosts{n}
	if q.spool, err = spool.Open(s.conf.Spool, d, q.log); err != nil {
		return err
	}
	work, kill := context.WithCancel(context.Background())
	q.work = work
	if err := q.find(); err != nil {
		kill()
		return errors.Join(err, q.spool.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { q.run(ctx) })
	parts.Go(func() { q.read(ctx) })
	parts.Go(func() { q.collectUntil(ctx) })
	s.queue = q
	s.end = func() {
		cancel()
		if s.disk.dead() {
			kill()
		}
		parts.Wait()
		q.finish(kill)
		kill()
		q.spool.Close()
	}
	return nil
}

func (s *stage) stop() { s.end() }

// settle waits until nothing moves but with time, gives a queue that was killed
// its successor, and looks at what is there.
func (s *stage) settle() {
	synctest.Wait()
	for s.disk.dead() {
		s.note("  killed")
		s.tally.crashes++
		s.stop()
		s.model(s.cut)
		s.start()
		synctest.Wait()
	}
	s.check()
}

func (s *stage) files(pattern string) []string {
	names, err := filepath.Glob(filepath.Join(s.conf.Spool, pattern))
	if err != nil {
		s.t.Fatal(err)
	}
	return names
}

// fate says which step of a disk fails. A queue is killed by refusing it all
// steps from one on: what it does then reaches nothing.
type fate struct {
	mu     sync.Mutex
	crash  int // the steps left, with this one
	killed bool
	died   chan struct{} // closed then
	in     int           // steps before the next failing one, with it
	times  int           // how many fail then
	full   bool
	faults int               // so many did
	stuck  func(name string) // is told of what could not be removed

	moment time.Time // of the last step
	steps  int       // since it began
}

// spinning is how many steps no queue of a history takes in no time.
const spinning = 20_000

var errKilled = errors.New("killed")

func (f *fate) step(op durable.Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now != f.moment {
		f.moment, f.steps = now, 0
	}
	if f.steps++; f.steps > spinning {
		panic(fmt.Sprintf("the queue spins at %s %s", op.Name, op.Path))
	}
	if f.crash > 0 {
		if f.crash--; f.crash == 0 {
			f.killed = true
			close(f.died)
		}
	}
	if f.killed {
		return errKilled
	}
	if f.in > 1 {
		f.in--
		return nil
	}
	removes := op.Name == "unlink" || op.Name == "rmdir"
	if f.times == 0 || f.full && removes {
		return nil
	}
	f.times--
	f.faults++
	if removes {
		f.stuck(filepath.Base(op.Path))
	}
	if f.full {
		return syscall.ENOSPC
	}
	return syscall.EIO
}

func (f *fate) crashIn(steps int) {
	f.set(func() {
		if !f.killed {
			f.crash = steps
		}
	})
}
func (f *fate) failIn(in, times int, full bool) {
	f.set(func() { f.in, f.times, f.full = in, times, full })
}
func (f *fate) heal() { f.set(func() { f.crash, f.times = 0, 0 }) }

func (f *fate) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fate) dead() (dead bool) { f.set(func() { dead = f.killed }); return dead }
func (f *fate) failures() (n int) { f.set(func() { n = f.faults }); return n }

// draw is chance that stays the same when a history is played again.
func (s *stage) draw(n uint64, of ...any) int {
	h := fnv.New64a()
	fmt.Fprintln(h, s.seed, of)
	return int((h.Sum64() >> 8) % n)
}

// neighbour is the other daemons as one queue reaches them.
type neighbour struct {
	*stage
	disk *fate
}

type (
	boxes struct{ *neighbour }
	hosts struct{ *neighbour }
)

// enter notes a call and returns how it ends.
func (n *neighbour) enter(msg string) func() {
	n.model(func() { n.busy[msg]++ })
	return func() { n.model(func() { n.busy[msg]-- }) }
}

// linger takes time, as far as the caller has it.
func linger(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

var (
	errRefused = &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	errReset   = errors.New("connection reset")
)

func (n *neighbour) Forget() {}

// ResolveAll answers as authd does.
func (n *neighbour) ResolveAll(ctx context.Context, all []addr.Address) ([]directory.Answer, error) {
	answers := make([]directory.Answer, len(all))
	for i, a := range all {
		answers[i].Resolved, answers[i].Err = n.resolve(ctx, a)
		if err := answers[i].Err; err != nil && !answered(err) {
			return nil, err
		}
	}
	return answers, nil
}

func (n *neighbour) resolve(ctx context.Context, a addr.Address) (directory.Resolved, error) {
	defer n.enter("")()
	mood := ""
	n.model(func() { mood = n.directory })
	switch {
	case n.disk.dead() || mood == "silent":
		return directory.Resolved{}, errRefused
	case mood == "slow":
		if err := linger(ctx, 3*time.Second); err != nil {
			return directory.Resolved{}, err
		}
	case mood == "later" && n.draw(2, a) == 0:
		return directory.Resolved{}, verdict.New(verdict.Later, "4.3.0", "tables unreadable").Err()
	}
	targets := leads(a.String())
	if targets == nil {
		return directory.Resolved{}, verdict.New(verdict.Never, "5.1.1", "no such user").Err()
	}
	return directory.Resolved{Local: strings.HasSuffix(a.Domain, "test"), Targets: targets}, nil
}

// leads is what the tables say: where an address leads, nil for nowhere.
func leads(a string) []directory.Target {
	box := func(a string) directory.Target { return directory.Target{Kind: "box", Value: a, Rcpt: a} }
	far := func(a string) directory.Target { return directory.Target{Kind: "address", Value: a, Rcpt: a} }
	switch {
	case a == "none@test":
		return nil
	case a == "again@test":
		return []directory.Target{box("b0@test")}
	case a == "far@test":
		return []directory.Target{far("r1@dsn.example")}
	case a == "both@test":
		return []directory.Target{box("b0@test"), box("b1@test")}
	case a == "mixed@test":
		return []directory.Target{box("b1@test"), far("r0@one.example"), far("r1@dsn.example")}
	case strings.HasSuffix(a, "@test"):
		return []directory.Target{box(a)}
	}
	return []directory.Target{far(a)}
}

// Do answers as deliver does.
func (b boxes) Do(ctx context.Context, r handover.DeliverRequest, f *os.File) ([]handover.DeliverResult, error) {
	defer b.enter(r.ID)()
	text := bytesOf(f, r.Offset, r.Size)
	calls := make([]call, len(r.Boxes))
	for i, box := range r.Boxes {
		calls[i] = call{msg: r.ID, try: r.Try, kind: "box", value: box.Box, content: text}
	}
	if err := b.carry(ctx, "deliver", calls); err != nil {
		return nil, err
	}
	results := make([]handover.DeliverResult, len(calls))
	for i, c := range calls {
		results[i] = handover.DeliverResult{Box: c.value, Verdict: c.verdict}
	}
	return results, nil
}

// Do answers as queue-remote does.
func (h hosts) Do(ctx context.Context, r handover.RemoteRequest, f *os.File) (handover.RemoteResult, error) {
	defer h.enter(r.ID)()
	text := bytesOf(f, r.Offset, r.Size)
	calls := make([]call, len(r.Rcpts))
	for i, rcpt := range r.Rcpts {
		calls[i] = call{msg: r.ID, try: r.Try, kind: "address", value: rcpt.String(), host: rcpt.Domain, content: text}
	}
	if err := h.carry(ctx, "remote", calls); err != nil {
		return handover.RemoteResult{}, err
	}
	answer := handover.RemoteResult{Reached: true}
	for _, c := range calls {
		answer.Reached = answer.Reached && !c.unreached
		done := c.verdict.Kind == verdict.Done
		answer.Rcpts = append(answer.Rcpts, handover.RcptResult{Rcpt: c.value, Verdict: c.verdict, Host: "mx." + c.host, DSN: done && c.host == "dsn.example"})
	}
	return answer, nil
}

func bytesOf(f *os.File, offset, size int64) string {
	b := make([]byte, size)
	if n, err := f.ReadAt(b, offset); err != nil && (err != io.EOF || int64(n) < size) {
		return err.Error()
	}
	return string(b)
}
