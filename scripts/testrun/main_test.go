package main

import (
	"regexp"
	"strings"
	"testing"
)

const events = `{"Action":"output","Package":"posthorn/a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"pass","Package":"posthorn/a","Test":"TestGood"}
{"Action":"output","Package":"posthorn/a","Test":"TestRoot","Output":"    a_test.go:7: needs root: run it so\n"}
{"Action":"skip","Package":"posthorn/a","Test":"TestRoot"}
{"Action":"output","Package":"posthorn/a","Test":"TestLong","Output":"    a_test.go:8: make prove runs it: it takes an hour\n"}
{"Action":"skip","Package":"posthorn/a","Test":"TestLong"}
{"Action":"output","Package":"posthorn/a","Test":"TestBad","Output":"    a_test.go:9: got 1, want 2\n"}
{"Action":"fail","Package":"posthorn/a","Test":"TestBad"}
{"Action":"output","Package":"posthorn/a","Test":"TestCrash","Output":"panic: a bug\n"}
{"Action":"output","Package":"posthorn/a","Output":"FAIL\tposthorn/a\t0.1s\n"}
{"Action":"fail","Package":"posthorn/a"}
{"Action":"output","Package":"posthorn/b","Output":"PASS\n"}
{"Action":"output","Package":"posthorn/b","Output":"ok  \tposthorn/b\t0.1s\n"}
a build that broke
`

func TestReport(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	r.read(strings.NewReader(events))
	for _, tc := range []struct {
		allow string
		want  bool
	}{{"", false}, {"root", false}, {"swaks", true}} {
		if got := r.skips(regexp.MustCompile(tc.allow)); got != tc.want {
			t.Errorf("skips allowed by %q: got refused %v, want %v", tc.allow, got, tc.want)
		}
	}
	got := out.String()
	for _, want := range []string{"got 1, want 2", "panic: a bug", "FAIL\tposthorn/a", "ok  \tposthorn/b", "a build that broke",
		"skipped: needs root: run it so\n    a TestRoot\n", "skipped: make prove runs it: it takes an hour\n    a TestLong\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("got no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "TestGood") {
		t.Errorf("got what a good test said:\n%s", got)
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	r.read(strings.NewReader(`{"Action":"output","Package":"posthorn/a","Test":"TestRuns/1","Output":"    a_test.go:7: SEED=1\n"}
{"Action":"output","Package":"posthorn/a","Test":"TestRuns/1","Output":"    a_test.go:9: 12 letters\n"}
{"Action":"pass","Package":"posthorn/a","Test":"TestRuns/1","Elapsed":19.4}
{"Action":"pass","Package":"posthorn/a","Test":"TestSilent","Elapsed":1}
{"Action":"fail","Package":"posthorn/a","Test":"TestRuns","Elapsed":20}
{"Action":"fail","Package":"posthorn/a"}
`))
	out.Reset()
	r.table()
	want := "pass  19 s  a TestRuns/1  12 letters\nfail  20 s  a TestRuns    \n"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
