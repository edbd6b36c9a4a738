package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// meter reads what the processes of a control group use. The kernel's own
// threads (journal, loop device) are in none.
type meter struct{ dir string }

// cpu returns the processor time used so far, by processes that ended too.
func (m meter) cpu() (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(m.dir, "cpu.stat"))
	if err == nil {
		if us, ok := field(string(text), "usage_usec"); ok { // version 2
			return time.Duration(us) * time.Microsecond, nil
		}
	}
	text, err = os.ReadFile(filepath.Join(m.dir, "cpuacct.usage")) // version 1
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return time.Duration(ns), err
}

// pids returns the processes as this namespace numbers them.
func (m meter) pids() []string {
	text, _ := os.ReadFile(filepath.Join(m.dir, "cgroup.procs"))
	return strings.Fields(string(text))
}

// memory returns the sum of the proportional set sizes, in KiB.
func (m meter) memory() int64 {
	var sum int64
	for _, pid := range m.pids() {
		text, _ := os.ReadFile("/proc/" + pid + "/smaps_rollup") // a process may have ended
		kib, _ := field(string(text), "Pss:")
		sum += kib
	}
	return sum
}

// field returns the number behind the word name at the beginning of a line.
func field(text, name string) (int64, bool) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// settle returns the processor time once the server is idle, for limit at most.
func (m meter) settle(limit time.Duration) (time.Duration, error) {
	end := time.Now().Add(limit)
	for before := time.Duration(-1); ; {
		now, err := m.cpu()
		if err != nil || now-before < time.Millisecond && before >= 0 || time.Now().After(end) {
			return now, err
		}
		before = now
		time.Sleep(200 * time.Millisecond)
	}
}

// watch returns a function that ends watching and returns the highest memory
// that was seen, in KiB.
func (m meter) watch() func() int64 {
	quit, peak := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(400 * time.Millisecond)
		defer tick.Stop()
		highest := m.memory()
		for {
			select {
			case <-tick.C:
				highest = max(highest, m.memory())
			case <-quit:
				peak <- max(highest, m.memory())
				return
			}
		}
	}()
	return func() int64 { close(quit); return <-peak }
}

// empty waits until no process is left.
func (m meter) empty(limit time.Duration) error {
	for end := time.Now().Add(limit); len(m.pids()) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			return errors.New("the server does not end")
		}
	}
	return nil
}
