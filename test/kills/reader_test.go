package kills

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// reader takes each message out of a user's folder as soon as it is there, so
// that a box that looks for a message does not find it (W2).
type reader struct {
	i     *instance.Instance
	user  string
	dir   string
	taken int
	stop  func() // returns when it has ended; may be called again
}

// startReader has a reader at work until its stop, or the end of the test.
func startReader(t *testing.T, i *instance.Instance, user string) *reader {
	t.Helper()
	r := &reader{i: i, user: user, dir: filepath.Join(i.Dir, "mail", "taken")}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.run(ctx) }()
	r.stop = func() { cancel(); <-done }
	t.Cleanup(r.stop)
	return r
}

func (r *reader) run(ctx context.Context) {
	for ctx.Err() == nil {
		for _, file := range suite.BoxFiles(r.i, r.user, "") {
			to := filepath.Join(r.dir, fmt.Sprintf("%08d.%s", r.taken, filepath.Base(file)))
			if os.Rename(file, to) == nil {
				r.taken++
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// files are the messages that it took, under names that end like in the box.
func (r *reader) files() ([]string, error) { return filepath.Glob(filepath.Join(r.dir, "*")) }
