package main

import (
	"maps"
	"net"
	"net/textproto"
	"strings"
	"sync"
)

// sink is the next host: it takes all mail, or is told to say 451 to every
// recipient. It is safe for concurrent use.
type sink struct {
	l net.Listener

	mu    sync.Mutex
	later bool
	got   map[string]int // by "relay token"
	taken int
	tries int // recipients that were asked for
}

func newSink(addr string, later bool) (*sink, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &sink{l: l, later: later, got: map[string]int{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s, nil
}

func (s *sink) close() error { return s.l.Close() }

// relent has the sink take what it is sent from now on.
func (s *sink) relent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.later = false
}

// received returns how many messages arrived, tokens how often each did.
func (s *sink) received() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

func (s *sink) tokens() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.got)
}

// asked returns how many recipients there were tries for.
func (s *sink) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

func (s *sink) refuses() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.later
}

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	t := textproto.NewConn(c)
	if t.PrintfLine("220 sink.test ESMTP") != nil {
		return
	}
	for {
		line, err := t.ReadLine()
		if err != nil || s.answer(t, line) != nil {
			return
		}
	}
}

func (s *sink) answer(t *textproto.Conn, line string) error {
	verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
	switch verb {
	case "EHLO":
		return t.PrintfLine("250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 100000000")
	case "RCPT":
		return t.PrintfLine("%s", s.recipient())
	case "DATA":
		return s.data(t)
	case "QUIT":
		t.PrintfLine("221 2.0.0 bye")
		return net.ErrClosed
	}
	return t.PrintfLine("250 2.0.0 ok")
}

func (s *sink) recipient() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.later {
		return "451 4.2.0 not now"
	}
	return "250 2.1.5 ok"
}

func (s *sink) data(t *textproto.Conn) error {
	if s.refuses() { // a client that did not wait for the answer to RCPT
		return t.PrintfLine("503 5.5.1 no recipient")
	}
	if err := t.PrintfLine("354 go on"); err != nil {
		return err
	}
	text, err := t.ReadDotBytes()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.taken++
	s.got["relay "+token(text[:min(len(text), 4<<10)])]++
	s.mu.Unlock()
	return t.PrintfLine("250 2.0.0 ok")
}
