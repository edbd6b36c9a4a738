package suite

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"posthorn/test/instance"
)

// PeakMiB returns the most memory that a daemon has had.
func PeakMiB(t *testing.T, i *instance.Instance, name string) int {
	t.Helper()
	pid, err := i.PID(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatalf("%s: no peak of memory: %v", name, err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(rest, "kB", 2)[0]))
	if err != nil {
		t.Fatalf("%s: no peak of memory: %v", name, err)
	}
	return kib >> 10
}
