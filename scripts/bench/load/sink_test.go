package main

import (
	"maps"
	"net/smtp"
	"testing"
)

func TestSinkRefusesThenTakes(t *testing.T) {
	s, err := newSink("127.0.0.1:0", true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	c, err := smtp.Dial(s.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := send(c, []string{"user@sink.test"}, message("Q.1", 1<<10)); err == nil {
		t.Error("got no error, want 451")
	}
	if _, err := c.Data(); err == nil {
		t.Error("DATA without a recipient: got no error")
	}
	if s.asked() != 1 || s.received() != 0 {
		t.Errorf("got %d tries, %d messages, want 1, 0", s.asked(), s.received())
	}
	s.relent()
	for range 2 {
		if err := send(c, []string{"user@sink.test"}, message("Q.1", 10<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := s.tokens(), map[string]int{"relay Q.1": 2}; !maps.Equal(got, want) || s.received() != 2 {
		t.Errorf("got %v, want %v", got, want)
	}
}
