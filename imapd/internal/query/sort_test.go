package query

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/imapd/internal/wire"
)

func TestParseSort(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"(SUBJECT) UTF-8 SINCE 1-Feb-1994", "[{6 false}] UTF-8 (since@1994-02-01)"},
		{"(subject reverse Date) \"us-ascii\" ALL", "[{6 false} {3 true}] US-ASCII (all)"},
		{"(ARRIVAL CC FROM SIZE TO DISPLAYFROM DISPLAYTO) utf-8 1:2 SEEN", "[{1 false} {2 false} {4 false} {5 false} {7 false} {8 false} {9 false}] UTF-8 (seq[{1 2}] f16)"},
		{"RETURN (MIN) (TO) utf-8 ALL", "[{7 false}] UTF-8 (all) {true true false false false false 0:0 false false false <nil>}"},
		{"RETURN () (REVERSE DATE) utf-8 UNDELETED UNKEYWORD $Junk", "[{3 true}] UTF-8 (!f2 !f0$Junk) {true false false true false false 0:0 false false false <nil>}"},
		{"RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY TEXT Helo", `[{10 false}] UTF-8 (~text="Helo") {true false false true false false 0:0 true false false <nil>}`},
		{"(RELEVANCY) UTF-8 TEXT Helo", "error"},
		{"RETURN (RELEVANCY) (TO) UTF-8 TEXT Helo", "error"},
		{"", "error"},
		{"() UTF-8 ALL", "error"},
		{"(REVERSE) UTF-8 ALL", "error"},
		{"(REVERSE REVERSE TO) UTF-8 ALL", "error"},
		{"(BCC) UTF-8 ALL", "error"},
		{"(TO)", "error"},
		{"(TO) UTF-8", "error"},
		{"(TO) RETURN (MIN) UTF-8 ALL", "error"},
		{"(TO) CHARSET UTF-8 ALL", "error"},
		{"SUBJECT UTF-8 ALL", "error"},
		{"RETURN (NONE) (TO) UTF-8 ALL", "error"},
		{"(" + strings.Repeat("TO ", maxCriteria) + "TO) UTF-8 ALL", "error"},
	} {
		q, err := ParseSort(wire.NewScanner([]byte(tt.in)))
		got := fmt.Sprint(q.By, " ", q.Charset, " ", keyString(q.Key))
		if q.Return.Extended {
			got += fmt.Sprint(" ", q.Return)
		}
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%.60s: got %s, want %s (%v)", tt.in, got, tt.want, err)
		}
	}
}

func TestParseThread(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"ORDEREDSUBJECT UTF-8 SINCE 5-MAR-2000", "1 UTF-8 (since@2000-03-05)"},
		{"references us-ascii TEXT gewp", `2 US-ASCII (text="gewp")`},
		{"refs utf-8 1", "3 UTF-8 (seq[{1 1}])"},
		{"REFERENCES", "error"},
		{"REFERENCES UTF-8", "error"},
		{"JWZ UTF-8 ALL", "error"},
		{"(REFERENCES) UTF-8 ALL", "error"},
	} {
		q, err := ParseThread(wire.NewScanner([]byte(tt.in)))
		got := fmt.Sprint(q.Algorithm, " ", q.Charset, " ", keyString(q.Key))
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s (%v)", tt.in, got, tt.want, err)
		}
	}
}

func FuzzSort(f *testing.F) {
	f.Add("RETURN (MIN) (REVERSE DATE DISPLAYTO) UTF-8 ALL")
	f.Add("REFERENCES UTF-8 1:*")
	f.Fuzz(func(t *testing.T, in string) {
		q, err := ParseSort(wire.NewScanner([]byte(in)))
		if err == nil && (len(q.By) == 0 || q.Charset == "" || len(q.Key.Sub) == 0) {
			t.Fatalf("got %+v and no error", q)
		}
		r, err := ParseThread(wire.NewScanner([]byte(in)))
		if err == nil && (r.Algorithm == 0 || r.Charset == "" || len(r.Key.Sub) == 0) {
			t.Fatalf("got %+v and no error", r)
		}
	})
}
