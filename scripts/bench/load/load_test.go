package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTokenOfMessage(t *testing.T) {
	text := "Received: from x\r\n" + string(message("A20.17", 4<<10))
	if got := token([]byte(text)); got != "A20.17" {
		t.Errorf("CRLF: got %q, want A20.17", got)
	}
	if got := token([]byte(strings.ReplaceAll(text, "\r\n", "\n"))); got != "A20.17" {
		t.Errorf("LF: got %q, want A20.17", got)
	}
	if got := token([]byte("Subject: x\n\nX-Bench is no field here\n")); got != "" {
		t.Errorf("none: got %q, want nothing", got)
	}
	if len(text) < 4<<10 || len(text) > 5<<10 {
		t.Errorf("got %d bytes, want about 4 KiB", len(text))
	}
}

func TestJudge(t *testing.T) {
	want := map[string]int{"a": 1, "b": 1, "c": 1}
	for name, test := range map[string]struct {
		got           map[string]int
		lost, doubled int
	}{
		"all":     {map[string]int{"a": 1, "b": 1, "c": 1}, 0, 0},
		"lost":    {map[string]int{"a": 1}, 2, 0},
		"doubled": {map[string]int{"a": 1, "b": 3, "c": 1}, 0, 2},
		"strange": {map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}, 0, 1},
		"both":    {map[string]int{"a": 2, "b": 1}, 1, 1},
	} {
		if lost, doubled := judge(want, test.got); lost != test.lost || doubled != test.doubled {
			t.Errorf("%s: got %d lost, %d doubled, want %d, %d", name, lost, doubled, test.lost, test.doubled)
		}
	}
}

func TestQuantile(t *testing.T) {
	var took []time.Duration
	for i := 100; i > 0; i-- {
		took = append(took, time.Duration(i)*time.Millisecond)
	}
	for q, want := range map[float64]float64{0: 1, .5: 50, .99: 99, 1: 100} {
		if got := quantile(took, q); got != want {
			t.Errorf("%v: got %v, want %v", q, got, want)
		}
	}
	if got := quantile(nil, .5); got != 0 {
		t.Errorf("none: got %v, want 0", got)
	}
}

func TestLiteral(t *testing.T) {
	for line, want := range map[string]int64{"* 1 FETCH (BODY[] {42}": 42, "{0}": 0, "a OK": -1, "{x}": -1, "{1} ": -1, "{-1}": -1} {
		got, ok := literal(line)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%s: got %d, want %d", line, got, want)
		}
	}
}

func TestMeterReadsBothVersions(t *testing.T) {
	two, one := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{
		filepath.Join(two, "cpu.stat"):      "usage_usec 1500000\nuser_usec 1000000\n",
		filepath.Join(one, "cpuacct.usage"): "1500000000\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{two, one} {
		if got, err := (meter{dir}).cpu(); got != 1500*time.Millisecond || err != nil {
			t.Errorf("got %v, %v, want 1.5s", got, err)
		}
	}
	if _, err := (meter{t.TempDir()}).cpu(); err == nil {
		t.Error("an empty folder: got no error")
	}
	if got, ok := field("Rss: 9 kB\nPss:     12 kB\n", "Pss:"); got != 12 || !ok {
		t.Errorf("got %d, %v, want 12", got, ok)
	}
}

func TestBoxesCountAndNameWhatArrived(t *testing.T) {
	b := boxes{root: t.TempDir(), n: 2}
	for name, text := range map[string]string{"user0/new/1": "r.1", "user0/new/2": "r.1", "user1/new/1": "r.2"} {
		file := filepath.Join(b.root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, message(text, 9<<10), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := b.count(); n != 3 || err != nil {
		t.Errorf("got %d, %v, want 3", n, err)
	}
	got, err := b.tokens()
	if want := map[string]int{"user0 r.1": 2, "user1 r.2": 1}; !maps.Equal(got, want) || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

const sample = `# 2 cores
posthorn	A20	cpu	0.4
posthorn	A20	cpu	0.6
posthorn	A20	cpu	0.5
posthorn	A20	lost	1
posthorn	A20	lost	0
# 2 cores
postfix	A20	cpu	2
dovecot	select	cpu	0.25
`

func TestTables(t *testing.T) {
	r, err := readResults(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	text := tables(r)
	for _, want := range []string{
		"2 cores. Median of 3 rounds;",
		"| A20: 20 connections | 0.50 / 2.00 | 0.25 | - / - | - / - | - / - | - / - | 1.00 / - |",
		"| SELECT again | - / 0.25 | - | - / - |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got %s, want %s", text, want)
		}
	}
	for _, bad := range []string{"A20", "posthorn\tA20\tcpu\tmany"} {
		if _, err := readResults(strings.NewReader(sample + bad + "\n")); err == nil || !strings.Contains(err.Error(), "line 10: found") {
			t.Errorf("%q: got %v, want line 10", bad, err)
		}
	}
}

func TestTableIsWrittenBetweenItsLines(t *testing.T) {
	dir := t.TempDir()
	readme, results := filepath.Join(dir, "README"), filepath.Join(dir, "results")
	before, after := "# Figures\n", "## More\n"
	for file, text := range map[string]string{results: sample, readme: before + beginFigures + "\nold\n" + endFigures + "\n" + after} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // once more changes nothing
		if err := command([]string{"table", "-write", readme, results}, nil); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(got); !strings.HasPrefix(s, before+beginFigures+"\n2 cores") || !strings.HasSuffix(s, endFigures+"\n"+after) || strings.Contains(s, "old") || strings.Count(s, "| A20") != 1 {
		t.Errorf("got %s", s)
	}
	if err := rewrite(results, "x"); err == nil || !strings.Contains(err.Error(), "expected a line") {
		t.Errorf("no place: got %v", err)
	}
}

// TestEveryRowHasALine: what is measured is shown.
func TestEveryRowHasALine(t *testing.T) {
	shown := map[string]bool{"MAILBOX": true} // many lines of its own
	for _, l := range append(mailLines(), memoryLines()...) {
		shown[l.row] = true
	}
	for _, r := range rows() {
		if !shown[r.name] {
			t.Errorf("row %s has no line", r.name)
		}
	}
	steps := map[string]bool{}
	b := &bench{}
	for _, s := range slices.Concat(b.steps(), b.orderSteps(), b.manySteps(), b.secureSteps()) {
		steps[s.name] = true
	}
	for _, l := range boxLines() {
		delete(steps, l.row)
	}
	if len(steps) > 0 {
		t.Errorf("got steps without a line: %v", steps)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.00261: "0.00261", 0.0512: "0.051", 0.5: "0.50", 12.34: "12.3", 123.4: "123", 5482.3: "5482"} {
		if got := number(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}
