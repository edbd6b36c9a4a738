package kills

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// scene is a way of a few letters through the daemons in which one of them
// ends at one of its steps on the disk.
type scene struct {
	name   string
	victim string
	// queued is dead while the letters are sent, and they are kept; it is
	// started again behind them.
	kept bool
}

var scenes = []scene{
	{"taking", "smtpd", false},
	{"queueing", "queued", false},
	{"delivering", "deliver", false},
	{"keeping", "smtpd", true},
	{"collecting", "queued", true},
}

// TestEachStep ends each daemon before and behind each of its steps on the
// disk, from its start on, and again where messages go to their boxes at once.
func TestEachStep(t *testing.T) {
	t.Run("queued", func(t *testing.T) {
		o := options(t)
		o.Conf += kept
		endAtSteps(t, o, scenes)
	})
	t.Run("at once", func(t *testing.T) { endAtSteps(t, options(t), scenes[:3]) })
}

func endAtSteps(t *testing.T, o instance.Options, scenes []scene) {
	random := rand.New(rand.NewPCG(seed(t), 0))
	s := newStage(t, o)
	for _, sc := range scenes {
		failed, ended := s.record(sc), 0
		for _, point := range points(random, failed) {
			if s.play(sc, "POSTHORN_FAIL="+point) {
				ended++
			}
		}
		t.Logf("%s: %s has %d steps, ended at %d", sc.name, sc.victim, len(failed), ended)
		if ended == 0 {
			t.Errorf("%s: %s was ended at none of %d steps", sc.name, sc.victim, len(failed))
		}
	}
	v := check(t, s.f, s.l, s.r)
	t.Logf("%d letters acknowledged, other attempts %v; ended or killed %v; doubled by window %v", s.l.good, s.l.broken, s.f.killed(), v.doubles)
}

// points are all of the steps, before and behind, or a sample of them. Behind a
// step that failed nothing ends.
func points(random *rand.Rand, failed []bool) []string {
	var all []string
	for n, failed := range failed {
		all = append(all, fmt.Sprintf("::%d:kill", n+1))
		if !failed {
			all = append(all, fmt.Sprintf("::%d:after", n+1))
		}
	}
	if prove() {
		return all
	}
	const sample = 3
	random.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	return all[:sample]
}

// stage is a fleet that can be steered, with what the scenes share.
type stage struct {
	t *testing.T
	f *fleet
	l *load
	r *reader
}

func newStage(t *testing.T, o instance.Options) *stage {
	t.Helper()
	bin, err := suite.Proof()
	if err != nil {
		t.Fatal(err)
	}
	o.Bin = bin
	f := newFleet(t, o)
	return &stage{t: t, f: f, l: newLoad(f.i.Addr["smtp"]), r: startReader(t, f.i, dora)}
}

// record plays a scene in peace and returns which of its victim's steps failed,
// such as to look for a name that is not there.
func (s *stage) record(sc scene) (failed []bool) {
	s.t.Helper()
	file := filepath.Join(s.f.i.Dir, "record-"+sc.name)
	if s.play(sc, "POSTHORN_RECORD="+file) {
		s.t.Fatalf("%s: %s ended while it was recorded", sc.name, sc.victim)
	}
	f, err := os.Open(file)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	begun := map[string]int{}
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var line struct{ Step, Do, Error string }
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			s.t.Fatalf("%s: %v", file, err)
		}
		if line.Do != "" {
			begun[line.Step] = len(failed)
			failed = append(failed, false)
		} else {
			failed[begun[line.Step]] = line.Error != ""
		}
	}
	if len(failed) < 3 {
		s.t.Fatalf("%s: got %d steps of %s", sc.name, len(failed), sc.victim)
	}
	return failed
}

// play sends the letters of a scene, whose victim has env, until they are
// acknowledged, and waits until the queue is empty. It reports whether the
// victim ended; then another one was started in its place.
func (s *stage) play(sc scene, env string) (ended bool) {
	s.t.Helper()
	s.f.kill(sc.victim)
	if sc.kept && sc.victim != "queued" {
		s.f.kill("queued")
	}
	if sc.kept && sc.victim == "queued" { // it meets what was kept
		s.send(nil)
	}
	began := time.Now()
	p := s.f.launch(sc.victim, env)
	p.doomed.Store(true)
	s.f.await(p)
	if !sc.kept || sc.victim != "queued" {
		ended = s.send(func() bool { return s.replace(p, began) })
	}
	if sc.kept && sc.victim != "queued" {
		s.f.start(true, "queued")
	}
	s.f.drainedWhile(2*suite.Limit, func() { ended = s.replace(p, began) || ended })
	if !ended {
		s.f.kill(sc.victim)
		s.f.start(true, sc.victim)
	}
	return ended
}

// replace starts another victim when the one that was to end has, by its step
// and nothing else.
func (s *stage) replace(p *process, began time.Time) bool {
	s.t.Helper()
	if s.f.mine[p.name] != p {
		return false
	}
	select {
	case <-p.ended:
	default:
		return false
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		s.t.Fatalf("%s ended by itself: %v\n%s", p.name, p.cmd.ProcessState, s.f.journey("pid="+strconv.Itoa(p.cmd.Process.Pid), p.name+":"))
	}
	s.f.buried(p, began)
	s.f.start(true, p.name)
	return true
}

// send sends one letter after the other, each again until it is acknowledged,
// and calls meanwhile now and then. It returns whether one call was true.
func (s *stage) send(meanwhile func() bool) (was bool) {
	var wg sync.WaitGroup
	defer wg.Wait()
	done := make(chan struct{})
	wg.Go(func() {
		defer close(done)
		var c *client
		defer func() { c.close() }()
		for _, k := range []int{0, len(kinds) - 1, 1} {
			m := s.l.nextOf(k)
			for s.t.Context().Err() == nil && !s.l.attempt(context.Background(), &c, m) {
				continue
			}
		}
	})
	for {
		select {
		case <-done:
			return was
		case <-time.After(5 * time.Millisecond):
		}
		if meanwhile != nil {
			was = meanwhile() || was
		}
	}
}
