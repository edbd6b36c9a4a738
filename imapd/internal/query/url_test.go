package query

import (
	"fmt"
	"strings"
	"testing"
)

func urlString(u URL, ok bool) string {
	if !ok {
		return "error"
	}
	out := fmt.Sprint(u.Mailbox, " ", u.Validity, " ", u.UID, " ", u.Section.Path, " ", u.Section.Kind)
	if u.Section.Fields != nil {
		out += fmt.Sprint(" ", u.Section.Fields)
	}
	if u.Section.Partial {
		offset, most := u.Section.Piece()
		out += fmt.Sprintf(" <%d.%d>", offset, most)
	}
	return out
}

func TestParseURL(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER", "Drafts 385759045 20 [] 1"}, // RFC 4469 appendix A
		{"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME", "Drafts 385759045 20 [1] 5"},
		{"/INBOX;UIDVALIDITY=785799047/;UID=113330/;section=1.5.9", "INBOX 785799047 113330 [1 5 9] 0"},
		{"/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024", "gray-council 385759045 20 [] 0 <0.1024>"}, // RFC 5092 section 9
		{"/a/;uid=7/;Section=HEADER.FIELDS%20(From%20To)/;partial=5", fmt.Sprintf("a 0 7 [] 2 [From To] <5.%d>", 1<<61)},
		{"/Shared/ann@example.org/%E6%97%A5%3B/;UID=1", "Shared/ann@example.org/日; 0 1 [] 0"},
		{"/a%2Fb/;UID=1", "a/b 0 1 [] 0"},
		{"/a", "error"}, // a mailbox is no message
		{"/a?from x", "error"},
		{"/a/;UID=1?x", "error"},
		{"/;UID=1", "error"},
		{"/a;UIDVALIDITY=0/;UID=1", "error"},
		{"/a;x=1/;UID=1", "error"},
		{"/a/;UID=0", "error"},
		{"/a/;UID=4294967296", "error"},
		{"/a/;UID=", "error"},
		{"/a/;UID=+1", "error"},
		{"/a/;UID=1/", "error"},
		{"/a/;UID=1/;SECTION=", "error"},
		{"/a/;UID=1/;SECTION=x", "error"},
		{"/a/;UID=1/;SECTION=1%5D", "error"},
		{"/a/;UID=1/;SECTION=1%5D%3C0.5%3E", "error"},
		{"/a/;UID=1/;SECTION=MIME", "error"},
		{"/a/;UID=1/;PARTIAL=1/;SECTION=1", "error"},
		{"/a/;UID=1/;PARTIAL=", "error"},
		{"/a/;UID=1/;PARTIAL=1.0", "error"},
		{"/a/;UID=1/;PARTIAL=1.", "error"},
		{"/a/;UID=1/;PARTIAL=-1", "error"},
		{"/a/;UID=1/;section=1.2;urlauth=submit+fred:internal:91354a473744909de610943775f92038", "error"},
		{"/a/;UID=1/;x=1", "error"},
		{"/a/;UID=1;x", "error"},
		{"a/;UID=1", "error"},
		{"//host/a/;UID=1", "error"},
		{"imap://host/a/;UID=1", "error"},
		{"/%zz/;UID=1", "error"},
		{"/a b/;UID=1", "error"},
		{"/ü/;UID=1", "error"},
		{"/" + strings.Repeat("a", MaxURL) + "/;UID=1", "error"},
		{"", "error"},
	} {
		if got := urlString(ParseURL(tt.in)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER.FIELDS%20(To)", "/Shared/a/b/;uid=7/;SECTION=1.2.MIME/;PARTIAL=5.7", "/a/;UID=1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		u, ok := ParseURL(in)
		if !ok {
			return
		}
		offset, most := u.Section.Piece()
		if u.Mailbox == "" || u.UID == 0 || u.Section.Partial && (offset < 0 || most <= 0) {
			t.Fatalf("%q: %+v", in, u)
		}
	})
}
