package main

import (
	"os/exec"
	"testing"
)

// shell runs a line in dir.
func shell(t *testing.T, dir, line string) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", line, err, out)
	}
}
