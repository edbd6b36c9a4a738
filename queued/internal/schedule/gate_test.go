package schedule

import (
	"testing"
	"time"

	"posthorn/internal/verdict"
)

func TestFullGateAdmitsInOrder(t *testing.T) {
	entry := messages(t, 10)
	s := New(100)
	door := Door{Name: "d", Limit: 2, Backoff: fixed(time.Minute)}
	var inside []*Item
	var gate *Gate
	for i := range 5 {
		s.Find(entry())
		it := take(t, s, t0)
		entered, blocked := s.Enter(it, t0, door)
		if want := i >= 2; (blocked != nil) != want {
			t.Fatalf("item %d: got blocked %v, want %v", i, blocked != nil, want)
		}
		if blocked != nil {
			s.Wait(it, blocked, 0, t0.Add(time.Hour))
			continue
		}
		gate = entered[0]
		inside = append(inside, it)
	}
	idle(t, s, t0)
	for i := range 3 {
		s.LeaveGood(gate)
		// Somebody new must not take the place that was promised.
		if _, blocked := s.Enter(inside[0], t0, door); blocked == nil {
			t.Fatal("a newcomer took a reserved place")
		}
		it := take(t, s, t0)
		if entered, _ := s.Enter(it, t0, door); entered == nil {
			t.Fatalf("waiter %d: was told to come and found no place", i)
		}
	}
	s.LeaveGood(gate)
	s.LeaveGood(gate)
	if len(s.gates) != 0 {
		t.Errorf("got %d gates with nobody there, want none", len(s.gates))
	}
}

func TestReservedPlaceThatIsNotUsedGoesToTheNext(t *testing.T) {
	entry := messages(t, 10)
	s := New(100)
	door := Door{Name: "d", Limit: 1, Backoff: fixed(time.Minute)}
	var items []*Item
	var gate *Gate
	for range 3 {
		s.Find(entry())
		it := take(t, s, t0)
		items = append(items, it)
		entered, blocked := s.Enter(it, t0, door)
		if blocked != nil {
			s.Wait(it, blocked, 0, t0.Add(time.Hour))
		} else {
			gate = entered[0]
		}
	}
	s.LeaveGood(gate)
	if it := take(t, s, t0); it != items[1] {
		t.Fatal("the first in line was not told to come")
	}
	s.Drop(items[1])
	if it := take(t, s, t0); it != items[2] {
		t.Fatal("the place was not passed on")
	}
	s.Rest(items[2], 1, t0.Add(time.Hour))
	if len(s.gates) != 0 {
		t.Error("the gate is still there")
	}
}

func TestDeadGateLetsOneThroughAtATime(t *testing.T) {
	entry := messages(t, 10)
	s := New(100)
	door := Door{Name: "d", Limit: 10, Backoff: fixed(time.Minute)}
	why := verdict.New(verdict.Later, "4.4.1", "no answer")
	s.Find(entry())
	first := take(t, s, t0)
	entered, _ := s.Enter(first, t0, door)
	if n, pause := s.LeaveFailed(entered[0], t0, why); n != 1 || pause != time.Minute {
		t.Fatalf("got %d failures and %v", n, pause)
	}
	s.Wait(first, entered[0], 1, t0.Add(time.Hour))
	for range 4 {
		s.Find(entry())
		it := take(t, s, t0)
		_, blocked := s.Enter(it, t0, door)
		if blocked == nil {
			t.Fatal("a dead gate let an item through")
		}
		if got, dead := s.Dead(blocked, t0); !dead || got != why {
			t.Errorf("got %v, %v, want why it is dead", got, dead)
		}
		s.Wait(it, blocked, 0, t0.Add(time.Hour))
	}
	if got := idle(t, s, t0); got != time.Minute {
		t.Errorf("quiet: got %v, want until the gate is tried", got)
	}
	now := t0.Add(time.Minute)
	it := take(t, s, now)
	if it != first {
		t.Error("the first in line is not the one to try")
	}
	idle(t, s, now)
	entered, _ = s.Enter(it, now, door)
	if n, pause := s.LeaveFailed(entered[0], now, why); n != 2 || pause != 2*time.Minute {
		t.Errorf("second failure: got %d failures and %v, want a longer pause", n, pause)
	}
	s.Rest(it, 2, now.Add(time.Hour))
	idle(t, s, now.Add(time.Minute))

	now = now.Add(2 * time.Minute)
	it = take(t, s, now)
	entered, _ = s.Enter(it, now, door)
	if back, waiting := s.LeaveGood(entered[0]); !back || waiting != 3 {
		t.Errorf("answers again: got %v, %d waiting, want true and 3", back, waiting)
	}
	for range 3 {
		take(t, s, now)
	}
}

func TestFailuresSideBySideCountOnce(t *testing.T) {
	entry := messages(t, 10)
	s := New(100)
	door := Door{Name: "d", Limit: 5, Backoff: fixed(time.Minute)}
	var gate *Gate
	for range 5 {
		s.Find(entry())
		entered, _ := s.Enter(take(t, s, t0), t0, door)
		gate = entered[0]
	}
	for i := range 5 {
		if n, pause := s.LeaveFailed(gate, t0, verdict.Verdict{}); n != 1 || (pause > 0) != (i == 0) {
			t.Errorf("failure %d: got %d in a row, pause %v", i, n, pause)
		}
	}
}

func TestWaitingItemIsDueAtItsTimeToo(t *testing.T) {
	entry := messages(t, 10)
	s := New(100)
	s.Find(entry())
	it := take(t, s, t0)
	entered, _ := s.Enter(it, t0, Door{Name: "d", Limit: 1, Backoff: fixed(time.Hour)})
	s.LeaveFailed(entered[0], t0, verdict.Verdict{})
	s.Wait(it, entered[0], 0, t0.Add(time.Minute))
	if got := take(t, s, t0.Add(time.Minute)); got != it {
		t.Fatal("another item")
	}
	if entered[0].length != 0 || entered[0].first != nil {
		t.Error("it is still in the line")
	}
}

func TestAllGatesOrNone(t *testing.T) {
	entry := messages(t, 10)
	s := New(100)
	a, b := Door{Name: "a", Limit: 5, Backoff: fixed(time.Minute)}, Door{Name: "b", Limit: 1, Backoff: fixed(time.Minute)}
	s.Find(entry())
	s.Find(entry())
	first, second := take(t, s, t0), take(t, s, t0)
	if _, blocked := s.Enter(first, t0, a, b); blocked != nil {
		t.Fatal("blocked")
	}
	if _, blocked := s.Enter(second, t0, a, b); blocked == nil || blocked.Name() != "b" {
		t.Fatal("not blocked by b")
	}
	if got := s.gates["a"].inUse; got != 1 {
		t.Errorf("got %d places taken at a, want 1", got)
	}
}

func TestFlushOpensTheGate(t *testing.T) {
	entry := messages(t, 10)
	s := New(100)
	door := Door{Name: "d", Limit: 1, Backoff: fixed(time.Hour)}
	s.Find(entry())
	it := take(t, s, t0)
	entered, _ := s.Enter(it, t0, door)
	s.LeaveFailed(entered[0], t0, verdict.Verdict{})
	s.Wait(it, entered[0], 1, t0.Add(time.Hour))
	if s.FlushAll() != 1 {
		t.Fatal("not flushed")
	}
	if _, blocked := s.Enter(take(t, s, t0), t0, door); blocked != nil {
		t.Error("the gate is still shut")
	}
}

func TestForgottenGateIsForgotten(t *testing.T) {
	entry := messages(t, 10)
	s := New(100)
	s.Find(entry())
	it := take(t, s, t0)
	entered, _ := s.Enter(it, t0, Door{Name: "d", Limit: 1, Backoff: fixed(time.Minute)})
	s.LeaveFailed(entered[0], t0, verdict.Verdict{})
	s.Drop(it)
	idle(t, s, t0.Add(time.Minute))
	if len(s.gates) != 1 {
		t.Error("the failures were forgotten at once")
	}
	idle(t, s, t0.Add(time.Minute+forgetAfter))
	if len(s.gates) != 0 || len(s.timers) != 0 {
		t.Errorf("got %d gates and %d timers, want none", len(s.gates), len(s.timers))
	}
}
