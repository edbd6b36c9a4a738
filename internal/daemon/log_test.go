package daemon

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPassedLog: events go where the parent says, with the name in front, and no
// child of the daemon inherits the descriptor or hears of it.
func TestPassedLog(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fd, err := unix.Dup(int(w.Fd())) // without close-on-exec, as a parent passes it
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Setenv(LogVariable, strconv.Itoa(fd))
	openLog("smtpd", io.Discard).Stopping()
	if line, err := bufio.NewReader(r).ReadString('\n'); line != "smtpd: stopping\n" {
		t.Errorf("got %q, %v", line, err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("got the flags %#x, %v, want close on exec", flags, err)
	}
	if v, ok := os.LookupEnv(LogVariable); ok {
		t.Errorf("got %s=%s, want it gone", LogVariable, v)
	}
}

// TestNoPassedLog: without a usable number it is standard error.
func TestNoPassedLog(t *testing.T) {
	for _, v := range []string{"", "x", "-1", "1", "2"} {
		t.Setenv(LogVariable, v)
		var b strings.Builder
		openLog("smtpd", &b).Stopping()
		if b.String() != "stopping\n" {
			t.Errorf("%s=%q: got %q", LogVariable, v, b.String())
		}
	}
}
