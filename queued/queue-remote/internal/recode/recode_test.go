package recode

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"testing/iotest"
)

// crlf writes a test's message with the line ends of the wire.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func recode(t *testing.T, in string) (string, error) {
	t.Helper()
	plan, err := Look(strings.NewReader(in))
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(plan.Reader(iotest.HalfReader(strings.NewReader(in))))
	if err != nil {
		t.Fatal(err)
	}
	return string(out), nil
}

func TestRecode(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"nothing to do", "A: b\n\nx \n", "A: b\nMIME-Version: 1.0\n\nx \n"},
		{"no MIME", "A: b\n\ngr\xfc\xdf = gut \n\n.\n",
			"A: b\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: quoted-printable\n\ngr=FC=DF =3D gut=20\n\n.\n"},
		{"text", "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nSubject: x\n\nä\t\n",
			"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\nSubject: x\n\n=C3=A4=09\n"},
		{"no empty line", "A: b\n", "A: b\nMIME-Version: 1.0\n"},
		{"other than text", "MIME-Version: 1.0\nContent-Type: application/x\n\n\xff\xfe\nab\n",
			"MIME-Version: 1.0\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\n//4NCmFiDQo=\n"},
		{"multipart", `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b b"
Content-Transfer-Encoding: 8bit

preambleü
--b b
Content-Type: text/plain

plain =

--b b	
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding:
 8bit
X: y

ü

--b b

ü--b b
--b
--b b--
epilogue
`, `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b b"
Content-Transfer-Encoding: 7bit

preamble??
--b b
Content-Type: text/plain

plain =

--b b	
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable
X: y

=C3=BC

--b b
Content-Transfer-Encoding: quoted-printable

=C3=BC--b b
--b
--b b--
epilogue
`},
		{"a message within", `MIME-Version: 1.0
Content-Type: multipart/digest; boundary=o

--o

Content-Type: multipart/mixed; boundary=i

--i

ü
--o
Content-Type: text/plain

ü
--i
--o--
`, `MIME-Version: 1.0
Content-Type: multipart/digest; boundary=o

--o

Content-Type: multipart/mixed; boundary=i

--i
Content-Transfer-Encoding: quoted-printable

=C3=BC
--o
Content-Type: text/plain
Content-Transfer-Encoding: quoted-printable

=C3=BC
--i
--o--
`},
		{"a signed part that is clean", "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/signed; boundary=s\n\n--s\n\nx \n--s--\n--o\n\nü\n--o--\n",
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/signed; boundary=s\n\n--s\n\nx \n--s--\n--o\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--o--\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := recode(t, crlf(tt.in))
			if err != nil || got != crlf(tt.want) {
				t.Errorf("got  %q %v\nwant %q", got, err, crlf(tt.want))
			}
		})
	}
}

func TestCannot(t *testing.T) {
	part := "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=o\n\n--o\n"
	tests := []struct{ name, in, want string }{
		{"header", "A: ü\n\nx\n", "in a header"},
		{"header of a part", part + "Content-Disposition: attachment; filename=ü\n\nx\n--o--\n", "in a header"},
		{"header of a message within", part + "Content-Type: message/rfc822\n\nSubject: ü\n\nx\n--o--\n", "in a header"},
		{"signed", part + "Content-Type: multipart/signed; boundary=s\n\n--s\nContent-Type: multipart/mixed; boundary=t\n\n--t\n\nü\n--t--\n--s--\n--o--\n", "under a signature"},
		{"encoded already", part + "Content-Transfer-Encoding: base64\n\nü\n", `the encoding "base64"`},
		{"odd encoding", "Content-Transfer-Encoding: x-mine\n\nü\n", `the encoding "x-mine"`},
		{"two encodings", "Content-Transfer-Encoding: 8bit\nContent-Transfer-Encoding: 7bit\n\nü\n", `type ""`},
		{"two types", "Content-Type: text/plain\nContent-Type: multipart/signed; boundary=s\n\nü\n", `type ""`},
		{"no type", "Content-Type: ;;\n\nü\n", `type ""`},
		{"old type", "Content-Type: text\n\nü\n", `type ""`},
		{"no boundary", "Content-Type: multipart/mixed\n\nü\n", `type "multipart/mixed"`},
		{"encoded multipart", "Content-Type: multipart/mixed; boundary=o\nContent-Transfer-Encoding: base64\n\n--o\n\nü\n", `type "multipart/mixed"`},
		{"report", "Content-Type: message/delivery-status\n\nü\n", `type "message/delivery-status"`},
		{"long header", "A: " + strings.Repeat("x", maxHeader) + "\n\nü\n", "a header of more than"},
		{"deep", strings.Repeat("Content-Type: multipart/mixed; boundary=o\n\n--o\n", maxDepth+1), "deep"},
		{"many", part + strings.Repeat("\n--o\n", maxParts), "parts"},
		{"messages in messages", strings.Repeat("Content-Type: message/rfc822\n\n", maxParts+1), "parts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := recode(t, crlf(tt.in))
			if !errors.Is(err, ErrCannot) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %.100q %v, want an error with %q", got, err, tt.want)
			}
		})
	}
	bad := errors.New("bad sector")
	if _, err := Look(iotest.ErrReader(bad)); !errors.Is(err, bad) || errors.Is(err, ErrCannot) {
		t.Errorf("a file that fails: got %v, want %v", err, bad)
	}
}

// decoded reads a part the way a mail reader does.
func decoded(t *testing.T, encoding string, body io.Reader) string {
	t.Helper()
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What another decoder makes of the 7-bit form is what was there before.
func TestDecodersAgree(t *testing.T) {
	var all []byte
	for i := range 256 {
		if i != '\r' && i != '\n' {
			all = append(all, byte(i))
		}
	}
	bodies := []string{
		strings.Repeat(string(all), 30), // far beyond the longest line
		strings.Repeat("ü ", 2000) + "\r\n \r\n\t\r\n",
		"\r\n\r\nü\r\n\r\n",
		strings.Repeat("=", 100) + "ü",
		"ü" + strings.Repeat(" ", lineBuffer*2),
		strings.Repeat("x", 75) + " \r\n" + strings.Repeat("x", 74) + " \r\nü",
	}
	for _, media := range []string{"text/plain; charset=x", "image/x"} {
		var b strings.Builder
		b.WriteString("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n")
		for _, body := range bodies {
			b.WriteString("--o\r\nContent-Type: " + media + "\r\nContent-Transfer-Encoding: binary\r\n\r\n" + body + "\r\n")
		}
		b.WriteString("--o--\r\n")
		out, err := recode(t, b.String())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(out, "\r\n") {
			if len(line) > lineMax || has8Bit([]byte(line)) {
				t.Fatalf("%s: got the line %q, want 7-bit and at most %d", media, line, lineMax)
			}
		}
		m, err := mail.ReadMessage(strings.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
		if err != nil {
			t.Fatal(err)
		}
		mr := multipart.NewReader(m.Body, params["boundary"])
		for i, want := range bodies {
			p, err := mr.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			if got := decoded(t, p.Header.Get("Content-Transfer-Encoding"), p); got != want {
				t.Errorf("%s, body %d: got %.200q, want %.200q", media, i, got, want)
			}
		}
	}
}

// FuzzRecode: whatever the structure, the form is 7-bit, has the same parts, and
// a message of one part says the same as before.
func FuzzRecode(f *testing.F) {
	for _, s := range []string{
		"\nü\n", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nü\n--b--\n",
		"Content-Type: message/rfc822\n\nA: b\n\nü\n", "Content-Type: image/x\n\nü", "Content-Type: multipart/digest; boundary=b\n\n--b\n--b\n\nA: b\n--b--",
	} {
		f.Add(crlf(s))
	}
	f.Fuzz(func(t *testing.T, in string) {
		plan, err := Look(strings.NewReader(in))
		if err != nil {
			return
		}
		out, err := io.ReadAll(plan.Reader(strings.NewReader(in)))
		if err != nil {
			t.Fatalf("second reading: %v", err)
		}
		if has8Bit(out) {
			t.Fatalf("got %q, want 7-bit", out)
		}
		again, err := Look(strings.NewReader(string(out)))
		if err != nil || len(again.eight) != len(plan.eight) {
			t.Fatalf("got %d parts %v, want %d", len(again.eight), err, len(plan.eight))
		}
		one(t, plan, in, string(out))
	})
}

func one(t *testing.T, plan Plan, in, out string) {
	before, err := mail.ReadMessage(strings.NewReader(in))
	if err != nil || len(plan.eight) != 1 || !plan.eight[0] || strings.ContainsAny(strings.ReplaceAll(in, "\r\n", ""), "\r\n") || !strings.HasSuffix(in, "\r\n") {
		return
	}
	after, err := mail.ReadMessage(strings.NewReader(out))
	if err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	want, _ := io.ReadAll(before.Body)
	if got := decoded(t, after.Header.Get("Content-Transfer-Encoding"), after.Body); got != string(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}
