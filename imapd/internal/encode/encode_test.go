package encode

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"posthorn/imapd/internal/decode"
	"posthorn/imapd/internal/mimepart"
	corpus "posthorn/test/mime"
)

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func TestReader(t *testing.T) {
	long := strings.Repeat("\x00\n\r\xff", 30)
	tests := []struct{ name, in, want string }{
		{"nothing to do", crlf("Subject: a\n\nbody\x00\n"), crlf("Subject: a\n\nbody\x00\n")},
		{"empty", "", ""},
		{"header only", "Content-Transfer-Encoding: binary", "Content-Transfer-Encoding: binary"},
		{"whole message", crlf("A: 1\nContent-transfer-encoding:\n binary\nB: 2\n\n") + "\x00\n\r\nx\r\n",
			crlf("A: 1\nContent-Transfer-Encoding: base64\nB: 2\n\nAAoNCngNCg==\n")},
		{"empty body", crlf("Content-Transfer-Encoding: binary\n\n"), crlf("Content-Transfer-Encoding: base64\n\n\n")},
		{"lines", crlf("Content-Transfer-Encoding: BINARY\n\n") + long,
			crlf("Content-Transfer-Encoding: base64\n\nAAoN/wAKDf8ACg3/AAoN/wAKDf8ACg3/AAoN/wAKDf8ACg3/AAoN/wAKDf8ACg3/AAoN/wAKDf8A\n" +
				"Cg3/AAoN/wAKDf8ACg3/AAoN/wAKDf8ACg3/AAoN/wAKDf8ACg3/AAoN/wAKDf8ACg3/AAoN/wAK\nDf8ACg3/\n")},
		{"part", crlf("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: binary\n\npre\n--b\nContent-Transfer-Encoding: binary\n\n\x00--b\n\n--b\n\nc\x00\n--b--\npost\n"),
			crlf("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\npre\n--b\nContent-Transfer-Encoding: base64\n\nAC0tYg0K\n--b\n\nc\x00\n--b--\npost\n")},
		{"message in it", crlf("Content-Type: message/rfc822\nContent-Transfer-Encoding: binary\n\nContent-Transfer-Encoding: binary\n\nx"),
			crlf("Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nContent-Transfer-Encoding: base64\n\neA==\n")},
		{"digest", crlf("Content-Type: multipart/digest; boundary=b\n\n--b\n\nContent-Transfer-Encoding: binary\n\nx\n--b--\n"),
			crlf("Content-Type: multipart/digest; boundary=b\n\n--b\n\nContent-Transfer-Encoding: base64\n\neA==\n--b--\n")},
		{"inner boundary left open", crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Transfer-Encoding: binary\n\nx\n--b--\n"),
			crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Transfer-Encoding: base64\n\neA==\n--b--\n")},
		{"header too long", "X: " + strings.Repeat("x", maxHeader) + crlf("\nContent-Transfer-Encoding: binary\n\nx"), "X: " + strings.Repeat("x", maxHeader) + crlf("\nContent-Transfer-Encoding: binary\n\nx")},
	}
	for _, tt := range tests {
		for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
			got, err := io.ReadAll(NewReader(r))
			if string(got) != tt.want || err != nil {
				t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
			}
		}
	}
}

func TestReaderFails(t *testing.T) {
	r := io.MultiReader(strings.NewReader(crlf("Content-Transfer-Encoding: binary\n\nx")), iotest.ErrReader(iotest.ErrTimeout))
	if _, err := io.ReadAll(NewReader(r)); err != iotest.ErrTimeout {
		t.Errorf("got %v", err)
	}
}

// FuzzReader holds that no part loses content.
func FuzzReader(f *testing.F) {
	messages, err := corpus.Messages()
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range messages {
		f.Add([]byte(crlf(m.Text[:min(len(m.Text), 4<<10)])))
	}
	f.Add([]byte(crlf("Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: binary\n\n\x00\n--b--\n")))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := io.ReadAll(NewReader(bytes.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(bytes.ToLower(in), []byte("binary")) {
			if !bytes.Equal(in, out) {
				t.Fatalf("got %q", out)
			}
			return
		}
		was, err := mimepart.ParseHeader(bytes.NewReader(in), int64(len(in)))
		if err != nil || !was.Blank || was.Is("multipart", "") || was.Is("message", "rfc822") || was.Header.Len() > maxHeader {
			return
		}
		is, err := mimepart.ParseHeader(bytes.NewReader(out), int64(len(out)))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := content(t, out, is), content(t, in, was); !bytes.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// content returns the decoded body of a message.
func content(t *testing.T, msg []byte, p *mimepart.Part) []byte {
	r, ok := decode.NewReader(p.Encoding(), bytes.NewReader(msg[p.Body.Off:p.Body.End]))
	if !ok {
		return nil
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
