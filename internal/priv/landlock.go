package priv

import (
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// Rules are what a confined process may still reach by name. Descriptors that
// are open, and Unix sockets with a path, are not touched by Landlock.
type Rules struct {
	Read    []string // files and folders, with all that is in them
	Write   []string // folders in which it may do anything but execute
	Execute []string // files and folders
	Connect []uint16 // TCP ports
	AnyTCP  bool     // Connect is not enforced
}

// The rights of Landlock by name (linux/landlock.h).
const (
	fileRead   = llsys.AccessFSReadFile
	folderRead = llsys.AccessFSReadFile | llsys.AccessFSReadDir
	fileWrite  = llsys.AccessFSReadFile | llsys.AccessFSWriteFile | llsys.AccessFSTruncate
	folderAll  = fileWrite | llsys.AccessFSReadDir | llsys.AccessFSRemoveDir | llsys.AccessFSRemoveFile |
		llsys.AccessFSMakeDir | llsys.AccessFSMakeReg | llsys.AccessFSMakeSock | llsys.AccessFSRefer
)

// wanted is the generation of Landlock whose rules are used: files, REFER,
// truncation, TCP, device ioctls, and signals and abstract sockets (ABI 6).
var wanted = landlock.V6

// LandlockABI returns the ABI of Landlock that the kernel offers, 0 for none.
func LandlockABI() int {
	v, err := llsys.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return v
}

// Confine applies rules with as much of Landlock as the kernel has and returns
// the ABI in force, 0 for none. It cannot be undone. Missing paths are skipped.
func Confine(r Rules) (abi int, err error) {
	var rules []landlock.Rule
	for _, p := range r.Read {
		rules = append(rules, pathRule(p, fileRead, folderRead)...)
	}
	for _, p := range r.Write {
		rules = append(rules, pathRule(p, fileWrite, folderAll)...)
	}
	for _, p := range r.Execute {
		rules = append(rules, pathRule(p, fileRead|llsys.AccessFSExecute, folderRead|llsys.AccessFSExecute)...)
	}
	// Every process reads these: itself (descriptors are re-opened through
	// /proc), and the null device.
	rules = append(rules, pathRule("/proc/self", fileRead, folderRead)...)
	rules = append(rules, pathRule(os.DevNull, fileWrite, fileWrite)...)
	config := wanted.BestEffort()
	if r.AnyTCP {
		err = config.RestrictPaths(rules...)
	} else {
		for _, port := range r.Connect {
			rules = append(rules, landlock.ConnectTCP(port))
		}
		err = config.Restrict(rules...)
	}
	if err != nil {
		return 0, fmt.Errorf("landlock: %w", err)
	}
	return LandlockABI(), nil
}

// pathRule returns the rule for what stands at path now: a file has fewer
// rights than a folder can have.
func pathRule(path string, file, folder landlock.AccessFSSet) []landlock.Rule {
	fi, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if fi.IsDir() {
		return []landlock.Rule{landlock.PathAccess(folder, path)}
	}
	return []landlock.Rule{landlock.PathAccess(file, path)}
}
