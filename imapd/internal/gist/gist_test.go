package gist

import (
	"bytes"
	"strings"
	"testing"

	"posthorn/imapd/internal/find"
	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/mailbox"
)

// messages are simple and odd ones, with LF line ends.
var messages = []string{
	"",
	"\n",
	"no header at all",
	"From: Ä <a@example.org>\nTo: b@example.org, \"C, D\" <c@example.org>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n and more\nDate: Mon, 7 Feb 1994 21:52:25 -0800\nX-Other: y\nMessage-ID: <1@x>\n\nText\n",
	"Subject: one\nSubject: two\n folded\nTO : x@y\nFrom: \x00\n\tcontinued: here\n\n",
	" begins with a blank\nSubject: late\nDate: no date\n",
	"Content-Type: multipart/mixed; boundary=b\nSubject: parts\n\n--b\nContent-Type: text/plain; name=\"\xc3\xa4\"\n\none\n--b\nContent-Type: message/rfc822\n\nSubject: inner\n\ntwo\n--b--\n",
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func made(t *testing.T, message string) (Summary, Search, Header) {
	t.Helper()
	texts, err := Make(strings.NewReader(message), int64(len(message)), wire.NewPool())
	if err != nil {
		t.Fatal(err)
	}
	s, ok := ReadSummary(texts[mailbox.Summary])
	found, ok2 := ReadSearch(texts[mailbox.Search])
	h, ok3 := ReadHeader(texts[mailbox.Head])
	if !ok || !ok2 || !ok3 {
		t.Fatalf("%q: what was made cannot be read", message)
	}
	return s, found, h
}

// check compares what is kept of a message with what the message itself says.
func check(t *testing.T, message, text string) {
	t.Helper()
	s, kept, h := made(t, message)
	src := strings.NewReader(message)
	root, err := mimepart.Parse(src, src.Size())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := wire.NewWriter(&b, wire.NewPool())
	root.Envelope(w)
	w.Raw("|")
	root.Structure(w, true)
	w.Flush()
	if got := string(s.Envelope) + "|" + string(s.Structure); got != b.String() {
		t.Errorf("%q:\ngot  %s\nwant %s", message, got, b.String())
	}
	for _, names := range [][]string{{"From"}, {"SUBJECT", "to", "date"}, {"References"}, usual()} {
		ranges, err := mimepart.Select(src, root.Header, names, false)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		for _, r := range ranges {
			want += message[r.Off:r.End]
		}
		if got := string(h.Select(nil, names)); got != strings.ReplaceAll(want, "\x00", "\x80") {
			t.Errorf("%q, %v: got %q, want %q", message, names, got, want)
		}
	}
	if text == "" {
		return
	}
	m := find.New(src, src.Size())
	for _, name := range searched() {
		look := m.Addresses
		if name == "subject" {
			look = m.Field
		}
		if want, err := look(name, text); err != nil || kept.Contains(name, text) != want {
			t.Errorf("%q: %s contains %q: got %v, want %v, %v", message, name, text, !want, want, err)
		}
	}
	if day, ok, err := m.Date(); err != nil || ok != kept.Dated || ok && !day.Equal(kept.Day) {
		t.Errorf("%q: got day %v, %v, want %v, %v", message, kept.Day, kept.Dated, day, ok)
	}
}

func TestKeptIsWhatTheMessageSays(t *testing.T) {
	for _, message := range messages {
		for _, text := range []string{"a", "grüsse", "GRÜẞE AND", "two folded", "example.org", "x@y", "C, D", "continued"} {
			check(t, crlf(message), text)
		}
	}
}

func TestUsual(t *testing.T) {
	if !Usual([]string{"From", "X-PRIORITY", "list-id"}) || Usual([]string{"From", "X-Odd"}) {
		t.Error("got other fields than those that are kept")
	}
}

// TestOtherVersions: what was made otherwise is none.
func TestOtherVersions(t *testing.T) {
	message := crlf(messages[3])
	texts, err := Make(strings.NewReader(message), int64(len(message)), wire.NewPool())
	if err != nil {
		t.Fatal(err)
	}
	for n := range texts[mailbox.Summary] {
		if _, ok := ReadSummary(texts[mailbox.Summary][:n]); ok {
			t.Errorf("cut at %d: got a summary", n)
		}
	}
	for n := range texts[mailbox.Search] {
		if _, ok := ReadSearch(texts[mailbox.Search][:n]); ok {
			t.Errorf("cut at %d: got what is searched", n)
		}
	}
	texts[mailbox.Summary][0]++
	texts[mailbox.Search][0]++
	texts[mailbox.Head][0]++
	if _, ok := ReadSummary(texts[mailbox.Summary]); ok {
		t.Error("got a summary of another version")
	}
	if _, ok := ReadSearch(texts[mailbox.Search]); ok {
		t.Error("got what is searched of another version")
	}
	if _, ok := ReadHeader(texts[mailbox.Head]); ok {
		t.Error("got a header of another version")
	}
}

func FuzzGist(f *testing.F) {
	for _, m := range messages {
		f.Add(m, "a")
	}
	f.Fuzz(func(t *testing.T, message, text string) {
		ReadSummary([]byte(message))
		ReadSearch([]byte(message))
		ReadHeader([]byte(message))
		if !strings.Contains(text, "\x00") { // no string of IMAP has one
			check(t, crlf(message), text)
		}
	})
}

// kept is a message that is in memory, as a small one is.
type kept struct {
	*strings.Reader
	all []byte
}

func (k kept) All() []byte { return k.all }

// BenchmarkMake takes a message of 14 KiB apart.
func BenchmarkMake(b *testing.B) {
	message := crlf(messages[3] + strings.Repeat("a line of text that is as long as others are in mail, about so\n", 200))
	pool, src := wire.NewPool(), kept{strings.NewReader(message), []byte(message)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Make(src, int64(len(message)), pool); err != nil {
			b.Fatal(err)
		}
	}
}
