package views

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/test/history"
)

type act = history.Act[*stage]

// deeds are what can happen, each as often as its weight says.
var deeds = []history.Deed[*stage]{
	{Name: "select", Weight: 12, Do: (*stage).selects},
	{Name: "fetch", Weight: 12, Do: (*stage).fetches},
	{Name: "store", Weight: 22, Do: (*stage).stores},
	{Name: "search", Weight: 10, Do: (*stage).searches},
	{Name: "modseq", Weight: 5, Do: (*stage).modseqs},
	{Name: "append", Weight: 12, Do: (*stage).appends},
	{Name: "copy", Weight: 7, Do: (*stage).copies},
	{Name: "move", Weight: 6, Do: (*stage).moves},
	{Name: "expunge", Weight: 8, Do: (*stage).expunges},
	{Name: "noop", Weight: 6, Do: (*stage).noops},
	{Name: "idle", Weight: 7, Do: (*stage).idles},
	{Name: "leave", Weight: 4, Do: (*stage).leaves},
	{Name: "status", Weight: 5, Do: (*stage).statuses},
	{Name: "folders", Weight: 8, Do: (*stage).folders},
	{Name: "pop3", Weight: 7, Do: (*stage).pops},
	{Name: "deliver", Weight: 4, Do: (*stage).delivers},
	{Name: "foreign", Weight: 26, Do: (*stage).foreigns},
	{Name: "together", Weight: 12, Do: (*stage).together},
	{Name: "again", Weight: 2, Do: (*stage).logsInAgain},
	{Name: "resync", Weight: 9, Do: (*stage).resyncs},
	{Name: "rest", Weight: 1, Do: (*stage).rests},
}

const (
	sample = 16              // histories in an ordinary run
	proof  = 5 * time.Minute // of histories otherwise
	length = 120             // acts of each
	beside = 4               // histories at a time
)

// TestViews plays random histories of several sessions, deliveries and programs
// of others on the mailboxes of a user, and holds what each session was told to
// a model of IMAP, and both to the files. The histories are always the same
// ones, but with POSTHORN_PROVE, when new ones are played for minutes. In those
// of odd seeds the Maildirs are shared. POSTHORN_VIEWS_SEED plays one of them.
func TestViews(t *testing.T) {
	h := &house{t: t, sites: [2]*site{newSite(t, ""), newSite(t, "mail-shared yes\n")}}
	next := history.Seeds(t, "POSTHORN_VIEWS_SEED", sample, proof)
	var wg sync.WaitGroup
	for range beside {
		wg.Go(func() {
			for seed, more := next(); more; seed, more = next() {
				h.playSeed(seed)
			}
		})
	}
	wg.Wait()
	t.Logf("%d histories of %d acts: %v", h.played, length, h.sum)
}

// house is where histories are played: one server for each way of sharing.
type house struct {
	t     *testing.T
	sites [2]*site

	mu     sync.Mutex
	played int
	sum    tally
}

// tally counts what was played.
type tally struct{ commands, untagged, deliveries, foreign, searches, pops, together, late int }

func (t *tally) add(o tally) {
	t.commands += o.commands
	t.untagged += o.untagged
	t.deliveries += o.deliveries
	t.foreign += o.foreign
	t.searches += o.searches
	t.pops += o.pops
	t.together += o.together
	t.late += o.late
}

func (t tally) String() string {
	return fmt.Sprintf("%d IMAP commands (%d searches; %d times all sessions' at once) with %d untagged answers, %d POP3 sessions, %d deliveries, %d changes by other programs, of which a session in IDLE made %d late",
		t.commands, t.searches, t.together, t.untagged, t.pops, t.deliveries, t.foreign, t.late)
}

// playSeed plays one history, and when it ends badly looks for a shorter one
// that does.
func (h *house) playSeed(seed uint64) {
	acts := history.Draw(deeds, seed, length)
	s := h.play(seed, acts)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.played++
	h.sum.add(s.tally)
	if len(s.wrong) == 0 {
		if os.Getenv("POSTHORN_VIEWS_SEED") != "" {
			h.t.Log(strings.Join(s.diary, "\n"))
		}
		return
	}
	h.t.Errorf("POSTHORN_VIEWS_SEED=%d: %s\nIt ended so:\n%s", seed, strings.Join(s.wrong, "\n"), strings.Join(s.diary[max(0, len(s.diary)-20):], "\n"))
	acts, s = h.shrink(seed, acts[:s.done], s)
	h.t.Errorf("seed %d, shrunk to %d acts: %s\n%s", seed, len(acts), strings.Join(s.wrong, "\n"), strings.Join(s.diary, "\n"))
}

// shrinking is how long at most a shorter history is looked for.
const shrinking = time.Minute

// shrink leaves out what a history that ended badly goes wrong without: halves
// first, then ever smaller parts.
func (h *house) shrink(seed uint64, acts []act, bad *stage) ([]act, *stage) {
	end := time.Now().Add(shrinking)
	for part := max(len(acts)/2, 1); part > 0; part /= 2 {
		for at := len(acts) - part; at >= 0 && time.Now().Before(end); at -= part {
			less := append(append([]act{}, acts[:at]...), acts[min(at+part, len(acts)):]...)
			if s := h.play(seed, less); len(s.wrong) > 0 && kind(s.wrong[0]) == kind(bad.wrong[0]) {
				acts, bad = less[:min(s.done, len(less))], s
				at = min(at, len(acts))
			}
		}
	}
	return acts, bad
}

var particular = regexp.MustCompile(`"[^"]*"|\[.*\]|\d+|[A-Z]+(\.[A-Z]+)*:`)

// kind is a fault without its numbers and names.
func kind(fault string) string { return particular.ReplaceAllString(fault, "") }

// play plays acts on a new user and then has everybody look once more.
func (h *house) play(seed uint64, acts []act) *stage {
	s := newStage(h.t, h.sites[seed%2])
	defer s.close()
	for _, a := range acts {
		s.done++
		s.note("%s:", a.Name)
		a.Do(s)
		s.look()
		if len(s.wrong) > 0 {
			return s
		}
	}
	s.note("end:")
	s.agree()
	return s
}
