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
	"posthorn/test/suite"
)

// daemons are the programs of an instance, those first that others ask.
var daemons = []string{"authd", "deliver", "queue-remote", "queued", "smtpd", "imap-session", "imapd", "pop3-session", "pop3d"}

// TestKills sends local and foreign mail and reads the box while each daemon in
// turn is killed and started again: what was acknowledged arrives.
func TestKills(t *testing.T) {
	const messages, workers = 2500, 20 // every fifth for the foreign host
	// A daemon that is started again must be found where it was.
	ports := map[string]int{"smtp": freePort(t), "imaps": freePort(t), "pop3s": freePort(t)}
	i := suite.Server(t, instance.Options{Ports: ports, Sink: []string{"-wait", "50ms"},
		Conf: "relay-from 127.0.0.0/8\nretry 1s\nretry-jitter 0\nconnect-timeout 5s\n"})
	load := &load{addr: i.Addr["smtp"], to: map[string]string{}}
	load.left.Store(messages)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	var wg, readers sync.WaitGroup
	killed := map[string]int{}
	reading, stopReading := context.WithCancel(ctx)
	imap, pop3 := &reader{read: readIMAP, addr: i.Addr["imaps"]}, &reader{read: readPOP3, addr: i.Addr["pop3s"]}
	for _, r := range []*reader{imap, pop3} {
		readers.Go(func() { r.loop(reading) })
	}
	wg.Go(func() { killed = killInTurn(ctx, i, messages/5) })
	for range workers {
		wg.Go(func() { load.work(ctx) })
	}
	wg.Wait()
	stopReading()
	readers.Wait()
	if ctx.Err() != nil {
		t.Fatalf("the load did not end: %d messages left", load.left.Load())
	}
	for _, name := range daemons {
		if killed[name] < 2 {
			t.Errorf("%s was killed %d times while foreign mail was under way, want 2: the load was over too early", name, killed[name])
		}
	}
	for _, r := range []*reader{imap, pop3} {
		r.check(t)
	}
	double := checkArrived(t, i, load)
	t.Logf("%d acknowledged, %d attempts failed, kills %v, doubled %v, read by IMAP %d times and POP3 %d times",
		len(load.acknowledged), load.failed, killed, double, imap.good, pop3.good)
	// doc/spool.md: a second copy only where the foreign host's answer to the
	// final dot was lost. A kill costs at most the deliveries that are under way:
	// ten (destination-concurrency), and ten of a queued killed just before.
	const underWay = 20
	if double[suite.Bob] > 0 {
		t.Errorf("got %d local messages twice, want none", double[suite.Bob])
	}
	if most := underWay * (killed["queue-remote"] + killed["queued"]); double[suite.Eve] > most {
		t.Errorf("got %d foreign messages twice, want %d at most", double[suite.Eve], most)
	}
}

// checkArrived waits for all that was acknowledged, and returns how many copies
// too many there are for each recipient, those of attempts without an answer
// included.
func checkArrived(t *testing.T, i *instance.Instance, l *load) map[string]int {
	t.Helper()
	arrived := map[string]int{}
	suite.Eventually(t, "all acknowledged messages arrive", func() bool {
		arrived = count(suite.BoxFiles(i, suite.Bob, ""), suite.SinkFiles(i))
		for _, id := range l.acknowledged {
			if arrived[id] == 0 {
				return false
			}
		}
		return true
	})
	double := map[string]int{}
	for id, n := range arrived {
		double[l.to[id]] += n - 1
	}
	return double
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
	addr string
	left atomic.Int64

	mu           sync.Mutex
	to           map[string]string // id to recipient, of every attempt
	acknowledged []string          // ids
	failed       int
}

// work sends until nothing is left; every attempt has an id of its own, for
// only an acknowledged one must arrive.
func (l *load) work(ctx context.Context) {
	for ctx.Err() == nil {
		n := l.left.Add(-1)
		if n < 0 {
			return
		}
		to := suite.Bob
		if n%5 == 0 {
			to = suite.Eve
		}
		for ctx.Err() == nil && !l.attempt(to) {
			time.Sleep(20 * time.Millisecond) // the daemon is being started again
		}
	}
}

// attempt reports whether one message was acknowledged.
func (l *load) attempt(to string) bool {
	l.mu.Lock()
	id := fmt.Sprintf("<kill-%d@test>", len(l.to))
	l.to[id] = to
	l.mu.Unlock()
	err := send(l.addr, to, id)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failed++
		return false
	}
	l.acknowledged = append(l.acknowledged, id)
	return true
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

// killInTurn kills one daemon after another, each after it was started again,
// until the foreign host has so many messages or each was killed often enough:
// a slow machine gets nothing done between the kills.
func killInTurn(ctx context.Context, i *instance.Instance, foreign int) map[string]int {
	killed := map[string]int{}
	last := map[string]int{}
	const enough = 5
	fewest := func() int {
		k := enough
		for _, name := range daemons {
			k = min(k, killed[name])
		}
		return k
	}
	for n := 0; ctx.Err() == nil && fewest() < enough && len(suite.SinkFiles(i)) < foreign; n++ {
		name := daemons[n%len(daemons)]
		pid, err := i.PID(name)
		if err == nil && pid != last[name] && syscall.Kill(pid, syscall.SIGKILL) == nil {
			last[name] = pid
			killed[name]++
		}
		select {
		case <-time.After(150 * time.Millisecond): // each lives about 1.3 s
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
