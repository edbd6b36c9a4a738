package spool

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"time"

	"posthorn/internal/attr"
	"posthorn/internal/id"
	"posthorn/internal/verdict"
)

// MaxTargets bounds what one message may be expanded to.
const MaxTargets = 100_000

// maxText bounds the text of a recorded verdict.
const maxText = 1000

// Target is one place that a message goes to.
type Target struct {
	// Kind is box, address, list or pipe; none, for a recipient with no place to
	// go; or same, where Value is the number of the target that stands for it too.
	Kind      string
	Value     string
	Rcpt      string // the address it is delivered for
	Orig      int    // the recipient of the envelope that named it
	Origin    string // file and line, or table, that named it
	Result           // of the last try; the zero Result before the first
	Try       int    // that it came from
	Failed    bool   // a failure notice is recorded
	Delayed   bool   // a delay notice is recorded
	Confirmed bool   // a success notice is recorded
}

// Result is what came of a try.
type Result struct {
	Verdict verdict.Verdict
	Via     string    // who said so: a host, or a file in the box
	Passed  bool      // the host that took the message answers for the reports too
	At      time.Time // of the try, to the microsecond; zero where none was made
}

// Final reports whether nothing is left to try.
func (t *Target) Final() bool {
	return t.Verdict.Kind == verdict.Done || t.Verdict.Kind == verdict.Never
}

// Notice is a message to the sender about some of the targets. It is owed from
// the moment it is recorded until it is recorded as sent.
type Notice struct {
	ID      string // of the message that tells it
	Kind    string // failure, delay or success
	Targets []int
	Sent    bool
}

// State is what the lines behind a message say.
type State struct {
	Expanded bool     // Targets is complete
	Targets  []Target // indexed as recorded
	Try      int      // the last try that ended
	Next     time.Time
	Held     bool
	Gone     bool // it had reached its end when it was last in the queue
	Aborted  bool // it had a name in the queue, which was taken back
	Notices  []Notice
}

// note adds a notice, or to one that was begun.
func (s *State) note(n Notice) {
	for _, t := range n.Targets {
		switch n.Kind {
		case "failure":
			s.Targets[t].Failed = true
		case "delay":
			s.Targets[t].Delayed = true
		case "success":
			s.Targets[t].Confirmed = true
		}
	}
	for i := range s.Notices { // the rest of a long list, or a repetition after a failed sync
		if s.Notices[i].ID == n.ID {
			s.Notices[i].Targets = mergeSorted(s.Notices[i].Targets, n.Targets)
			return
		}
	}
	s.Notices = append(s.Notices, n)
}

// apply takes in one line. A name that is not known is skipped: a version that
// writes a line which must not be skipped raises Proto. What cannot have been
// written is an error. But a crash may take any line that was not synced and
// leave those behind it: one that lacks another line before it was not synced
// either, and is as though it were not there.
func (s *State) apply(l attr.List) error {
	value := l[0].Value
	switch l[0].Name {
	case "target":
		return s.applyTarget(l)
	case "expanded":
		s.applyExpanded(l)
	case "verdict":
		return s.applyVerdict(l)
	case "next":
		return s.applyNext(l)
	case "hold":
		s.Held = value == "yes"
	case "notice":
		return s.applyNotice(l)
	case "sent":
		s.applySent(value)
	case "gone":
		s.Gone = true
	case "aborted":
		s.Aborted = true
	}
	return nil
}

// applyTarget takes targets in order. Those in front of a crash are repeated
// from 0; those behind a complete expansion say nothing new.
func (s *State) applyTarget(l attr.List) error {
	n, err := parseNumber(l, "target")
	if err != nil || s.Expanded {
		return err
	}
	if n >= MaxTargets {
		return fmt.Errorf("found target %d, expected less than %d", n, MaxTargets)
	}
	if n == 0 {
		s.Targets = nil
	}
	if n != len(s.Targets) {
		return nil
	}
	orig, err := parseNumber(l, "orig")
	if err != nil {
		return err
	}
	s.Targets = append(s.Targets, Target{
		Kind: l.Get("kind"), Value: l.Get("value"), Rcpt: l.Get("rcpt"), Orig: orig, Origin: l.Get("origin"),
	})
	return nil
}

// applyExpanded takes only the targets that the line was written for: crashes
// can leave some of one expansion and some of another.
func (s *State) applyExpanded(l attr.List) {
	n, err := strconv.Atoi(l[0].Value)
	sum, ok := l.Lookup("of") // a line of before it was written has none
	s.Expanded = s.Expanded || err == nil && n > 0 && n == len(s.Targets) && (!ok || sum == targetsSum(s.Targets))
}

// targetsSum is the checksum of the lines of targets.
func targetsSum(targets []Target) string {
	var b []byte
	sum := uint32(0)
	for n, t := range targets {
		b = appendRecord(b[:0], targetRecord(n, t))
		sum = crc32.Update(sum, castagnoli, b)
	}
	return formatSum(sum)
}

func formatSum(sum uint32) string { return fmt.Sprintf("%08x", sum) }

// applyVerdict never overrides a final verdict: the message was delivered, or
// its sender is told.
func (s *State) applyVerdict(l attr.List) error {
	kind, err := verdict.ParseKind(l[0].Value)
	if err != nil || !s.Expanded {
		return err
	}
	numbers, err := s.targets(l)
	if err != nil {
		return err
	}
	try, err := parseNumber(l, "try")
	if err != nil {
		return err
	}
	r := Result{Verdict: verdict.New(kind, l.Get("status"), l.Get("text")), Via: l.Get("via"), Passed: l.Get("dsn") == "passed"}
	if _, ok := l.Lookup("at"); ok {
		micros, err := l.Int("at")
		if err != nil {
			return err
		}
		r.At = time.UnixMicro(micros)
	}
	s.settle(numbers, try, r)
	return nil
}

// settle gives targets the result of a try; a final one stays.
func (s *State) settle(targets []int, try int, r Result) {
	for _, n := range targets {
		if t := &s.Targets[n]; !t.Final() {
			t.Result, t.Try = r, try
		}
	}
}

func (s *State) applyNext(l attr.List) error {
	try, err := parseNumber(l, "try")
	if err != nil {
		return err
	}
	micros, err := l.Int("next")
	if err != nil {
		return err
	}
	s.Try, s.Next = try, time.UnixMicro(micros)
	return nil
}

func (s *State) applyNotice(l attr.List) error {
	n := Notice{ID: l[0].Value, Kind: l.Get("kind")}
	if !id.Valid(n.ID) || n.Kind != "failure" && n.Kind != "delay" && n.Kind != "success" {
		return fmt.Errorf("found notice %.40q of kind %.40q", n.ID, n.Kind)
	}
	if !s.Expanded {
		return nil
	}
	var err error
	if n.Targets, err = s.targets(l); err != nil {
		return err
	}
	s.note(n)
	return nil
}

func (s *State) applySent(notice string) {
	for i := range s.Notices {
		if s.Notices[i].ID == notice {
			s.Notices[i].Sent = true
		}
	}
}

// targets reads which targets a line speaks of.
func (s *State) targets(l attr.List) ([]int, error) {
	return parseRanges(l.Get("targets"), len(s.Targets))
}

func mergeSorted(a, b []int) []int {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

func parseNumber(l attr.List, name string) (int, error) {
	n, err := strconv.ParseUint(l.Get(name), 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s: found %.40q, expected a number", name, l.Get(name))
	}
	return int(n), nil
}

// The lines, as apply reads them.

func targetRecord(n int, t Target) attr.List {
	return attr.List{
		{Name: "target", Value: strconv.Itoa(n)},
		{Name: "kind", Value: t.Kind},
		{Name: "value", Value: t.Value},
		{Name: "rcpt", Value: t.Rcpt},
		{Name: "orig", Value: strconv.Itoa(t.Orig)},
		{Name: "origin", Value: t.Origin},
	}
}

func verdictRecord(ranges string, try int, r Result) attr.List {
	l := attr.List{
		{Name: "verdict", Value: r.Verdict.Kind.String()},
		{Name: "targets", Value: ranges},
		{Name: "try", Value: strconv.Itoa(try)},
		{Name: "status", Value: r.Verdict.Status},
		{Name: "via", Value: r.Via[:min(len(r.Via), maxText)]},
		{Name: "text", Value: r.Verdict.Text[:min(len(r.Verdict.Text), maxText)]},
	}
	if !r.At.IsZero() {
		l.AddInt("at", r.At.UnixMicro())
	}
	if r.Passed {
		l.Add("dsn", "passed")
	}
	return l
}

func nextRecord(try int, next time.Time) attr.List {
	return attr.List{
		{Name: "next", Value: strconv.FormatInt(next.UnixMicro(), 10)},
		{Name: "try", Value: strconv.Itoa(try)},
	}
}

func noticeRecord(n Notice, ranges string) attr.List {
	return attr.List{
		{Name: "notice", Value: n.ID},
		{Name: "kind", Value: n.Kind},
		{Name: "targets", Value: ranges},
	}
}
