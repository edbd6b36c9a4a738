package daemon

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"posthorn/internal/evlog"
)

// LogVariable names in the environment the descriptor of the stream that several
// daemons write their log to, each line with the daemon's name in front. Standard
// error is then for what is no event: the last words of a crash, and children.
const LogVariable = "POSTHORN_LOG_FD"

// openLog returns the log of the daemon name: what its parent passed, or stderr.
func openLog(name string, stderr io.Writer) *evlog.Log {
	fd, err := strconv.Atoi(os.Getenv(LogVariable))
	os.Unsetenv(LogVariable)
	if err != nil || fd < firstInherited {
		return evlog.New(stderr)
	}
	unix.CloseOnExec(fd)
	return evlog.NewNamed(os.NewFile(uintptr(fd), "log"), name)
}
