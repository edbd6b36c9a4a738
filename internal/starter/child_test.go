package starter

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/evlog"
)

// pair returns the daemon's end of a child that runs in this process, and a
// channel that is closed when the child has ended.
func pair(t *testing.T, c *Child) (*child, chan struct{}) {
	t.Helper()
	ours, theirs, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connOf(theirs)
	if err != nil {
		t.Fatal(err)
	}
	c.Name = "child"
	if c.Log == nil {
		c.Log = evlog.New(io.Discard)
	}
	ended := make(chan struct{})
	go func() {
		c.serve(conn)
		close(ended)
	}()
	d := &child{pending: map[string]chan attr.List{}}
	if d.conn, err = connOf(ours); err != nil {
		t.Fatal(err)
	}
	go d.read()
	t.Cleanup(func() { d.conn.Unix().Close(); <-ended })
	return d, ended
}

func echo(_ context.Context, req attr.List, f *os.File) attr.List {
	if f != nil {
		f.Close()
	}
	return req
}

func do(d *child, value string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	l, err := d.do(ctx, attr.List{{Name: "v", Value: value}}, nil)
	return l.Get("v"), err
}

func TestAnswersFindTheirRequests(t *testing.T) {
	hold := make(chan struct{})
	c := &Child{}
	c.Handle = func(ctx context.Context, req attr.List, f *os.File) attr.List {
		if req.Get("v") == "slow" {
			<-hold
		}
		return echo(ctx, req, f)
	}
	d, _ := pair(t, c)
	slow := make(chan string)
	go func() {
		got, err := do(d, "slow")
		slow <- got
		if err != nil {
			t.Error(err)
		}
	}()
	for _, v := range []string{"a", "b"} {
		if got, err := do(d, v); got != v || err != nil {
			t.Errorf("got %q, %v, want %q while another runs", got, err, v)
		}
	}
	close(hold)
	if got := <-slow; got != "slow" {
		t.Errorf("got %q, want slow", got)
	}
}

func TestIdleChildEnds(t *testing.T) {
	d, ended := pair(t, &Child{Handle: echo, Idle: time.Millisecond})
	<-ended
	if _, err := do(d, "x"); !errors.Is(err, errRetired) {
		t.Errorf("got %v, want the request to be known as not begun", err)
	}
}

func TestHeldChildStays(t *testing.T) {
	held := make(chan func(), 1)
	c := &Child{}
	var once sync.Once
	c.Handle = func(ctx context.Context, req attr.List, f *os.File) attr.List {
		once.Do(func() { held <- c.Hold() })
		return echo(ctx, req, f)
	}
	d, ended := pair(t, c)
	if _, err := do(d, "x"); err != nil {
		t.Fatal(err)
	}
	release := <-held
	c.idle() // as if the time were over
	if _, err := do(d, "y"); err != nil {
		t.Errorf("held child: %v", err)
	}
	release()
	c.work.Wait()
	c.idle()
	<-ended
}

// TestRetiredChildAnswersWhatItTook: what was sent before is done, what comes
// later is known as not begun.
func TestRetiredChildAnswersWhatItTook(t *testing.T) {
	began, hold := make(chan struct{}), make(chan struct{})
	c := &Child{}
	c.Handle = func(ctx context.Context, req attr.List, f *os.File) attr.List {
		began <- struct{}{}
		<-hold
		return echo(ctx, req, f)
	}
	d, ended := pair(t, c)
	answer := make(chan error)
	go func() {
		_, err := do(d, "taken")
		answer <- err
	}()
	<-began
	c.Retire()
	if _, err := do(d, "late"); !errors.Is(err, errRetired) {
		t.Errorf("after Retire: got %v, want the request not begun", err)
	}
	close(hold)
	if err := <-answer; err != nil {
		t.Errorf("before Retire: got %v, want an answer", err)
	}
	<-ended
}

func TestAgain(t *testing.T) {
	c := &Child{}
	c.Handle = func(context.Context, attr.List, *os.File) attr.List { return c.Again() }
	d, ended := pair(t, c)
	if _, err := do(d, "x"); !errors.Is(err, errRetired) {
		t.Errorf("got %v, want the request not begun", err)
	}
	<-ended
}

func TestPanicIsOneRequests(t *testing.T) {
	c := &Child{Log: evlog.New(io.Discard)}
	c.Handle = func(ctx context.Context, req attr.List, f *os.File) attr.List {
		if req.Get("v") == "bug" {
			panic("bug")
		}
		return echo(ctx, req, f)
	}
	d, _ := pair(t, c)
	l, err := d.do(context.Background(), attr.List{{Name: "v", Value: "bug"}}, nil)
	if err != nil || l.Get("verdict") != "later" {
		t.Errorf("got %v, %v, want later", l, err)
	}
	if got, err := do(d, "next"); got != "next" || err != nil {
		t.Errorf("after the bug: got %q, %v", got, err)
	}
}

func TestUnwritableRequestHarmsNoChild(t *testing.T) {
	d, _ := pair(t, &Child{Handle: echo})
	if _, err := do(d, "a\nb"); err == nil || errors.Is(err, errRetired) {
		t.Errorf("got %v, want an error about the list", err)
	}
	if _, err := do(d, strings.Repeat("x", 10000)); !errors.Is(err, attr.ErrTooLong) {
		t.Errorf("got %v, want too long", err)
	}
	if got, err := do(d, "next"); got != "next" || err != nil {
		t.Errorf("afterwards: got %q, %v", got, err)
	}
}

func TestContextEnds(t *testing.T) {
	hold := make(chan struct{})
	c := &Child{}
	c.Handle = func(ctx context.Context, req attr.List, f *os.File) attr.List {
		if req.Get("v") == "slow" {
			<-hold
		}
		return echo(ctx, req, f)
	}
	d, _ := pair(t, c)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.do(ctx, attr.List{{Name: "v", Value: "slow"}}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	close(hold)
	if got, err := do(d, "next"); got != "next" || err != nil {
		t.Errorf("afterwards: got %q, %v", got, err)
	}
}

func TestParseAccount(t *testing.T) {
	for _, c := range []struct {
		line string
		want account
		ok   bool
	}{
		{"ann:x:1001:100:Ann,,:/home/ann:/bin/sh\n", account{100, "/home/ann"}, true},
		{"ann:x:1001:100:::\n", account{100, ""}, true},
		{"", account{}, false},
		{"\n", account{}, false},
		{"ann:x:1002:100::/:/\n", account{}, false},
		{"ann:x:1001:-1::/:/\n", account{}, false},
		{"a:x:1001:1::/:/\nb:x:1001:2::/:/\n", account{}, false},
		{"ann:x:1001:100:/home/ann\n", account{}, false},
	} {
		got, err := parseAccount(c.line, 1001)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: got %v, %v, want %v", c.line, got, err, c.want)
		}
	}
}

func FuzzParseAccount(f *testing.F) {
	f.Add("ann:x:1001:100:Ann,,:/home/ann:/bin/sh\n")
	f.Add(":::::::\n\n")
	f.Fuzz(func(t *testing.T, line string) {
		if a, err := parseAccount(line, 1001); err == nil && (a.gid < 0 || strings.ContainsAny(a.home, ":\n\x00")) {
			t.Errorf("%q: got %v", line, a)
		}
	})
}
