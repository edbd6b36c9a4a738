package daemon

import (
	"os"
	"strconv"

	"posthorn/internal/priv"
)

// ParentVariable names in the environment the process whose end ends the daemon, its
// parent. Without it a daemon outlives who started it.
const ParentVariable = "POSTHORN_PARENT"

// takeParent returns that process, 0 for none. Children do not see it.
func takeParent() int {
	pid, err := strconv.Atoi(os.Getenv(ParentVariable))
	os.Unsetenv(ParentVariable)
	if err != nil || pid < 1 {
		return 0
	}
	return pid
}

// followParent has the daemon end with its parent; it comes behind the last change of uid.
func (d *Daemon) followParent() error {
	if d.parent == 0 {
		return nil
	}
	return priv.EndWith(d.parent)
}
