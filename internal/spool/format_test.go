package spool

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/dsn"
	"posthorn/internal/durable"
	"posthorn/internal/id"
	"posthorn/internal/verdict"
)

func TestRecordsComeBackAsTheyWent(t *testing.T) {
	for _, l := range []attr.List{
		{{Name: "a", Value: ""}},
		{{Name: "a", Value: `x y="z" sum=00000000`}, {Name: "b", Value: "ü\n\x00\xff"}, {Name: "c", Value: "k=v"}},
	} {
		b := appendRecord(nil, l)
		if bytes.Count(b, []byte("\n")) != 1 {
			t.Errorf("%v: got %q, want one line", l, b)
		}
		got, ok := parseRecord(string(b[:len(b)-1]))
		if !ok || !reflect.DeepEqual(got, l) {
			t.Errorf("%q: got %v, %v, want %v", b, got, ok, l)
		}
	}
}

func TestRanges(t *testing.T) {
	for _, c := range []struct {
		in   []int
		want string
	}{
		{[]int{0}, "0"}, {[]int{0, 1, 2}, "0-2"}, {[]int{0, 2, 3, 9}, "0,2-3,9"},
	} {
		got := formatRanges(c.in)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%v: got %v, want %s", c.in, got, c.want)
		}
		back, err := parseRanges(c.want, 10)
		if err != nil || !reflect.DeepEqual(back, c.in) {
			t.Errorf("%s: got %v, %v, want %v", c.want, back, err, c.in)
		}
	}
	for _, bad := range []string{"", "x", "5-2", "0-10", "10", "-1", "0-9,0-9", "1,,2", "99999999999999999999"} {
		if got, err := parseRanges(bad, 10); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestEnvelopeRefusals(t *testing.T) {
	e := envelope()
	good, _, err := e.encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new string }{
		{"version", "message/1", "message/2"},
		{"size of other width", "size=0000000000000000", "size=0"},
		{"negative size", "size=0000000000000000", "size=-000000000000001"},
		{"unknown origin", "origin=smtp", "origin=web"},
		{"unknown line", "helo=", "hello="},
		{"missing line", "helo=h.example\n", ""},
		{"bad sender", "from=ann@", "from=<ann>@"},
		{"no recipients", "rcpt=bob@b.example\norcpt=rfc822;b@old.example\nnotify=success,delay\nrcpt=\"q\\\"q\"@c.example\n", ""},
		{"null recipient", "rcpt=bob@b.example", "rcpt="},
		{"line behind the recipients", "c.example\n", "c.example\nx=y\n"},
		{"other ret", "ret=full", "ret=part"},
		{"envid with a control", "envid=an id", "envid=an\tid"},
		{"orcpt before the recipients", "envid=an id", "orcpt=rfc822;x@y"},
		{"orcpt without a type", "orcpt=rfc822;", "orcpt="},
		{"envid behind a recipient", "notify=success,delay", "envid=x"},
		{"contradicting notify", "notify=success,delay", "notify=never,delay"},
		{"path as id", e.ID, "../../../../../etc/passwd1"},
		{"other body", "body=8bitmime", "body=binarymime"},
		{"other utf8", "utf8=yes", "utf8=maybe"},
		{"other time", "time=1", "time=x"},
	} {
		bad := strings.Replace(string(good), c.old, c.new, 1)
		if bad == string(good) {
			t.Fatalf("%s: nothing replaced in %q", c.name, good)
		}
		if got, err := parseEnvelope([]byte(bad)); err == nil {
			t.Errorf("%s: got %+v, want an error", c.name, got)
		}
	}
}

func TestRoom(t *testing.T) {
	short := Rcpt{Address: addr.Address{Local: "a", Domain: "b.example"}}
	asked := short
	asked.Rcpt = dsn.Rcpt{Orcpt: "rfc822;a@b.example", Notify: dsn.Never}
	long := Rcpt{addr.Address{Local: strings.Repeat("\"", addr.MaxLocal), Domain: strings.Repeat("d", 63) + ".example"},
		dsn.Rcpt{Orcpt: "rfc822;" + strings.Repeat("x", dsn.MaxOrcpt-7), Notify: dsn.Success | dsn.Failure | dsn.Delay}}
	for _, c := range []struct {
		name string
		rcpt Rcpt
		most int
	}{{"short", short, MaxRcpts}, {"with what was asked", asked, 2697}, {"long", long, 2697}} {
		e := envelope()
		e.Rcpts = nil
		for room := (Room{}); room.Add(c.rcpt); {
			e.Rcpts = append(e.Rcpts, c.rcpt)
		}
		if len(e.Rcpts) != c.most {
			t.Errorf("%s: got %d recipients, want %d", c.name, len(e.Rcpts), c.most)
		}
		head, _, err := e.encode(nil)
		if err != nil {
			t.Fatalf("%s: the envelope cannot be written: %v", c.name, err)
		}
		if back, _, err := readEnvelope(bytes.NewReader(head)); err != nil || len(back.Rcpts) != c.most {
			t.Errorf("%s: got %d recipients, %v", c.name, len(back.Rcpts), err)
		}
		if e.Rcpts = append(e.Rcpts, c.rcpt); e.check() == nil {
			t.Errorf("%s: one more: got no error", c.name)
		}
	}
}

func FuzzRead(f *testing.F) {
	e := envelope()
	e.Size = int64(len(body))
	head, _, err := e.encode(nil)
	if err != nil {
		f.Fatal(err)
	}
	whole := append(head, body...)
	f.Add(whole)
	whole = appendRecord(whole, targetRecord(0, Target{Kind: "box", Value: "b", Rcpt: "c", Origin: "users:1"}))
	whole = appendRecord(whole, attr.List{{Name: "expanded", Value: "1"}})
	whole = appendRecord(whole, verdictRecord("0", 1, Result{Verdict: verdict.New(verdict.Later, "4.0.0", "x y"), Via: "h", At: time.UnixMicro(7)}))
	whole = appendRecord(whole, nextRecord(1, time.UnixMicro(7)))
	f.Add(whole)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := readFrom(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("got %v, want %v", err, ErrFormat)
			}
			return
		}
		if m.Offset+m.Size > int64(len(b)) {
			t.Errorf("got a message of %d bytes at %d in a file of %d", m.Size, m.Offset, len(b))
		}
		if _, _, err := m.Envelope.encode(nil); err != nil {
			t.Errorf("cannot write what was read: %v", err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add("a=b c=\"d e\" f=\"\"")
	f.Add("verdict=later targets=0-3,5 try=1 status=4.0.0 text=\"x\\ny\"")
	f.Fuzz(func(t *testing.T, s string) {
		line := string(appendSum([]byte(s), []byte(s))) // a right checksum gets the fuzzer past it
		l, ok := parseRecord(line)
		if !ok {
			return
		}
		b := appendRecord(nil, l)
		again, ok := parseRecord(string(b[:len(b)-1]))
		if !ok || !reflect.DeepEqual(again, l) {
			t.Errorf("%q: got %v, %v, want %v", line, again, ok, l)
		}
	})
}

func TestTornTailsAreIgnoredAndEnded(t *testing.T) {
	for _, tail := range []string{"next=1", "next=99 try=9 sum=00000000\n", "\x00\x00\x00\x00", strings.Repeat("x", 3*maxRecord), "sum=\n", " sum=00000000\n"} {
		t.Run(fmt.Sprintf("%.12q", tail), func(t *testing.T) {
			s := openSpool(t, t.TempDir(), &durable.Disk{})
			m := queued(t, s)
			if _, err := m.file.WriteAt([]byte(tail), m.end); err != nil {
				t.Fatal(err)
			}
			again, err := s.Load(m.Ref())
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if again.Try != 0 || !again.Expanded {
				t.Errorf("got try %d, expanded %v, want the torn line unread", again.Try, again.Expanded)
			}
			again.SetNext(1, time.UnixMicro(5))
			if err := again.Flush(); err != nil {
				t.Fatal(err)
			}
			last, err := s.Load(m.Ref())
			if err != nil {
				t.Fatal(err)
			}
			defer last.Close()
			if last.Try != 1 {
				t.Errorf("line behind a torn one: got try %d, want 1", last.Try)
			}
		})
	}
}

func TestManyTargetsInFewLines(t *testing.T) {
	s := openSpool(t, t.TempDir(), &durable.Disk{})
	d := draft(t, s.Incoming(), envelope())
	defer d.Close()
	ro, err := attr.ReadOnly(d.File())
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	m, err := s.Receive(ro, d.Envelope().ID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	targets := make([]Target, 20_000)
	var even, all []int
	for n := range targets {
		targets[n] = Target{Kind: "box", Value: fmt.Sprint(n)}
		if n%2 == 0 {
			even = append(even, n)
		}
		all = append(all, n)
	}
	if err := m.SetTargets(targets); err != nil {
		t.Fatal(err)
	}
	m.SetResult(even, 1, Result{Verdict: verdict.New(verdict.Done, "2.0.0", strings.Repeat("ü", 5000))})
	m.SetResult(all, 2, Result{Verdict: verdict.New(verdict.Never, "5.0.0", "no")})
	m.Owe(Notice{ID: id.New(), Kind: "failure", Targets: even})
	if err := s.Commit(m); err != nil {
		t.Fatal(err)
	}
	again, err := s.Load(m.Ref())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for n := range again.Targets {
		want := []verdict.Kind{verdict.Done, verdict.Never}[n%2]
		if got := again.Targets[n].Verdict.Kind; got != want {
			t.Fatalf("target %d: got %v, want %v", n, got, want)
		}
		if got := again.Targets[n].Failed; got != (n%2 == 0) {
			t.Fatalf("target %d: got noticed %v", n, got)
		}
	}
	if len(again.Notices) != 1 || len(again.Notices[0].Targets) != len(even) {
		t.Errorf("got %d notices, want one for %d targets", len(again.Notices), len(even))
	}
}
