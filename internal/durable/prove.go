//go:build prove

package durable

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// What the environment of a build with the tag prove says:
//
//	POSTHORN_RECORD=<file>
//		Each step appends a line of JSON (Line) when it begins and one when it
//		has ended, each in one write, so that the lines of all processes stand
//		in one order: what stands behind an end began after it.
//	POSTHORN_FAIL=<step>:<part of a path>:<n>:<what>[,…]
//		What happens at the nth such step of a process, or at each with n 0:
//		an errno's name is the step's error, and it is not made; kill: the
//		process ends before the step, after: behind it, unless it failed; skip:
//		the step is not made but said to be; late: a sync is said to be made,
//		and is made a moment later. An empty step or part stands for all.
//	POSTHORN_ARM=<file>
//		POSTHORN_FAIL is in force, and counts, only while this file exists.
//
// A process opens the record as it starts, before it gives its rights away.

// Line is one line of the record. A folder and a file are named by device and
// inode, "dev:ino"; a name is the folder it stands in and its last part.
type Line struct {
	Step  string // number of the step: of both its lines, and of no other
	Who   string `json:",omitempty"` // the program, only where the step begins
	Do    string `json:",omitempty"` // Op.Name, only where the step begins
	Path  string `json:",omitempty"` // absolute
	To    string `json:",omitempty"` // absolute
	Dir   string `json:",omitempty"` // the folder of Path
	ToDir string `json:",omitempty"` // the folder of To
	File  string `json:",omitempty"` // what the step works on; of what it makes: at its end
	At    int64  `json:",omitempty"` // of write and truncate
	Data  []byte `json:",omitempty"` // of write
	Mode  uint32 `json:",omitempty"` // of what the step made, as stat says it; at its end
	UID   uint32 `json:",omitempty"` // likewise
	GID   uint32 `json:",omitempty"` // likewise
	Error string `json:",omitempty"` // at the end
}

// proof is what the environment asked for when the process started. It is
// made before main runs, for daemons give up the right to open the record.
var proof = newProving()

type proving struct {
	record *os.File // nil: not recorded
	who    string
	count  atomic.Int64
	rules  []*rule
	arm    string
}

// rule is one part of POSTHORN_FAIL.
type rule struct {
	step, path string
	nth        int64
	what       string
	count      atomic.Int64
}

// newProving reads the environment. A test that asks for what there is not
// must not pass for it: the process ends.
func newProving() *proving {
	p := &proving{who: filepath.Base(os.Args[0]), arm: os.Getenv("POSTHORN_ARM")}
	if name := os.Getenv("POSTHORN_RECORD"); name != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
		if err != nil {
			p.refuse(err)
		}
		p.record = f
	}
	for text := range strings.SplitSeq(os.Getenv("POSTHORN_FAIL"), ",") {
		if text == "" {
			continue
		}
		r, err := newRule(text)
		if err != nil {
			p.refuse(err)
		}
		p.rules = append(p.rules, r)
	}
	return p
}

func (p *proving) refuse(err error) {
	fmt.Fprintf(os.Stderr, "%s: build for proofs: %v\n", p.who, err)
	os.Exit(100)
}

func newRule(text string) (*rule, error) {
	f := strings.Split(text, ":")
	if len(f) != 4 {
		return nil, fmt.Errorf("POSTHORN_FAIL: found %q, expected <step>:<part of a path>:<n>:<what>", text)
	}
	nth, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("POSTHORN_FAIL: %q: %w", text, err)
	}
	switch f[3] {
	case "kill", "after", "skip", "late":
	default:
		if errno(f[3]) == 0 {
			return nil, fmt.Errorf("POSTHORN_FAIL: %q: found %q, expected kill, after, skip, late or the name of an error", text, f[3])
		}
	}
	return &rule{step: f[0], path: f[1], nth: nth, what: f[3]}, nil
}

// errno returns the error of a name, or 0.
func errno(name string) unix.Errno {
	for n := unix.Errno(1); n < 200; n++ {
		if unix.ErrnoName(n) == name {
			return n
		}
	}
	return 0
}

// met returns what shall happen at this step, or "".
func (p *proving) met(l *Line) string {
	if len(p.rules) == 0 {
		return ""
	}
	if p.arm != "" && unix.Access(p.arm, unix.F_OK) != nil {
		return ""
	}
	for _, r := range p.rules {
		if r.step != "" && r.step != l.Do || !strings.Contains(l.Path, r.path) && !strings.Contains(l.To, r.path) {
			continue
		}
		if n := r.count.Add(1); r.nth == 0 || n == r.nth {
			return r.what
		}
	}
	return ""
}

// run makes the step as the environment wants it.
func (s step) run(call func() error) error {
	if proof.record == nil && len(proof.rules) == 0 {
		return call()
	}
	l := s.line()
	switch what := proof.met(l); what {
	case "":
		return proof.tell(l, s, call)
	case "kill":
		die()
	case "after":
		if err := proof.tell(l, s, call); err != nil {
			return err
		}
		die()
	case "skip":
		return nil
	case "late":
		return proof.later(l, s)
	default:
		return errno(what)
	}
	return nil
}

func die() {
	unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}

// aMoment is how much later a late sync is made: long enough for an answer to
// reach a client before.
const aMoment = 50 * time.Millisecond

// later makes a sync after it was said to be made.
func (p *proving) later(l *Line, s step) error {
	fd, err := unix.Dup(s.fd())
	if err != nil {
		return err
	}
	time.AfterFunc(aMoment, func() {
		p.tell(l, s, func() error { return unix.Fsync(fd) })
		unix.Close(fd)
	})
	return nil
}

// tell makes the step between its two lines.
func (p *proving) tell(l *Line, s step, call func() error) error {
	if p.record == nil {
		return call()
	}
	l.Step = fmt.Sprintf("%d.%d", os.Getpid(), p.count.Add(1))
	p.put(l)
	err := call()
	end := &Line{Step: l.Step}
	if err != nil {
		end.Error = err.Error()
	}
	if err == nil && l.File == "" {
		s.product(end)
	}
	p.put(end)
	return err
}

// put appends a line. A record with a hole proves nothing.
func (p *proving) put(l *Line) {
	b, err := json.Marshal(l)
	if err == nil {
		_, err = p.record.Write(append(b, '\n'))
	}
	if err != nil {
		p.refuse(err)
	}
}

// line describes the step before it is made.
func (s step) line() *Line {
	l := &Line{Who: proof.who, Do: s.Name, Data: s.data, At: s.at}
	if s.file != nil {
		l.File = fileID(s.fd())
		l.Path = resolved(s.fd())
	} else {
		l.Path, l.Dir = absolute(s.dir, s.Path)
		l.File = s.subject(l)
	}
	if s.Name == "unnamed" { // Path is the folder, which may be named by its descriptor
		l.Path, _ = absolute(s.dir, s.Path+"/.")
	}
	if s.To != "" {
		l.To, l.ToDir = absolute(s.toDir, s.To)
	}
	if s.Name == "write" && s.at == current {
		l.At = standing(s.fd())
	}
	return l
}

// subject returns what a step by name works on, if it is there.
func (s step) subject(l *Line) string {
	switch s.Name {
	case "create", "unnamed", "mkdir":
		return ""
	case "syncdir":
		id := fileID(s.dir)
		l.Path = resolved(s.dir)
		return id
	}
	return statID(s.dir, s.Path, unix.AT_SYMLINK_NOFOLLOW)
}

// product describes what the step made.
func (s step) product(end *Line) {
	var st unix.Stat_t
	var err error
	if s.made != nil {
		err = unix.Fstat(number(*s.made), &st)
	} else {
		err = unix.Fstatat(s.dir, s.Path, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil {
		end.File, end.Mode, end.UID, end.GID = identity(&st), st.Mode, st.Uid, st.Gid
	}
}

// fd returns the descriptor that the step works on.
func (s step) fd() int {
	if s.file == nil {
		return s.dir
	}
	return number(s.file)
}

func number(f *os.File) int {
	n := -1
	if raw, err := f.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { n = int(fd) })
	}
	return n
}

// standing is where the next write to fd goes.
func standing(fd int) int64 {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_APPEND != 0 {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil {
			return st.Size
		}
	}
	at, _ := unix.Seek(fd, 0, unix.SEEK_CUR)
	return at
}

// absolute returns the path behind dir and name, and the folder it stands in.
func absolute(dir int, name string) (path, folder string) {
	parent := filepath.Dir(name)
	folder = statID(dir, parent, 0)
	fd, err := unix.Openat(dir, parent, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return name, folder
	}
	defer unix.Close(fd)
	return filepath.Join(resolved(fd), filepath.Base(name)), folder
}

// resolved returns the path of an open file.
func resolved(fd int) string {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	return path
}

func statID(dir int, path string, flags int) string {
	var st unix.Stat_t
	if unix.Fstatat(dir, path, &st, flags) != nil {
		return ""
	}
	return identity(&st)
}

func fileID(fd int) string {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return ""
	}
	return identity(&st)
}

func identity(st *unix.Stat_t) string { return fmt.Sprintf("%d:%d", st.Dev, st.Ino) }
