package test

import (
	"path/filepath"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
	"posthorn/test/transcript"
)

// TestControlTranscript replays what doc/protocol/control.md shows.
func TestControlTranscript(t *testing.T) {
	i := suite.Server(t, instance.Options{})
	transcript.Replay(t, filepath.Join(i.Dir, "sockets", "control", "queued.sock"), transcript.Of(t, "control"), nil)
}
