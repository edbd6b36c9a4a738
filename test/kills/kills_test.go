package kills

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// prove reports whether all is to be proved, not a sample.
func prove() bool { return os.Getenv("POSTHORN_PROVE") != "" }

// seed returns what the run's randomness comes from: POSTHORN_SEED repeats the
// plan of one that failed, though not its moments.
func seed(t *testing.T) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(os.Getenv("POSTHORN_SEED"), 10, 64)
	if err != nil {
		n = rand.Uint64()
	}
	t.Logf("POSTHORN_SEED=%d", n)
	return n
}

// options are an instance with the people of the letters, quick to try again.
func options(t *testing.T) instance.Options {
	people := []string{bob, carl, dora}
	users := "# the costly hash is for ann alone: the others log in again and again\n"
	for _, u := range people {
		users += u + ":{PLAIN}" + instance.Password + "\n"
	}
	return instance.Options{
		Ports: map[string]int{"smtp": port(t)},
		Users: []string{suite.Ann},
		Files: map[string]string{"users": users, "aliases": "postmaster: " + suite.Ann + "\nteam: " + strings.Join(people, ", ") + "\n"},
		Conf:  "relay-from 127.0.0.0/8\nretry 1s\nretry-jitter 0\nconnect-timeout 5s\n",
	}
}

// kept has each message come to the queue before it is tried.
const kept = "at-once no\n"

// port returns a port that nobody has and that no connection is given while its
// daemon is dead: those are above.
func port(t *testing.T) int {
	t.Helper()
	for range 100 {
		n := 10000 + rand.IntN(20000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", n)); err == nil {
			l.Close()
			return n
		}
	}
	t.Fatal("no free port")
	return 0
}

// TestRandomKills kills one daemon, some, or all at random moments while
// letters are sent, and starts them again: in every order, when all is to be
// proved. It has parts, each with its seed, of which one can be repeated; in
// every other one messages go to their boxes at once.
func TestRandomKills(t *testing.T) {
	parts, letters, rounds, all := 2, 1200, 5, 2
	if prove() {
		parts, letters = 20, 100_000
		all = len(orders(path)) / parts
		rounds = 2 * all
	}
	var sum tally
	for n := range parts {
		t.Run(fmt.Sprint(n+1), func(t *testing.T) {
			killAtRandom(t, newPlan(seed(t), rounds, all, n*all), letters/parts, n%2 == 1, &sum)
		})
	}
	t.Logf("%d letters acknowledged in all, %d daemons killed, doubled by window %v", sum.letters, sum.killed, sum.doubles)
}

// tally is what the parts did that came to their end.
type tally struct {
	letters, killed int
	doubles         map[string]int
}

func (s *tally) add(v *verdict, l *load) {
	s.letters += l.good
	for _, n := range v.f.killed() {
		s.killed += n
	}
	if s.doubles == nil {
		s.doubles = map[string]int{}
	}
	for window, n := range v.doubles {
		s.doubles[window] += n
	}
}

// killAtRandom carries out the plan, and goes on until so many letters were
// acknowledged. What became of them is added to sum.
func killAtRandom(t *testing.T, p *plan, letters int, atOnce bool, sum *tally) {
	o := options(t)
	if !atOnce {
		o.Conf += kept
	}
	b := besiege(newFleet(t, o))
	for n := 0; n < p.rounds || b.l.acknowledged() < letters; n++ {
		b.carryOut(p.round(n))
	}
	t.Logf("at once %t; all killed together and started again in %d orders", atOnce, p.all)
	sum.add(b.end(), b.l)
}

// siege is a fleet under load.
type siege struct {
	f    *fleet
	l    *load
	r    *reader
	lift func() // ends the load
}

func besiege(f *fleet) *siege {
	b := &siege{f: f, l: newLoad(f.i.Addr["smtp"]), r: startReader(f.t, f.i, dora)}
	ctx, cancel := context.WithCancel(f.t.Context())
	var senders sync.WaitGroup
	senders.Go(func() { b.l.run(ctx, 20) })
	b.lift = func() { cancel(); senders.Wait() }
	f.t.Cleanup(b.lift)
	return b
}

func (b *siege) carryOut(r round) {
	b.f.t.Helper()
	time.Sleep(r.quiet)
	b.f.kill(r.dead...)
	time.Sleep(r.gone)
	b.f.start(r.inTurn, r.order...)
}

// end checks what became of the letters.
func (b *siege) end() *verdict {
	b.f.t.Helper()
	b.lift()
	began := time.Now()
	v := check(b.f.t, b.f, b.l, b.r)
	b.f.t.Logf("%d letters acknowledged, other attempts %v; killed %v; drained and checked in %v; doubled by window %v, at most %d by one kill; %d taken by the reader",
		b.l.good, b.l.broken, b.f.killed(), time.Since(began).Round(time.Second), v.doubles, v.most(), b.r.taken)
	return v
}

// round is what is killed at a time.
type round struct {
	quiet  time.Duration // before
	dead   []string
	gone   time.Duration // how long they are away
	order  []string      // of starting them
	inTurn bool          // each when the one before serves
}

// plan chooses the rounds from a seed.
type plan struct {
	r           *rand.Rand
	rounds, all int
	first       int
}

// newPlan has so many rounds, of them so many in which all are killed, each
// with an order of its own: the first of them, of all that there are, and those
// behind it.
func newPlan(seed uint64, rounds, all, first int) *plan {
	return &plan{r: rand.New(rand.NewPCG(seed, 0)), rounds: rounds, all: all, first: first}
}

// orders returns all orders of names.
func orders(names []string) [][]string {
	if len(names) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	for n, name := range names {
		for _, rest := range orders(slices.Delete(slices.Clone(names), n, n+1)) {
			all = append(all, append([]string{name}, rest...))
		}
	}
	return all
}

// round returns the nth; behind the last it is one of the others.
func (p *plan) round(n int) round {
	r := round{
		quiet:  time.Duration(p.r.IntN(1500)) * time.Millisecond,
		gone:   time.Duration(p.r.IntN(3)*p.r.IntN(200)) * time.Millisecond,
		inTurn: p.r.IntN(2) == 0,
	}
	if k := n * p.all / p.rounds; n < p.rounds && k != (n+1)*p.all/p.rounds { // every so many rounds
		r.order, r.dead = orders(path)[p.first+k], path
		return r
	}
	shuffled := slices.Clone(path)
	p.r.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
	r.order = shuffled[:1+p.r.IntN(2)*(1+p.r.IntN(3))]
	r.dead = r.order
	return r
}
