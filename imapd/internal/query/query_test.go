package query

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/imapd/internal/wire"
)

func TestParseFetch(t *testing.T) {
	tests := []struct{ in, want string }{
		{"FAST", "13"},
		{"full", "61"},
		{"(UID FLAGS)", "3"},
		{"BODY", "32"},
		{"(BODY BODYSTRUCTURE)", "96"},
		{"BODY[]", "0 BODY[] [] 0"},
		{"body.peek[]<0.100>", "0 BODY[]<0> [] 0 <0.100> peek"},
		{"(UID BODY.PEEK[HEADER.FIELDS (From \"To\")])", "2 BODY[HEADER.FIELDS (From To)] [] 2 peek"},
		{"BODY[1.2.header.fields.not ({1+}\r\n\")]", `0 BODY[1.2.HEADER.FIELDS.NOT ("\"")] [1 2] 3`},
		{"BODY[2.MIME]", "0 BODY[2.MIME] [2] 5"},
		{"BODY[TEXT]", "0 BODY[TEXT] [] 4"},
		{"RFC822.HEADER", "0 RFC822.HEADER [] 1 peek"},
		{"RFC822", "0 RFC822 [] 0"},
		{"BINARY[]", "0 BINARY[] [] 6"},
		{"(UID binary.peek[1.2]<3.4>)", "2 BINARY[1.2]<3> [1 2] 6 <3.4> peek"},
		{"BINARY.SIZE[1]", "0 BINARY.SIZE[1] [1] 7 peek"},
		{"PREVIEW", fmt.Sprint(int(Preview))},
		{"(PREVIEW (LAZY LAZY) UID)", fmt.Sprint(int(UID | Preview | PreviewLazy))},
		{"BINARY", "error"},
		{"BINARY[TEXT]", "error"},
		{"BINARY[1.MIME]", "error"},
		{"BINARY[1", "error"},
		{"BINARY.SIZE[1]<0.1>", "error"},
		{"(PREVIEW (LAZY NOW))", "error"},
		{"(" + strings.Repeat("UID ", 2000) + "UID)", "2"}, // a line of 8 KB
		{"(" + strings.Repeat("UID ", 2200) + "UID)", "error"},
		{"(" + strings.Repeat("BODY[HEADER.FIELDS (A)] ", maxLists) + "BODY[HEADER.FIELDS (A)])", "error"},
		{"()", "error"},
		{"(FAST)", "error"},
		{"BODY.PEEK", "error"},
		{"BODY[MIME]", "error"},
		{"BODY[0]", "error"},
		{"BODY[1.]", "error"},
		{"BODY[.1]", "error"},
		{"BODY[1..2]", "error"},
		{"BODY[1.x]", "error"},
		{"BODY[9x]", "error"},
		{"BODY[1-2]", "error"},
		{"BODY[99999999999]", "error"},
		{"BODY[" + strings.Repeat("1.", 100) + "1]", "error"},
		{"BODY[HEADER.FIELDS]", "error"},
		{"BODY[HEADER.FIELDS ()]", "error"},
		{"BODY[HEADER.FIELDS (\"a b\")]", "error"},
		{"BODY[HEADER.FIELDS (a:)]", "error"},
		{"BODY[]<1>", "error"},
		{"BODY[]<1.0>", "error"},
		{"BODY[]<-1.5>", "error"},
		{"BODY[", "error"},
		{"X", "error"},
		{"(UID", "error"},
		{"((UID))", "error"},
	}
	for _, tt := range tests {
		s := wire.NewScanner([]byte(tt.in))
		f, err := ParseFetch(s)
		if err == nil {
			err = s.End()
		}
		if got := fetchString(f, err); got != tt.want {
			t.Errorf("%s: got %s, want %s (%v)", tt.in, got, tt.want, err)
		}
	}
}

func fetchString(f Fetch, err error) string {
	if err != nil {
		return "error"
	}
	out := fmt.Sprint(int(f.Items))
	for _, s := range f.Sections {
		out += fmt.Sprint(" ", s.Label, " ", s.Path, " ", s.Kind)
		if s.Partial {
			out += fmt.Sprintf(" <%d.%d>", s.Offset, s.Max)
		}
		if s.Peek {
			out += " peek"
		}
	}
	return out
}

// keyString writes a key in a short notation.
func keyString(k Key) string {
	var sub []string
	for _, s := range k.Sub {
		sub = append(sub, keyString(s))
	}
	in := strings.Join(sub, " ")
	switch k.Op {
	case And:
		return "(" + in + ")"
	case Or:
		return "or(" + in + ")"
	case Not:
		return "!" + in
	case Fuzzy:
		return "~" + in
	case Seq, UIDs:
		return fmt.Sprint(opNames[k.Op], k.Set)
	case Flag:
		return fmt.Sprint("f", k.System, k.Keyword)
	case Before, On, Since, SentBefore, SentOn, SentSince:
		return opNames[k.Op] + k.Date.Format("@2006-01-02")
	case Larger, Smaller, Older, Younger:
		return fmt.Sprint(opNames[k.Op], "#", k.Num)
	case AddressText, FieldText, BodyText, AnyText:
		return fmt.Sprintf("%s%s=%q", opNames[k.Op], k.Field, k.Text)
	}
	return opNames[k.Op]
}

// opNames are for reading.
var opNames = map[Op]string{
	All: "all", Seq: "seq", UIDs: "uid", Saved: "$", Recent: "recent", Before: "before", On: "on", Since: "since", Older: "older",
	Younger: "younger", Larger: "larger", Smaller: "smaller", SentBefore: "sentbefore", SentOn: "senton", SentSince: "sentsince",
	AddressText: "address:", FieldText: "field:", BodyText: "body", AnyText: "text",
}

func TestParseSearch(t *testing.T) {
	tests := []struct{ in, want string }{
		{"ALL", "(all)"},
		{"unseen 1:3,* uid 7", "(!f16 seq[{1 3} {0 0}] uid[{7 7}])"},
		{"UIDAFTER 25000 UIDBEFORE 7", "(uid[{25001 4294967295}] uid[{1 6}])"}, // RFC 9738 section 3.2
		{"UIDAFTER 4294967295 UIDBEFORE 1", "(!all !all)"},
		{"UIDAFTER 0", "error"},
		{"UIDBEFORE 1:2", "error"},
		{"NOT (SEEN OR DELETED KEYWORD $x)", "(!(f16 or(f2 f0$x)))"},
		{"NEW OLD UNKEYWORD a", "((recent !f16) !recent !f0a)"},
		{"SINCE 1-Feb-1994 SENTON \"2-Feb-1994\"", "(since@1994-02-01 senton@1994-02-02)"},
		{"LARGER 10 SMALLER 20", "(larger#10 smaller#20)"},
		{"LARGER 9223372036854775807", "(larger#9223372036854775807)"},
		{"LARGER 9223372036854775808", "error"},
		{"OLDER 4294967296", "error"},
		{"CHARSET utf-8 FROM x HEADER Message-ID {3+}\r\na b", `(address:FROM="x" field:Message-ID="a b") UTF-8`},
		{"BODY \"\" TEXT y", `(body="" text="y")`},
		{"$ UID 3,$ OR UID $ 1:2,$", "($ or(uid[{3 3}] $) or($ or(seq[{1 2}] $)))"},
		{"OLDER 5 YOUNGER 259200", "(older#5 younger#259200)"},
		{"RETURN (MIN) CHARSET utf-8 SEEN", "(f16) UTF-8"},
		{"RETURN () $", "($)"},
		{"FUZZY SUBJECT work FROM x", `(~field:SUBJECT="work" address:FROM="x")`},
		{"RETURN (RELEVANCY) NOT FUZZY (SEEN OR BODY a TEXT b)", `(!~(f16 or(body="a" text="b")))`},
		{"FUZZY", "error"},
		{"", "error"},
		{"$,1", "error"},
		{"OLDER 0", "error"},
		{"OLDER", "error"},
		{"RETURN (MIN)", "error"},
		{"CHARSET utf-8 RETURN (MIN) ALL", "error"},
		{"CHARSET UTF-8", "error"},
		{"FOO", "error"},
		{"OR SEEN", "error"},
		{"NOT", "error"},
		{"()", "error"},
		{"(SEEN", "error"},
		{"SEEN)", "error"},
		{"SINCE yesterday", "error"},
		{"LARGER -1", "error"},
		{"HEADER x", "error"},
		{"HEADER \"\" x", "error"},
		{"UID a", "error"},
		{"KEYWORD \"a\"", "error"},
		{strings.Repeat("(", 100) + "SEEN" + strings.Repeat(")", 100), "error"},
		{strings.Repeat("NOT ", 100) + "SEEN", "error"},
		{strings.Repeat("SEEN ", maxKeys) + "SEEN", "error"},
	}
	for _, tt := range tests {
		q, err := ParseSearch(wire.NewScanner([]byte(tt.in)))
		got := strings.TrimSpace(keyString(q.Key) + " " + q.Charset)
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%.60s: got %s, want %s (%v)", tt.in, got, tt.want, err)
		}
	}
}

func TestParseReturn(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"()", "{true false false true false false 0:0 false false false <nil>}"},
		{"(min MAX Count)", "{true true true false true false 0:0 false false false <nil>}"},
		{"(SAVE)", "{true false false false false true 0:0 false false false <nil>}"},
		{"(ALL SAVE ALL)", "{true false false true false true 0:0 false false false <nil>}"},
		{"(PARTIAL 500:1)", "{true false false false false false 1:500 false false false <nil>}"},
		{"(PARTIAL -100:-1 MIN)", "{true true false false false false -1:-100 false false false <nil>}"},
		{"(PARTIAL 1:4294967295)", "{true false false false false false 1:4294967295 false false false <nil>}"},
		{"(PARTIAL 1)", "error"},
		{"(PARTIAL 1:*)", "error"},
		{"(PARTIAL 1:-5)", "error"},
		{"(PARTIAL 0:5)", "error"},
		{"(PARTIAL 1:5 ALL)", "error"},
		{"(ALL PARTIAL 1:5)", "error"},
		{"(PARTIAL 1:5 PARTIAL 6:10)", "error"},
		{"(CONTEXT UPDATE)", "{true false false true false false 0:0 false true true <nil>}"},
		{"(UPDATE ())", "error"},
		{"(UPDATE COUNT UPDATE)", "error"},
		{"(RELEVANCY)", "error"}, // without FUZZY
		{"(NONE)", "error"},
		{"(MIN", "error"},
		{"MIN", "error"},
		{"(" + strings.Repeat("MIN ", maxReturns) + "MAX)", "error"},
	} {
		q, err := ParseSearch(wire.NewScanner([]byte("RETURN " + tt.in + " ALL")))
		got := fmt.Sprint(q.Return)
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s (%v)", tt.in, got, tt.want, err)
		}
	}
}

func TestPartialCut(t *testing.T) {
	for _, tt := range []struct {
		p           Partial
		n, from, to int
	}{
		{Partial{}, 5, 0, 0},
		{Partial{Lo: 1, Hi: 2}, 5, 0, 2},
		{Partial{Lo: 4, Hi: 9}, 5, 3, 5},
		{Partial{Lo: 6, Hi: 9}, 5, 5, 5},
		{Partial{Lo: 1, Hi: 2, Last: true}, 5, 3, 5},
		{Partial{Lo: 4, Hi: 9, Last: true}, 5, 0, 2},
		{Partial{Lo: 6, Hi: ^uint32(0), Last: true}, 5, 0, 0},
	} {
		if from, to := tt.p.Cut(tt.n); from != tt.from || to != tt.to {
			t.Errorf("%v of %d: got %d:%d, want %d:%d", tt.p, tt.n, from, to, tt.from, tt.to)
		}
	}
}

func FuzzFetch(f *testing.F) {
	for _, s := range []string{"FULL", "(UID FLAGS BODY.PEEK[1.HEADER.FIELDS (From \"x\")]<0.10>)", "BODY[TEXT]", "UID (PARTIAL -1:-3)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		scanner := wire.NewScanner([]byte(in))
		q, err := ParseFetch(scanner)
		if err != nil {
			return
		}
		if m, err := ParseModifiers(scanner); err == nil && m.Partial.Lo > m.Partial.Hi {
			t.Fatalf("modifiers %+v", m)
		}
		for _, s := range q.Sections {
			if strings.ContainsAny(s.Label, "\r\n\x00") || len(s.Path) > maxPath {
				t.Fatalf("section %+v", s)
			}
		}
	})
}

func FuzzSearch(f *testing.F) {
	for _, s := range []string{"OR (SEEN 1:*) NOT UID 7", "CHARSET UTF-8 HEADER a {1}\r\nb", "SINCE 1-Feb-1994 KEYWORD x", "RETURN (MIN PARTIAL -1:-5 SAVE) 1,$"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		q, err := ParseSearch(wire.NewScanner([]byte(in)))
		if err == nil && len(q.Key.Sub) == 0 {
			t.Fatal("no keys and no error")
		}
	})
}
