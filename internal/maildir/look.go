package maildir

import (
	"bytes"
	"fmt"
	"iter"
	"sync"

	"golang.org/x/sys/unix"
)

// look finds what an earlier try has delivered: its name may not be durable
// yet, so it is synced like a new one.
func (b *batch) look() {
	if b.message.Try < 2 {
		return
	}
	for _, t := range b.targets {
		t.file, t.err = b.folders.find(t.id, t.new, b.message.ID)
		if t.file == "" && t.err == nil {
			t.file, t.err = b.lookCur(t)
		}
		t.done = t.file != ""
		t.earlier = t.done
	}
}

func (b *batch) lookCur(t *target) (string, error) {
	cur, err := sub(t.base, "cur")
	if err == unix.ENOENT {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("open %s/cur: %w", t.place.Path, err)
	}
	defer unix.Close(cur)
	id, err := identify(cur)
	if err != nil {
		return "", err
	}
	file, err := b.folders.find(id, cur, b.message.ID)
	t.inCur = file != ""
	return file, err
}

// find returns the name in the folder id that carries the message, or "".
// dirfd is the caller's descriptor of the folder.
func (f *folders) find(id fileID, dirfd int, message string) (string, error) {
	shared := f.enter(id)
	defer f.leave(id, shared)
	return shared.looks.find(message, List(dirfd))
}

// looks shares the listings of a folder: behind a restart every message of a
// long queue looks for itself, and each listing alone takes as long as the
// folder is large. Who comes while one runs gets the next together.
type looks struct {
	turn sync.Mutex // held by the caller whose listing runs

	mu   sync.Mutex
	next *look // of the listing that has not begun
}

// look is one listing. It belongs to who began it until it is done.
type look struct {
	found map[string]string // name by message, of those that are looked for
	err   error
	done  chan struct{}
}

// find returns what a listing finds, this caller's or another's, that began
// after the call.
func (l *looks) find(message string, names iter.Seq2[[]byte, error]) (string, error) {
	k, first := l.join(message)
	if first {
		l.turn.Lock()
		l.leave()
		k.run(names)
		l.turn.Unlock()
		close(k.done)
	}
	<-k.done
	return k.found[message], k.err
}

func (l *looks) join(message string) (k *look, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first = l.next == nil; first {
		l.next = &look{found: map[string]string{}, done: make(chan struct{})}
	}
	l.next.found[message] = ""
	return l.next, first
}

// leave has who comes from now on wait for another listing.
func (l *looks) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = nil
}

func (k *look) run(names iter.Seq2[[]byte, error]) {
	for name, err := range names {
		if err != nil {
			k.err = err
			return
		}
		message := messageOf(name)
		if file, wanted := k.found[string(message)]; wanted && file == "" {
			k.found[string(message)] = string(name)
		}
	}
}

// messageOf returns what stands for the message's id in a file name.
func messageOf(name []byte) []byte {
	_, rest, _ := bytes.Cut(name, []byte{'.'})
	message, _, ended := bytes.Cut(rest, []byte{'.'})
	if !ended {
		return nil
	}
	return message
}
