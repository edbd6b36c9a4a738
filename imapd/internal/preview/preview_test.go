package preview

import (
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"posthorn/imapd/internal/mimepart"
	corpus "posthorn/test/mime"
)

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func of1(t *testing.T, msg string) string {
	t.Helper()
	root, err := mimepart.Parse(strings.NewReader(msg), int64(len(msg)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := Of(strings.NewReader(msg), root)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOf(t *testing.T) {
	tests := []struct{ name, msg, want string }{
		{"plain", "Subject: a\n\nHello,\n\n  how are\tyou?\n", "Hello, how are you?"},
		{"empty", "Subject: a\n\n", ""},
		{"no body", "Subject: a\n", ""},
		{"what is quoted", "\nAnn wrote:\n> her text\n\nmine\n-- \nBob\n", "Ann wrote: mine"},
		{"nothing but quotes", "\n> her text\n", "> her text"},
		{"encoded", "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=\n=DFe", "Grüße"},
		{"no UTF-8", "Content-Type: text/plain; charset=utf-8\n\na\xffb", "a\uFFFDb"},
		{"an encoding nobody knows", "Content-Transfer-Encoding: x-none\n\nabc", ""},
		{"not text", "Content-Type: image/png\n\nabc", ""},
		{"HTML", "Content-Type: text/html\n\n<html><head><title>T</title><style>p {}</style></head><body><!-- c > --><P>Tom &amp; <b>Je</b>rry</p>2 < 3<br>x</body></html>", "Tom & Jerry 2 < 3 x"},
		{"HTML that never ends", "Content-Type: text/html\n\na<style>b", "a"},
		{"HTML padded", "Content-Type: text/html\n\nNews &zwnj;&nbsp;\u034f&zwnj;&nbsp;of today", "News of today"},
		{"alternatives", "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>html\n--b\n\nplain\n--b--\n", "plain"},
		{"alternatives, plain empty", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\n\n<p>html\n--b--\n", "html"},
		{"attachment first", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: Attachment; filename=a\n\nfile\n--b\n\ntext\n--b--\n", "text"},
		{"forwarded message", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n\ninner\n--b--\n", ""},
		{"encrypted", "Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nVersion: 1\n--b--\n", ""},
		{"signed", "Content-Type: multipart/signed; boundary=b\n\n--b\n\nsigned\n--b\nContent-Type: application/pgp-signature\n\nx\n--b--\n", "signed"},
		{"long", "\n" + strings.Repeat("ü", 300), strings.Repeat("ü", 200)},
		{"long words", "\n" + strings.Repeat("x", 199) + " yy", strings.Repeat("x", 199)},
	}
	for _, tt := range tests {
		if got := of1(t, crlf(tt.msg)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestBounds previews what would take forever if what was looked at were looked
// at again.
func TestBounds(t *testing.T) {
	for _, s := range []string{"<", "</", "<style></", "<!--", "<a", "&", "> \n", "<style>"} {
		of1(t, "Content-Type: text/html\r\n\r\n"+strings.Repeat(s, 1<<20/len(s)))
	}
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

func TestReadError(t *testing.T) {
	root := &mimepart.Part{Type: "text", Subtype: "plain", Body: mimepart.Range{End: 10}}
	if _, err := Of(failing{}, root); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func FuzzOf(f *testing.F) {
	messages, err := corpus.Messages()
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range messages {
		f.Add(crlf(m.Text[:min(len(m.Text), 4<<10)]))
	}
	f.Add("Content-Type: text/html\r\n\r\n<p>a<!-- <style>b</style")
	f.Fuzz(func(t *testing.T, msg string) {
		got := of1(t, msg)
		if n := utf8.RuneCountInString(got); n > maxText || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n\x00") {
			t.Fatalf("got %d characters, %q", n, got)
		}
	})
}
