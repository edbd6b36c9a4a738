package scope

import (
	"fmt"
	"testing"

	"posthorn/imapd/internal/wire"
)

func TestParseSources(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{`(mailboxes "folder1" subtree "folder2")`, "[{8 [folder1]} {6 [folder2]}]"}, // RFC 7377 section 2.1
		{`(Selected Inboxes PERSONAL subscribed)`, "[{1 []} {3 []} {4 []} {5 []}]"},
		{`(subtree-one (a inbox.b &APw-))`, "[{7 [a INBOX.b ü]}]"},
		{`(mailboxes &x)`, "[{8 []}]"},
		{`(selected-delayed)`, "selected-delayed is for NOTIFY"},
		{`(mailboxes ())`, "no mailbox is named"},
		{`(mailboxes)`, "missing argument"},
		{`()`, "no mailboxes to search"},
		{`(personal (depth 1))`, "unknown mailbox filter"},
		{`personal`, `expected "("`},
	} {
		all, err := ParseSources(wire.NewScanner([]byte(tt.in)))
		got := fmt.Sprint(all)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestMeans(t *testing.T) {
	for _, tt := range []struct {
		kind           Kind
		top, name, sep string
		want           bool
	}{
		{Mailboxes, "a", "a", ".", true},
		{Mailboxes, "a", "a.b", ".", false},
		{Subtree, "a", "a", ".", true},
		{Subtree, "a", "a.b.c", ".", true},
		{Subtree, "a", "ab", ".", false},
		{Subtree, "a.b", "a", ".", false},
		{Subtree, "Shared/", "Shared/x/y", "/", true},
		{SubtreeOne, "a", "a", ".", true},
		{SubtreeOne, "a", "a.b", ".", true},
		{SubtreeOne, "a", "a.b.c", ".", false},
	} {
		f := Filter{Kind: tt.kind, Names: []string{"x", tt.top}}
		if got := f.Means(tt.name, tt.sep); got != tt.want {
			t.Errorf("%d %s: got %v for %s, want %v", tt.kind, tt.top, got, tt.name, tt.want)
		}
	}
}

func FuzzSources(f *testing.F) {
	for _, s := range []string{`(mailboxes "folder1" subtree "folder2")`, `(selected subtree-one (a b) personal)`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		all, err := ParseSources(wire.NewScanner([]byte(in)))
		if err == nil && (len(all) == 0 || len(all) > maxFilters) {
			t.Fatalf("got %d filters", len(all))
		}
		for _, one := range all {
			if len(one.Names) > maxNames {
				t.Fatalf("got %d names", len(one.Names))
			}
		}
	})
}
