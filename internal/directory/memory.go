package directory

import (
	"path/filepath"
	"strings"
	"sync"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/stamp"
)

const (
	// memoryMost is how many answers are remembered; then all are forgotten.
	memoryMost = 4096
	// longAnswer is of how many lines an answer is not remembered: anybody may ask
	// for a list under thousands of addresses, with subaddresses.
	longAnswer = 40
	// memoryLife is how long an answer is believed. What it rests on is looked at
	// each time; a configuration that authd alone has read again shows by this.
	memoryLife = 5 * time.Second
	// maxBasis bounds what is looked at for one answer.
	maxBasis = 16
)

// memory keeps answers of authd for as long as the files that they rest on are
// the same: authd says which ("basis"), and a look at them costs less than to ask.
// Only answers that say done are kept. It is safe for concurrent use.
type memory struct {
	mu      sync.Mutex
	answers map[string]remembered
}

type remembered struct {
	answer attr.List // shared; nobody writes to it
	basis  []basis
	until  time.Time
}

// basis is a file and its version.
type basis struct{ path, version string }

// recall returns the answer to a question if it still holds.
func (m *memory) recall(question string, now time.Time) (attr.List, bool) {
	m.mu.Lock()
	r, ok := m.answers[question]
	m.mu.Unlock()
	if !ok || now.After(r.until) || !stands(r.basis) {
		return nil, false
	}
	return r.answer, true
}

// stands reports whether the files are still of these versions.
func stands(all []basis) bool {
	var room [128]byte
	for _, b := range all {
		if string(stamp.Of(b.path).Append(room[:0])) != b.version {
			return false
		}
	}
	return true
}

// note keeps an answer that names what it rests on.
func (m *memory) note(question string, answer attr.List, now time.Time) {
	if len(answer) > longAnswer {
		return
	}
	var all []basis
	for _, value := range answer.All("basis") {
		version, path, _ := strings.Cut(value, " ")
		if version == "" || !filepath.IsAbs(path) {
			return
		}
		all = append(all, basis{path, version})
	}
	if len(all) == 0 || len(all) > maxBasis {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers == nil || len(m.answers) >= memoryMost {
		m.answers = map[string]remembered{}
	}
	m.answers[question] = remembered{answer, all, now.Add(memoryLife)}
}

// forget drops all answers.
func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers = nil
}
