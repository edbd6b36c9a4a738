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
	case Seq, UIDs:
		return fmt.Sprint(k.Op, k.Set)
	case Flag:
		return fmt.Sprint("f", k.System, k.Keyword)
	case Before, On, Since, SentBefore, SentOn, SentSince:
		return fmt.Sprint(k.Op, k.Date.Format("@2006-01-02"))
	case Larger, Smaller:
		return fmt.Sprint(k.Op, "#", k.Num)
	case AddressText, FieldText, BodyText, AnyText:
		return fmt.Sprintf("%d%s=%q", k.Op, k.Field, k.Text)
	}
	return fmt.Sprint(k.Op)
}

func TestParseSearch(t *testing.T) {
	tests := []struct{ in, want string }{
		{"ALL", "(0)"},
		{"unseen 1:3,* uid 7", "(!f16 1 [{1 3} {0 0}] 2 [{7 7}])"},
		{"NOT (SEEN OR DELETED KEYWORD $x)", "(!(f16 or(f2 f0$x)))"},
		{"NEW OLD UNKEYWORD a", "((3 !f16) !3 !f0a)"},
		{"SINCE 1-Feb-1994 SENTON \"2-Feb-1994\"", "(7@1994-02-01 11@1994-02-02)"},
		{"LARGER 10 SMALLER 20", "(8#10 9#20)"},
		{"CHARSET utf-8 FROM x HEADER Message-ID {3+}\r\na b", `(13FROM="x" 14Message-ID="a b") UTF-8`},
		{"BODY \"\" TEXT y", `(15="" 16="y")`},
		{"", "error"},
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

func FuzzFetch(f *testing.F) {
	for _, s := range []string{"FULL", "(UID FLAGS BODY.PEEK[1.HEADER.FIELDS (From \"x\")]<0.10>)", "BODY[TEXT]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		q, err := ParseFetch(wire.NewScanner([]byte(in)))
		if err != nil {
			return
		}
		for _, s := range q.Sections {
			if strings.ContainsAny(s.Label, "\r\n\x00") || len(s.Path) > maxPath {
				t.Fatalf("section %+v", s)
			}
		}
	})
}

func FuzzSearch(f *testing.F) {
	for _, s := range []string{"OR (SEEN 1:*) NOT UID 7", "CHARSET UTF-8 HEADER a {1}\r\nb", "SINCE 1-Feb-1994 KEYWORD x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		q, err := ParseSearch(wire.NewScanner([]byte(in)))
		if err == nil && len(q.Key.Sub) == 0 {
			t.Fatal("no keys and no error")
		}
	})
}
