package query

import (
	"reflect"
	"strings"
	"testing"

	"posthorn/imapd/internal/wire"
)

func TestParseList(t *testing.T) {
	tests := []struct {
		in   string
		want List
	}{
		{` "" %`, List{Patterns: []string{"%"}}},
		{` "" ""`, List{}},
		{` ref. a*`, List{Reference: "ref.", Patterns: []string{"ref.a*"}}},
		// like the examples of RFC 5258 section 5
		{` (REMOTE) "" "*"`, List{Extended: true, Patterns: []string{"*"}}},
		{` (SUBSCRIBED RECURSIVEMATCH) "" "*"`, List{Extended: true, Patterns: []string{"*"}, OnlySubscribed: true, Recursive: true, Subscription: true}},
		{` "" ("INBOX" "Drafts" "Sent/%")`, List{Extended: true, Patterns: []string{"INBOX", "Drafts", "Sent/%"}}},
		// RFC 5819
		{` "" % RETURN (STATUS (MESSAGES UNSEEN))`, List{Extended: true, Patterns: []string{"%"}, Items: []string{"MESSAGES", "UNSEEN"}}},
		// RFC 9590, with an option in front
		{` "" % RETURN (MYRIGHTS METADATA (DEPTH 1) ("/shared/vendor/cmu/cyrus-imapd/color"))`, List{Extended: true, Patterns: []string{"%"}, Rights: true,
			Metadata: Metadata{Entries: []string{"/shared/vendor/cmu/cyrus-imapd/color"}, MaxSize: -1, Depth: 1}}},
	}
	for _, tt := range tests {
		got, err := ParseList(wire.NewScanner([]byte(tt.in)))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, %v, want %+v", tt.in, got, err, tt.want)
		}
	}
}

func TestParseListRefused(t *testing.T) {
	for _, in := range []string{
		"", ` ""`, ` "" (`, ` (RECURSIVEMATCH) "" *`, ` (RECURSIVEMATCH REMOTE) "" *`, ` (WINDOW) "" *`, ` "" * SUBSCRIBED`,
		` "" * RETURN (STATUS ())`, ` "" * RETURN (STATUS (SIGHS))`, ` "" * RETURN (METADATA ("nothing"))`, ` "" * RETURN (METADATA ("/shared/a*"))`,
		` "" * x`, ` "" ` + strings.Repeat("a", maxPattern+1),
	} {
		if got, err := ParseList(wire.NewScanner([]byte(in))); err == nil {
			t.Errorf("%s: got %+v, want an error", in, got)
		}
	}
}

func TestParseLSub(t *testing.T) {
	got, err := ParseLSub(wire.NewScanner([]byte(` "#news." "comp.mail.*"`))) // RFC 3501 section 6.3.9
	if err != nil || len(got.Patterns) != 1 || got.Patterns[0] != "#news.comp.mail.*" {
		t.Errorf("got %+v, %v, want one pattern", got, err)
	}
	for _, in := range []string{` "" (a b)`, ` "" a b`, ` ""`} {
		if got, err := ParseLSub(wire.NewScanner([]byte(in))); err == nil {
			t.Errorf("%s: got %+v, want an error", in, got)
		}
	}
}

func FuzzList(f *testing.F) {
	for _, s := range []string{
		` (SUBSCRIBED SPECIAL-USE RECURSIVEMATCH) "" (a% *) RETURN (CHILDREN STATUS (SIZE UNSEEN))`,
		` "" % RETURN (METADATA (MAXSIZE 20 DEPTH infinity) (/shared/comment /private/x) MYRIGHTS)`, ` "ref" {1+}` + "\r\nx",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		q, err := ParseList(wire.NewScanner([]byte(in)))
		if err != nil {
			return
		}
		if n := len(strings.Join(q.Patterns, "")); n > maxPattern || len(q.Patterns) > MaxPatterns || len(q.Items) > maxStatus*maxOptions || len(q.Metadata.Entries) > MaxEntries {
			t.Fatalf("%d octets of patterns in %+v", n, q)
		}
		if q.Recursive && !q.Selects() {
			t.Fatalf("RECURSIVEMATCH alone in %+v", q)
		}
	})
}
