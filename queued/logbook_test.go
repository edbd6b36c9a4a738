package main

import (
	"bufio"
	"bytes"
	"slices"
	"strings"
	"sync"
)

// logbook collects log lines and wakes those who wait.
type logbook struct {
	world *world
	mu    sync.Mutex
	text  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.text.Write(p)
	l.mu.Unlock()
	l.world.mu.Lock()
	defer l.world.mu.Unlock()
	l.world.note()
	return len(p), nil
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lines returns the lines of one event that hold all of words.
func (l *logbook) lines(event string, words ...string) []string {
	var found []string
	in := bufio.NewScanner(strings.NewReader(l.String()))
	for in.Scan() {
		line := in.Text()
		if strings.HasPrefix(line, event+" ") && !slices.ContainsFunc(words, func(s string) bool { return !strings.Contains(line, s) }) {
			found = append(found, line)
		}
	}
	return found
}

// awaitLog waits for a line.
func (w *world) awaitLog(event string, words ...string) {
	w.t.Helper()
	w.await(event+" "+strings.Join(words, " "), func() bool { return len(w.log.lines(event, words...)) > 0 })
}
