package spool

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/durable"
	"posthorn/internal/verdict"
)

// TestLinesOutliveOthers takes each of the lines that one sync would have made
// durable, as a file system may: what needs it must not count, and the message
// is still one.
func TestLinesOutliveOthers(t *testing.T) {
	e := envelope()
	e.Size = int64(len(body))
	head, _, err := e.encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	notice := "06ev0c8z1k3n5q7r9t2v4x6y8a"
	records := []attr.List{
		targetRecord(0, Target{Kind: "box", Value: "b", Rcpt: "b", Origin: "users:1"}),
		targetRecord(1, Target{Kind: "box", Value: "c", Rcpt: "c", Origin: "users:2"}),
		{{Name: "expanded", Value: "2"}},
		verdictRecord("0", 1, Result{Verdict: verdict.New(verdict.Done, "2.0.0", "")}),
		noticeRecord(Notice{ID: notice, Kind: "failure"}, "1"),
		{{Name: "sent", Value: notice}},
		nextRecord(3, time.UnixMicro(7)),
	}
	for lost, want := range []struct {
		expanded, final bool
		notices, try    int
	}{
		{false, false, 0, 3}, {false, false, 0, 3}, {false, false, 0, 3}, {true, false, 1, 3},
		{true, true, 0, 3}, {true, true, 1, 3}, {true, true, 1, 0},
	} {
		file := append(bytes.Clone(head), body...)
		for n, r := range records {
			line := appendRecord(nil, r)
			if n == lost {
				clear(line[:len(line)-1])
			}
			file = append(file, line...)
		}
		m, err := readFrom(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Errorf("without %v: %v", records[lost], err)
			continue
		}
		final := len(m.Targets) > 0 && m.Targets[0].Final()
		if m.Expanded != want.expanded || final != want.final || len(m.Notices) != want.notices || m.Try != want.try {
			t.Errorf("without %v: got expanded %v, final %v, %d notices, try %d, want %+v", records[lost], m.Expanded, final, len(m.Notices), m.Try, want)
		}
	}
}

// TestMixedExpansions leaves some lines of two expansions, of which each began at
// 0: only what one of them wrote whole counts.
func TestMixedExpansions(t *testing.T) {
	var lines [][]byte
	for _, user := range []string{"a", "b"} { // the table changed in between
		m := &Message{}
		if err := m.SetTargets([]Target{{Kind: "box", Value: user, Rcpt: user}, {Kind: "box", Value: "c", Rcpt: user}}); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, bytes.SplitAfter(bytes.TrimSuffix(m.pending, []byte("\n")), []byte("\n"))...)
	}
	e := envelope()
	e.Size = int64(len(body))
	head, _, err := e.encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	for kept := range 1 << len(lines) {
		file := append(bytes.Clone(head), body...)
		for n, line := range lines {
			if kept&(1<<n) != 0 {
				file = append(append(file, bytes.TrimSuffix(line, []byte("\n"))...), '\n')
			}
		}
		m, err := readFrom(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		want := kept&0b111 == 0b111 || kept&0b111000 == 0b111000
		if m.Expanded != want || want && m.Targets[0].Value != m.Targets[0].Rcpt || want && m.Targets[1].Rcpt != m.Targets[0].Rcpt {
			t.Errorf("of the lines %06b: got expanded %v to %v, want %v", kept, m.Expanded, m.Targets, want)
		}
	}
}

func TestSettleSyncsWhatWasRead(t *testing.T) {
	var steps []string
	s := openSpool(t, t.TempDir(), &durable.Disk{Hook: func(op durable.Op) error { steps = append(steps, op.Name); return nil }})
	m, err := s.Load(queued(t, s).Ref())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	steps = nil
	for range 2 {
		if err := m.Settle(); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(steps, " "); got != "sync" {
		t.Errorf("got the steps %q, want one sync", got)
	}
}
