package test

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// daemons are the programs of an instance, those first that others ask.
var daemons = []string{"authd", "deliver", "queue-remote", "queued", "smtpd", "imap-session", "imapd", "pop3-session", "pop3d"}

// TestSingly starts the daemons one by one without the supervisor, as a
// system's service manager does, those first that need the others.
func TestSingly(t *testing.T) {
	i := suite.Server(t, instance.Options{Ports: map[string]int{"smtp": freePort(t), "imaps": freePort(t)}})
	if err := i.StopServer(); err != nil { // it made the folders
		t.Fatal(err)
	}
	reverse := slices.Clone(daemons)
	slices.Reverse(reverse)
	shuffled := slices.Clone(daemons)
	rand.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
	for _, tc := range []struct {
		name, id string
		order    []string
	}{
		{"reverse", "<singly-1@test>", reverse},
		{"shuffled", "<singly-2@test>", shuffled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Logf("order: %q", tc.order)
			for _, name := range tc.order {
				startSingly(t, i, name)
			}
			if err := send(i.Addr["smtp"], suite.Bob, tc.id); err != nil {
				t.Fatal(err)
			}
			suite.Eventually(t, "the message is read by IMAP", func() bool {
				text, err := readIMAP(i.Addr["imaps"])
				return err == nil && strings.Contains(text, "Message-ID: "+tc.id)
			})
		})
	}
}

// freePort returns a port that nobody has at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startSingly returns when the daemon serves. It ends with the test, and must
// end well when it is asked to.
func startSingly(t *testing.T, i *instance.Instance, name string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(i.Bin, name), "-c", filepath.Join(i.Dir, "posthorn.conf"))
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	var lines []string
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		lines = readLog(log, started)
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		killer := time.AfterFunc(suite.Limit, func() { cmd.Process.Kill() })
		defer killer.Stop()
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: ended with %v", name, err)
		}
		if t.Failed() {
			t.Logf("%s:\n%s", name, strings.Join(lines, "\n"))
		}
	})
	select {
	case err := <-started:
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	case <-time.After(suite.Limit):
		t.Fatalf("%s: not started within %v", name, suite.Limit)
	}
}

// readLog returns all lines of a log, and tells when it says started or ends
// without.
func readLog(r io.Reader, started chan<- error) []string {
	var lines []string
	told := false
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		lines = append(lines, in.Text())
		if !told && strings.HasPrefix(in.Text(), "started ") {
			told = true
			started <- nil
		}
	}
	if !told {
		started <- errors.New("ended before it started")
	}
	return lines
}
