package layout

import (
	"reflect"
	"strings"
	"testing"

	"posthorn/imapd/internal/mimepart"
)

const sample = "Subject: a\n\n--b\n"

// parts is a message of several parts, with LF line ends.
const parts = "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\nContent-Type: text/plain; charset=koi8-r\n" +
	"Content-Transfer-Encoding: Base64\n\nAAAA\n--b\nContent-Type: image/png\n\npicture\n--b\nContent-Transfer-Encoding: x-unknown\n\nno text\n" +
	"--b\nContent-Type: message/rfc822\n\nSubject: inner\n\none\ntwo\n--b\n\n--b--\nepilogue\n"

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func of(t *testing.T, message string) Layout {
	t.Helper()
	root, err := mimepart.Parse(strings.NewReader(message), int64(len(message)))
	if err != nil {
		t.Fatal(err)
	}
	l, ok := Of(root)
	if !ok {
		t.Fatal("got no layout")
	}
	return l
}

// said returns what a layout says of a file.
func said(t *testing.T, l Layout, file string) (out []string) {
	t.Helper()
	place, ok := l.InFile(int64(len(file)))
	if !ok {
		t.Fatalf("%q: got no layout of it", file)
	}
	for _, text := range l.Texts {
		in := place.Range(text)
		out = append(out, strings.ReplaceAll(file[in.Off:in.End], "\r\n", "\n"))
	}
	return out
}

func TestLayout(t *testing.T) {
	l := of(t, crlf(parts))
	want := []string{
		"Content-Type: multipart/mixed; boundary=b\n\n",
		"Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: Base64\n\n", "AAAA",
		"Content-Type: image/png\n\n",
		"Content-Transfer-Encoding: x-unknown\n\n",
		"Content-Type: message/rfc822\n\n", "Subject: inner\n\n", "one\ntwo",
	}
	read, ok := Read(l.Append(nil), nil)
	if !ok || !reflect.DeepEqual(read, l) {
		t.Fatalf("got %v, %v, want %v", read, ok, l)
	}
	for _, file := range []string{crlf(parts), parts} {
		if got := said(t, read, file); !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if text := l.Texts[2]; text.Kind != Base64 || text.Charset != "koi8-r" {
		t.Errorf("got %v", text)
	}
	if _, ok := l.InFile(l.Size() - 1); ok {
		t.Error("got the layout of another file")
	}
}

// TestEnds: however a message ends, what is in it is found with both line ends.
func TestEnds(t *testing.T) {
	for n := range len(parts) {
		l := of(t, crlf(parts[:n]))
		got, want := said(t, l, parts[:n]), said(t, l, crlf(parts[:n]))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("cut at %d: got %q, want %q", n, got, want)
		}
	}
}

func TestTooMany(t *testing.T) {
	message := crlf("Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 2*maxTexts))
	root, err := mimepart.Parse(strings.NewReader(message), int64(len(message)))
	if err != nil {
		t.Fatal(err)
	}
	if l, ok := Of(root); ok || len(l.Texts) > maxTexts+1 {
		t.Errorf("got a layout of %d texts", len(l.Texts))
	}
}

func TestDamaged(t *testing.T) {
	b := of(t, crlf(parts)).Append(nil)
	for n := range b {
		if l, ok := Read(b[:n], nil); ok && len(l.Texts) == 8 {
			t.Errorf("cut at %d: got all texts", n)
		}
	}
	for _, damaged := range [][]byte{{}, {0xFF}, {1}, {1, 2}, {9, 0, 77, 0, 0, 0, 0}, {9, 0, 0, 9, 1, 0, 0}} {
		if l, ok := Read(damaged, nil); ok {
			t.Errorf("%v: got %v", damaged, l)
		}
	}
}

func FuzzLayout(f *testing.F) {
	f.Add(parts)
	f.Add(sample)
	f.Add(string(Layout{size: 99, ends: 3, Texts: []Text{{Kind: Quoted, Off: 9, End: 99, Charset: "x", above: 2, ends: 1}}}.Append(nil)))
	f.Fuzz(func(t *testing.T, in string) {
		if l, ok := Read([]byte(in), nil); ok {
			if again, ok := Read(l.Append(nil), nil); !ok || !reflect.DeepEqual(l, again) {
				t.Fatalf("got %v, want %v", again, l)
			}
		}
		message := strings.ReplaceAll(in, "\r", "")
		root, err := mimepart.Parse(strings.NewReader(crlf(message)), int64(len(crlf(message))))
		if err != nil {
			t.Fatal(err)
		}
		l, ok := Of(root)
		if !ok {
			return
		}
		if read, ok := Read(l.Append(nil), nil); !ok || !reflect.DeepEqual(append([]Text{}, read.Texts...), append([]Text{}, l.Texts...)) {
			t.Fatalf("got %v, want %v", read, l)
		}
		if got, want := said(t, l, message), said(t, l, crlf(message)); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
func TestAppend(t *testing.T) {
	for _, text := range []string{"", "\n", "a\nb\n\nc", "a"} {
		if got := string(File{Bare: true}.Append([]byte("x"), []byte(text))); got != "x"+crlf(text) {
			t.Errorf("%q: got %q", text, got)
		}
		if got := string(File{}.Append(nil, []byte(crlf(text)))); got != crlf(text) {
			t.Errorf("%q: got %q", text, got)
		}
	}
}
