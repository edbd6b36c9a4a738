package spool

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"time"

	"posthorn/internal/durable"
	"posthorn/internal/id"
	"posthorn/internal/verdict"
)

// history is a message to which lines are appended, with what a reader may find of
// it: what was made durable, and of what came after it a beginning.
type history struct {
	t       *testing.T
	spool   *Spool
	m       *Message
	fails   bool    // what is synced
	states  []State // behind each line, from the last durable one on
	size    int64   // of the file then
	twice   bool    // lines were written that will be written once more
	notices []string
}

func (h *history) hook(op durable.Op) error {
	if op.Name == "sync" && h.fails {
		return syscall.EIO
	}
	return nil
}

// line appends something.
func (h *history) line(kind, arg int) {
	targets := []int{arg % 3}
	if arg >= 128 {
		targets = []int{0, 2}
	}
	switch kind {
	case 0:
		v := verdict.New([]verdict.Kind{verdict.Done, verdict.Later, verdict.Never}[arg/3%3], "2.0.0", fmt.Sprintf("said \"%d\"\n", arg))
		h.m.SetResult(targets, arg, Result{Verdict: v, Via: "mx", At: time.UnixMicro(int64(arg))})
	case 1:
		h.m.SetNext(arg, time.UnixMicro(int64(arg)))
	case 2:
		h.m.SetHeld(arg%2 == 0)
	case 3:
		h.notices = append(h.notices, id.New())
		h.m.Owe(Notice{ID: h.notices[len(h.notices)-1], Kind: []string{"failure", "delay", "success"}[arg%3], Targets: targets})
	case 4:
		if len(h.notices) == 0 {
			return
		}
		h.m.Sent(h.notices[arg%len(h.notices)])
	}
	h.states = append(h.states, copyOf(h.m.State))
}

func copyOf(s State) State {
	s.Targets = slices.Clone(s.Targets)
	s.Notices = slices.Clone(s.Notices)
	for i := range s.Notices {
		s.Notices[i].Targets = slices.Clone(s.Notices[i].Targets)
	}
	return s
}

// flush makes the lines durable, or fails to.
func (h *history) flush(fails bool) {
	h.fails = fails
	defer func() { h.fails = false }()
	pending := len(h.m.pending) > 0
	err := h.m.Flush()
	if (err != nil) != (fails && pending) {
		h.t.Fatalf("flush, its sync fails %v: got %v", fails, err)
	}
	switch {
	case err == nil:
		h.settled()
	default:
		h.twice = true
	}
}

// settled forgets what a reader might have found before.
func (h *history) settled() {
	info, err := h.m.file.Stat()
	if err != nil {
		h.t.Fatal(err)
	}
	h.states, h.size, h.twice = h.states[len(h.states)-1:], info.Size(), false
}

// crash reads the file again, of whose end that was not durable a part is lost, or
// zeroed.
func (h *history) crash(arg int) {
	info, err := h.m.file.Stat()
	if err != nil {
		h.t.Fatal(err)
	}
	keep := h.size + int64(arg)*(info.Size()-h.size)/255
	if err := h.m.file.Truncate(keep); err != nil {
		h.t.Fatal(err)
	}
	if arg%2 == 0 {
		if err := h.m.file.Truncate(info.Size()); err != nil {
			h.t.Fatal(err)
		}
	}
	again, err := h.spool.Load(h.m.Ref())
	if err != nil {
		h.t.Fatalf("after a crash: %v", err)
	}
	h.check(again.State)
	h.m.Close()
	h.m = again
	h.states = []State{copyOf(again.State)}
	h.notices = h.notices[:0]
	for _, n := range again.Notices {
		h.notices = append(h.notices, n.ID)
	}
	h.settled()
}

// check holds what was read to what was written.
func (h *history) check(got State) {
	if slices.ContainsFunc(h.states, func(s State) bool { return reflect.DeepEqual(s, got) }) {
		return
	}
	sure := h.states[0]
	if !h.twice || len(got.Targets) != len(sure.Targets) || len(got.Notices) < len(sure.Notices) {
		h.t.Fatalf("got %+v\nof %+v", got, h.states)
	}
	for n := range sure.Targets {
		if t := &sure.Targets[n]; t.Final() && !reflect.DeepEqual(t.Result, got.Targets[n].Result) {
			h.t.Errorf("got the final verdict %+v, want %+v", got.Targets[n], *t)
		}
	}
	for n := range sure.Notices {
		if got.Notices[n].ID != sure.Notices[n].ID || sure.Notices[n].Sent && !got.Notices[n].Sent {
			h.t.Errorf("got the notice %+v, want %+v", got.Notices[n], sure.Notices[n])
		}
	}
}

// FuzzAppend: whatever is appended, whatever sync fails, and wherever the file is
// cut, what was flushed is read, and of the rest nothing but a beginning.
func FuzzAppend(f *testing.F) {
	f.Add([]byte{0, 3, 1, 1, 5, 0, 0, 0, 3, 1, 7, 100, 1, 2, 5, 0, 7, 77})
	f.Add([]byte{2, 0, 6, 0, 0, 130, 6, 0, 2, 1, 7, 200, 4, 0, 5, 0, 7, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		h := &history{t: t}
		h.spool = openSpool(t, t.TempDir(), &durable.Disk{Hook: h.hook})
		h.m = threeTargets(t, h.spool)
		defer func() { h.m.Close() }()
		h.states = []State{copyOf(h.m.State)}
		h.settled()
		for i := 0; i+1 < min(len(script), 120); i += 2 {
			switch kind, arg := int(script[i]%8), int(script[i+1]); kind {
			case 5:
				h.flush(false)
			case 6:
				h.flush(true)
			case 7:
				h.crash(arg)
			default:
				h.line(kind, arg)
			}
		}
		h.flush(false)
		h.crash(255)
	})
}

// threeTargets is a message in the queue for three boxes.
func threeTargets(t *testing.T, s *Spool) *Message {
	t.Helper()
	m, err := s.Compose(envelope(), func(w io.Writer) error { _, err := io.WriteString(w, body); return err })
	if err != nil {
		t.Fatal(err)
	}
	var targets []Target
	for _, box := range []string{"a", "b c", "d\n"} {
		targets = append(targets, Target{Kind: "box", Value: box, Rcpt: "bob@b.example"})
	}
	if err := m.SetTargets(targets); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(m); err != nil {
		t.Fatal(err)
	}
	return m
}
