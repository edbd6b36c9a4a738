package starter

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/sock"
	"posthorn/internal/verdict"
)

// alone returns a Starter and the end of its socket that a root process would
// have.
func alone(t *testing.T) (*Starter, *attr.Conn) {
	t.Helper()
	ours, theirs, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	near, err := connOf(ours)
	if err != nil {
		t.Fatal(err)
	}
	far, err := connOf(theirs)
	if err != nil {
		t.Fatal(err)
	}
	far.SetDeadline(time.Now().Add(20 * time.Second))
	s := newStarter(near)
	t.Cleanup(func() { s.Close(); far.Close() })
	return s, far
}

// TestLateAnswer: the child of one uid must not be taken for that of another
// because the answer that brings it came too late for who asked.
func TestLateAnswer(t *testing.T) {
	s, far := alone(t)
	s.patience = 0
	if _, err := s.child(Identity{61001, 61001}, nil); err == nil {
		t.Fatal("no answer: got nil, want an error")
	}
	go far.Write(sock.Reply(verdict.Of(nil)), nil)
	s.patience = 20 * time.Second
	if f, err := s.ask(attr.List{{Name: "request", Value: "start"}}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the next request: got %v, %v, want a closed socket", f, err)
	}
}

// TestCloseWhileAChildStarts: what is started meanwhile is closed as well.
func TestCloseWhileAChildStarts(t *testing.T) {
	s, far := alone(t)
	asked := make(chan error, 1)
	go func() {
		_, err := s.Do(context.Background(), Identity{61001, 61001}, nil, nil, nil)
		asked <- err
	}()
	if _, _, err := far.Read(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	select {
	case err := <-asked:
		if err == nil {
			t.Error("got an answer, want an error")
		}
	case <-time.After(20 * time.Second):
		t.Error("the request goes on")
	}
}
