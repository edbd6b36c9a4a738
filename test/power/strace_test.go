package power

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/power/disk"
	"posthorn/test/suite"
)

// calls are the system calls that change what is on a disk, by the kind of step
// that a record has for them.
var calls = map[string]string{
	"open": "open", "openat": "open", "openat2": "open", "creat": "open",
	"write": "write", "writev": "write", "pwrite64": "write", "pwritev": "write", "pwritev2": "write",
	"copy_file_range": "copy", "sendfile": "copy", "splice": "copy", "fallocate": "copy",
	"link": "link", "linkat": "link", "symlink": "symlink", "symlinkat": "symlink", "mknod": "mknod", "mknodat": "mknod",
	"rename": "rename", "renameat": "rename", "renameat2": "rename", "unlink": "unlink", "unlinkat": "unlink",
	"mkdir": "mkdir", "mkdirat": "mkdir", "rmdir": "rmdir", "truncate": "truncate", "ftruncate": "truncate",
	"fsync": "sync", "fdatasync": "sync", "sync_file_range": "sync", "syncfs": "sync",
}

// unrecorded are the files of which the record knows nothing.
var unrecorded = map[string]string{
	"spool/lock":         "is only ever locked: a power cut may take it, and it is made again",
	"posthorn-pop3.lock": "likewise",
}

// did is one thing that was done to the disk.
type did struct{ who, what, path, to string }

func (d did) String() string {
	return strings.TrimSuffix(fmt.Sprintf("%s: %s %s -> %s", d.who, d.what, d.path, d.to), " -> ")
}

// traced makes a folder of programs whose server runs under strace, which writes
// into the file that it returns.
func traced(t *testing.T, bin string) (folder, output string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "posthorn-strace")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	os.Chmod(folder, 0o755) // the daemons are other users
	output = filepath.Join(folder, "strace.out")
	programs, err := os.ReadDir(bin)
	for _, p := range programs {
		if p.Name() != "posthorn" && p.Name()[0] != '.' {
			err = cmp.Or(err, os.Symlink(filepath.Join(bin, p.Name()), filepath.Join(folder, p.Name())))
		}
	}
	var names []string
	for name := range calls {
		names = append(names, "?"+name) // some processors do not have all
	}
	// -D: what is started is the server itself, which is told to end.
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in\n*' run') exec strace -D -f -y -Y -qq -s 0 --seccomp-bpf -o %s -e trace=%s %s/posthorn \"$@\" ;;\n*) exec %[3]s/posthorn \"$@\" ;;\nesac\n",
		output, strings.Join(names, ","), bin)
	err = cmp.Or(err, os.WriteFile(filepath.Join(folder, "posthorn"), []byte(script), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	return folder, output
}

// TestNothingEscapesTheRecord holds the record of a server to what the kernel
// was asked for.
func TestNothingEscapesTheRecord(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: who is traced is other users")
	}
	suite.Need(t, "strace")
	if out, err := suite.Command(t, "", "strace", "-qq", "-o", os.DevNull, "true"); err != nil {
		t.Skipf("needs root that may trace processes: %v: %s", err, out)
	}
	bin, err := suite.Proof()
	if err != nil {
		t.Fatal(err)
	}
	dir, record := memory(t), filepath.Join(memory(t), "record")
	if err := os.WriteFile(record, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Setenv("POSTHORN_RECORD", record)
	o := options(bin, dir)
	var output string
	o.Bin, output = traced(t, bin)
	i := suite.Server(t, o)
	live(t, i, record)
	if err := i.StopServer(); err != nil {
		t.Fatal(err)
	}
	text := finished(t, output)
	compare(t, steps(t, record, dir), seenBy(text, dir))
}

// live has the server do all that it can do to a disk.
func live(t *testing.T, i *instance.Instance, record string) {
	t.Helper()
	all := letters()
	oneByOne(t, i, record, all)
	folders(t, i, record, all)
	crowd(t, i, record, all)
	suite.Eventually(t, "the queue is empty", func() bool { return empty(i.Dir) })
}

// finished returns strace's output when it has seen everything end.
func finished(t *testing.T, output string) []byte {
	t.Helper()
	var text []byte
	suite.Eventually(t, "strace ends", func() bool {
		before := len(text)
		var err error
		if text, err = os.ReadFile(output); err != nil {
			t.Fatal(err)
		}
		return len(text) > 0 && len(text) == before
	})
	return text
}

// steps returns what the record has, but for what failed.
func steps(t *testing.T, record, dir string) (all []did) {
	t.Helper()
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	events, err := disk.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.End && e.Do != disk.Note && !e.Failed() {
			all = append(all, did{e.Who, kindOf(e.Do), plain(e.Path), plain(e.To)})
		}
	}
	return below(all, dir)
}

// kindOf returns what a system call has for a step of the record.
func kindOf(do string) string {
	if do == "syncdir" {
		return "sync"
	}
	return do
}

// plain is the path of a file that may have lost its name.
func plain(path string) string {
	return strings.TrimSuffix(strings.TrimSuffix(path, "(deleted)"), " ")
}

// below keeps what is done below spool and mail root, but for what is named as
// unrecorded.
func below(all []did, dir string) (kept []did) {
	for _, d := range all {
		rel, ok := strings.CutPrefix(d.path, dir+"/")
		if !ok {
			continue
		}
		if _, lock := unrecorded[rel]; lock || unrecorded[filepath.Base(rel)] != "" {
			continue
		}
		if strings.HasPrefix(rel, "spool") || strings.HasPrefix(rel, "mail") {
			kept = append(kept, d)
		}
	}
	return kept
}

// compare holds two lists to each other, whatever their order.
func compare(t *testing.T, recorded, traced []did) {
	t.Helper()
	count, kinds := map[did]int{}, map[string]int{}
	for _, d := range recorded {
		count[d]++
		kinds[d.what]++
	}
	for _, d := range traced {
		count[d]--
	}
	var wrong []string
	for d, n := range count {
		switch {
		case n > 0:
			wrong = append(wrong, fmt.Sprintf("%v: %d times in the record and not seen by strace", d, n))
		case n < 0:
			wrong = append(wrong, fmt.Sprintf("%v: %d times seen by strace and not in the record", d, -n))
		}
	}
	slices.Sort(wrong)
	for n, w := range wrong {
		if n < 20 {
			t.Error(w)
		}
	}
	for _, kind := range strings.Fields("create unnamed write link rename unlink mkdir rmdir sync") {
		if kinds[kind] == 0 {
			t.Errorf("got no %s, want some of each kind", kind)
		}
	}
	t.Logf("%d steps in the record, %d seen by strace, %d of them differ: %v", len(recorded), len(traced), len(wrong), kinds)
}

var (
	callLine = regexp.MustCompile(`^(\d+)<([^>]*)> +(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?`)
	resumed  = regexp.MustCompile(`^(\d+<[^>]*>) +<\.\.\. \w+ resumed>(.*)$`)
	begun    = regexp.MustCompile(`^(\d+<[^>]*>) +(.*) <unfinished \.\.\.>$`)
	argument = regexp.MustCompile(`(AT_FDCWD|\d+)<([^>]*)>(?:\(deleted\))?|"((?:[^"\\]|\\.)*)"`)
)

// seenBy takes apart what strace wrote.
func seenBy(text []byte, dir string) []did {
	open := map[string]string{}           // calls that have begun, by thread
	fds := map[string]map[string]string{} // paths of descriptors, by program
	var all []did
	for line := range strings.SplitSeq(string(text), "\n") {
		if m := begun.FindStringSubmatch(line); m != nil {
			open[m[1]] = m[1] + " " + m[2]
			continue
		}
		if m := resumed.FindStringSubmatch(line); m != nil {
			line = open[m[1]] + m[2]
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if fds[m[2]] == nil {
			fds[m[2]] = map[string]string{}
		}
		c := call{who: m[2], name: m[3], args: m[4], result: m[5], made: m[6], fds: fds[m[2]]}
		if d, ok := c.step(); ok && m[5][0] != '-' {
			all = append(all, d)
		}
	}
	return below(all, dir)
}

// call is one system call.
type call struct {
	who, name, args, result string
	made                    string // the path of the descriptor that it returned
	fds                     map[string]string
}

// step returns what the call did.
func (c call) step() (did, bool) {
	var paths []string // of descriptors without a name, and of names
	at := ""
	for _, a := range argument.FindAllStringSubmatch(c.args, -1) {
		if a[1] != "" {
			c.fds[a[1]] = plain(a[2])
			at = plain(a[2])
			if c.byDescriptor() {
				paths = append(paths, at)
			}
			continue
		}
		if !c.byDescriptor() {
			paths = append(paths, c.absolute(at, a[3]))
		}
	}
	if c.made != "" {
		c.fds[c.result] = plain(c.made)
	}
	if len(paths) == 0 {
		return did{}, false
	}
	d := did{who: c.who, what: calls[c.name], path: paths[0]}
	switch {
	case d.what == "open":
		return c.opened(d)
	case d.what == "link" || d.what == "rename":
		d.to = paths[len(paths)-1]
	case d.what == "copy":
		d.path = paths[len(paths)-1]
	case d.what == "unlink" && strings.Contains(c.args, "AT_REMOVEDIR"):
		d.what = "rmdir"
	}
	return d, true
}

// byDescriptor reports whether the call works on an open file, not on a name.
func (c call) byDescriptor() bool {
	return slices.Contains([]string{"write", "sync", "copy"}, calls[c.name]) || c.name == "ftruncate"
}

// opened returns what an open made, if it did.
func (c call) opened(d did) (did, bool) {
	d.path = plain(c.made)
	switch {
	case strings.Contains(c.args, "O_TMPFILE"):
		d.what, d.path = "unnamed", filepath.Dir(d.path)
	case strings.Contains(c.args, "O_CREAT") || c.name == "creat":
		d.what = "create"
	case strings.Contains(c.args, "O_TRUNC"):
		d.what = "truncate"
	default:
		return d, false
	}
	return d, true
}

// absolute returns the path of a name in the folder at.
func (c call) absolute(at, name string) string {
	if rest, ok := strings.CutPrefix(name, "/proc/self/fd/"); ok {
		fd, rest, _ := strings.Cut(rest, "/")
		return filepath.Join(c.fds[fd], rest)
	}
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(at, name)
}
