package find

import (
	"encoding/base64"
	"strings"
	"testing"
)

func crlf(s string) string { return strings.ReplaceAll(strings.TrimPrefix(s, "\n"), "\n", "\r\n") }

var sample = crlf(`
From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>
Subject: A long
	line
Date: Mon, 7 Feb 1994 23:52:25 -0800 (PST)
X-Empty:
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

soft=
break Gr=C3=BC=C3=9Fe
--b
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: base64

` + "PHA+w+TWPC9w\nPg==" + `
--b
Content-Type: application/octet-stream

secret
--b
Content-Type: message/rfc822

Subject: =?iso-8859-1?Q?innen_=E4?=

inner text
--b--
`)

func TestFind(t *testing.T) {
	tests := []struct {
		name string
		ask  func(*Message) (bool, error)
		want bool
	}{
		{"field", func(m *Message) (bool, error) { return m.Field("FROM", "jürgen") }, true},
		{"field, no encoded text", func(m *Message) (bool, error) { return m.Field("From", "utf-8") }, false},
		{"field, folded", func(m *Message) (bool, error) { return m.Field("subject", "LONG\tline") }, true},
		{"field, not its name", func(m *Message) (bool, error) { return m.Field("subject", "subject") }, false},
		{"field is there", func(m *Message) (bool, error) { return m.Field("x-empty", "") }, true},
		{"field is not there", func(m *Message) (bool, error) { return m.Field("x-other", "") }, false},
		{"body, quoted-printable", func(m *Message) (bool, error) { return m.Body("SOFTBREAK grüße") }, true},
		{"body, base64 and latin1", func(m *Message) (bool, error) { return m.Body("ãäö") }, true},
		{"body, no binary part", func(m *Message) (bool, error) { return m.Body("secret") }, false},
		{"body, inner message", func(m *Message) (bool, error) { return m.Body("INNER") }, true},
		{"body, inner header", func(m *Message) (bool, error) { return m.Body("innen ä") }, true},
		{"body, no header", func(m *Message) (bool, error) { return m.Body("example.org") }, false},
		{"body, empty", func(m *Message) (bool, error) { return m.Body("") }, true},
		{"text, header", func(m *Message) (bool, error) { return m.Any("x-empty:") }, true},
		{"text, body", func(m *Message) (bool, error) { return m.Any("softbreak") }, true},
		{"text, none", func(m *Message) (bool, error) { return m.Any("nowhere") }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.ask(New(strings.NewReader(sample), int64(len(sample))))
			if got != tt.want || err != nil {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestDate(t *testing.T) {
	m := New(strings.NewReader(sample), int64(len(sample)))
	d, ok, err := m.Date()
	if got := d.Format("2006-01-02"); !ok || err != nil || got != "1994-02-07" {
		t.Errorf("got %s, %v, %v", got, ok, err)
	}
	m = New(strings.NewReader("Date: soon\r\n\r\n"), 14)
	if _, ok, err := m.Date(); ok || err != nil {
		t.Errorf("got %v, %v", ok, err)
	}
}

// TestAcrossPieces puts a text where two pieces of the search meet.
func TestAcrossPieces(t *testing.T) {
	const want = "grüße aus köln"
	for n := 32<<10 - 20; n < 32<<10+4; n++ {
		body := strings.Repeat("x", n) + "GRÜSSE Grüße aus Köln" + strings.Repeat("y", 100)
		if found, err := contains(strings.NewReader(body), piece, "utf-8", want); !found || err != nil {
			t.Fatalf("%d: got %v, %v", n, found, err)
		}
	}
}

func TestBrokenEncodings(t *testing.T) {
	for _, encoding := range []string{"base64", "quoted-printable"} {
		msg := "Content-Transfer-Encoding: " + encoding + "\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte("found")) + "\r\n=!=\r\n\x00\xff"
		m := New(strings.NewReader(msg), int64(len(msg)))
		if _, err := m.Body("nothing"); err != nil {
			t.Errorf("%s: %v", encoding, err)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add(sample, "grüße")
	f.Add("Content-Transfer-Encoding: base64\r\n\r\nAAAA", "x")
	f.Fuzz(func(t *testing.T, msg, text string) {
		m := New(strings.NewReader(msg), int64(len(msg)))
		for _, ask := range []func() (bool, error){
			func() (bool, error) { return m.Field("subject", text) },
			func() (bool, error) { return m.Any(text) },
			func() (bool, error) { return m.Body(text) },
		} {
			if _, err := ask(); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := m.Date(); err != nil {
			t.Fatal(err)
		}
	})
}
