package power

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/power/disk"
	"posthorn/test/suite"
)

// conf makes a server that tries again soon and never waits.
const conf = "relay-from 127.0.0.0/8\nretry 1s\nretry-jitter 0\nconnect-timeout 5s\n"

// recorded is a run of a whole server, with all the steps that reached the
// disk.
type recorded struct {
	base    *disk.Disk   // what stood on the disk before
	events  []disk.Event // what came then
	letters []*letter
	conf    string            // further lines of the configuration of who reads
	atOnce  bool              // boxes get a message before its client is answered
	took    map[string][]byte // what the other host took, by the names in its notes
}

// options are those of every server here.
func options(bin, dir string) instance.Options {
	return instance.Options{Bin: bin, Dir: dir, Conf: conf, Users: []string{suite.Ann, suite.Bob, carl},
		Files: map[string]string{"aliases": aliases}}
}

// memory makes a folder that no disk is behind, where there is one: syncs cost
// nothing there, and no number of an inode comes twice.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "posthorn-power")
	if err != nil {
		dir, err = os.MkdirTemp("", "posthorn-power")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755) // as root the daemons are other users
	return dir
}

// mail are the folders that are cut: spool and mailboxes.
func mail(dir string) func(path string) bool {
	return func(path string) bool {
		rel, err := filepath.Rel(dir, path)
		top, _, _ := strings.Cut(rel, "/")
		return err != nil || top != "spool" && top != "mail"
	}
}

// record runs a server, whose environment has fail in it and whose
// configuration has more, while use does something with it, until its queue is
// empty. What prepare does is no part of the record.
func record(t *testing.T, fail, more string, prepare func(i *instance.Instance), use func(i *instance.Instance, record string)) *recorded {
	t.Helper()
	bin, err := suite.Proof()
	if err != nil {
		t.Fatal(err)
	}
	dir, name := memory(t), filepath.Join(memory(t), "record")
	if err := os.WriteFile(name, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for key, value := range map[string]string{"RECORD": name, "FAIL": fail, "ARM": name + ".armed"} {
		t.Setenv("POSTHORN_"+key, value)
	}
	o := options(bin, dir)
	o.Conf += more
	o.Sink = []string{"-record", name}
	i := suite.Server(t, o)
	prepare(i)
	base, start := begin(t, i, name)
	os.WriteFile(name+".armed", nil, 0o644)
	use(i, name)
	suite.Eventually(t, "the queue is empty", func() bool { return empty(dir) })
	if err := i.StopServer(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	events, err := disk.Read(bytes.NewReader(text[start:]))
	if err != nil {
		t.Fatal(err)
	}
	r := &recorded{base: base, events: events, took: map[string][]byte{}}
	for _, file := range suite.SinkFiles(i) {
		if r.took[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// begin returns what stands on the disk while nothing is done to it, and the
// place in the record from which on it changes.
func begin(t *testing.T, i *instance.Instance, record string) (base *disk.Disk, start int) {
	t.Helper()
	suite.Eventually(t, "nothing is done to the disk", func() bool {
		before, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		if base, err = disk.Load(i.Dir, mail(i.Dir)); err != nil {
			return false // a name that was there a moment ago
		}
		after, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		start = len(before)
		return len(before) == len(after) && disk.Idle(before)
	})
	return base, start
}

// empty reports whether no message is left in the spool below dir. It looks
// twice: a bounce may come into a folder already looked at, or made since,
// before its message leaves one that is looked at next.
func empty(dir string) bool {
	for range 2 {
		for _, folder := range []string{"spool/queue/*/*", "spool/incoming/*"} {
			if names, err := filepath.Glob(filepath.Join(dir, folder)); err != nil || len(names) > 0 {
				return false
			}
		}
	}
	return true
}
