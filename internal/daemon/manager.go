package daemon

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// manager is the supervisor that asked to be told how the daemon is, as
// sd_notify(3) has it. A nil manager asked for nothing.
type manager struct{ conn *net.UnixConn }

// tellTime bounds one message: a supervisor that reads nothing must not stop
// the daemon.
const tellTime = time.Second

// openManager connects to the socket that $NOTIFY_SOCKET names, before the
// rights to do so are given away, and hides it from children.
func openManager() (*manager, error) {
	path := os.Getenv("NOTIFY_SOCKET")
	os.Unsetenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	// Go knows the leading @ of an abstract socket.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	return &manager{conn}, nil
}

// tell sends assignments in one message. One that does not arrive is lost: the
// daemon serves whether or not anybody hears of it.
func (m *manager) tell(assignments ...string) {
	if m == nil {
		return
	}
	for i, a := range assignments {
		assignments[i] = strings.ReplaceAll(a, "\n", "; ")
	}
	m.conn.SetWriteDeadline(time.Now().Add(tellTime))
	m.conn.Write([]byte(strings.Join(assignments, "\n")))
}

// reloading says that a reload begins. The time lets the supervisor tell its
// READY=1 from an earlier one.
func (m *manager) reloading() {
	var now unix.Timespec
	if m == nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return
	}
	m.tell("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000), "STATUS=reloading")
}
