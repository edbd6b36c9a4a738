package main

import (
	"fmt"
	"math/rand"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// TestManyTogether lets sessions change one folder at the same time and holds
// each to what it was told: numbers that are announced must fit, and in the end
// all see the same.
func TestManyTogether(t *testing.T) {
	f := newFixture(t)
	var watchers []*watcher
	for i := range 4 {
		w := &watcher{dialogue: f.dialogue(), random: rand.New(rand.NewSource(int64(i)))}
		w.run("SELECT INBOX (CONDSTORE)")
		watchers = append(watchers, w)
	}
	var wg sync.WaitGroup
	for _, w := range watchers {
		wg.Go(func() {
			for range 100 {
				w.act()
			}
		})
	}
	wg.Wait()
	want := ""
	for i, w := range watchers {
		w.run("NOOP")
		got := strings.ReplaceAll(strings.Join(w.do("UID FETCH 1:* (UID FLAGS)"), "\n"), ` \Recent`, "")
		got = strings.ReplaceAll(got, `\Recent`, "")
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("session %d sees\n%s\nsession 0\n%s", i, got, want)
		}
		if n := strings.Count(got, " FETCH ("); n != w.n {
			t.Errorf("session %d was told of %d messages, sees %d", i, w.n, n)
		}
	}
}

// watcher is a client that keeps count of the messages it was told of.
type watcher struct {
	*dialogue
	random *rand.Rand
	n      int
}

var numbered = regexp.MustCompile(`^\* (\d+) (EXISTS|EXPUNGE|FETCH)`)

// run runs a command and follows what is announced.
func (w *watcher) run(command string) {
	for _, line := range w.do(command) {
		if strings.Contains(line, "MODSEQ (0)") { // RFC 7162 section 7, permsg-modsequence
			w.t.Errorf("%s: %s", command, line)
		}
		m := numbered.FindStringSubmatch(line)
		if m == nil {
			if strings.HasPrefix(line, "BAD") || strings.HasPrefix(line, "NO ") && !strings.Contains(line, "EXPUNGEISSUED") {
				w.t.Errorf("%s: %s", command, line)
			}
			continue
		}
		seq, _ := strconv.Atoi(m[1])
		switch {
		case m[2] == "EXISTS" && seq < w.n:
			w.t.Errorf("%s: %d messages, then %s", command, w.n, line)
		case m[2] == "EXISTS":
			w.n = seq
		case seq < 1 || seq > w.n:
			w.t.Errorf("%s: of %d messages: %s", command, w.n, line)
		case m[2] == "EXPUNGE":
			w.n--
		}
	}
}

func (w *watcher) act() {
	if w.n == 0 {
		w.run(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(simple), simple))
		return
	}
	seq := w.random.Intn(w.n) + 1
	switch w.random.Intn(9) {
	case 0, 1, 2:
		w.run(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(simple), simple))
	case 3:
		w.run(fmt.Sprintf(`STORE %d +FLAGS (\Deleted)`, seq))
	case 4:
		w.run(fmt.Sprintf(`STORE %d:* FLAGS.SILENT (\Seen)`, seq))
	case 5:
		w.run("EXPUNGE")
	case 6:
		w.run(fmt.Sprintf("FETCH %d (FLAGS BODY[TEXT])", seq))
	case 7:
		w.run("UID COPY * INBOX")
	case 8:
		w.run("UID SEARCH UNDELETED SUBJECT one")
	}
}

// TestNothingOfWhatIsGone: a message that goes while a command is at it has no flags
// and no modseq, and none are told.
func TestNothingOfWhatIsGone(t *testing.T) {
	f := newFixture(t)
	d := f.dialogue()
	d.file("INBOX", `(\Seen)`, simple)
	box, err := f.host.store.Open(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	s := &Session{modSeqs: true}
	if s.view, err = box.Select("INBOX", true); err != nil {
		t.Fatal(err)
	}
	defer s.view.Close()
	d.needs("SELECT INBOX", `STORE 1 +FLAGS.SILENT (\Deleted)`, "EXPUNGE")
	var told strings.Builder
	s.w = wire.NewWriter(&told, f.host.pool)
	s.writeFlagsOf(1, true)
	s.writeModSeqOf(1, true)
	fetch := &fetcher{Session: s, marked: map[int]bool{1: true}}
	fetch.Items = query.UID
	if err := fetch.message(1); err != mailbox.ErrExpunged {
		t.Errorf("got %v, want ErrExpunged", err)
	}
	if err := s.w.Flush(); err != nil || told.String() != "" {
		t.Errorf("got %q, %v, want nothing", told.String(), err)
	}
}

// TestGoneUnannounced: a message that another session removed keeps its number
// until that is announced, but nothing is said of it that is not so.
func TestGoneUnannounced(t *testing.T) {
	f := newFixture(t)
	d, other := f.dialogue(), f.dialogue()
	d.file("INBOX", `(\Seen)`, simple)
	d.file("INBOX", `(\Seen)`, simple)
	d.do("SELECT INBOX")
	other.do("SELECT INBOX")
	other.do(`STORE 1 +FLAGS.SILENT (\Deleted)`)
	other.want("EXPUNGE", "* 1 EXPUNGE", "OK EXPUNGE completed")
	const gone = " completed, but some messages are gone"
	d.want("SEARCH UNSEEN", "* SEARCH", "OK [EXPUNGEISSUED] SEARCH"+gone)
	d.want("SEARCH ALL", "* SEARCH 2", "OK [EXPUNGEISSUED] SEARCH"+gone)
	d.want(`STORE 1:2 -FLAGS (\Answered)`, `* 2 FETCH (FLAGS (\Seen \Recent))`, "OK [EXPUNGEISSUED] STORE"+gone)
	d.want("FETCH 1:2 UID", `* 1 FETCH (UID 1)`, `* 2 FETCH (UID 2)`, "OK FETCH completed")
	d.want("FETCH 1:2 FLAGS", `* 2 FETCH (FLAGS (\Seen \Recent))`, "OK [EXPUNGEISSUED] FETCH"+gone)
	d.want("FETCH 1:2 RFC822.SIZE", "* 2 FETCH (RFC822.SIZE 52)", "OK [EXPUNGEISSUED] FETCH"+gone)
	d.want("UID FETCH 1:* FLAGS", `* 2 FETCH (UID 2 FLAGS (\Seen \Recent))`, "* 1 EXPUNGE", "* 1 RECENT", "OK [EXPUNGEISSUED] UID FETCH"+gone)
}
