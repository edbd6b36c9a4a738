package main

import (
	"testing"
	"time"

	"posthorn/internal/handover"
)

// sendVia sends one message and returns what was told.
func sendVia(t *testing.T, s *service, h handover.Host, change func(*handover.RemoteRequest)) string {
	t.Helper()
	r := request(t, []handover.Host{h}, "b@y.example")
	if change != nil {
		change(&r)
	}
	return told(s.send(t.Context(), r, section(text)))
}

const (
	keptOne = "done 2.0.0 250 one @[127.0.0.1] reached"
	keptTwo = "done 2.0.0 250 two @[127.0.0.1] reached"
)

// Two messages go over one connection, also after one that was refused.
func TestReuse(t *testing.T) {
	host := serve(t, hello()+mail("250 one", "b@y.example 250 ok")+mail("", "b@y.example 550 no")+mail("250 two", "b@y.example 250 ok")+"C: QUIT\nS: 221 bye")
	s, _ := testService(t, names{})
	s.pool.idle = time.Minute
	h := at("127.0.0.1", host.Addr)
	for _, want := range []string{keptOne, "never 5.0.0 550 no @[127.0.0.1] reached", keptTwo} {
		if got := sendVia(t, s, h, nil); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	s.pool.close()
	host.Wait(t)
}

// A connection that died while it was kept is replaced, whatever its death
// looks like, and the message knows nothing of it.
func TestReuseOfTheDead(t *testing.T) {
	mail1, mail2 := mail("250 one", "b@y.example 250 ok"), hello()+mail("250 two", "b@y.example 250 ok")
	for name, death := range map[string]string{
		"closed":           "N\n",
		"421 unasked":      "S: 421 4.4.2 idle for too long\nN\n",
		"421 to MAIL":      "C: MAIL FROM:<a@x.example>\nS: 421 4.4.2 too late\nN\n",
		"closed at MAIL":   "C: MAIL FROM:<a@x.example>\nN\n",
		"nonsense unasked": "S: hello?\nN\n",
	} {
		t.Run(name, func(t *testing.T) {
			host := serve(t, hello()+mail1+death+mail2)
			s, _ := testService(t, names{})
			s.pool.idle = time.Minute
			h := at("127.0.0.1", host.Addr)
			for _, want := range []string{keptOne, keptTwo} {
				if got := sendVia(t, s, h, nil); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			host.Wait(t)
		})
	}
}

// A connection with another login or another idea of TLS is another way.
func TestReuseOfTheRightOne(t *testing.T) {
	for name, change := range map[string]func(*handover.RemoteRequest){
		"TLS":   func(r *handover.RemoteRequest) { r.TLS = "none" },
		"login": func(r *handover.RemoteRequest) { r.Login = "u:p" },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := testService(t, names{})
			s.pool.idle = time.Minute
			host := serve(t, hello()+mail("250 one", "b@y.example 250 ok")+"C: QUIT")
			if got := sendVia(t, s, at("127.0.0.1", host.Addr), nil); got != keptOne {
				t.Errorf("got %s, want %s", got, keptOne)
			}
			k := s.pool.list[0]
			w := k.way
			r := handover.RemoteRequest{TLS: w.tls, Login: w.login}
			change(&r)
			w.tls, w.login = r.TLS, r.Login
			if got := s.pool.take(w); got != nil {
				t.Errorf("got the connection of %+v for %+v", k.way, w)
			}
			if got := s.pool.take(k.way); got != k {
				t.Errorf("got %v, want the connection that was put", got)
			}
			s.closing.Go(k.c.Quit)
			host.Wait(t)
		})
	}
}

func TestPoolBounds(t *testing.T) {
	host := serve(t, hello()+mail("250 one", "b@y.example 250 ok")+"C: QUIT")
	s, _ := testService(t, names{})
	s.pool.idle = time.Minute
	sendVia(t, s, at("127.0.0.1", host.Addr), nil)
	k := s.pool.take(s.pool.list[0].way)
	k.uses = keepUses
	if s.pool.put(k) {
		t.Error("a connection that was used up was kept")
	}
	k.uses = 1
	for range keepMost {
		s.pool.list = append(s.pool.list, &kept{timer: time.NewTimer(0)})
	}
	if s.pool.put(k) {
		t.Error("more connections were kept than may be")
	}
	s.pool.list = nil
	s.pool.close()
	if s.pool.put(k) {
		t.Error("a closed pool kept a connection")
	}
	k.c.Quit()
	host.Wait(t)
}
