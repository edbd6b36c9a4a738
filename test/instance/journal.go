package instance

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// journal keeps the log of a server and lets tests wait for lines of it.
type journal struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced when a line comes, or the end
	ended bool
	end   chan struct{}
}

func newJournal(r io.Reader, copy io.Writer) *journal {
	j := &journal{more: make(chan struct{}), end: make(chan struct{})}
	go func() {
		in := bufio.NewScanner(r)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			if copy != nil {
				fmt.Fprintln(copy, in.Text())
			}
			j.add(in.Text(), false)
		}
		j.add("", true)
		close(j.end)
	}()
	return j
}

func (j *journal) add(line string, ended bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if ended {
		j.ended = true
	} else {
		j.lines = append(j.lines, line)
	}
	close(j.more)
	j.more = make(chan struct{})
}

// wait calls match with each line from the first on, until it is true.
func (j *journal) wait(limit time.Duration, match func(string) bool) (string, error) {
	deadline := time.After(limit)
	for n := 0; ; {
		j.mu.Lock()
		lines, more, ended := j.lines[n:], j.more, j.ended
		j.mu.Unlock()
		for _, l := range lines {
			n++
			if match(l) {
				return l, nil
			}
		}
		if ended {
			return "", fmt.Errorf("the server ended")
		}
		select {
		case <-more:
		case <-deadline:
			return "", fmt.Errorf("not seen in the log within %v", limit)
		}
	}
}

// last returns the newest line that begins with prefix.
func (j *journal) last(prefix string) (string, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for n := len(j.lines) - 1; n >= 0; n-- {
		if strings.HasPrefix(j.lines[n], prefix) {
			return j.lines[n], true
		}
	}
	return "", false
}

// all returns the lines so far.
func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.lines)
}

// tail returns the last lines.
func (j *journal) tail() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-40):], "\n")
}

// drained waits until the log ended.
func (j *journal) drained() { <-j.end }
