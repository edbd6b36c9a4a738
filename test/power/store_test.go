package power

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// errand is something that clients do with a mailbox until the power goes.
type errand struct {
	name string
	fail string // POSTHORN_FAIL
	box  string // a dovecot-uidlist that is there before
	conf string // further lines of configuration
	do   func(t *testing.T, i *instance.Instance, record string, letters []*letter)
}

// errands are what is recorded; the first is the sample of make test.
var errands = []errand{
	{"a mailbox is filled", "", "", "", filling},
	{"folders", "", "", "", folders},
	{"IMAP, POP3 and mail together", "", "", "", crowd},
	{"a mailbox is known", "", list(4), "", known},
	{"a new uidlist", "", list(1100), "", known},
	{"imap-session dies with a new uidlist", "rename:/dovecot-uidlist:1:after", list(1100), "", broken},
	{"keywords without letters", "", "", "", worded},
	{"the INBOX gets another name", "", "", "", renamed},
	{"a shared mailbox is filled", "", "", "mail-shared yes\n", filling},
	{"what is removed is kept", "", "", undelete, keeping},
}

// undelete has nothing lost that was ever answered.
const undelete = "undelete 7d\n"

// filling has messages arrive and be filed, marked, copied, moved and removed.
func filling(t *testing.T, i *instance.Instance, record string, letters []*letter) {
	u := ann(t, i, "ann", record)
	u.open("INBOX")
	u.file("INBOX", "", "plain")
	u.file("INBOX", `\Seen $Work`, "marked")
	u.letter(i, letters[0])
	u.await(letters[0].name)
	u.mark(`\Flagged Later`, "plain", letters[0].name)
	u.mark(`-\Flagged`, "plain")
	u.create("Work")
	u.copy("Work", "marked", letters[0].name)
	u.expunge(false, "marked")
	u.move("Work", "plain")
	u.file("INBOX", "", "last")
	u.open("Work")
	u.expunge(true, "plain")
	u.open("INBOX")
}

// folders come, go and get other names.
func folders(t *testing.T, i *instance.Instance, record string, letters []*letter) {
	u := ann(t, i, "ann", record)
	u.create("Work")
	u.create("Work.2024")
	u.subscribe("Work", true)
	u.file("Work", `\Seen`, "first")
	u.file("Work.2024", "", "below")
	u.open("Work.2024")
	u.rename("Work", "Play")
	u.file("Play", "", "second")
	u.open("Play")
	u.remove("Play")
	u.create("Play")
	u.file("Play", "", "third")
	u.open("Play")
	u.subscribe("Play", true)
	u.subscribe("Work", false)
	u.open("Play.2024")
}

// renamed has the INBOX emptied into a new folder, and go on.
func renamed(t *testing.T, i *instance.Instance, record string, letters []*letter) {
	u := ann(t, i, "ann", record)
	u.open("INBOX")
	u.file("INBOX", `\Seen`, "a", "b")
	u.letter(i, letters[0])
	u.await(letters[0].name)
	u.clear("Old")
	u.file("INBOX", "", "c")
	u.open("Old")
	u.open("INBOX")
}

// keeping has messages expunged, over POP3 too, and folders deleted.
func keeping(t *testing.T, i *instance.Instance, record string, letters []*letter) {
	u := ann(t, i, "ann", record)
	u.open("INBOX")
	u.file("INBOX", `\Seen $Work`, "a", "b")
	u.file("INBOX", "", "c", "d")
	u.create("Work")
	u.file("Work", "Urgent", "e", "f")
	u.look()
	u.expunge(false, "a")
	u.copy("Work", "b")
	u.move("Work", "c")
	u.expunge(true, "b")
	popped(t, i, "pop", record, "d")
	u.open("Work")
	u.expunge(false, "e", "c")
	u.remove("Work")
	u.open("INBOX")
}

// crowd is two IMAP clients, a POP3 client and mail at a time.
func crowd(t *testing.T, i *instance.Instance, record string, letters []*letter) {
	u, other := ann(t, i, "ann", record), ann(t, i, "other", record)
	u.open("INBOX")
	u.file("INBOX", "", "a", "b", "c")
	u.create("Work")
	u.look()
	other.open("INBOX")
	var wg sync.WaitGroup
	wg.Go(func() { u.letter(i, letters[0]); u.letter(i, letters[1]) })
	wg.Go(func() { popped(t, i, "pop", record, "b") })
	wg.Go(func() { other.file("INBOX", `\Seen`, "d"); other.copy("Work", "c"); other.file("INBOX", "", "e") })
	u.mark("Urgent", "a")
	u.move("Work", "a")
	wg.Wait()
	u.open("INBOX")
}

// list is a list of so many removed messages, in which no UID is reserved.
func list(removed int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "3 V1700000000 N%010d G0123456789abcdef0123456789abcdef\n", removed+1)
	for n := range removed {
		fmt.Fprintf(&b, "%d :1700000000.gone%d.mx\n", n+1, n+1)
	}
	return b.String()
}

// known has UIDs reserved and, where the list is long, rewritten.
func known(t *testing.T, i *instance.Instance, record string, _ []*letter) {
	u := ann(t, i, "ann", record)
	u.open("INBOX")
	u.file("INBOX", "", "a", "b")
	u.look()
	u.expunge(false, "a")
	u.file("INBOX", "", "c")
	popped(t, i, "pop", record, "b")
	u.look()
}

// broken goes on after the end of its session.
func broken(t *testing.T, i *instance.Instance, record string, _ []*letter) {
	u := ann(t, i, "ann", record)
	u.breaks = true
	u.open("INBOX")
	u.file("INBOX", "", "a", "b")
	u.look()
	u.expunge(false, "a")
	u = ann(t, i, "later", record)
	u.file("INBOX", "", "c")
	u.open("INBOX")
	u.expunge(true, "c")
}

// worded has messages get keywords when all letters are taken.
func worded(t *testing.T, i *instance.Instance, record string, _ []*letter) {
	var letters strings.Builder
	for n := range 26 {
		fmt.Fprintf(&letters, " letter%d", n)
	}
	u := ann(t, i, "ann", record)
	u.open("INBOX")
	u.file("INBOX", letters.String()[1:], "letters")
	u.file("INBOX", `\Seen Word`, "worded")
	u.create("Work")
	u.file("Work", letters.String()[1:], "others")
	u.look()
	u.mark("Later", "letters")
	u.copy("Work", "worded")
	u.mark("-Word", "worded")
	u.file("INBOX", "Word Later", "last")
	u.look()
	u.expunge(false, "letters")
	u.open("Work")
}

// run records an errand.
func (e errand) run(t *testing.T, fail string) *recorded {
	t.Helper()
	all := letters()
	if e.fail != "" {
		fail = e.fail
	}
	r := record(t, fail, e.conf, func(i *instance.Instance) { e.prepare(t, i) },
		func(i *instance.Instance, record string) { e.do(t, i, record, all) })
	r.letters = all
	r.base.Whole, r.conf = true, e.conf
	return r
}

// prepare puts the list into her mailbox.
func (e errand) prepare(t *testing.T, i *instance.Instance) {
	t.Helper()
	if e.box == "" {
		return
	}
	w, err := login(i.Addr["imap"], suite.Ann) // makes the mailbox
	if err != nil {
		t.Fatal(err)
	}
	w.conn.Close()
	dir := filepath.Join(i.Dir, "mail", instance.Domain, "ann", "Maildir")
	info, err := os.Stat(filepath.Join(dir, "cur"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "dovecot-uidlist"), []byte(e.box), 0o600)
	}
	if err == nil {
		err = own(filepath.Join(dir, "dovecot-uidlist"), info)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// judged is what came of states that were tried.
type judged struct {
	mu    sync.Mutex
	tried int
	wrong []string
	windows
}

// judgeAll tries the states; with until it stops at one of which that is said.
func (r *recorded) judgeAll(t *testing.T, states []*state, until string) *judged {
	t.Helper()
	out := &judged{}
	ledgers := r.ledgers(t, states)
	todo := make(chan *state)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		h := newReader(t, r.conf)
		wg.Go(func() {
			for s := range todo {
				r.judge(s, h.try(s.tree), ledgers, out)
			}
		})
	}
	for _, s := range states {
		if until != "" && out.found(until) != "" {
			break
		}
		todo <- s
	}
	close(todo)
	wg.Wait()
	return out
}

// found returns what was wrong in which text stands.
func (o *judged) found(text string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.wrong {
		if strings.Contains(w, text) {
			return w
		}
	}
	return ""
}

// ledgers returns what was known at the cuts of states.
func (r *recorded) ledgers(t *testing.T, states []*state) map[int]*ledger {
	t.Helper()
	all := map[int]*ledger{}
	for _, s := range states {
		for _, cut := range s.cuts {
			all[cut] = nil
		}
	}
	for cut := range all {
		l := newLedger()
		for _, e := range r.events[:cut+1] {
			if err := l.apply(e); err != nil {
				t.Fatal(err)
			}
		}
		all[cut] = l
	}
	return all
}

// judge holds what was found to what was known at each cut.
func (r *recorded) judge(s *state, f *seen, ledgers map[int]*ledger, out *judged) {
	out.mu.Lock()
	defer out.mu.Unlock()
	out.tried++
	var in windows
	for _, cut := range s.cuts {
		j := &judge{ledger: ledgers[cut], seen: f, letters: r.letters, keeps: strings.Contains(r.conf, undelete)}
		switch {
		case f.err != nil:
			j.say("%v", f.err)
		case len(f.odd) > 0:
			j.say("put aside: %v", f.odd)
		default:
			j.all()
		}
		in.add(j.in)
		if len(j.wrong) > 0 {
			out.wrong = append(out.wrong, fmt.Sprintf("%s, cut at %d, %v: %s\n%s", s.kind, cut, r.events[cut], strings.Join(j.wrong, "\n"), f.log))
			return
		}
	}
	out.add(in)
}

func TestStoreCuts(t *testing.T) {
	for n, e := range errands {
		if !everything && n > 0 {
			return
		}
		t.Run(e.name, func(t *testing.T) {
			r := e.run(t, "")
			states := r.states()
			tried := chosen(states)
			began := time.Now()
			out := r.judgeAll(t, tried, "")
			for n, w := range out.wrong {
				if n < 10 {
					t.Error(w)
				}
			}
			t.Logf("%d steps begun or ended; %d states, %d tried in %.0f s: %s; %d wrong; %v",
				len(r.events), len(states), len(tried), time.Since(began).Seconds(), kinds(tried), len(out.wrong), &out.windows)
		})
	}
}

// forgetful are servers that answer too early. Each must be found out by what it
// loses; the first is the sample of make test.
var forgetful = []struct {
	name, fail string
	errand     int
	loses      string
}{
	{"no sync of the raised N", "sync:/dovecot-uidlist:0:skip", 3, "announced"},
	{"no sync of a filed message", "sync:/tmp/:0:skip", 0, "torn"},
	{"no sync of its folder", "syncdir:/Maildir/cur:0:skip,syncdir:/Maildir/new:0:skip", 0, "is lost from INBOX"},
	{"no sync of the folder that a message is moved to", "syncdir:/.Work/cur:0:skip", 0, "is lost from Work"},
	{"no sync of a new folder", "syncdir:/Maildir:0:skip", 1, "the folder"},
	{"no sync of posthorn-state", "sync:/posthorn-state:0:skip", 6, "with the flags"},
	{"no sync of a new list", "sync:/dovecot-uidlist.tmp:0:skip", 0, "UIDVALIDITY"},
	{"no sync of where what is removed is kept", "syncdir:/posthorn-undelete:0:skip", 9, "is nowhere"},
}

func TestForgetfulStoresAreCaught(t *testing.T) {
	for n, m := range forgetful {
		if !everything && n > 0 {
			return
		}
		t.Run(m.name, func(t *testing.T) {
			r := errands[m.errand].run(t, m.fail)
			states := some(r.states(), len(r.events)*100)
			began := time.Now()
			out := r.judgeAll(t, states, m.loses)
			wrong := out.found(m.loses)
			if wrong == "" {
				t.Fatalf("got nothing wrong in %d states, want the mutation caught", len(states))
			}
			t.Logf("caught at state %d of %d, in %.0f s: %.400s", out.tried, len(states), time.Since(began).Seconds(), wrong)
		})
	}
}
