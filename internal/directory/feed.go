package directory

import (
	"context"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/verdict"
)

// Bounds of a Feed.
const (
	MaxPacket = 16 << 10 // bytes of one packet
	maxHeld   = 10_000   // tickets that nobody has shown yet
	// refusedFor is how long a feed is not asked for that authd does not give.
	refusedFor = time.Minute
)

// Feed redeems the tickets of one service. authd says what a ticket grants before
// the client's login daemon has it, on a socket that is read when a ticket is
// shown: so no question has to be asked. What was not said there is redeemed as
// Client.Redeem does. It is safe for concurrent use.
type Feed struct {
	client  *Client
	service string

	mu      sync.Mutex
	file    *os.File // nil: authd has not been asked, or has ended
	refused time.Time
	closed  bool
	held    map[string]held
	packet  []byte
}

// held is a ticket that was not shown yet.
type held struct {
	until time.Duration // on Clock
	grant attr.List
}

// Feed returns the feed of a service. The caller closes it. Who has it in another
// process hears nothing any more.
func (c *Client) Feed(service string) *Feed {
	return &Feed{client: c, service: service, held: map[string]held{}}
}

// Redeem uses up a ticket for service, which is the feed's, as Client.Redeem does.
func (f *Feed) Redeem(ctx context.Context, ticket, service string) (Grant, error) {
	l, found, open := f.take(ticket)
	if found && service == f.service {
		return parseGrant(l)
	}
	if !open {
		f.listen(ctx)
	}
	return f.client.Redeem(ctx, ticket, service)
}

// take returns what was said of a ticket, once, and whether authd still speaks.
func (f *Feed) take(ticket string) (l attr.List, found, open bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if h, ok := f.held[ticket]; ok {
			delete(f.held, ticket)
			return h.grant, h.stands(), true
		}
		if f.file == nil || !f.hear() {
			return nil, false, f.file != nil
		}
	}
}

// stands reports whether the ticket is still good.
func (h held) stands() bool {
	now, err := Clock()
	return err == nil && now < h.until
}

// hear takes in one packet that has come; f is locked.
func (f *Feed) hear() bool {
	n, err := receive(f.file, f.packet)
	if err == unix.EAGAIN || err == unix.EINTR {
		return false
	}
	if err != nil || n == 0 { // authd has ended, and its tickets with it
		f.close()
		return false
	}
	l, err := attr.Parse(f.packet[:n])
	if err != nil {
		return true
	}
	until, err := l.Int("until")
	if ticket := l.Get("ticket"); err == nil && ticket != "" && f.room() {
		f.held[ticket] = held{time.Duration(until), l}
	}
	return true
}

// room sees to it that there is some for one more ticket; f is locked.
func (f *Feed) room() bool {
	if len(f.held) < maxHeld {
		return true
	}
	for ticket, h := range f.held {
		if !h.stands() {
			delete(f.held, ticket)
		}
	}
	return len(f.held) < maxHeld
}

// receive reads a packet if one has come.
func receive(file *os.File, p []byte) (n int, err error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var rerr error
	err = raw.Control(func(fd uintptr) { n, _, rerr = unix.Recvfrom(int(fd), p, unix.MSG_DONTWAIT) })
	if err != nil {
		return 0, err
	}
	return n, rerr
}

// listen asks authd for the feed. Without it tickets are redeemed.
func (f *Feed) listen(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil || f.closed || time.Since(f.refused) < refusedFor {
		return
	}
	l, file, err := f.client.sock.DoFile(ctx, attr.List{{Name: "request", Value: "grants"}, {Name: "service", Value: f.service}}, nil)
	if err != nil {
		return
	}
	if verdict.Of(outcome(l)).Kind != verdict.Done || file == nil {
		f.refused = time.Now()
		if file != nil {
			file.Close()
		}
		return
	}
	f.file, f.packet = file, make([]byte, MaxPacket)
}

// close lets go of the feed and forgets what was said; f is locked.
func (f *Feed) close() {
	if f.file != nil {
		f.file.Close()
	}
	f.file, f.packet = nil, nil
	clear(f.held)
}

// Close ends the feed: from now on tickets are to be redeemed.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.close()
}

// Clock is the time since the machine was started, which nobody sets and all
// processes share.
func Clock() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano()), err
}
