package date

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	tests := []struct{ in, day, sent string }{
		{"Mon, 7 Feb 1994 23:52:25 -0800 (PST)", "1994-02-07", "1994-02-08T07:52:25Z"},
		{"31 Dec 2000 16:01:33 -0800", "2000-12-31", "2001-01-01T00:01:33Z"}, // RFC 5256 section 2.2
		{"8 feb 94 1:02", "1994-02-08", "1994-02-08T01:02:00Z"},
		{" (a) Tue (b), 8 (c) Feb 2022 (d(e)) 23 : 59 : 60 EST", "2022-02-08", "2022-02-09T05:00:00Z"},
		{"8 Feb 103 01:02:03 +0530", "2003-02-08", "2003-02-07T19:32:03Z"},
		{"8 Feb 12 01:02:03 pdt", "2012-02-08", "2012-02-08T08:02:03Z"},
		{"8 Feb 1964 01:02:03 +9999 and more", "1964-02-08", "1964-02-08T01:02:03Z"},
		{"8 Feb 2012 01:02:03 Z", "2012-02-08", "2012-02-08T01:02:03Z"},
		{"8 Feb 2012 01:02:03 UT", "2012-02-08", "2012-02-08T01:02:03Z"},
		{"8 Feb 2012 01:02:03 -0030", "2012-02-08", "2012-02-08T01:32:03Z"},
		{"8 Feb 1994", "untimed 1994-02-08", "1994-02-08T00:00:00Z"},
		{"8 Feb 1994 24:00:00 -0800", "untimed 1994-02-08", "1994-02-08T00:00:00Z"},
		{"8 Feb 1994 12 -0800", "untimed 1994-02-08", "1994-02-08T00:00:00Z"},
		{"soon", "none", ""},
		{"", "none", ""},
		{"Mon, ", "none", ""},
		{"31 Feb 1994 01:02:03", "none", ""},
		{"1994-02-08T01:02:03Z", "none", ""},
		{"Tue Feb  8 01:02:03 1994", "none", ""},
		{"8 Feb 99999999999999999999 01:02", "none", ""},
	}
	for _, tt := range tests {
		d, ok := Parse(tt.in)
		day, sent := "none", ""
		if ok {
			day, sent = d.Day.Format(time.DateOnly), d.Sent().Format(time.RFC3339)
			if !d.Timed {
				day = "untimed " + day
			}
		}
		if day != tt.day || sent != tt.sent {
			t.Errorf("%s: got %s %s, want %s %s", tt.in, day, sent, tt.day, tt.sent)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("Mon, 7 Feb 1994 23:52:25 -0800 (PST)")
	f.Add("8 feb 94 1:02 EDT")
	f.Fuzz(func(t *testing.T, in string) {
		d, ok := Parse(in)
		if diff := d.Sent().Sub(d.Day).Abs(); ok && diff > 125*time.Hour || strings.Trim(in, " ") == "" && ok {
			t.Fatalf("%q: %v, %v", in, d, ok)
		}
	})
}
