package mailbox

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const childVariable = "POSTHORN_MAILBOX_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childVariable); role != "" {
		run := child
		if path, ok := strings.CutPrefix(role, "dovecot "); ok {
			role, run = path, besideDovecot
		}
		if err := run(role); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestTwoProcesses lets two processes work on one folder at random, each with
// flags and messages of its own, and compares their stories.
func TestTwoProcesses(t *testing.T) {
	for _, mode := range []string{"watched", "shared", "coarse"} {
		t.Run(mode, func(t *testing.T) { twoProcesses(t, mode) })
	}
}

// newModeStore returns a Store for mail-shared, for a kernel without inotify
// and fine times, or for what this kernel has.
func newModeStore(node, mode string) *Store {
	s := New(Options{Node: node, Shared: mode == "shared"})
	if mode == "coarse" {
		s.fine = false
		s.watchOnce.Do(func() { s.watchErr = unix.EMFILE })
	}
	return s
}

func twoProcesses(t *testing.T, mode string) {
	path := t.TempDir()
	shared := mode == "shared"
	b := openBox(t, newStore(t, Options{Shared: shared}), path)
	for i := range 40 {
		appendText(t, b, "INBOX", fmt.Sprint("start-", i), Flags{})
	}
	st := newStory()
	var cmds [2]*exec.Cmd
	var out [2]*bufio.Scanner
	for i := range cmds {
		cmds[i], out[i] = startChild(t, fmt.Sprint(i), mode, path)
	}
	for i := range cmds {
		for out[i].Scan() {
			st.line(t, out[i].Text())
		}
		if err := cmds[i].Wait(); err != nil {
			t.Errorf("child %d: %v", i, err)
		}
	}
	st.check(t, openBox(t, newStore(t, Options{Shared: shared}), path))
}

// TestKilled kills processes at work, one after the other: what they had
// answered is there, and the next one does not wait for their locks.
func TestKilled(t *testing.T) {
	path := t.TempDir()
	b := openBox(t, newStore(t, Options{}), path)
	for i := range 40 {
		appendText(t, b, "INBOX", fmt.Sprint("start-", i), Flags{})
	}
	st := newStory()
	for round := range 8 {
		cmd, out := startChild(t, fmt.Sprint(round%2, ".", round), "shared", path)
		for lines := 0; out.Scan(); lines++ {
			if lines == 60+round*13 {
				cmd.Process.Kill()
			}
			st.line(t, out.Text())
		}
		cmd.Wait() // killed: the error says nothing
	}
	st.check(t, openBox(t, newStore(t, Options{}), path))
}

// startChild starts a process that works on the folder at path.
func startChild(t *testing.T, name, mode, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", childVariable, name, mode, path))
	pipe, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(pipe)
}

// story is what the children said.
type story struct {
	subjects map[uint32]string
	uids     map[string]uint32
	meant    map[uint32]bool // somebody was about to remove it
	expunged map[uint32]bool // and did
	gone     map[uint32]bool // somebody was told that it is gone
	filed    map[string]bool
}

func newStory() *story {
	return &story{
		subjects: make(map[uint32]string), uids: make(map[string]uint32), meant: make(map[uint32]bool), expunged: make(map[uint32]bool),
		gone: make(map[uint32]bool), filed: make(map[string]bool),
	}
}

func (s *story) line(t *testing.T, line string) {
	word, rest, _ := strings.Cut(line, " ")
	number, subject, _ := strings.Cut(rest, " ")
	n, _ := strconv.ParseUint(number, 10, 32)
	uid := uint32(n)
	switch word {
	case "see":
		if was, ok := s.subjects[uid]; ok && was != subject {
			t.Errorf("UID %d was given to %q and %q", uid, was, subject)
		}
		if was, ok := s.uids[subject]; ok && was != uid {
			t.Errorf("%q had UID %d and then %d", subject, was, uid)
		}
		s.subjects[uid], s.uids[subject] = subject, uid
	case "meant":
		s.meant[uid] = true
	case "expunged":
		s.expunged[uid] = true
	case "gone":
		s.gone[uid] = true
	case "filed":
		s.filed[rest] = true
	default:
		t.Error(line)
	}
}

// check compares the story with what is there in the end.
func (s *story) check(t *testing.T, b *Box) {
	for uid := range s.gone {
		if !s.meant[uid] {
			t.Errorf("UID %d (%s) was told as expunged, nobody removed it", uid, s.subjects[uid])
		}
	}
	v := sel(t, b, "INBOX", false)
	there := make(map[string]bool)
	for seq := 1; seq <= v.Len(); seq++ {
		uid, subject := v.At(seq).UID, subjectOf(content(t, v, seq))
		there[subject] = true
		if s.expunged[uid] {
			t.Errorf("UID %d (%s) is back", uid, subject)
		}
		if was, ok := s.uids[subject]; ok && was != uid {
			t.Errorf("%q had UID %d and has %d in the end", subject, was, uid)
		}
	}
	for subject := range s.filed {
		if !there[subject] && !s.meant[s.uids[subject]] {
			t.Errorf("%q was filed and is lost", subject)
		}
	}
	if len(s.filed) < 50 || len(s.expunged) < 20 {
		t.Errorf("got %d filed, %d expunged: too little happened", len(s.filed), len(s.expunged))
	}
}

func subjectOf(message string) string {
	_, rest, _ := strings.Cut(message, "Subject: ")
	subject, _, _ := strings.Cut(rest, "\r\n")
	return subject
}

// actor is one child process.
type actor struct {
	name  string
	flag  SystemFlag
	word  string
	rand  *rand.Rand
	path  string
	box   *Box
	view  *View
	known map[uint32]string
	mine  map[uint32]bool // what this actor's own flag and keyword should be
	count int
}

func child(role string) error {
	words := strings.SplitN(role, " ", 3)
	n := int(words[0][0] - '0') // the flags that are its own
	s := newModeStore("child"+words[0], words[1])
	b, err := s.Open(words[2])
	if err != nil {
		return err
	}
	v, err := b.Select("INBOX", false)
	if err != nil {
		return err
	}
	a := &actor{
		name: words[0], flag: []SystemFlag{Flagged, Answered}[n], word: "k" + words[0], path: words[2],
		rand: rand.New(rand.NewPCG(uint64(n), 1)), box: b, view: v,
		known: make(map[uint32]string), mine: make(map[uint32]bool),
	}
	for range 600 {
		if err := a.look(); err != nil {
			return err
		}
		if err := a.act(); err != nil {
			return err
		}
	}
	return a.look()
}

// look syncs, says what came and went, and checks the flags that are this
// actor's alone.
func (a *actor) look() error {
	before := uidsOf(a.view)
	c, err := a.view.Sync(true)
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	for _, seq := range c.Expunged {
		fmt.Println("gone", before[seq-1])
	}
	for seq := 1; seq <= a.view.Len(); seq++ {
		m := a.view.At(seq)
		if a.known[m.UID] == "" && a.rand.IntN(2) == 0 {
			a.see(seq, m.UID)
		}
		has := m.Flags.System&a.flag != 0
		if want, ok := a.mine[m.UID]; ok && !m.Gone && (has != want || contains(m.Flags.Keywords, a.word) != want) {
			return fmt.Errorf("UID %d: own flag %v, keywords %v, want %v", m.UID, has, m.Flags.Keywords, want)
		}
	}
	return nil
}

func contains(list []string, word string) bool {
	for _, have := range list {
		if have == word {
			return true
		}
	}
	return false
}

func (a *actor) see(seq int, uid uint32) {
	b, err := a.view.Open(seq)
	if err != nil {
		return // removed a moment ago
	}
	defer b.Close()
	message, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		fmt.Println("error reading", uid, err)
		return
	}
	a.known[uid] = subjectOf(string(message))
	fmt.Println("see", uid, a.known[uid])
}

// act does something at random.
func (a *actor) act() error {
	switch n := a.rand.IntN(10); {
	case n < 5:
		return a.store()
	case n < 7:
		return a.file()
	case n == 7:
		return a.deliver()
	}
	return a.expunge()
}

func (a *actor) store() error {
	var seqs []int
	for range 1 + a.rand.IntN(5) {
		if a.view.Len() > 0 {
			seqs = append(seqs, 1+a.rand.IntN(a.view.Len()))
		}
	}
	op := Op(1 + a.rand.IntN(2))
	changed, err := a.view.Store(seqs, op, Flags{System: a.flag, Keywords: []string{a.word}})
	for _, seq := range changed {
		a.mine[a.view.At(seq).UID] = op == Add
	}
	return err
}

func (a *actor) file() error {
	a.count++
	subject := fmt.Sprint("filed-", a.name, "-", a.count)
	m := text(subject)
	_, uid, err := a.box.Append("INBOX", Incoming{Reader: strings.NewReader(m), Size: int64(len(m)), Flags: Flags{System: SystemFlag(a.rand.IntN(2)) * Seen}})
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	fmt.Println("filed", subject)
	fmt.Println("see", uid, subject)
	return nil
}

func (a *actor) deliver() error {
	a.count++
	subject := fmt.Sprint("delivered-", a.name, "-", a.count)
	name := a.box.store.uniqueName(-1, -1)
	tmp := filepath.Join(a.path, "tmp", name)
	err := os.WriteFile(tmp, []byte(strings.ReplaceAll(text(subject), "\r\n", "\n")), 0o600)
	if err == nil {
		err = os.Rename(tmp, filepath.Join(a.path, "new", name))
	}
	fmt.Println("filed", subject)
	return err
}

func (a *actor) expunge() error {
	if a.view.Len() < 30 {
		return nil
	}
	seq := 1 + a.rand.IntN(a.view.Len())
	uid := a.view.At(seq).UID
	if a.known[uid] == "" {
		a.see(seq, uid)
	}
	fmt.Println("meant", uid)
	if err := a.view.Remove([]uint32{uid}); err != nil {
		return err
	}
	fmt.Println("expunged", uid)
	return nil
}
