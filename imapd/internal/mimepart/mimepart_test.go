package mimepart

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	corpus "posthorn/test/mime"
)

// crlf gives text the line ends of a message.
func crlf(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n") }

func parse(t *testing.T, msg string) *Part {
	t.Helper()
	p, err := Parse(strings.NewReader(msg), int64(len(msg)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The example of RFC 3501 section 6.4.5, in short.
const nested = `
From: a@example.org
Subject: all
Content-Type: multipart/mixed; boundary="out"

preamble
--out

one
two
--out
Content-Type: application/octet-stream

2nd
--out
Content-Type: message/rfc822
Content-ID: <3>

Subject: inner
Content-Type: multipart/alternative; boundary=in

--in
Content-Type: text/plain; charset=utf-8

3.1
--in
Content-Type: text/html

3.2
--in--
epilogue in
--out
Content-Type: message/rfc822

Subject: single

4.1
--out--
epilogue out
`

func TestFind(t *testing.T) {
	msg := crlf(nested)
	root := parse(t, msg)
	tests := []struct {
		path   []int
		header string
		body   string
		lines  int64
	}{
		{[]int{1}, "\r\n", "one\r\ntwo", 1},
		{[]int{2}, "Content-Type: application/octet-stream\r\n\r\n", "2nd", 0},
		{[]int{3, 1}, "Content-Type: text/plain; charset=utf-8\r\n\r\n", "3.1", 0},
		{[]int{3, 2}, "Content-Type: text/html\r\n\r\n", "3.2", 0},
		{[]int{4, 1}, "Subject: single\r\n\r\n", "4.1", 0},
		{[]int{4}, "Content-Type: message/rfc822\r\n\r\n", "Subject: single\r\n\r\n4.1", 2},
	}
	for _, tt := range tests {
		p := root.Find(tt.path)
		if p == nil {
			t.Errorf("%v: not found", tt.path)
			continue
		}
		header, body := msg[p.Header.Off:p.Header.End], msg[p.Body.Off:p.Body.End]
		if header != tt.header || body != tt.body || p.Lines != tt.lines {
			t.Errorf("%v: got %q, %q, %d, want %q, %q, %d", tt.path, header, body, p.Lines, tt.header, tt.body, tt.lines)
		}
	}
	for _, path := range [][]int{{0}, {5}, {1, 1}, {2, 1}, {3, 3}, {3, 1, 1}, {4, 2}, {4, 1, 1}} {
		if p := root.Find(path); p != nil {
			t.Errorf("%v: got %v, want nothing", path, p)
		}
	}
	if m := root.Find([]int{3}).Message; msg[m.Header.Off:m.Header.End] != "Subject: inner\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n" {
		t.Errorf("3.HEADER: got %q", msg[m.Header.Off:m.Header.End])
	}
}

func TestFindSingle(t *testing.T) {
	msg := "Subject: x\r\n\r\nbody\r\n"
	p := parse(t, msg).Find([]int{1})
	if p == nil || msg[p.Body.Off:p.Body.End] != "body\r\n" || p.Lines != 1 {
		t.Errorf("got %+v", p)
	}
	if p := parse(t, msg).Find([]int{1, 1}); p != nil {
		t.Errorf("1.1: got %+v, want nothing", p)
	}
}

// TestFindNone asks for the part that a multipart without parts is said to have.
func TestFindNone(t *testing.T) {
	root := parse(t, crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\nx\n--b--\n"))
	for _, path := range [][]int{{1, 1}, {1}} {
		p := root.Find(path)
		if p == nil || len(path) == 2 && (p.Header.Len() != 0 || p.Body.Len() != 0) {
			t.Errorf("%v: got %+v", path, p)
		}
	}
	for _, path := range [][]int{{1, 2}, {1, 1, 1}, {2}} {
		if p := root.Find(path); p != nil {
			t.Errorf("%v: got %+v, want nothing", path, p)
		}
	}
}

func TestStructure(t *testing.T) {
	tests := []struct{ name, msg, want string }{
		{"plain", "Subject: x\n\na\nb\n",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 2 NIL NIL NIL NIL)`},
		{"no body", "Subject: x\n",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`},
		{"nothing", "",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`},
		{"fields", "Content-Type: IMAGE/png (x); name=\"a \\\"b\\\".png\"; q\nContent-Transfer-Encoding: Base64\nContent-ID: <i>\nContent-Description:\n d\nContent-MD5: m\nContent-Disposition: attachment;\n\tfilename=a.png\nContent-Language: de, en\nContent-Location: l\n\nxx\n",
			`("IMAGE" "png" ("name" "a \"b\".png") "<i>" "d" "Base64" 4 "m" ("attachment" ("filename" "a.png")) ("de" "en") "l")`},
		{"nonsense type", "Content-Type: foo\n\n",
			`("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)`},
		{"multipart without boundary", "Content-Type: multipart/mixed\n\nx\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" NIL NIL NIL NIL)`},
		{"alternative", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\nx\n--b \nContent-Type: text/html\n\n<p>\n--b--\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "alternative" ("boundary" "b") NIL NIL NIL)`},
		{"cut short", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"inner without end", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--b\n\ny\n--b--\n",
			`((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) "mixed" ("boundary" "bb") NIL NIL NIL)("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"header without end", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-ID: x\n--b--\n",
			`(("text" "plain" ("charset" "us-ascii") "x" NIL "7bit" 0 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: s\n\nx\n--b--\n",
			`(("message" "rfc822" NIL NIL NIL "7bit" 15 (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) "digest" ("boundary" "b") NIL NIL NIL)`},
		{"continuations", "Content-Type: image/png; name*1=b; x=y; NAME*0*=utf-8''a\n\n",
			`("image" "png" ("x" "y" "NAME*" "utf-8''ab") NIL NIL "7bit" 0 NIL NIL NIL NIL)`},
		{"continuations with a gap", "Content-Type: image/png; name*2=b; name*0=a\n\n",
			`("image" "png" ("name*0" "a" "name*2" "b") NIL NIL "7bit" 0 NIL NIL NIL NIL)`},
		{"delimiter that only begins with the boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b x\n\nx\n--b--y\n",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"delimiter at the end without line end", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b",
			`(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) "mixed" ("boundary" "b") NIL NIL NIL)`},
		{"twice", "Content-Type: image/png\nContent-Type: image/gif\nContent-Disposition: inline\nContent-Disposition: attachment\n\n",
			`("image" "png" NIL NIL NIL "7bit" 0 NIL ("attachment" NIL) NIL NIL)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out text
			parse(t, crlf(tt.msg)).Structure(&out, true)
			if out.String() != tt.want {
				t.Errorf("got\n%s, want\n%s", out.String(), tt.want)
			}
		})
	}
	var out text
	parse(t, crlf(tests[6].msg)).Structure(&out, false)
	if want := `(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0)("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 3 0) "alternative")`; out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
}

// text is an Output that quotes in the plainest way.
type text struct{ strings.Builder }

func (w *text) Put(s string)     { w.WriteString(s) }
func (w *text) Num(n uint64)     { fmt.Fprint(w, n) }
func (w *text) AString(s string) { fmt.Fprintf(w, "%q", s) }

func TestEnvelope(t *testing.T) {
	tests := []struct{ name, msg, want string }{
		{"usual", "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\nSubject: a\n b\nFrom: Terry Gray <gray@cac.example>\nTo: imap@cac.example, \"John, K\" <k@x>\nMessage-ID: <1@x>\nSubject: second\n\n",
			`("Mon, 7 Feb 1994 21:52:25 -0800 (PST)" "second" (("Terry Gray" NIL "gray" "cac.example")) (("Terry Gray" NIL "gray" "cac.example")) (("Terry Gray" NIL "gray" "cac.example")) ((NIL NIL "imap" "cac.example")("John, K" NIL "k" "x")) NIL NIL NIL "<1@x>")`},
		{"groups and odd ones", "From: a@b (Ann B.)\nSender:\nReply-To: undisclosed-recipients:;\nTo: list: x@y, Z <z@[IPv6:::1]>;, <@r1,@r2:u@v>, nobody, <>\nCc: \"a b\"@c, <\"d e\" @ f>\nSubject:\n\n",
			`(NIL "" (("Ann B." NIL "a" "b")) (("Ann B." NIL "a" "b")) ((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)) ((NIL NIL "list" NIL)(NIL NIL "x" "y")("Z" NIL "z" "[IPv6:::1]")(NIL NIL NIL NIL)(NIL "@r1,@r2" "u" "v")(NIL NIL "nobody" "MISSING_DOMAIN")(NIL NIL "MISSING_MAILBOX" "MISSING_DOMAIN")) ((NIL NIL "a b" "c")(NIL NIL "d e" "f")) NIL NIL NIL)`},
		{"twice", "To: a@b\nTo: c@d\nSubject: one\nSubject: two\n\n",
			`(NIL "two" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)`},
		{"goes on behind what is broken", "To: a@b c, <d@e, <@f>, (g) h@i; \"j\n\n",
			`(NIL NIL NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "d" "SYNTAX_ERROR")(NIL "INVALID_ROUTE" "MISSING_MAILBOX" "MISSING_DOMAIN")("g" NIL "h" "i")(NIL NIL "MISSING_MAILBOX" "MISSING_DOMAIN")) NIL NIL NIL NIL)`},
		{"group without a name", "To: : a@b, c@d;\nCc: \"\":;\n\n",
			`(NIL NIL NIL NIL NIL ((NIL NIL "" NIL)(NIL NIL "a" "b")(NIL NIL "c" "d")(NIL NIL NIL NIL)) ((NIL NIL "" NIL)(NIL NIL NIL NIL)) NIL NIL NIL)`},
		{"colon that begins no group", "To: <g:@h.i;>, j@k\nCc: a@b: c@d;\n\n",
			`(NIL NIL NIL NIL NIL ((NIL NIL "g" "SYNTAX_ERROR")(NIL NIL "MISSING_MAILBOX" "h.i")(NIL NIL "MISSING_MAILBOX" "MISSING_DOMAIN")(NIL NIL "j" "k")) ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL)`},
		{"group without end", "To: g: a@b\n\n",
			`(NIL NIL NIL NIL NIL ((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL)) NIL NIL NIL NIL)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := crlf(tt.msg)
			p, err := ParseHeader(strings.NewReader(msg), int64(len(msg)))
			if err != nil {
				t.Fatal(err)
			}
			var out text
			p.Envelope(&out)
			if out.String() != tt.want {
				t.Errorf("got\n%s, want\n%s", out.String(), tt.want)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	const in = `A B <a@b>, "c d"@e, f: G.H <@r:g@h>;, "":;, =?utf-8?q?x?= y <z@z>, nobody`
	const want = `"A B" <a@b>, <"c d"@e>, f: "G.H" <@r:g@h>;, "": ;, =?utf-8?q?x?= y <z@z>, <nobody@>`
	if got := Format(parseAddresses(in)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEachField(t *testing.T) {
	msg := crlf("A: 1\nB: 2\n\t3\n  4\n\nC: 5\n")
	var got []string
	found, err := EachField(strings.NewReader(msg), Range{0, int64(len(msg))}, func(f string) bool {
		got = append(got, f)
		return false
	})
	if want := []string{"A: 1", "B: 2\t3  4", "B: 2 3 4"}; found || err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, %v, want %q", got, found, err, want)
	}
}

// TestEachFieldFragments: a line can end exactly where a fragment of it does.
func TestEachFieldFragments(t *testing.T) {
	for size := bufferSize - 2; size <= bufferSize+2; size++ {
		field := "A: " + strings.Repeat("x", size-3)
		for _, end := range []string{"\n", "\r\n"} {
			msg := field + end + " y" + end + "B: 1" + end + end
			var got []int
			_, err := EachField(strings.NewReader(msg), Range{0, int64(len(msg))}, func(f string) bool {
				got = append(got, len(f))
				return false
			})
			if want := []int{size + 2, size + 2, 4}; err != nil || !slices.Equal(got, want) {
				t.Errorf("%d bytes and %q: got fields of %v bytes, %v, want %v", size, end, got, err, want)
			}
		}
	}
}

func TestSelect(t *testing.T) {
	msg := crlf("From: a\nTO: b,\n c\nTo: d\nX: e\nSubject: f\n\nTo: body\n")
	p := parse(t, msg)
	tests := []struct {
		names []string
		not   bool
		want  string
	}{
		{[]string{"to", "Subject"}, false, "TO: b,\r\n c\r\nTo: d\r\n|Subject: f\r\n|"},
		{[]string{"to", "subject"}, true, "From: a\r\n|X: e\r\n|"},
		{[]string{"y"}, false, ""},
	}
	for _, tt := range tests {
		ranges, err := Select(strings.NewReader(msg), p.Header, tt.names, tt.not)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, r := range ranges {
			got += msg[r.Off:r.End] + "|"
		}
		if got != tt.want {
			t.Errorf("%v %v: got %q, want %q", tt.names, tt.not, got, tt.want)
		}
	}
}

func TestBounds(t *testing.T) {
	tests := []struct{ name, msg string }{
		{"deep", strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 5000)},
		{"deep multiparts", deepMultipart(5000)},
		{"a million parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 1<<20)},
		{"a million delimiters at the bottom", deepMultipart(100) + strings.Repeat("--c\r\n", 1<<20)},
		{"a million parameters", "Content-Type: image/png" + strings.Repeat("; a*1=b", 1<<17) + "\r\n\r\n"},
		{"a million addresses", "From: " + strings.Repeat("a@b,", 1<<18) + "\r\n\r\n"},
		{"fields again and again", strings.Repeat("To: a@b\r\n", 1<<20) + "\r\n"},
		{"long lines", "Subject: " + strings.Repeat("x", 3<<20) + "\r\nContent-Type: multipart/mixed; boundary=" + strings.Repeat("b", 3<<20) + "\r\n\r\n"},
		{"long folded field", "Subject: x\r\n" + strings.Repeat(" y\r\n", 1<<20) + "\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := parse(t, tt.msg)
			var out text
			p.Structure(&out, true)
			if n, depth, kept := count(p); n > maxParts+maxDepth || depth > maxDepth+1 || kept > maxText {
				t.Errorf("got %d parts, depth %d, %d bytes kept", n, depth, kept)
			}
		})
	}
}

func deepMultipart(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	return b.String()
}

// count returns parts, nesting and kept bytes of p.
func count(p *Part) (n, depth, kept int) {
	below := p.Children
	if p.Message != nil {
		below = append(below, p.Message)
	}
	for _, f := range p.fields {
		kept += len(f.text)
	}
	for _, c := range below {
		cn, cd, ck := count(c)
		n, depth, kept = n+cn, max(depth, cd), kept+ck
	}
	return n + 1, depth + 1, kept
}

func TestReadError(t *testing.T) {
	msg := crlf(nested)
	p, err := Parse(io.NewSectionReader(strings.NewReader(msg), 0, 20), int64(len(msg)))
	if !errors.Is(err, io.ErrUnexpectedEOF) || p == nil {
		t.Errorf("got %v, %v", p, err)
	}
}

func FuzzParse(f *testing.F) {
	messages, err := corpus.Messages()
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range messages {
		f.Add(crlf(m.Text[:min(len(m.Text), 4<<10)]))
	}
	f.Add(crlf(nested))
	f.Add("Content-Type:multipart/x;boundary=b\n\n--b\n\n--b")
	f.Add("Content-Type: 0/0;\xff\xff*0=")
	f.Add("Content-Type: multipart/digest; boundary=\"\"\n\n--\n")
	f.Add("To: <a:@b;>\r\n\r\n")
	f.Add("To: a:b@c;<@x:y@z>,\"\r\nContent-Disposition: a;b=(\r\n\r\n")
	f.Fuzz(func(t *testing.T, msg string) {
		p, err := Parse(strings.NewReader(msg), int64(len(msg)))
		if err != nil {
			t.Fatal(err)
		}
		check(t, p, int64(len(msg)))
		var out text
		p.Structure(&out, true)
		p.Envelope(&out)
		if _, err := Select(strings.NewReader(msg), p.Header, []string{"to"}, false); err != nil {
			t.Fatal(err)
		}
		Format(p.Addresses("to"))
		checkGroups(t, p.Addresses("to"))
		if _, err := EachField(strings.NewReader(msg), p.Header, func(string) bool { return false }); err != nil {
			t.Fatal(err)
		}
	})
}

// checkGroups has each end of a group behind the start of one (RFC 3501 section 7.4.2).
func checkGroups(t *testing.T, all []Address) {
	open := false
	for _, a := range all {
		end := a == Address{}
		if a.Group && open || end && !open {
			t.Fatalf("a group starts within one or ends without: %+v", all)
		}
		open = a.Group || open && !end
	}
	if open {
		t.Fatalf("a group has no end: %+v", all)
	}
}

// check holds a part and those below it to their place in the message.
func check(t *testing.T, p *Part, size int64) {
	if p.Header.Off < 0 || p.Header.End < p.Header.Off || p.Body.Off < p.Header.End || p.Body.End < p.Body.Off || p.Body.End > size {
		t.Fatalf("part at %v, %v of %d", p.Header, p.Body, size)
	}
	for _, c := range p.Children {
		check(t, c, size)
	}
	if p.Message != nil {
		check(t, p.Message, size)
	}
}
