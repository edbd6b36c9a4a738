package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"posthorn/internal/attr"
)

func TestDeadDestinationHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "retry 1h", "destination-concurrency 2")
	w.silent["dead.example"] = true
	r := w.run()
	const n = 20
	for i := range n {
		w.submit("ann@test", fmt.Sprintf("u%d@dead.example", i))
	}
	for i := range n {
		w.submit("ann@test", fmt.Sprintf("u%d@alive.example", i))
	}
	alive := func() (n int) {
		for _, s := range w.sent {
			if s.Destination == "alive.example" {
				n++
			}
		}
		return n
	}
	w.await("the others", func() bool { return alive() == n })
	w.await("only the dead to be left", func() bool { return r.schedule.Len() == n })
	w.mu.Lock()
	if tries := len(w.sent) - n; tries > 2 {
		t.Errorf("got %d attempts at the dead destination, want at most its concurrency", tries)
	}
	w.silent["dead.example"] = false
	w.mu.Unlock()
	r.schedule.FlushAll()
	w.awaitEmpty(r)
}

func TestConcurrencyOfADestination(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "destination-concurrency 2")
	inside, most := 0, 0
	release := make(chan struct{})
	answer := w.remote.answer
	w.remote.stop()
	w.remote.answer = func(req attr.List, f *os.File) attr.List {
		w.set(func() { inside++; most = max(most, inside); w.note() })
		<-release
		w.set(func() { inside-- })
		return answer(req, f)
	}
	w.remote.start()
	r := w.run()
	for i := range 6 {
		w.submit("ann@test", fmt.Sprintf("u%d@b.example", i))
	}
	w.await("two at a time", func() bool { return inside == 2 })
	close(release)
	w.awaitEmpty(r)
	if most != 2 {
		t.Errorf("got %d at a time, want 2", most)
	}
	if len(w.sent) != 6 {
		t.Errorf("got %d sent, want 6", len(w.sent))
	}
}

func TestManyRecipients(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run()
	var rcpts []string
	for i := range 700 {
		rcpts = append(rcpts, fmt.Sprintf("u%d@test", i), fmt.Sprintf("u%d@b.example", i))
	}
	w.submit("ann@test", rcpts...)
	w.awaitEmpty(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.boxes) != 700 {
		t.Errorf("got %d boxes, want 700", len(w.boxes))
	}
	sent := 0
	for _, s := range w.sent {
		sent += len(s.Rcpts)
		if len(s.Rcpts) > rcptsAtOnce {
			t.Errorf("got %d recipients at once, want at most %d", len(s.Rcpts), rcptsAtOnce)
		}
	}
	if sent != 700 {
		t.Errorf("got %d sent, want 700", sent)
	}
}

func TestTransportAndSmarthost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "smarthost default [relay.example]:587 tls=require")
	if err := os.WriteFile(w.conf.TransportFile, []byte("special.example smtp:[192.0.2.9]:2525\nno.example error:5.7.1 not for us\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := w.run()
	w.submit("ann@test", "a@b.example", "b@special.example", "c@no.example")
	w.awaitEmpty(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	got := map[string]string{}
	for _, s := range w.sent {
		got[s.Hosts[0].Name+":"+s.Hosts[0].Port] = s.TLS + " " + s.Rcpts[0].String()
	}
	if len(got) != 2 || got["relay.example:587"] != "require a@b.example" || got["192.0.2.9:2525"] != "may b@special.example" {
		t.Errorf("got %v", got)
	}
	if len(w.boxes["ann@test"]) != 1 || !strings.Contains(w.boxes["ann@test"][0].content, "5.7.1") {
		t.Error("no notice of the refusal")
	}
}
