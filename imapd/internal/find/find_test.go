package find

import (
	"encoding/base64"
	"strings"
	"testing"

	"posthorn/imapd/internal/charset"
	corpus "posthorn/test/mime"
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
Content-Type: text/plain; charset=koi8-r
Content-Transfer-Encoding: quoted-printable

=D0=D2=C9=D7=C5=D4
--b
Content-Transfer-Encoding: unheard-of

unheard
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
		{"field, folded, with one space", func(m *Message) (bool, error) { return m.Field("subject", "LONG line") }, true},
		{"addresses as the envelope has them", func(m *Message) (bool, error) { return m.Addresses("FROM", "jürgen <J@") }, true},
		{"addresses, there are some", func(m *Message) (bool, error) { return m.Addresses("FROM", "") }, true},
		{"addresses, there are none", func(m *Message) (bool, error) { return m.Addresses("CC", "") }, false},
		{"body, another charset", func(m *Message) (bool, error) { return m.Body("ПРИВЕТ") }, true},
		{"body, encoding nobody knows", func(m *Message) (bool, error) { return m.Body("unheard") }, false},
		{"text, header of a part", func(m *Message) (bool, error) { return m.Any("octet-stream") }, true},
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
	tests := []struct{ date, want string }{
		{"Mon, 7 Feb 1994 23:52:25 -0800 (PST)", "1994-02-07"},
		{"8 feb 94 1:02", "1994-02-08"},
		{" (a) Tue (b), 8 (c) Feb 2022 (d(e)) 23 : 59 : 60 EST", "2022-02-08"},
		{"8 Feb 103 01:02:03 +0000", "2003-02-08"},
		{"8 Feb 12 01:02:03 +0000", "2012-02-08"},
		{"8 Feb 1964 01:02:03 +9999 and more", "1964-02-08"},
		{"soon", "none"},
		{"", "none"},
		{"Mon, ", "none"},
		{"31 Feb 1994 01:02:03", "none"},
		{"8 Feb 1994", "none"},
		{"8 Feb 1994 24:00:00", "none"},
		{"1994-02-08T01:02:03Z", "none"},
		{"Tue Feb  8 01:02:03 1994", "none"},
		{"8 Feb 99999999999999999999 01:02", "none"},
	}
	for _, tt := range tests {
		msg := "Date: " + tt.date + "\r\n\r\n"
		d, ok, err := New(strings.NewReader(msg), int64(len(msg))).Date()
		got := "none"
		if ok {
			got = d.Format("2006-01-02")
		}
		if got != tt.want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", tt.date, got, err, tt.want)
		}
	}
}

// TestAcrossPieces puts a text where two pieces of the search meet.
func TestAcrossPieces(t *testing.T) {
	const want = "grüße aus köln"
	for n := 32<<10 - 20; n < 32<<10+4; n++ {
		body := strings.Repeat("x", n) + "GRÜSSE Grüße aus Köln" + strings.Repeat("y", 100)
		if found, err := contains(strings.NewReader(body), make([]byte, piece), newNeedle(want)); !found || err != nil {
			t.Fatalf("%d: got %v, %v", n, found, err)
		}
	}
}

// TestBounds asks of messages that would take forever if what is looked at again
// and again had no bound.
func TestBounds(t *testing.T) {
	tests := []struct{ name, msg string }{
		{"encoded words without end", "Subject: " + strings.Repeat("=?utf-8?q?", 300<<10) + "\r\n\r\n"},
		{"encoded words", "Subject: " + strings.Repeat("=?utf-8?b?eHh4?= ", 200<<10) + "\r\n\r\n"},
		{"folds", "Subject: a\r\n" + strings.Repeat(" b\r\n", 1<<20) + "\r\n"},
		{"fields", strings.Repeat("Subject: a\r\n", 300<<10) + "\r\n"},
		{"addresses", "From: " + strings.Repeat("(<\"@,:;", 500<<10) + "\r\n\r\n"},
		{"groups", "From: " + strings.Repeat("a:b@c,;", 500<<10) + "\r\n\r\n"},
		{"nested", strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 50000)},
		{"parts", "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 500<<10)},
		{"commas of a date", "Date: " + strings.Repeat(",", 3<<20) + "\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := New(strings.NewReader(tt.msg), int64(len(tt.msg)))
			for _, ask := range []func() (bool, error){
				func() (bool, error) { return m.Field("subject", "nowhere") },
				func() (bool, error) { return m.Addresses("from", "nowhere") },
				func() (bool, error) { return m.Any("nowhere") },
				func() (bool, error) { _, ok, err := m.Date(); return ok, err },
			} {
				if found, err := ask(); found || err != nil {
					t.Errorf("got %v, %v, want false", found, err)
				}
			}
		})
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
	messages, err := corpus.Messages()
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range messages {
		f.Add(crlf(m.Text[:min(len(m.Text), 4<<10)]), "grüße")
	}
	f.Add(sample, "grüße")
	f.Add("Content-Transfer-Encoding: base64\r\n\r\nAAAA", "x")
	f.Add("0", "")
	f.Fuzz(func(t *testing.T, msg, text string) {
		m := New(strings.NewReader(msg), int64(len(msg)))
		for _, ask := range []func() (bool, error){
			func() (bool, error) { return m.Field("subject", text) },
			func() (bool, error) { return m.Addresses("from", text) },
			func() (bool, error) { return m.Any(text) },
			func() (bool, error) { return m.Body(text) },
		} {
			if _, err := ask(); err != nil {
				t.Fatal(err)
			}
		}
		for _, where := range []Where{InField, InAddresses, InBody, Anywhere} {
			l := NewLikeness(text)
			if err := m.Like(l, where, "from"); err != nil || l.Score() < 0 || l.Score() > 100 {
				t.Fatal(l.Score(), err)
			}
		}
		if _, _, err := m.Date(); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			return
		}
		if got, want := newNeedle(text).in([]byte(msg)), strings.Contains(charset.Fold(msg), charset.Fold(text)); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
		compare(t, crlf(strings.ReplaceAll(msg, "\r\n", "\n")), text)
	})
}
