package main

import (
	"fmt"
	"strings"
	"testing"

	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

func TestMatchName(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true},
		{"*", "a.b", true},
		{"%", "a", true},
		{"%", "a.b", false},
		{"a.%", "a.b", true},
		{"a.%", "a.b.c", false},
		{"a.%.c", "a.b.c", true},
		{"%.c", "a.b.c", false},
		{"*.c", "a.b.c", true},
		{"a*c*e", "abcde", true},
		{"a*c*e", "abcd", false},
		{"a", "A", false},
		{"inbox", "INBOX", true},
		{"i%x", "INBOX", true},
		{"", "a", false},
		{strings.Repeat("*a", 400) + "b", strings.Repeat("a", 1000), false},
	}
	for _, tt := range tests {
		if got := matchName(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%.20q, %.20q: got %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}

func TestTree(t *testing.T) {
	tr := newTree([]string{"Z", "INBOX", "A.B.C", "A.B"})
	if got, want := strings.Join(tr.names, " "), "INBOX A A.B A.B.C Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if tr.exists["A"] || !tr.parents["A"] || !tr.parents["A.B"] || tr.parents["A.B.C"] || tr.parents["Z"] {
		t.Errorf("got %v, %v", tr.exists, tr.parents)
	}
}

// TestSections fetches every piece of every section and compares it with the
// same piece of the whole.
func TestSections(t *testing.T) {
	msg := "A: 1\r\nContent-Type: multipart/mixed; boundary=b\r\nB: 2\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nC: 3\r\n\r\ntwo\r\n--b--\r\n"
	want := map[string]string{
		"":                             msg,
		"HEADER":                       msg[:strings.Index(msg, "--b")],
		"TEXT":                         msg[strings.Index(msg, "--b"):],
		"1":                            "one",
		"1.MIME":                       "\r\n",
		"2":                            "C: 3\r\n\r\ntwo",
		"2.MIME":                       "Content-Type: message/rfc822\r\n\r\n",
		"2.HEADER":                     "C: 3\r\n\r\n",
		"2.TEXT":                       "two",
		"2.1":                          "two",
		"2.HEADER.FIELDS (C)":          "C: 3\r\n\r\n",
		"HEADER.FIELDS (a b)":          "A: 1\r\nB: 2\r\n\r\n",
		"HEADER.FIELDS.NOT (a)":        "Content-Type: multipart/mixed; boundary=b\r\nB: 2\r\n\r\n",
		"HEADER.FIELDS.NOT (x)":        msg[:strings.Index(msg, "--b")],
		"HEADER.FIELDS (content-type)": "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
	}
	for name, whole := range want {
		if got := fetchSection(t, msg, "BODY["+name+"]"); got != whole {
			t.Errorf("%s: got %q, want %q", name, got, whole)
		}
		for offset := range len(whole) + 2 {
			for _, n := range []int{1, 2, 3, len(whole), len(whole) + 5} {
				piece := whole[min(offset, len(whole)):min(offset+n, len(whole))]
				if got := fetchSection(t, msg, fmt.Sprintf("BODY[%s]<%d.%d>", name, offset, n)); got != piece {
					t.Fatalf("%s<%d.%d>: got %q, want %q", name, offset, n, got, piece)
				}
			}
		}
	}
	for _, name := range []string{"3", "1.1", "1.TEXT", "2.2", "1.HEADER.FIELDS (a)", "7.MIME"} {
		if got := fetchSection(t, msg, "BODY["+name+"]"); got != "NIL" {
			t.Errorf("%s: got %q, want NIL", name, got)
		}
	}
}

// fetchSection returns what a FETCH of item gives of msg, without the literal's
// announcement.
func fetchSection(t *testing.T, msg, item string) string {
	t.Helper()
	f, err := query.ParseFetch(wire.NewScanner([]byte(item)))
	if err != nil {
		t.Fatal(err)
	}
	root, err := mimepart.Parse(strings.NewReader(msg), int64(len(msg)))
	if err != nil {
		t.Fatal(err)
	}
	p := parts{src: strings.NewReader(msg), size: int64(len(msg)), root: root}
	answers, err := p.sections(f.Sections)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	w := wire.NewWriter(&out, wire.NewPool())
	answers[0].write(w, p.src)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	announced, body, literal := strings.Cut(out.String(), "}\r\n")
	if !literal {
		return out.String()
	}
	if want := fmt.Sprintf("{%d", len(body)); announced != want {
		t.Fatalf("%s: announced %s, want %s", item, announced, want)
	}
	return body
}

func TestParseFlags(t *testing.T) {
	got, err := parseFlags([]string{`\SEEN`, "Key", `\recent`, `\Draft`})
	if s := fmt.Sprint(got.System, got.Keywords, err); s != "20 [Key] <nil>" {
		t.Errorf("got %s", s)
	}
	if _, err := parseFlags([]string{`\Foo`}); err == nil {
		t.Error("got no error")
	}
}
