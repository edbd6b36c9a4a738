package faults

import (
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestSupervisorKilled: without their supervisor the daemons end too, in whatever user's
// name they serve, and leave room for the next.
func TestSupervisorKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t, instance.Options{})
	s.sent = map[string]string{}
	s.mustPost(suite.Bob, "before")
	s.arrived()
	ended := make(chan error, 1)
	go func() { ended <- s.KillServer() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatalf("daemons hold the log open, want all to end:\n%s", s.LogTail())
	}
	if err := s.StartServer(nil); err != nil {
		t.Fatal(err)
	}
	s.mustPost(suite.Bob, "after")
	s.arrived()
}
