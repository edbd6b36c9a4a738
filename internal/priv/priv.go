// Package priv gives rights away: user and groups, capabilities, what Landlock
// can withhold, and being looked into.
//
// The order of a drop is the caller's duty: everything open, Drop, NoNewPrivs,
// Confine, Hide. All of it acts on every thread, which binaries with cgo cannot
// (Able).
package priv

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Drop takes uid, gid and exactly these groups for good, and proves that root
// cannot come back. The order is groups, gid, uid.
func Drop(uid, gid int, groups []int) error {
	if uid <= 0 || gid <= 0 {
		return errors.New("drop: refusing to stay root")
	}
	if err := syscall.Setgroups(groups); err != nil {
		return fmt.Errorf("drop: set groups %v: %w", groups, err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("drop: set gid %d: %w", gid, err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("drop: set uid %d: %w", uid, err)
	}
	if syscall.Setuid(0) == nil || syscall.Setgid(0) == nil {
		return errors.New("drop: could become root again")
	}
	return nil
}

// Able returns nil, or why no process of this build can give its rights away:
// the runtime changes all threads only where none is made by C code, and else
// answers ENOTSUP to whatever is asked.
func Able() error {
	if _, _, errno := syscall.AllThreadsSyscall(syscall.SYS_GETPID, 0, 0, 0); errno == syscall.ENOTSUP {
		return errors.New("this program was built with cgo, expected CGO_ENABLED=0")
	}
	return nil
}

// NoNewPrivs makes execve grant nothing, for all threads and children.
func NoNewPrivs() error {
	if err := Able(); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	_, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("no_new_privs: %w", errno)
	}
	return nil
}

// EndWith has the kernel send this process SIGTERM when its parent, which must be the
// process pid, is no more. A change of uid makes the kernel forget what the parent may
// have asked for itself.
func EndWith(pid int) error {
	_, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("end with parent: %w", errno)
	}
	if os.Getppid() != pid { // it may have ended before
		return fmt.Errorf("end with parent: process %d is not there any more", pid)
	}
	return nil
}

// Hide keeps other processes of the same uid from tracing this one and from
// reading its memory.
func Hide() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil { // of the process, not of a thread
		return fmt.Errorf("not dumpable: %w", err)
	}
	return nil
}

// StarterCapabilities are what a root starter keeps: to change to an owner's
// uid and, where it makes folders, to give them to their owner; a home may be missing
// in a folder that is not root's.
func StarterCapabilities(homes, indexes bool) []int {
	caps := []int{unix.CAP_SETUID, unix.CAP_SETGID}
	if homes || indexes {
		caps = append(caps, unix.CAP_CHOWN)
	}
	if homes {
		caps = append(caps, unix.CAP_DAC_OVERRIDE)
	}
	return caps
}

// KeepOnly gives up all capabilities but these, in the bounding set as well,
// so that no child has others.
func KeepOnly(caps ...int) error {
	if err := Able(); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	var mask uint64
	for _, c := range caps {
		mask |= 1 << c
	}
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		if mask&(1<<c) != 0 {
			continue
		}
		_, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0, 0)
		if errno != 0 && errno != syscall.EINVAL { // EINVAL: the kernel does not know it
			return fmt.Errorf("capability bounding set: %d: %w", c, errno)
		}
	}
	return setCapabilities(mask)
}

// Root reports whether this process may do what root may.
func Root() bool { return os.Geteuid() == 0 }
