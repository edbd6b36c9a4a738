package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/directory"
	"posthorn/internal/door"
	"posthorn/internal/dsn"
	"posthorn/internal/durable"
)

// TestMain lets the test binary be a queued that kills itself at one of its
// steps on the disk.
func TestMain(m *testing.M) {
	if file := os.Getenv("QUEUED_TEST_CONF"); file != "" {
		os.Exit(child(file, os.Getenv("QUEUED_TEST_STEP")))
	}
	os.Exit(m.Run())
}

func child(file, step string) int {
	n, err := strconv.ParseInt(step, 10, 64)
	if err != nil {
		return 1
	}
	c, err := conf.Load(file)
	if err != nil {
		return 1
	}
	c.Retry = []time.Duration{20 * time.Millisecond}
	var done atomic.Int64
	disk := &durable.Disk{Hook: func(durable.Op) error {
		if done.Add(1) == n {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until it arrives
		}
		return nil
	}}
	w := &world{conf: c, log: &logbook{}}
	w.log.world = w
	w.changed = make(chan struct{})
	q, err := w.open(disk)
	if err != nil {
		return 1
	}
	fmt.Println("ready")
	if err := q.Serve(context.Background()); err != nil {
		return 1
	}
	return 0
}

// killed runs a queued that kills itself at step n, and submit while it lives.
// It reports whether the process got so far.
func (w *world) killed(n int, submit func()) bool {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "QUEUED_TEST_CONF="+w.conf.File, "QUEUED_TEST_STEP="+strconv.Itoa(n))
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "ready\n" {
		w.t.Fatalf("child: got %q, %v", line, err)
	}
	submit()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
		return true
	case <-time.After(300 * time.Millisecond): // it has done all there is to do, or will be found again
		cmd.Process.Kill()
		<-ended
		return false
	}
}

// Wherever queued is killed: each message arrives, in each box once; a notice
// is made once; what was sent to other hosts may be sent again in the windows
// of doc/spool.md, which is once for each kill.
func TestKilledAtEachStep(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	const steps = 36
	for n := 1; n <= steps; n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.set(func() { w.say["bad@b.example"], w.say["slow@test"] = never("550 no"), later("busy") })
			var ids []string
			w.killed(n, func() {
				ids = append(ids, w.submit("ann@test", "bob@test", "slow@test"))
				ids = append(ids, w.submit("ann@test", "far@b.example"))
				ids = append(ids, w.submit("ann@test", "bob@test", "bad@b.example"))
			})
			w.set(func() { delete(w.say, "slow@test") })
			w.conf.Retry = []time.Duration{20 * time.Millisecond}
			r := w.run()
			w.awaitEmpty(r)
			w.checkKilled(ids)
		})
	}
}

// Wherever queued is killed, of each success that a sender asked for he is told
// once, and of a failure too.
func TestKilledTellsOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	const steps = 30
	for n := 1; n <= steps; n++ {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.set(func() {
				w.say["bad@b.example"], w.say["slow@test"] = never("no"), later("busy")
				w.aliases["many@test"] = []directory.Target{{Kind: "box", Value: "bob@test", Rcpt: "bob@test"}, {Kind: "box", Value: "dora@test", Rcpt: "dora@test"}}
			})
			w.killed(n, func() {
				const both = "SUCCESS,FAILURE"
				w.submitAsked("ann@test", dsn.Mail{}, asked(t, "carl@test", both, ""), asked(t, "slow@test", both, ""), asked(t, "many@test", both, ""),
					asked(t, "far@b.example", both, ""), asked(t, "far@dsn.example", both, ""), asked(t, "bad@b.example", both, ""))
			})
			w.set(func() { delete(w.say, "slow@test") })
			w.conf.Retry = []time.Duration{20 * time.Millisecond}
			r := w.run()
			w.awaitEmpty(r)
			want := []string{"bad@b.example failed", "carl@test delivered", "far@b.example relayed", "many@test expanded", "slow@test delivered"}
			if got := told(w.boxes["ann@test"]); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q; log:\n%s", got, want, w.log)
			}
		})
	}
}

func (w *world) checkKilled(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	count := func(box, msg string) (n int) {
		for _, d := range w.boxes[box] {
			if d.id == msg {
				n++
			}
		}
		return n
	}
	for _, c := range []struct{ box, msg string }{{"bob@test", ids[0]}, {"slow@test", ids[0]}, {"bob@test", ids[2]}} {
		if got := count(c.box, c.msg); got != 1 {
			w.t.Errorf("%s in %s: got %d, want 1", c.msg, c.box, got)
		}
	}
	far := 0
	for _, s := range w.sent {
		if s.Rcpts[0].Local == "far" {
			far++
		}
	}
	if far < 1 || far > 2 {
		w.t.Errorf("sent to far: got %d, want 1, or 2 after a kill in between", far)
	}
	notices := map[string]bool{}
	for _, d := range w.boxes["ann@test"] {
		if notices[d.id] {
			w.t.Errorf("notice %s was delivered twice", d.id)
		}
		notices[d.id] = true
		if !strings.Contains(d.content, ids[2]) {
			w.t.Errorf("a notice of something else:\n%s", d.content)
		}
	}
	if len(notices) != 1 {
		w.t.Errorf("got %d notices, want 1; log:\n%s", len(notices), w.log)
	}
}

// Every step of a longer life is survived too: the same folder, killed again
// and again.
func TestKilledAgainAndAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	t.Parallel()
	w := newWorld(t)
	var ids []string
	for n := 3; n < 40; n += 6 {
		w.killed(n, func() { ids = append(ids, w.submit("ann@test", "bob@test"), w.submit("ann@test", "bob@test")) })
	}
	r := w.run()
	d := w.draft("ann@test", "bob@test")
	defer d.Close()
	c := door.New(w.conf.Socket("queue"))
	defer c.Close()
	if err := c.Submit(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.awaitEmpty(r)
	got := map[string]int{}
	for _, b := range w.boxes["bob@test"] {
		got[b.id]++
	}
	for _, msg := range append(ids, d.Envelope().ID) {
		if got[msg] != 1 {
			t.Errorf("%s: got %d, want 1", msg, got[msg])
		}
	}
}
