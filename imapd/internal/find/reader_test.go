package find

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"posthorn/imapd/internal/layout"
	"posthorn/imapd/internal/mimepart"
	corpus "posthorn/test/mime"
)

// file is a file in memory.
type file struct{ *strings.Reader }

func (f file) First(b []byte) (int, error) {
	n, err := f.ReadAt(b, 0)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

func (f file) Size() (int64, error) { return f.Reader.Size(), nil }

// kept returns what the index keeps of a message with CRLF line ends.
func kept(t testing.TB, message string) []byte {
	t.Helper()
	root, err := mimepart.Parse(strings.NewReader(message), int64(len(message)))
	if err != nil {
		t.Fatal(err)
	}
	l, ok := layout.Of(root)
	if !ok {
		return nil
	}
	return l.Append(nil)
}

// compare looks for text in a message with CRLF line ends, in a file with and one
// without them, and compares what a Reader says with what a Message says. It returns
// how often the Reader knew.
func compare(t testing.TB, message, text string) (known int) {
	t.Helper()
	m := New(strings.NewReader(message), int64(len(message)))
	r := NewReader()
	for _, content := range []string{message, strings.ReplaceAll(message, "\r\n", "\n")} {
		ok, err := r.Open(file{strings.NewReader(content)}, kept(t, message))
		if err != nil {
			t.Fatal(err)
		}
		for _, headers := range []bool{false, true} {
			ask := m.Body
			if headers {
				ask = m.Any
			}
			want, err := ask(text)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				continue
			}
			got, ok, err := r.Has(text, headers)
			if err != nil || ok && got != want {
				t.Fatalf("%q, headers %v: got %v, %v, want %v in\n%q", text, headers, got, err, want, content)
			}
			if ok {
				known++
			}
		}
	}
	return known
}

// TestReader looks for pieces of odd messages, changed a little, in them.
func TestReader(t *testing.T) {
	messages, err := corpus.Messages()
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	asked, known := 0, 0
	for _, m := range messages {
		message := crlf(strings.ReplaceAll(m.Text, "\r\n", "\n"))
		for range 5 {
			text := "nowhere"
			if len(message) > 0 {
				at := rnd.IntN(len(message))
				text = message[at:min(len(message), at+1+rnd.IntN(12))]
			}
			for _, text := range []string{text, strings.ToUpper(text), strings.ToLower(text), text + "e", "ß" + text} {
				asked += 4
				known += compare(t, message, text)
			}
		}
	}
	t.Logf("%d messages, %d questions, %d answered", len(messages), asked, known)
	if known < asked/2 {
		t.Errorf("got an answer to %d of %d questions", known, asked)
	}
}

func TestReaderFinds(t *testing.T) {
	const folded = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n and more\r\nX-A: some\r\n\tfolded text\r\n"
	const parts = "Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\n\r\nK=F6ln and cathe=\r\ndral\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n" +
		"Content-Transfer-Encoding: base64\r\n\r\nPHA+Y2Fm\r\nw6k8L3A+\r\n--b\r\nContent-Type: image/png\r\nX-Part: here\r\n\r\npicture\r\n" +
		"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--b--\r\n"
	tests := []struct {
		text         string
		body, header bool // whether it is found without and with headers
	}{
		{"GRÜẞE", false, false},
		{"grüße", false, true},
		{"grüße and", false, true},
		{"utf-8?q", false, false},
		{"some folded", false, true},
		{"some\tFOLDED", false, true},
		{"somefolded", false, false},
		{"köln", true, true},
		{"ko", true, true},
		{"k=f6", false, false},
		{"cathedral", true, true},
		{"cafe", true, true},
		{"CAFÉ</P>", true, true},
		{"preamble", false, false},
		{"picture", false, false},
		{"X-Part: here", false, true},
		{"image/png", false, true},
		{"subject: inner", true, true},
		{"inner text", true, true},
	}
	for _, tt := range tests {
		for _, message := range []string{folded + parts, folded + "MIME-Version: 1.0\r\nX-Long: " + strings.Repeat("x", windowSize) + "\r\n" + parts} {
			if known := compare(t, message, tt.text); known != 4 {
				t.Errorf("%q: got %d answers, want 4", tt.text, known)
			}
			r := NewReader()
			if ok, err := r.Open(file{strings.NewReader(message)}, kept(t, message)); !ok || err != nil {
				t.Fatal(ok, err)
			}
			body, _, err := r.Has(tt.text, false)
			header, _, err2 := r.Has(tt.text, true)
			if body != tt.body || header != tt.header || err != nil || err2 != nil {
				t.Errorf("%q: got %v, %v, %v, %v, want %v, %v", tt.text, body, header, err, err2, tt.body, tt.header)
			}
		}
	}
}

// TestReaderLarge looks for text in parts that are larger than the window, and
// behind such parts.
func TestReaderLarge(t *testing.T) {
	large := strings.Repeat("some text that is in the way, and so on and on\r\n", 3000)
	message := "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: x/y\r\n\r\n" + large +
		"\r\n--b\r\n\r\n" + large + "Köln\r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + large + "Gr=C3=BC=C3=\r\n=9Fe\r\n--b--\r\n"
	for _, text := range []string{"in the way", "köln", "grüße", "nowhere", "on and on some"} {
		if known := compare(t, message, text); known != 4 {
			t.Errorf("%s: got %d answers, want 4", text, known)
		}
	}
}

// TestReaderRefuses: what is not as the index has it has to be taken apart.
func TestReaderRefuses(t *testing.T) {
	message := "Subject: one\r\n\r\ntwo\r\nthree\r\n"
	for _, content := range []string{
		message + "\r\n", message[1:], "", strings.Replace(message, "\r\n", "\n", 1),
	} {
		r := NewReader()
		if ok, err := r.Open(file{strings.NewReader(content)}, kept(t, message)); ok || err != nil {
			t.Errorf("%q: got %v, %v", content, ok, err)
		}
	}
	r := NewReader()
	if ok, err := r.Open(file{strings.NewReader(message)}, nil); ok || err != nil {
		t.Errorf("without a layout: got %v, %v", ok, err)
	}
	r.Open(file{strings.NewReader(message)}, kept(t, message))
	for _, text := range []string{"", "two\r\n", "a\rb"} {
		if _, ok, err := r.Has(text, true); ok || err != nil {
			t.Errorf("%q: got %v, %v", text, ok, err)
		}
	}
}

// BenchmarkReader looks for a word in messages of 14 KiB.
func BenchmarkReader(b *testing.B) {
	words := strings.Fields("some common words of mail and other texts, which are about as long as those are")
	rnd := rand.New(rand.NewPCG(1, 2))
	var body strings.Builder
	for line := 0; body.Len() < 14<<10; line++ {
		for range 10 {
			fmt.Fprint(&body, words[rnd.IntN(len(words))], " ")
		}
		body.WriteString("\r\n")
	}
	for _, head := range []string{"", "Content-Transfer-Encoding: quoted-printable\r\n"} {
		message := "Subject: x\r\n" + head + "\r\n" + body.String()
		text := kept(b, message)
		r := NewReader()
		b.Run(head, func(b *testing.B) {
			b.SetBytes(int64(len(message)))
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := r.Open(file{strings.NewReader(message)}, text); !ok || err != nil {
					b.Fatal(ok, err)
				}
				if found, ok, err := r.Has("tomorrow", false); found || !ok || err != nil {
					b.Fatal(found, ok, err)
				}
			}
		})
	}
}
