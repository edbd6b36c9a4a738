package main

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/directory"
	"posthorn/queued/internal/schedule"
)

// Messages of several recipients get through however many wait to ask the
// directory.
func TestManyAskTheDirectory(t *testing.T) {
	const messages = 200
	w := newWorld(t)
	w.deliver.stop()
	r := w.run()
	for range messages {
		w.submit("ann@test", "bob@test", "carl@test", "dora@test")
	}
	r.stop()
	w.deliver.start()
	asked := make(chan struct{}) // closed when all messages want to ask
	w.authd.stop()
	w.authd.answer = func(req attr.List, f *os.File) attr.List {
		<-asked
		return w.resolve(req, f)
	}
	w.authd.start()
	r = w.run()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if infos, _ := r.schedule.List("", messages); !slices.ContainsFunc(infos, func(i schedule.Info) bool { return i.State == "deferred" }) {
			break
		}
	}
	close(asked)
	w.awaitEmpty(r)
}

// confused is a directory with a bug.
type confused struct{}

func (confused) Forget() {}

func (confused) ResolveAll(context.Context, []addr.Address) ([]directory.Answer, error) {
	panic("confused")
}

// A message whose hand-over met a bug, and that its maker kept, is collected.
func TestABugLeavesNothingArriving(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run()
	d := w.draft("ann@test", "bob@test")
	defer d.Close()
	if err := d.Finish(); err != nil {
		t.Fatal(err)
	}
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		t.Fatal(err)
	}
	sane := r.directory
	func() {
		defer func() { recover() }() // as the server of the socket does
		r.directory = confused{}
		r.Submit(t.Context(), d.Envelope().ID, ro)
	}()
	r.directory = sane
	if err := d.Keep(); err != nil {
		t.Fatal(err)
	}
	w.await("the message", func() bool { return len(w.boxes["bob@test"]) == 1 })
	w.awaitEmpty(r)
}
