package order

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// threaded returns the THREAD response for messages.
func threaded(t testing.TB, alg query.Algorithm, texts []string) string {
	t.Helper()
	threads := NewThreads(alg)
	for i, text := range texts {
		threads.Add(message(t, i+1, text))
	}
	return written(t, threads.Threads())
}

func written(t testing.TB, threads []*Thread) string {
	t.Helper()
	var out strings.Builder
	w := wire.NewWriter(&out, wire.NewPool())
	Write(w, threads, func(seq int) uint32 { return uint32(seq) })
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestWrite writes the examples of RFC 5256 section 4.
func TestWrite(t *testing.T) {
	chain := func(seqs ...int) *Thread {
		first := &Thread{Seq: seqs[0]}
		for n, rest := first, seqs[1:]; len(rest) > 0; n, rest = n.Replies[0], rest[1:] {
			n.Replies = []*Thread{{Seq: rest[0]}}
		}
		return first
	}
	parted := chain(3, 6)
	parted.Replies[0].Replies = []*Thread{chain(4, 23), chain(44, 7, 96)}
	for _, tt := range []struct {
		threads []*Thread
		want    string
	}{
		{[]*Thread{chain(2), parted}, "(2)(3 6 (4 23)(44 7 96))"},
		{[]*Thread{{Replies: []*Thread{chain(3), chain(5)}}}, "((3)(5))"},
		{nil, ""},
	} {
		if got := written(t, tt.threads); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestOrderedSubject(t *testing.T) {
	for _, tt := range []struct {
		want  string
		texts []string
	}{
		{"", nil},
		{"(1)(2)", []string{"Subject: b", "Subject: a"}},
		{"(2 (3)(1))", []string{
			"Date: 3 Feb 2026 1:00 +0000|Subject: Re: A", "Date: 1 Feb 2026 1:00 +0000|Subject: [x] a", "Date: 2 Feb 2026 1:00 +0000|Subject: fwd: a",
		}},
		{"(2 3)(1 4)", []string{
			"Date: 3 Feb 2026 1:00 +0000|Subject: a", "Date: 1 Feb 2026 1:00 +0000|Subject: b",
			"Date: 4 Feb 2026 1:00 +0000|Subject: Re: b", "Date: 5 Feb 2026 1:00 +0000|Subject: Re: a",
		}},
	} {
		if got := threaded(t, query.OrderedSubject, tt.texts); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.texts, got, tt.want)
		}
	}
}

func TestReferences(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		texts      []string
	}{
		{"none", "", nil},
		{"by References", "(1 2 3)", []string{
			"Message-ID: <1@x>", "Message-ID: <2@x>|References: <1@x>", "References: <1@x> <2@x>|In-Reply-To: <1@x>",
		}},
		{"by the first of In-Reply-To", "(1 3)(2)", []string{
			"Message-ID: <1@x>", "Message-ID: <2@x>", "References: none|In-Reply-To: Your message of <never> <1@x> <2@x>",
		}},
		{"quotes do not count", "(1 2)", []string{"Message-ID: <\"1\"@x>", "References: <1@x>"}},
		{"case counts", "(1)(2)", []string{"Message-ID: <A@x>", "References: <a@x>"}},
		{"replies before what they answer", "(3 2 1)", []string{"References: <2@x>", "Message-ID: <2@x>|References: <3@x>", "Message-ID: <3@x>"}},
		{"a missing message between", "(1 2)", []string{"Message-ID: <1@x>", "References: <1@x> <missing@x>"}},
		{"a missing message above one", "(1)", []string{"References: <missing@x>"}},
		{"a missing message above several", "((1)(2))", []string{"References: <missing@x>", "References: <missing@x>"}},
		{"missing ones at the top", "((1)(2))", []string{"References: <a@x> <b@x> <c@x>", "References: <a@x> <b@x> <d@x>"}},
		{"missing ones above a message", "(1 (2)(3))", []string{
			"Message-ID: <1@x>", "References: <a@x> <1@x> <b@x>", "References: <1@x> <c@x>",
		}},
		{"an ID twice", "(1 3)(2)", []string{"Message-ID: <1@x>", "Message-ID: <1@x>", "References: <1@x>"}},
		{"a loop of two", "(2 1)", []string{"Message-ID: <1@x>|References: <2@x>", "Message-ID: <2@x>|References: <1@x>"}},
		{"a message answers itself", "(1)", []string{"Message-ID: <1@x>|References: <1@x>"}},
		{"a loop of three", "(3 1 2)", []string{
			"Message-ID: <1@x>|References: <3@x>", "Message-ID: <2@x>|References: <1@x>", "Message-ID: <3@x>|References: <2@x>",
		}},
		{"others say what a message does not", "(1 2 3)", []string{
			"Message-ID: <1@x>", "Message-ID: <2@x>", "References: <1@x> <2@x>",
		}},
		{"what a message says of itself counts more", "(1)(3 2)", []string{
			"Message-ID: <1@x>", "References: <1@x> <2@x>", "Message-ID: <2@x>",
		}},
		{"a link of others stays", "(1 2 3 4)", []string{
			"Message-ID: <1@x>", "Message-ID: <2@x>|References: <1@x>", "Message-ID: <3@x>|References: <2@x>", "References: <1@x> <3@x>",
		}},
		{"siblings by date", "(1 (3)(2))", []string{
			"Message-ID: <1@x>|Date: 1 Feb 2026 1:00 +0000", "References: <1@x>|Date: 3 Feb 2026 1:00 +0000", "References: <1@x>|Date: 2 Feb 2026 1:00 +0000",
		}},
		{"threads by date", "(2)(1)", []string{"Date: 3 Feb 2026 1:00 +0000", "Date: 2 Feb 2026 1:00 +0000"}},
		{"a thread without its first by that of its first child", "(2)((3)(1))", []string{
			"References: <m@x>|Date: 5 Feb 2026 1:00 +0000", "Date: 2 Feb 2026 1:00 +0000", "References: <m@x>|Date: 3 Feb 2026 1:00 +0000",
		}},
		{"one subject", "((1)(2))", []string{"Subject: a", "Subject: A"}},
		{"a reply by its subject", "(1 2)", []string{"Subject: a", "Subject: Re: a"}},
		{"a reply before what it answers", "(2 1)", []string{"Subject: Re: a", "Subject: a"}},
		{"replies only", "((1)(2))", []string{"Subject: Re: a", "Subject: Re: a"}},
		{"several of one subject", "((1)(2 3)(4))", []string{"Subject: a", "Message-ID: <2@x>|Subject: a", "References: <2@x>|Subject: b", "Subject: a"}},
		{"no subject", "(1)(2)", []string{"Subject: Re:", "X-Subject: none"}},
		{"two without their first merge", "((1)(2)(3)(4))", []string{
			"References: <m@x>|Subject: a", "References: <m@x>|Subject: b", "References: <n@x>|Subject: a", "References: <n@x>|Subject: c",
		}},
		{"one joins those without their first", "((1)(2)(3))", []string{
			"References: <m@x>|Subject: a", "References: <m@x>|Subject: b", "Subject: a",
		}},
		{"an earlier one joins too", "((1)(2)(3))", []string{
			"Subject: a", "References: <m@x>|Subject: a", "References: <m@x>|Subject: b",
		}},
	} {
		if got := threaded(t, query.References, tt.texts); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestRefs: message n arrives n seconds after the epoch.
func TestRefs(t *testing.T) {
	for _, tt := range []struct {
		want  string
		texts []string
	}{
		{"", nil},
		{"(2)(1 3)", []string{"Message-ID: <1@x>|Subject: a", "Subject: a", "References: <1@x>|Subject: b"}},
		{"(1 (3)(2))(4)", []string{
			"Message-ID: <1@x>|Date: 5 Feb 2026 1:00 +0000", "References: <1@x>|Date: 3 Feb 2026 1:00 +0000",
			"References: <1@x>|Date: 2 Feb 2026 1:00 +0000", "Date: 1 Feb 2026 1:00 +0000",
		}},
		{"(2)((1)(3))", []string{"References: <m@x>", "Message-ID: <2@x>", "References: <m@x>"}},
	} {
		if got := threaded(t, query.Refs, tt.texts); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.texts, got, tt.want)
		}
	}
}

// TestDeepThreads threads what would end a recursion or take forever.
func TestDeepThreads(t *testing.T) {
	const n = 20000
	var up, down, missing []string
	for i := range n {
		up = append(up, fmt.Sprintf("Message-ID: <%d@x>|References: <%d@x>", i, i-1))
		down = append(down, fmt.Sprintf("Message-ID: <%d@x>|References: <%d@x>", n-i, n-i-1))
		missing = append(missing, fmt.Sprintf("References: <%d@x> <%d@x>", i, i+1))
	}
	for _, tt := range []struct {
		texts      []string
		start, end string
	}{
		{up, "(1 2 3 ", "20000)"},
		{down, "(20000 19999 ", " 1)"},
		{missing, "((1)(2)", "(20000))"},
	} {
		threaded(t, query.Refs, tt.texts)
		got := threaded(t, query.References, tt.texts)
		if !strings.HasPrefix(got, tt.start) || !strings.HasSuffix(got, tt.end) {
			t.Errorf("got %.20s…%s, want %s…%s", got, got[len(got)-10:], tt.start, tt.end)
		}
	}
}

// TestLongWalks has messages, each with one below it, follow the end of a long chain.
func TestLongWalks(t *testing.T) {
	const chain, n, most = 200_000, 10_000, 500
	var texts []string
	for at := 0; at < chain; at += most {
		var ids strings.Builder
		for i := range most + 1 {
			fmt.Fprintf(&ids, " <%d@x>", at+i)
		}
		texts = append(texts, "References:"+ids.String())
	}
	for at := 0; at < n; at += most {
		var ids strings.Builder
		for i := range most {
			fmt.Fprintf(&ids, " <%d@y> <%d@z>", at+i, at+i)
		}
		texts = append(texts, "References:"+ids.String())
	}
	for i := range n {
		texts = append(texts, fmt.Sprintf("Message-ID: <%d@y>|References: <%d@x>", i, chain))
	}
	if got := threaded(t, query.Refs, texts); strings.Count(got, "(") < n {
		t.Errorf("got %d threads, want one for each message at least", strings.Count(got, "("))
	}
}
