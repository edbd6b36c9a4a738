// Command testrun is make test: it runs go test, shows what failed and how each
// package ended, and says at the end what was skipped and why. Where
// POSTHORN_TEST_ALL is set, a skipped test is a failure, unless its reason matches
// -skip PATTERN or says that make prove runs it. With -counts it is make prove:
// each test that says something is a row of a table at the end, with the last that
// it said.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

func main() {
	allow := flag.String("skip", "", "`pattern` of the reasons to skip that are no failure")
	counts := flag.Bool("counts", false, "end with a table of what the tests said")
	flag.Parse()
	if *allow == "" && os.Getenv("POSTHORN_TEST_ALL") == "" {
		*allow = "." // whatever the machine lacks
	}
	if *allow == "" {
		*allow = "^$"
	}
	pattern, err := regexp.Compile(*allow)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(2)
	}
	cmd := exec.Command("go", append([]string{"test", "-json"}, flag.Args()...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		os.Exit(2)
	}
	r := newReport(os.Stdout)
	r.read(out)
	failed := cmd.Wait() != nil
	if *counts {
		r.table()
	}
	if r.skips(pattern) || failed {
		os.Exit(1)
	}
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64 // seconds
}

// key names a test; an empty test is its package.
type key struct{ pkg, test string }

// report prints the events as they come.
type report struct {
	out     io.Writer
	said    map[key][]string // by tests that run
	skipped map[string][]string
	rows    []row // of the tests that said something, as they ended
}

func newReport(out io.Writer) *report {
	return &report{out: out, said: map[key][]string{}, skipped: map[string][]string{}}
}

func (r *report) read(in io.Reader) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(r.out, lines.Text()) // what a broken build prints
			continue
		}
		r.take(e)
	}
}

func (r *report) take(e event) {
	k := key{e.Package, e.Test}
	switch e.Action {
	case "output", "build-output":
		if e.Test == "" {
			r.packageLine(e.Output)
			return
		}
		r.said[k] = append(r.said[k], e.Output)
	case "pass":
		r.count(e)
		delete(r.said, k)
	case "skip":
		if e.Test != "" {
			why := reason(r.said[k])
			r.skipped[why] = append(r.skipped[why], strings.TrimPrefix(e.Package, "posthorn/")+" "+e.Test)
		}
		delete(r.said, k)
	case "fail":
		r.count(e)
		r.failed(k)
	}
}

// packageLine prints how a package ended, and what it says beside its tests.
func (r *report) packageLine(s string) {
	if s != "PASS\n" && !strings.HasSuffix(s, "[no test files]\n") {
		fmt.Fprint(r.out, s)
	}
}

// failed prints what a test said; where a package fails, what its unfinished
// tests said too, for one of them ended it.
func (r *report) failed(k key) {
	for other, said := range r.said {
		if other == k || (k.test == "" && other.pkg == k.pkg) {
			fmt.Fprint(r.out, strings.Join(said, ""))
			delete(r.said, other)
		}
	}
}

var place = regexp.MustCompile(`^\s*\S+_test\.go:\d+: `)

// reason returns what a test said when it was skipped.
func reason(said []string) string {
	for _, line := range said {
		if place.MatchString(line) {
			return strings.TrimSpace(place.ReplaceAllString(line, ""))
		}
	}
	return "no reason given"
}

// long begins the reason of a test that belongs to make prove alone.
const long = "make prove runs it:"

// skips says what was skipped, and returns whether a reason is not allowed.
func (r *report) skips(allowed *regexp.Regexp) (refused bool) {
	reasons := make([]string, 0, len(r.skipped))
	for why := range r.skipped {
		reasons = append(reasons, why)
	}
	slices.Sort(reasons)
	for _, why := range reasons {
		mark := "skipped"
		if !allowed.MatchString(why) && !strings.HasPrefix(why, long) {
			mark, refused = "skipped, which is refused here", true
		}
		fmt.Fprintf(r.out, "%s: %s\n", mark, why)
		for _, test := range r.skipped[why] {
			fmt.Fprintf(r.out, "    %s\n", test)
		}
	}
	return refused
}
