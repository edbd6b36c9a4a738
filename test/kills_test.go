package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"posthorn/test/instance"
)

// TestKills sends local and foreign mail while each daemon in turn is killed
// and started again: what was acknowledged arrives.
func TestKills(t *testing.T) {
	const local, foreign, workers = 2000, 500, 20
	// A daemon that is started again must be found where it was.
	i := server(t, instance.Options{Ports: map[string]int{"smtp": freePort(t)}, Conf: "relay-from 127.0.0.0/8\nretry 1s\nretry-jitter 0\nconnect-timeout 5s\n"})
	load := &load{addr: i.Addr["smtp"], acknowledged: map[string]string{}}
	load.left.Store(local + foreign)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	killing, stopKilling := context.WithCancel(ctx)
	kills := make(chan map[string]int)
	go func() { kills <- killInTurn(killing, i) }()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { load.work(ctx, foreign) })
	}
	wg.Wait()
	stopKilling()
	killed := <-kills
	if ctx.Err() != nil {
		t.Fatalf("the load did not end: %d messages left", load.left.Load())
	}
	for _, name := range []string{"smtpd", "queued", "deliver", "queue-remote", "authd"} {
		if killed[name] == 0 {
			t.Errorf("%s was never killed: the load was over too early", name)
		}
	}

	arrived := map[string]int{}
	eventually(t, "all acknowledged messages arrive", func() bool {
		arrived = count(boxFiles(i, bob, ""), sinkFiles(i))
		for id := range load.acknowledged {
			if arrived[id] == 0 {
				return false
			}
		}
		return true
	})
	double := map[string]int{}
	for id, n := range arrived {
		if n > 1 {
			double[load.acknowledged[id]]++
		}
	}
	t.Logf("%d acknowledged, %d attempts failed, kills %v, doubled %v", len(load.acknowledged), load.failed.Load(), killed, double)
	// doc/spool.md: a second copy only where the foreign host's answer to the
	// final dot was lost.
	if double[bob] > 0 {
		t.Errorf("got %d local messages twice, want none", double[bob])
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

// load is a number of messages to have acknowledged.
type load struct {
	addr   string
	left   atomic.Int64
	serial atomic.Int64
	failed atomic.Int64

	mu           sync.Mutex
	acknowledged map[string]string // id to recipient
}

// work sends until nothing is left; every attempt has an id of its own, for
// only an acknowledged one must arrive.
func (l *load) work(ctx context.Context, foreign int64) {
	for ctx.Err() == nil {
		n := l.left.Add(-1)
		if n < 0 {
			return
		}
		to := bob
		if n < foreign {
			to = eve
		}
		for ctx.Err() == nil {
			id := fmt.Sprintf("<kill-%d@test>", l.serial.Add(1))
			if err := send(l.addr, to, id); err == nil {
				l.mu.Lock()
				l.acknowledged[id] = to
				l.mu.Unlock()
				break
			}
			l.failed.Add(1)
			time.Sleep(20 * time.Millisecond) // the daemon is being started again
		}
	}
}

// send returns nil when the message was acknowledged.
func send(addr, to, id string) error {
	nc, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	c, err := smtp.NewClient(nc, "client.test")
	if err != nil {
		return err
	}
	if err := c.Mail("load@" + instance.Foreign); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Message-ID: %s\r\nSubject: load\r\n\r\n%s\r\n", id, strings.Repeat("0123456789\r\n", 300))
	return w.Close() // nil after the 250; QUIT does not matter
}

// killInTurn kills one daemon after another, each after it was started again.
func killInTurn(ctx context.Context, i *instance.Instance) map[string]int {
	killed := map[string]int{}
	last := map[string]int{}
	for n := 0; ctx.Err() == nil; n++ {
		name := []string{"queued", "smtpd", "deliver", "queue-remote", "authd"}[n%5]
		pid, err := i.PID(name)
		if err == nil && pid != last[name] && syscall.Kill(pid, syscall.SIGKILL) == nil {
			last[name] = pid
			killed[name]++
		}
		select {
		case <-time.After(300 * time.Millisecond): // each lives about 1.5 s
		case <-ctx.Done():
		}
	}
	return killed
}

var messageID = regexp.MustCompile(`(?mi)^Message-ID: (<kill-\d+@test>)\r?$`)

// count returns how often each id stands in the files.
func count(lists ...[]string) map[string]int {
	n := map[string]int{}
	for _, files := range lists {
		for _, file := range files {
			f, err := os.Open(file)
			if err != nil {
				continue // renamed meanwhile; the next look finds it
			}
			head := make([]byte, 4096)
			k, _ := io.ReadFull(f, head)
			f.Close()
			if m := messageID.FindSubmatch(bytes.TrimSpace(head[:k])); m != nil {
				n[string(m[1])]++
			}
		}
	}
	return n
}
