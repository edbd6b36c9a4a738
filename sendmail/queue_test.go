package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"posthorn/internal/door"
)

// TestPrintMessage holds the columns that scripts cut out: those of Postfix.
func TestPrintMessage(t *testing.T) {
	at := time.Date(2026, 11, 2, 7, 8, 9, 0, time.Local)
	d := door.Detail{Summary: door.Summary{ID: "0CAFE", State: "held", Arrived: at, Size: 1234, From: "ann@x.test"}, Targets: []door.TargetDetail{
		{Rcpt: "done@y.test", Verdict: "done"}, {Rcpt: "gone@y.test", Verdict: "never", Text: "no"},
		{Rcpt: "a@y.test", Verdict: "later", Text: "busy", Via: "mx.y.test[192.0.2.1]"},
		{Rcpt: "b@y.test", Verdict: "later", Text: "busy", Via: "mx.y.test[192.0.2.1]"},
		{Rcpt: "c@y.test\x1b[31m", Verdict: "later", Text: "cannot connect to mx.y.test[192.0.2.1]", Via: "mx.y.test[192.0.2.1]"},
		{Rcpt: "d@z.test"},
	}}
	blank := strings.Repeat(" ", 41)
	want := "0CAFE!         1234 Mon Nov  2 07:08:09  ann@x.test\n" +
		strings.Repeat(" ", 76-len("host mx.y.test[192.0.2.1] said: busy")) + "(host mx.y.test[192.0.2.1] said: busy)\n" +
		blank + "a@y.test\n" + blank + "b@y.test\n" +
		strings.Repeat(" ", 76-len("cannot connect to mx.y.test[192.0.2.1]")) + "(cannot connect to mx.y.test[192.0.2.1])\n" +
		blank + "c@y.test?[31m\n" + blank + "d@z.test\n\n"
	var b bytes.Buffer
	if printMessage(&b, d); b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	for state, mark := range map[string]string{"active": "*", "deferred": " ", "waiting": " "} {
		b.Reset()
		if printMessage(&b, door.Detail{Summary: door.Summary{ID: "0CAFE", State: state}, Recipients: []door.Recipient{{Address: "e@y.test"}}}); b.String()[5:6] != mark || !strings.Contains(b.String(), blank+"e@y.test\n") {
			t.Errorf("%s: got %q, want the mark %q", state, b.String(), mark)
		}
	}
	d = door.Detail{Summary: door.Summary{State: "waiting", Waiting: "y.test"}, Targets: []door.TargetDetail{{Rcpt: "a@y.test"}}}
	if got := waiting(d)[0].reason; got != "delivery temporarily suspended: waiting for y.test" {
		t.Errorf("got %q", got)
	}
}
