package main

import (
	"os"
	"slices"
	"testing"
	"time"

	"posthorn/internal/attr"
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
