package faults

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// settable is what a package time gets whose time of day a file sets: it holds
// the seconds that Now adds. The file is opened before the program gives its
// rights away, and read without the scheduler, for timers ask for the time too.
const settable = `

var setFile = func() int {
	name, _ := syscall.Getenv("POSTHORN_CLOCK")
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if name == "" || err != nil {
		return -1
	}
	return fd
}()

func setBy() (seconds int64) {
	var b [8]byte
	if setFile >= 0 {
		syscall.RawSyscall6(syscall.SYS_PREAD64, uintptr(setFile), uintptr(unsafe.Pointer(&b[0])), 8, 0, 0, 0)
	}
	for i, c := range b {
		seconds |= int64(c) << (8 * i)
	}
	return seconds
}
`

// settableTime writes an overlay for the go command that has the daemons' time
// of day be set, and nothing else of the machine.
func settableTime(t *testing.T) (overlay string) {
	t.Helper()
	root := strings.TrimSpace(suite.Must(t, "", "go", "env", "GOROOT"))
	name := filepath.Join(root, "src", "time", "time.go")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	const reading = "\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), reading) != 1 {
		t.Fatalf("%s: found no Now as expected", name)
	}
	own := strings.Replace(string(text), reading, reading+"\tsec += setBy()\n", 1)
	own = strings.Replace(own, "import (", "import (\n\t\"syscall\"\n\t\"unsafe\"", 1) + settable
	dir := t.TempDir()
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{name: filepath.Join(dir, "time.go")}})
	overlay = filepath.Join(dir, "overlay.json")
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "time.go"), []byte(own), 0o644), os.WriteFile(overlay, list, 0o644)); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// setClock sets the daemons' time of day by so much from what it is.
func setClock(by time.Duration) func(s *site) func() {
	return func(s *site) func() {
		set := func(by time.Duration) {
			b := binary.LittleEndian.AppendUint64(nil, uint64(by/time.Second))
			if err := os.WriteFile(filepath.Join(s.Dir, "clock"), b, 0o644); err != nil {
				s.Error(err)
			}
		}
		set(by)
		return func() { set(0) }
	}
}

// TestClock sets the time of day below running daemons, and sets it right again.
func TestClock(t *testing.T) {
	if os.Getenv("POSTHORN_PROVE") == "" {
		t.Skip("make prove runs it: it builds Go's library anew")
	}
	s := newSite(t, instance.Options{})
	s.build("clock", "-overlay", settableTime(t))
	s.Setenv("POSTHORN_CLOCK", filepath.Join(s.Dir, "clock"))
	setClock(0)(s)
	again(s, func() {})()
	const day = 24 * time.Hour
	var rows []fault
	for name, by := range map[string]time.Duration{"back a day": -day, "back decades": -30 * 365 * day, "ahead two days": 2 * day, "ahead decades": 30 * 365 * day} {
		rows = append(rows, fault{name: name, strike: setClock(by), early: true, smtp: "data 250 ", imap: imapGood, pop: popGood,
			log: []string{`^queued: clock-set by=` + by.String() + `$`}})
	}
	hold(t, s, rows)
}
