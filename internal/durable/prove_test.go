//go:build prove

package durable

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestSteered is the process that the others steer: it makes a message.
func TestSteered(t *testing.T) {
	dir := os.Getenv("POSTHORN_STEERED")
	if dir == "" {
		t.Skip("it is run by the other tests")
	}
	d := new(Disk)
	f, err := d.Unnamed(dir, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	d.WriteAt(f, []byte("mail"), 0)
	d.Write(f, []byte("M")) // over the first letter
	folder, err := d.Folder(dir)
	if err == nil {
		err = errors.Join(d.Sync(f), d.LinkFile(f, filepath.Join(dir, "a")), folder.Sync(), d.Rename(dir+"/a", dir+"/b"))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// steered runs TestSteered and returns the lines of its record, what it
// printed, and its end.
func steered(t *testing.T, fail string) ([]Line, string, error) {
	t.Helper()
	dir := t.TempDir()
	record := filepath.Join(t.TempDir(), "record")
	cmd := exec.Command(os.Args[0], "-test.run=TestSteered$")
	cmd.Env = append(os.Environ(), "POSTHORN_STEERED="+dir, "POSTHORN_RECORD="+record, "POSTHORN_FAIL="+fail)
	out, err := cmd.CombinedOutput()
	text, rerr := os.ReadFile(record)
	if rerr != nil {
		t.Fatal(rerr)
	}
	var lines []Line
	for in := bufio.NewScanner(bytes.NewReader(text)); in.Scan(); {
		var l Line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		l.Path, l.To = strings.TrimPrefix(l.Path, dir), strings.TrimPrefix(l.To, dir)
		lines = append(lines, l)
	}
	return lines, string(out), err
}

func steps(lines []Line) (done []string) {
	for _, l := range lines {
		if l.Do != "" {
			done = append(done, l.Do)
		}
	}
	return done
}

func TestRecord(t *testing.T) {
	lines, out, err := steered(t, "")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := []string{"unnamed", "write", "write", "sync", "link", "syncdir", "rename"}
	if got := steps(lines); !slices.Equal(got, want) {
		t.Fatalf("got the steps %v, want %v", got, want)
	}
	file, folder := lines[1].File, lines[10].File
	for i, want := range []Line{
		2:  {File: file, Data: []byte("mail")},
		4:  {File: file, Data: []byte("M")},
		6:  {File: file},
		8:  {File: file, To: "/a", ToDir: folder},
		12: {File: file, Path: "/a", To: "/b", Dir: folder, ToDir: folder},
	} {
		if i == 0 || want.File == "" {
			continue
		}
		got := lines[i]
		if got.File != want.File || string(got.Data) != string(want.Data) || got.To != want.To || got.ToDir != want.ToDir ||
			want.Dir != got.Dir || lines[i+1].Step != got.Step || lines[i+1].Do != "" {
			t.Errorf("line %d: got %+v, want %+v and its end", i, got, want)
		}
	}
}

func TestSteps(t *testing.T) {
	for _, test := range []struct {
		fail string
		want string // the steps that were made
		out  string
		kill bool
	}{
		{"write::2:kill", "unnamed write", "", true},
		{"link:/a:1:after", "unnamed write write sync link", "", true},
		{"sync::1:EIO", "unnamed write write link syncdir rename", "input/output error", false},
		{"link:/nowhere:1:EIO", "unnamed write write sync link syncdir rename", "", false},
		{"sync::0:skip,syncdir::0:skip", "unnamed write write link rename", "", false},
	} {
		t.Run(test.fail, func(t *testing.T) {
			lines, out, err := steered(t, test.fail)
			if got := strings.Join(steps(lines), " "); got != test.want {
				t.Errorf("got the steps %s, want %s", got, test.want)
			}
			if !strings.Contains(out, test.out) {
				t.Errorf("got %s, want in it %s", out, test.out)
			}
			var end *exec.ExitError
			killed := errors.As(err, &end) && end.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
			if killed != test.kill {
				t.Errorf("got the end %v, want killed %v", err, test.kill)
			}
		})
	}
}

func TestBadSteeringEnds(t *testing.T) {
	for _, fail := range []string{"sync", "sync::x:EIO", "sync::1:ENOTHING"} {
		cmd := exec.Command(os.Args[0], "-test.run=TestSteered$")
		cmd.Env = append(os.Environ(), "POSTHORN_FAIL="+fail)
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("%s: got %s, want a refusal", fail, out)
		}
	}
}
