package order

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// message returns a message with the header lines of text, which arrived seq
// seconds after the epoch.
func message(t testing.TB, seq int, text string) *Message {
	t.Helper()
	head := strings.ReplaceAll(text, "|", "\r\n") + "\r\n\r\n"
	p, err := mimepart.ParseHeader(strings.NewReader(head), int64(len(head)))
	if err != nil {
		t.Fatal(err)
	}
	return &Message{Seq: seq, Arrival: time.Unix(int64(seq), 0), Size: int64(len(head)), Facts: FactsOf(p)}
}

func TestSort(t *testing.T) {
	texts := []string{
		"Date: 2 Feb 2026 10:00:00 +0000|From: zoe@example.org|Subject: Re: b|To: group: x@example.org;",
		"Date: 2 Feb 2026 10:00:00 +0200|From: =?utf-8?q?=C3=84nne?= <bob@example.org>|Subject: A|Cc: two@example.org, one@example.org",
		"Date: 1 Feb 2026|From: Ann <carl@example.org>|Subject: [list] a (fwd)|To: \"\" <y@example.org>",
		"X-Nothing: here",
	}
	tests := []struct{ by, want string }{
		{"(ARRIVAL)", "1 2 3 4"},
		{"(REVERSE ARRIVAL)", "4 3 2 1"},
		{"(DATE)", "4 3 2 1"},
		{"(reverse date)", "1 2 3 4"},
		{"(SUBJECT)", "4 2 3 1"},
		{"(REVERSE SUBJECT)", "1 2 3 4"},
		{"(SUBJECT REVERSE DATE)", "4 2 3 1"},
		{"(REVERSE SUBJECT DATE)", "1 3 2 4"},
		{"(FROM)", "4 2 3 1"},
		{"(TO)", "2 4 1 3"},
		{"(CC)", "1 3 4 2"},
		{"(DISPLAYFROM)", "4 3 2 1"},
		{"(DISPLAYTO)", "2 4 1 3"},
		{"(SIZE)", "4 3 1 2"},
		{"(CC REVERSE SIZE)", "1 3 4 2"},
	}
	for _, tt := range tests {
		q, err := query.ParseSort(wire.NewScanner([]byte(tt.by + " utf-8 all")))
		if err != nil {
			t.Fatal(err)
		}
		s := NewSorter(q.By)
		for i, text := range texts {
			s.Add(message(t, i+1, text))
		}
		if got := fmt.Sprint(s.Sorted()); got != "["+tt.want+"]" {
			t.Errorf("%s: got %s, want %s", tt.by, got, tt.want)
		}
	}
}

// TestSortMany sorts many messages that have much in common, by two criteria, and
// compares that with an order made otherwise.
func TestSortMany(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	text := func() []byte {
		words := []string{"", "\x00", "\x01", "\xff", "a", "ab", "a common beginning ", "\x00\x00\x01"}
		return []byte(words[r.IntN(len(words))] + words[r.IntN(len(words))] + words[r.IntN(len(words))])
	}
	all := make([]*Message, 3000)
	for i := range all {
		all[i] = &Message{Seq: i + 1, Size: r.Int64N(5) - 2}
		all[i].Facts.texts[baseSubject], all[i].Facts.texts[fromMailbox] = text(), text()
	}
	turned := func(c query.Criterion, d int) int {
		if c.Reverse {
			return -d
		}
		return d
	}
	for n := range 16 {
		by := []query.Criterion{{By: query.BySubject, Reverse: n&1 > 0}, {By: query.ByFrom, Reverse: n&2 > 0}, {By: query.BySize, Reverse: n&4 > 0}}
		if n&8 > 0 {
			by[0], by[2] = by[2], by[0]
		}
		s := NewSorter(by)
		for _, m := range all {
			s.Add(m)
		}
		want := slices.Clone(all)
		slices.SortStableFunc(want, func(a, b *Message) (d int) {
			for _, c := range by {
				switch c.By {
				case query.BySize:
					d = turned(c, cmp.Compare(a.Size, b.Size))
				case query.BySubject:
					d = turned(c, bytes.Compare(a.Facts.texts[baseSubject], b.Facts.texts[baseSubject]))
				default:
					d = turned(c, bytes.Compare(a.Facts.texts[fromMailbox], b.Facts.texts[fromMailbox]))
				}
				if d != 0 {
					return d
				}
			}
			return 0
		})
		for i, seq := range s.Sorted() {
			if seq != want[i].Seq {
				t.Fatalf("%v: place %d: got message %d, want %d", by, i, seq, want[i].Seq)
			}
		}
	}
}

// TestCollation is the example of RFC 5255 section 4.6.
func TestCollation(t *testing.T) {
	s := NewSorter([]query.Criterion{{By: query.BySubject}})
	for i, subject := range []string{
		"\xD0\xC0\xD0\xBD\xD0\xB4\xD1\x80\xD0\xB5\xD0\xB9",
		"\xD1\x81\xD0\x95\xD0\xA0\xD0\x93\xD0\x95\xD0\x99",
		"\xD0\x92\xD0\xB0\xD1\x81\xD0\xB8\xD0\xBB\xD0\xB8\xFF\xB9",
		"=?koi8-r?q?=E1=CC=C5=CB=D3=C5=CA?=",
	} {
		s.Add(message(t, i+1, "Subject: "+subject))
	}
	if got, want := s.Sorted(), []int{4, 2, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestLongTexts: of long texts only so much is kept and compared.
func TestLongTexts(t *testing.T) {
	long := "Subject: " + strings.Repeat("x", maxText)
	s, h := NewSorter([]query.Criterion{{By: query.BySubject}}), NewThreads(query.OrderedSubject)
	for i, text := range []string{long + strings.Repeat("y", 100_000), long + "a", "Subject: x"} {
		s.Add(message(t, i+1, text))
		h.Add(message(t, i+1, text))
	}
	if got := s.Sorted(); !slices.Equal(got, []int{3, 1, 2}) || len(s.keys) != 2*(maxText+2)+len("x")+2 {
		t.Errorf("got %v with %d octets, want 3, 1 and 2", got, len(s.keys))
	}
	if got := written(t, h.Threads()); got != "(1 2)(3)" {
		t.Errorf("got %s, want the long subjects in one thread", got)
	}
}

func TestSortByRelevancy(t *testing.T) {
	s := NewSorter([]query.Criterion{{By: query.ByRelevancy}})
	for seq, score := range map[int]int{1: 4, 5: 99, 10: 42} { // RFC 6203 section 6
		s.Add(&Message{Seq: seq, Score: score})
	}
	if got := s.Sorted(); !slices.Equal(got, []int{5, 10, 1}) || s.Needs().Facts {
		t.Errorf("got %v", got)
	}
}

func TestMessageIDs(t *testing.T) {
	tests := []struct{ in, want string }{
		{"<a@b>", "a@b"},
		{"<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>", "01KF8JCEOCBS0045PS@xxx.yyy.com"}, // RFC 5256 section 3
		{" <a@b>\t<c@d> junk <e@f>", "a@b c@d e@f"},
		{"<a@b><c@d>", "a@b c@d"},
		{"< a . b @ c >", "a.b@c"},
		{`<"a\"b>"@c>`, `a"b>@c`},
		{"<a@b <c@d>", "c@d"},
		{"<a> <@b> <a@> <>", ""},
		{"a@b", ""},
		{"<a@b", ""},
		{`<"a@b>`, ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := strings.Join(messageIDs(tt.in), " "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// TestFactsAreKept: what was kept and read again is what it was.
func TestFactsAreKept(t *testing.T) {
	for _, text := range []string{
		"", "Subject: Re: \xff|From: \"A\" <a@x>, b@x|To: <c@x>|Cc: d@x", "Date: 2 Feb 1926 10:00:00 +0000|Message-ID: <1@x>|References: <2@x> <3@x>",
	} {
		want := message(t, 1, text).Facts
		kept := want.Append(nil)
		if got, ok := readFacts(kept); !ok || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, %v, want %v", text, got, ok, want)
		}
		for n := range len(kept) - len(want.ids) {
			if got, ok := readFacts(kept[:n]); ok {
				t.Errorf("%s: cut at %d: got %v", text, n, got)
			}
		}
	}
}

func readFacts(b []byte) (f Facts, ok bool) {
	ok = f.Read(b)
	return f, ok
}

func FuzzFacts(f *testing.F) {
	f.Add(message(f, 1, "Date: 2 Feb 1926 10:00:00 +0000|Subject: Re: A|From: b@x|Message-ID: <1@x>|References: <2@x>").Facts.Append(nil))
	f.Add(bytes.Repeat([]byte{1}, factsHead+factTexts+idSize)) // the sizes are too large
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, ok := readFacts(b)
		if again, same := readFacts(facts.Append(nil)); ok && !same || fmt.Sprint(again) != fmt.Sprint(facts) {
			t.Fatalf("got %v, %v, want %v", again, ok, facts)
		}
		threads, s := NewThreads(query.References), NewSorter([]query.Criterion{{By: query.BySubject}})
		threads.Add(&Message{Seq: 1, Facts: facts})
		s.Add(&Message{Seq: 1, Facts: facts})
		if len(threads.Threads()) != 1 || len(s.Sorted()) != 1 {
			t.Fatal("a message is lost")
		}
	})
}

func FuzzThreads(f *testing.F) {
	f.Add("Message-ID: <1@x>\nSubject: a\n\nMessage-ID: <2@x>\nReferences: <0@x> <1@x>\nSubject: Re: a\n\nIn-Reply-To: <2@x>")
	f.Add("Message-ID: <1@x>\nReferences: <2@x>\n\nMessage-ID: <2@x>\nReferences: <1@x>\n\nMessage-ID: <2@x>\nReferences: <3@x> <3@x> <2@x>")
	f.Fuzz(func(t *testing.T, text string) {
		list := strings.Split(text, "\n\n")
		for _, alg := range []query.Algorithm{query.OrderedSubject, query.References, query.Refs} {
			threads := NewThreads(alg)
			for i, m := range list {
				threads.Add(message(t, i+1, strings.ReplaceAll(m, "\n", "\r\n")))
			}
			got := members(threads.Threads())
			slices.Sort(got)
			for i := range list {
				if i >= len(got) || got[i] != i+1 || len(got) != len(list) {
					t.Fatalf("of %d messages got %v", len(list), got)
				}
			}
		}
	})
}

// members returns the messages of threads.
func members(threads []*Thread) (all []int) {
	for _, n := range threads {
		if n.Seq != 0 {
			all = append(all, n.Seq)
		}
		all = append(all, members(n.Replies)...)
	}
	return all
}
