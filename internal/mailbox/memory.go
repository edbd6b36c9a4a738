package mailbox

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// memory holds answers that were read from files, each with a proof: how those
// files looked before they were read. While they look the same the answer is good.
// It is safe for concurrent use.
type memory[P comparable, A any] struct {
	max int // of all sizes

	mu    sync.Mutex
	size  int
	known map[fileID]remembered[P, A]
}

type remembered[P comparable, A any] struct {
	proof  P
	answer A
	size   int
}

func newMemory[P comparable, A any](most int) *memory[P, A] {
	return &memory[P, A]{max: most, known: make(map[fileID]remembered[P, A])}
}

// get returns the answer that was put with the same proof.
func (m *memory[P, A]) get(id fileID, proof P) (answer A, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.known[id]
	if !ok || r.proof != proof {
		return answer, false
	}
	return r.answer, true
}

// put remembers an answer of a size. It may take the place of any others.
func (m *memory[P, A]) put(id fileID, proof P, answer A, size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(id)
	for other := range m.known {
		if m.size+size <= m.max {
			break
		}
		m.drop(other)
	}
	if m.size+size <= m.max {
		m.known[id] = remembered[P, A]{proof, answer, size}
		m.size += size
	}
}

func (m *memory[P, A]) drop(id fileID) {
	m.size -= m.known[id].size
	delete(m.known, id)
}

// trace is how a file or folder looks, zero where there is none.
type trace struct {
	ino   uint64
	size  int64
	mtime unix.Timespec
}

// traceOf returns the trace of a name below dirfd, and which file that is.
func traceOf(dirfd int, name string) (trace, fileID, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err == unix.ENOENT {
		return trace{}, fileID{}, nil
	}
	return trace{st.Ino, st.Size, st.Mtim}, fileID{uint64(st.Dev), st.Ino}, err
}

// old reports whether every later change will give another trace.
func (t trace) old() bool { return t == trace{} || time.Since(time.Unix(t.mtime.Unix())) >= young }
