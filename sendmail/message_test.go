package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// sent reads a message and returns it as it is written to smtpd.
func sent(t *testing.T, in string, dots bool) string {
	t.Helper()
	l, err := readLetter(iotest.OneByteReader(strings.NewReader(in)), dots, 1<<20)
	if err != nil {
		t.Fatalf("%q: %v", in, err)
	}
	defer l.text.close()
	var b bytes.Buffer
	if err := l.writeTo(&b, "d.test", "ann", "Ann A."); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLetter(t *testing.T) {
	const from = "From: \"Ann A.\" <ann@d.test>\n"
	for _, tc := range []struct {
		name, in string
		dots     bool
		want     string
	}{
		{"usual", "From: x@y.test\nSubject: a\n\nhello\n", false, "From: x@y.test\nSubject: a\n\nhello\n"},
		{"CRLF", "From: x@y.test\r\nSubject: a\r\n b\r\n\r\nhello\r\n", false, "From: x@y.test\nSubject: a\n b\n\nhello\r\n"},
		{"no From", "Subject: a\n\nhello\n", false, "Subject: a\n" + from + "\nhello\n"},
		{"names alone", "From: root (Cron Daemon)\nTo: root,\n bob\nX: root\n\n", false, "From: root@d.test (Cron Daemon)\nTo: root@d.test,\n bob@d.test\nX: root\n\n"},
		{"no header", "hello\nTo: x\n", false, from + "\nhello\nTo: x\n"},
		{"no empty line", "Subject: a\nhello there: x\nmore\n", false, "Subject: a\n" + from + "\nhello there: x\nmore\n"},
		{"empty line first", "\nSubject: a\n", false, from + "\nSubject: a\n"},
		{"folded line first", " x\nSubject: a\n", false, from + "\n x\nSubject: a\n"},
		{"mailbox line", "From ann Thu Jan  1 10:00:00 2026\nFrom: x@y.test\n\nb\n", false, "From: x@y.test\n\nb\n"},
		{"only a header", "From: x@y.test\n", false, "From: x@y.test\n\n"},
		{"header without its end", "From: x@y.test", false, "From: x@y.test\n\n"},
		{"nothing", "", false, from + "\n"},
		{"dot ends", "From: x@y.test\n\na\n.\nb\n", false, "From: x@y.test\n\na\n"},
		{"dot with CR ends", "From: x@y.test\r\n\r\na\r\n.\r\nb\r\n", false, "From: x@y.test\n\na\r\n"},
		{"dot last", "From: x@y.test\n\na\n.", false, "From: x@y.test\n\na\n"},
		{"dot is text", "From: x@y.test\n\na\n.\nb\n", true, "From: x@y.test\n\na\n.\nb\n"},
		{"dot ends the header", "From: x@y.test\n.\nb\n", false, "From: x@y.test\n\n"},
		{"dot is the first text", "From: x@y.test\n.\nb\n", true, "From: x@y.test\n\n.\nb\n"},
		{"dot within", "From: x@y.test\n\n..\n.a\na.\n", false, "From: x@y.test\n\n..\n.a\na.\n"},
		{"dropped", "From: x@y.test\nBcc: z@y.test,\n w@y.test\nReturn-Path: <q>\nContent-Length: 7\n\nb\n", false, "From: x@y.test\n\nb\n"},
		{"blank before colon", "From : x@y.test\n\nb\n", false, "From : x@y.test\n\nb\n"},
		{"eight bit", "From: x@y.test\nSubject: gr\xc3\xbc\xc3\x9fe\n\n\xe4\n", false, "From: x@y.test\nSubject: gr\xc3\xbc\xc3\x9fe\n\n\xe4\n"},
		{"NUL", "From: x@y.test\n\na\x00b\n", false, "From: x@y.test\n\na\x00b\n"},
	} {
		if got := sent(t, tc.in, tc.dots); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestRecipients(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"To: ann, bob\nCc: Carl <carl@x.test>\nBCC: dora\nTo: eve\n\nTo: no\n", "ann|bob|carl@x.test|dora|eve"},
		{"To: ann\nResent-To: bob\nResent-Bcc: carl\n\n", "bob|carl"},
		{"Subject: x\n\n", ""},
		{"To: undisclosed-recipients:;\nBcc: ann\n\n", "ann"},
		{"To: ann smith\n\n", "bad"},
	} {
		l, err := readLetter(strings.NewReader(tc.in), false, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		list, err := l.recipients()
		got := strings.Join(list, "|")
		if err != nil {
			got = "bad"
		}
		if got != tc.want {
			t.Errorf("%q: got %q, %v, want %q", tc.in, got, err, tc.want)
		}
	}
}

// endless gives lines without end.
type endless struct{ line string }

func (e endless) Read(b []byte) (int, error) { return copy(b, e.line), nil }

func TestLimits(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   io.Reader
		want error
	}{
		{"text", endless{"hello there\n"}, errTooLarge},
		{"a line", endless{"hello there "}, errTooLarge},
		{"header", endless{"A: b\n"}, errHeaderSize},
		{"a field", io.MultiReader(strings.NewReader("A:"), endless{"hello"}), errHeaderSize},
		{"folded", io.MultiReader(strings.NewReader("A: b\n"), endless{" x"}), errHeaderSize},
	} {
		if _, err := readLetter(tc.in, false, 5<<20); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}

// TestLargeText: what does not fit in memory comes back as it was, twice.
func TestLargeText(t *testing.T) {
	text := strings.Repeat("0123456789abcdef\n", 3*inMemory/17)
	l, err := readLetter(strings.NewReader("From: x@y.test\n\n"+text), false, 50<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer l.text.close()
	if l.text.file == nil || l.text.mem.Cap() > 0 {
		t.Errorf("got a text of %d bytes in memory", l.text.mem.Cap())
	}
	for range 2 {
		b, err := io.ReadAll(l.text.text())
		if err != nil || string(b) != text {
			t.Fatalf("got %d bytes, %v, want the %d that were written", len(b), err, len(text))
		}
	}
}

func TestPhrase(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Ann Smith": "Ann Smith", "Smith, Ann": `"Smith, Ann"`, `a"b\`: `"a\"b\\"`, "x\r\nBcc: y": `"x  Bcc: y"`, " a ": "a",
		"Jörg, \"x\"": "=?utf-8?b?SsO2cmcsICJ4Ig==?=", "J\xf6rg": "=?utf-8?b?Su+/vXJn?=",
	} {
		if got := phrase(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	for _, tc := range [][3]string{{"", "", "From: MAILER-DAEMON@d.test"}, {"ann", "", "From: ann@d.test"}, {"ann@x.test", "A B", "From: A B <ann@x.test>"}} {
		if got := fromField(tc[0], tc[1], "d.test"); got != tc[2] {
			t.Errorf("%q: got %q, want %q", tc[:2], got, tc[2])
		}
	}
	if got := gecosName("& Smith,Room 1", "ann"); got != "Ann Smith" {
		t.Errorf("got %q, want Ann Smith", got)
	}
}

func FuzzReadLetter(f *testing.F) {
	f.Add("From: a\nTo: b, c\n\nhello\n.\nmore", false)
	f.Add("From x\n\n", true)
	f.Add(" x: y\r\n.\r\n", false)
	f.Fuzz(func(t *testing.T, in string, dots bool) {
		l, err := readLetter(strings.NewReader(in), dots, 1<<20)
		if err != nil {
			return
		}
		defer l.text.close()
		for _, f := range l.fields {
			for i, line := range strings.Split(f.line, "\n") {
				if i > 0 && (line == "" || line[0] != ' ' && line[0] != '\t') || i == 0 && fieldName([]byte(line)) == "" {
					t.Fatalf("%q: got the field %q", in, f.line)
				}
			}
		}
		var b bytes.Buffer
		if err := l.writeTo(&b, "d.test", "ann", "Ann"); err != nil {
			t.Fatal(err)
		}
		again, err := readLetter(bytes.NewReader(b.Bytes()), true, 1<<21)
		if err != nil {
			t.Fatal(err)
		}
		one, _ := io.ReadAll(l.text.text())
		two, _ := io.ReadAll(again.text.text())
		if !bytes.Equal(one, two) {
			t.Fatalf("%q: got the text %q, want %q", in, two, one)
		}
	})
}
