package gist

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"posthorn/imapd/internal/find"
	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/order"
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
	"X-Label: \x00\x80\xc3\x00\nContent-Type: \x00\n\n",
	" begins with a blank\nSubject: late\nDate: no date\n",
	"Content-Type: multipart/mixed; boundary=b\nSubject: parts\n\n--b\nContent-Type: text/plain; name=\"\xc3\xa4\"\n\none\n--b\nContent-Type: message/rfc822\n\nSubject: inner\n\ntwo\n--b--\n",
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// texts are what is kept of a message, read again.
type texts struct {
	envelope  Envelope
	structure Structure
	search    Search
	header    Header
	facts     []byte
}

func made(t *testing.T, message string) (m texts) {
	t.Helper()
	kept, err := Make(strings.NewReader(message), int64(len(message)), Ask{Header: true, Body: true}, wire.NewPool())
	if err != nil {
		t.Fatal(err)
	}
	var ok [5]bool
	m.envelope, ok[0] = ReadEnvelope(kept[mailbox.Envelope])
	m.structure, ok[1] = ReadStructure(kept[mailbox.Structure])
	m.search, ok[2] = ReadSearch(kept[mailbox.Search])
	m.header, ok[3] = ReadHeader(kept[mailbox.Head])
	m.facts, ok[4] = ReadFacts(kept[mailbox.Search])
	if slices.Contains(ok[:], false) {
		t.Fatalf("%q: what was made cannot be read: %v", message, ok)
	}
	checkTop(t, message, kept)
	return m
}

// checkTop compares what the header says alone with what was kept of the whole message.
func checkTop(t *testing.T, message string, want mailbox.Texts) {
	t.Helper()
	root, err := mimepart.Header(strings.NewReader(message), int64(len(message)))
	if err != nil {
		t.Fatal(err)
	}
	if !root.Blank {
		return
	}
	header := []byte(message[:root.Header.End])
	want[mailbox.Structure] = nil
	checkTexts(t, header, Ask{Header: true}, want)
	checkTexts(t, header, Ask{Search: true}, mailbox.Texts{mailbox.Search: want[mailbox.Search]})
}

func checkTexts(t *testing.T, header []byte, ask Ask, want mailbox.Texts) {
	t.Helper()
	got, err := Top(header, ask, wire.NewPool())
	if err != nil {
		t.Errorf("%q, %+v: got %v", header, ask, err)
	}
	for c, text := range got {
		if !bytes.Equal(text, want[c]) || (text == nil) != (want[c] == nil) {
			t.Errorf("%q, %+v, column %d: got %q, want %q", header, ask, c, text, want[c])
		}
	}
}

// check compares what is kept of a message with what the message itself says.
func check(t *testing.T, message, text string) {
	t.Helper()
	m := made(t, message)
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
	if got := string(m.envelope.Text) + "|" + string(m.structure.Text); got != b.String() {
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
		if got := string(m.header.Select(nil, names)); got != strings.ReplaceAll(want, "\x00", "\x80") {
			t.Errorf("%q, %v: got %q, want %q", message, names, got, want)
		}
	}
	if want := order.FactsOf(root).Append(nil); !bytes.Equal(m.facts, want) {
		t.Errorf("%q: got facts %q, want %q", message, m.facts, want)
	}
	if text == "" {
		return
	}
	kept, from := m.search, find.New(src, src.Size())
	for _, name := range searched() {
		look := from.Addresses
		if name == "subject" {
			look = from.Field
		}
		if want, err := look(name, text); err != nil || kept.Contains(name, text) != want {
			t.Errorf("%q: %s contains %q: got %v, want %v, %v", message, name, text, !want, want, err)
		}
	}
	fields := find.New(bytes.NewReader(m.header.Fields), int64(len(m.header.Fields)))
	for _, name := range usual() {
		got, gerr := fields.Field(name, text)
		want, err := from.Field(name, text)
		if got != want || gerr != nil || err != nil {
			t.Errorf("%q: %s contains %q: got %v, %v, want %v, %v", message, name, text, got, gerr, want, err)
		}
	}
	if day, ok, err := from.Date(); err != nil || ok != kept.Dated || ok && !day.Equal(kept.Day) {
		t.Errorf("%q: got day %v, %v, want %v, %v", message, kept.Day, kept.Dated, day, ok)
	}
}

func TestKeptIsWhatTheMessageSays(t *testing.T) {
	for _, message := range messages {
		for _, text := range []string{"a", "grüsse", "GRÜẞE AND", "two folded", "example.org", "x@y", "C, D", "continued", "\x90", "\u00c0"} {
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
	texts, err := Make(strings.NewReader(message), int64(len(message)), Ask{Header: true, Body: true}, wire.NewPool())
	if err != nil {
		t.Fatal(err)
	}
	reads := map[mailbox.Column]func([]byte) bool{
		mailbox.Envelope:  func(b []byte) bool { _, ok := ReadEnvelope(b); return ok },
		mailbox.Structure: func(b []byte) bool { _, ok := ReadStructure(b); return ok },
		mailbox.Search:    func(b []byte) bool { _, ok := ReadSearch(b); return ok },
		mailbox.Head:      func(b []byte) bool { _, ok := ReadHeader(b); return ok },
	}
	for c, read := range reads {
		for n := range texts[c] {
			if c != mailbox.Head && read(texts[c][:n]) {
				t.Errorf("column %d, cut at %d: got a text", c, n)
			}
		}
		texts[c][0]++
		if read(texts[c]) {
			t.Errorf("column %d: got a text of another version", c)
		}
	}
	if _, ok := ReadFacts(texts[mailbox.Search]); ok {
		t.Error("got facts of another version")
	}
}

func FuzzGist(f *testing.F) {
	for _, m := range messages {
		f.Add(m, "a")
	}
	f.Fuzz(func(t *testing.T, message, text string) {
		ReadEnvelope([]byte(message))
		ReadStructure([]byte(message))
		ReadSearch([]byte(message))
		ReadFacts([]byte(message))
		ReadHeader([]byte(message))
		if !strings.Contains(text, "\x00") { // no string of IMAP has one
			check(t, crlf(message), text)
		}
	})
}

// BenchmarkMake takes a message of 14 KiB apart.
func BenchmarkMake(b *testing.B) {
	message := crlf(messages[3] + strings.Repeat("a line of text that is as long as others are in mail, about so\n", 200))
	pool, src := wire.NewPool(), &memory{*bytes.NewReader([]byte(message)), []byte(message)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Make(src, int64(len(message)), Ask{Header: true, Body: true}, pool); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTop makes what a header says alone.
func BenchmarkTop(b *testing.B) {
	header := []byte(crlf(messages[3]))
	header = header[:bytes.Index(header, []byte("\r\n\r\n"))+4]
	pool := wire.NewPool()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Top(header, Ask{Header: true}, pool); err != nil {
			b.Fatal(err)
		}
	}
}
