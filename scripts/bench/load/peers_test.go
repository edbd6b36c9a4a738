package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"posthorn/test/suite"
)

// peers returns the program beside this folder, on our own server, with the
// folder that it makes its things in.
func peers(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves the end-to-end tests out")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: the namespaces are root's to make")
	}
	suite.Need(t, "unshare", "mkfs.ext4", "ip")
	probe := `mount -t tmpfs tmpfs /mnt && mknod /mnt/null c 1 3 && : >/mnt/null && mkdir "$0" && rmdir "$0"`
	if out, err := exec.Command("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "/bin/sh", "-c", probe, cgroups(t)+"/posthorn-probe").CombinedOutput(); err != nil {
		t.Skipf("needs root of a machine that gives namespaces, devices and control groups away: %v %s", err, out)
	}
	bin, err := suite.Built()
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	os.Chmod(filepath.Dir(temp), 0o755)
	cmd := exec.Command("../peers", append([]string{"-n", "1", "-m", "20", "-p", "posthorn"}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "POSTHORN_BIN="+bin)
	return cmd, temp
}

// cgroups returns where control groups with a reading of processor time are.
func cgroups(t *testing.T) string {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	found := ""
	for line := range strings.Lines(string(mounts)) {
		switch f := strings.Fields(line); {
		case f[2] == "cgroup2":
			return f[1]
		case f[2] == "cgroup" && strings.Contains(f[3], "cpuacct"):
			found = f[1]
		}
	}
	return found
}

func TestPeersMeasuresUs(t *testing.T) {
	cmd, temp := peers(t, "A20", "B20", "MAILBOX")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, log.Bytes())
	}
	for _, want := range []string{
		`(?m)^\| A20: 20 connections \| [0-9.]+ / - \|.*\| 0 / - \| 0 / - \| 0 / - \|$`,
		`(?m)^\| B20: to another host, 20 connections \| [0-9.]+ / - \|.*\| 0 / - \| 0 / - \| 0 / - \|$`,
		`(?m)^\| APPEND of 8 KiB \| [0-9.]+ / - \|`,
		`(?m)^\| the same over TLS, KiB \| -?[0-9.]+ / - \|`, // a handful weighs less than what is collected meanwhile
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("got\n%s\nwant a line %s\n%s", out, want, log.Bytes())
		}
	}
	empty(t, temp)
}

// TestPeersLeavesNothingWhenItIsInterrupted, whatever it was at.
func TestPeersLeavesNothingWhenItIsInterrupted(t *testing.T) {
	cmd, temp := peers(t, "D", "A20")
	group := ""
	ended := make(chan error, 1)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- cmd.Wait() }()
	suite.Eventually(t, "a server that is measured", func() bool {
		made, _ := filepath.Glob(filepath.Join(temp, "posthorn-bench.*"))
		if len(made) == 0 {
			return false
		}
		group = filepath.Join(cgroups(t), filepath.Base(made[0]))
		procs, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
		return len(procs) > 0
	})
	cmd.Process.Signal(syscall.SIGTERM)
	if err := <-ended; err == nil {
		t.Error("got exit status 0")
	}
	empty(t, temp)
	if _, err := os.Stat(group); err == nil {
		t.Errorf("%s is still there", group)
	}
}

func empty(t *testing.T, folder string) {
	t.Helper()
	left, err := os.ReadDir(folder)
	if len(left) > 0 || err != nil {
		t.Errorf("got %v, %v in %s, want nothing", left, err, folder)
	}
}
