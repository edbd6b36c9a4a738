// Package power holds the mail server to what it promises when the power goes:
// a run is recorded, cut at each of its steps, and started again on whatever a
// file system may have kept.
package power

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/power/disk"
	"posthorn/test/suite"
)

// everything is whether all states are tried, not a sample of them.
// POSTHORN_PROVE=<n>/<m> tries the nth of m parts of them.
var everything = os.Getenv("POSTHORN_PROVE") != ""

// sample is how many states of a run are tried where not all are.
const sample = 40

// scene is something that a server lives through until the power goes.
type scene struct {
	name string
	fail string // POSTHORN_FAIL
	conf string // further lines of configuration
	use  func(t *testing.T, i *instance.Instance, record string, all []*letter)
}

// kept is the configuration in which every message comes to the queue before it
// is tried; without it those for boxes go there at once.
const kept = "at-once no\n"

// scenes are what is recorded; the first three are the sample of make test.
var scenes = []scene{
	{"one by one", "", kept, oneByOne},
	{"at once", "", "", oneByOne},
	{"queued is away", "", "", withoutQueued},
	{"together", "", kept, together},
	{"at once, together", "", "", together},
	{"deliver dies with each new mailbox", "mkdir:/Maildir/new:1:after", kept, oneByOne},
	{"deliver dies with each new mailbox, at once", "mkdir:/Maildir/new:1:after", "", oneByOne},
	{"queued dies before its verdicts", "sync:spool/:5:kill", kept, oneByOne},
	{"queued dies, at once", "link:spool/queue/:2:kill", "", oneByOne},
}

func oneByOne(t *testing.T, i *instance.Instance, record string, all []*letter) {
	for _, l := range all {
		l.send(t, i.Addr["smtp"], record)
	}
}

func together(t *testing.T, i *instance.Instance, record string, all []*letter) {
	var wg sync.WaitGroup
	for _, l := range all {
		wg.Go(func() { l.send(t, i.Addr["smtp"], record) })
	}
	wg.Wait()
}

// withoutQueued has smtpd keep what it takes: queued is killed so often that it
// is not started again at once.
func withoutQueued(t *testing.T, i *instance.Instance, record string, all []*letter) {
	for range 4 {
		pid, err := i.PID("queued")
		if err != nil {
			t.Fatal(err)
		}
		p, _ := os.FindProcess(pid)
		p.Kill()
		suite.Eventually(t, "queued is started again", func() bool { now, err := i.PID("queued"); return err == nil && now != pid })
	}
	pid, _ := i.PID("queued")
	p, _ := os.FindProcess(pid)
	p.Kill()
	oneByOne(t, i, record, all)
}

// run records a scene.
func (s scene) run(t *testing.T, fail string) *recorded {
	t.Helper()
	all := letters()
	if s.fail != "" {
		fail = s.fail
	}
	r := record(t, fail, s.conf, func(*instance.Instance) {}, func(i *instance.Instance, record string) { s.use(t, i, record, all) })
	r.letters, r.atOnce = all, s.conf != kept
	return r
}

func TestPowerCuts(t *testing.T) {
	for n, s := range scenes {
		if !everything && n > 2 {
			return
		}
		t.Run(s.name, func(t *testing.T) {
			r := s.run(t, "")
			states := r.states()
			tried := chosen(states)
			began := time.Now()
			out := r.replay(t, tried, false)
			for n, w := range out.wrong {
				if n < 10 {
					t.Error(w)
				}
			}
			t.Logf("%d steps begun or ended; %d states, %d tried in %.0f s: %s; %d wrong; %s",
				len(r.events), len(states), len(tried), time.Since(began).Seconds(), kinds(tried), len(out.wrong), out.windows())
		})
	}
}

// mutations are servers that answer too early. Each must be found out; the first
// three are the sample of make test.
var mutations = []struct{ name, fail, conf string }{
	{"no sync of the message", "sync:spool/:0:skip", kept},
	{"answer before the sync of the queue's folder", "syncdir:spool/queue/:0:late", kept},
	{"answer before the sync of the copy in the mailbox", "sync:/mail/:0:late", ""},
	{"no sync of the queue's folder", "syncdir:spool/queue/:0:skip", kept},
	{"answer before the sync of the message", "sync:spool/:0:late", kept},
	{"no sync of a message that does not go at once", "sync:spool/:0:skip", ""},
	{"no sync of the copy in the mailbox, of kept mail", "sync:/mail/:0:skip", kept},
	{"no sync of the copy in the mailbox", "sync:/mail/:0:skip", ""},
	{"answer before the sync of the mailbox's folder", "syncdir:/Maildir/new:0:late", ""},
	{"no sync of the mailbox's folder", "syncdir:/Maildir/new:0:skip", ""},
	{"no sync of the folders around a new mailbox", "syncdir:/mail/example.test:0:skip", ""},
}

func TestMutationsAreCaught(t *testing.T) {
	for n, m := range mutations {
		if !everything && n > 2 {
			return
		}
		t.Run(m.name, func(t *testing.T) {
			r := scene{conf: m.conf, use: oneByOne}.run(t, m.fail)
			states := some(r.states(), len(r.events)*100)
			began := time.Now()
			out := r.replay(t, states, true)
			if !out.lost() {
				t.Fatalf("got no answered message lost or torn in %d states, want the mutation caught", len(states))
			}
			t.Logf("caught at state %d of %d, in %.0f s: %.300s", out.tried, len(states), time.Since(began).Seconds(), out.wrong[0])
		})
	}
}

// kinds counts states by kind.
func kinds(states []*state) string {
	count := map[disk.Kind]int{}
	for _, s := range states {
		count[s.kind]++
	}
	var text string
	for _, k := range slices.Sorted(slices.Values([]disk.Kind{disk.Kept, disk.Lost, disk.Less, disk.More, disk.Data, disk.Random})) {
		text += fmt.Sprintf("%d %s, ", count[k], k)
	}
	return text[:len(text)-2]
}
