package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"posthorn/internal/conf"
	"posthorn/internal/handover"
	"posthorn/internal/verdict"
	"posthorn/queued/queue-remote/internal/script"
)

// TestMain turns the test binary into the daemon where a test asks for that.
func TestMain(m *testing.M) {
	if os.Getenv("POSTHORN_TEST_DAEMON") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// nameserver answers A for mx.y.example by 127.0.0.1 and nothing else.
func nameserver(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		r := new(dns.Msg).SetReply(m)
		if q := m.Question[0]; q.Name == "mx.y.example." && q.Qtype == dns.TypeA {
			rr, _ := dns.NewRR("mx.y.example. 60 IN A 127.0.0.1")
			r.Answer = []dns.RR{rr}
		}
		w.WriteMsg(r)
	})}
	go s.ActivateAndServe()
	t.Cleanup(func() { pc.Close() })
	return pc.LocalAddr().String()
}

// startDaemon runs queue-remote as a process, with Landlock as the kernel has
// it, and waits until it has started.
func startDaemon(t *testing.T, c *conf.Config) (stop func() string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-c", c.File)
	cmd.Env = append(os.Environ(), "POSTHORN_TEST_DAEMON=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	var log strings.Builder
	for !strings.HasPrefix(log.String(), "started ") && !strings.Contains(log.String(), "\nstarted ") {
		line, err := lines.ReadString('\n')
		log.WriteString(line)
		if err != nil {
			cmd.Wait()
			t.Fatalf("the daemon ended: %v\n%s", err, log.String())
		}
	}
	stopped := false
	stop = func() string {
		if stopped {
			return log.String()
		}
		stopped = true
		cmd.Process.Signal(syscall.SIGTERM)
		rest, _ := io.ReadAll(lines)
		log.Write(rest)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the daemon's end: got %v, want exit 0\n%s", err, log.String())
		}
		return log.String()
	}
	t.Cleanup(func() { stop() })
	return stop
}

// The daemon as a process, asked over its socket: it resolves, sends, answers,
// and under Landlock reaches no port but those of the configuration.
func TestDaemon(t *testing.T) {
	host := script.Serve(t, "127.0.0.1:0", tls.Certificate{}, hello()+mail("250 2.0.0 kept", "b@y.example 250 ok"))
	h := at("mx.y.example", host.Addr)
	lines := []string{"remote-port " + h.Port, "resolver " + nameserver(t), "landlock try"}
	if os.Geteuid() == 0 {
		lines = append(lines, "process-user queue-remote 65534:65534", "process-user queued 0:0",
			"process-group sockets 65534", "process-group incoming 65534", "process-group tls 65534")
	}
	c := configuration(t, lines...)
	open := []string{filepath.Dir(filepath.Dir(c.File)), filepath.Dir(c.File)}
	for _, dir := range open { // The daemon's own uid reads the configuration again.
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	stop := startDaemon(t, c)
	client := handover.NewRemoteClient(c.Socket("remote"), nil)
	defer client.Close()
	f := spooled(t, "id=x\n\n"+text)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	r := request(t, []handover.Host{h}, "b@y.example")
	r.Offset = 6
	got, err := client.Do(ctx, r, f)
	if want := "done 2.0.0 250 2.0.0 kept @mx.y.example[127.0.0.1] reached"; err != nil || told(got) != want {
		t.Errorf("got %s %v, want %s", told(got), err, want)
	}
	if m := host.Wait(t); len(m) != 1 || m[0] != text+".\r\n" {
		t.Errorf("the host got %q, want %q", m, text+".\r\n")
	}

	r = request(t, []handover.Host{at("127.0.0.1", listening(t))}, "b@y.example")
	got, err = client.Do(ctx, r, f)
	if err != nil || got.Reached || got.Rcpts[0].Verdict.Kind != verdict.Later {
		t.Errorf("a port that is not allowed: got %s %v, want later", told(got), err)
	}
	log := stop()
	if strings.Contains(log, "unconfined") {
		t.Skip("the kernel has no Landlock for TCP:\n" + log)
	}
	if !strings.Contains(got.Rcpts[0].Verdict.Text, "permission denied") {
		t.Errorf("a port that is not allowed: got %s, want permission denied\n%s", told(got), log)
	}
}

// listening is a port on which somebody listens and answers nothing.
func listening(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
