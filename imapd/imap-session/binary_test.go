package main

import (
	"fmt"
	"strings"
	"testing"
)

// parted is a message whose parts have every encoding.
var parted = strings.ReplaceAll(`Subject: parts
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=
=C3=9Fe=20
--b
Content-Type: image/png
Content-Transfer-Encoding: BASE64

AAEC!AwQ=
--b
Content-Transfer-Encoding: x-unheard-of

secret
--b
Content-Type: message/rfc822
Content-Transfer-Encoding: base64

Content-Transfer-Encoding: base64

aW5uZXI=
--b
Content-Type: multipart/mixed; boundary=c

--c

deep
--c--
--b--
`, "\n", "\r\n")

func TestBinary(t *testing.T) {
	d := newFixture(t).dialogue()
	d.file("INBOX", "", parted)
	d.file("INBOX", "", "Content-Transfer-Encoding: base64\r\n\r\nAGFi\r\nYw==")
	d.do("SELECT INBOX")
	for _, tt := range []struct{ item, want string }{
		{"BINARY.PEEK[1]", "BINARY[1] {8}Grüße "},
		{"BINARY.PEEK[1]<1.4>", "BINARY[1]<1> {4}r\xc3\xbc\xc3"},
		{"BINARY.PEEK[1]<7.10>", "BINARY[1]<7> {1} "},
		{"BINARY.PEEK[1]<8.10>", "BINARY[1]<8> {0}"},
		{"BINARY.SIZE[1]", "BINARY.SIZE[1] 8"},
		{"BINARY.PEEK[2]", "BINARY[2] ~{5}\x00\x01\x02\x03\x04"},
		{"BINARY.PEEK[2]<1.2>", "BINARY[2]<1> {2}\x01\x02"},
		{"BINARY.SIZE[2]", "BINARY.SIZE[2] 5"},
		{"BINARY.PEEK[4.1]", "BINARY[4.1] {5}inner"},
		{"BINARY.SIZE[4]", "BINARY.SIZE[4] 45"},
		{"BINARY.PEEK[5]", "BINARY[5] {18}--c\r\n\r\ndeep\r\n--c--"},
		{"BINARY.PEEK[6]", "BINARY[6] NIL"},
		{"BINARY.SIZE[6]", "BINARY.SIZE[6] 0"},
		{"BINARY.PEEK[]<0.7>", "BINARY[]<0> {7}Subject"},
		{"(UID BINARY.SIZE[] BINARY.PEEK[1]<0.2>)", "UID 1 BINARY.SIZE[] 507 BINARY[1]<0> {2}Gr"},
	} {
		d.want("FETCH 1 "+tt.item, "* 1 FETCH ("+tt.want+")", "OK FETCH completed")
	}
	d.want("FETCH 1:2 BINARY.PEEK[3]", "* 2 FETCH (BINARY[3] NIL)", "NO [UNKNOWN-CTE] encoding of a part is not known")
	d.want("FETCH 1 BINARY.SIZE[3]", "NO [UNKNOWN-CTE] encoding of a part is not known")
	d.want("FETCH 2 BINARY.PEEK[1]", "* 2 FETCH (BINARY[1] ~{4}\x00abc)", "OK FETCH completed")
	d.want("FETCH 2 FLAGS", "* 2 FETCH (FLAGS (\\Recent))", "OK FETCH completed")
	d.want("FETCH 2 BINARY[1]", "* 2 FETCH (FLAGS (\\Seen \\Recent) BINARY[1] ~{4}\x00abc)", "OK FETCH completed")
	for _, bad := range []string{"BINARY", "BINARY.SIZE", "BINARY[HEADER]", "BINARY[1.TEXT]", "BINARY.SIZE[1]<0.1>", "BINARY[0]", "BINARY[1", "BINARY.PEEK[1]<1>"} {
		if got := d.do("FETCH 1 " + bad); !strings.HasPrefix(got[0], "BAD ") {
			t.Errorf("%s: got %q", bad, got)
		}
	}
}

// TestAppendBinary files a message that is no text, as RFC 3516 section 4.4 has it.
func TestAppendBinary(t *testing.T) {
	d := newFixture(t).dialogue()
	const data = "\x00\n\r\xff\r\nend\r\n"
	msg := "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n" +
		"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n" + data + "\r\n--b\r\n\r\ntext\x00\r\n--b--\r\n"
	d.want(fmt.Sprintf("APPEND INBOX (\\Seen) ~{%d+}\r\n%s", len(msg), msg), "OK [APPENDUID V 1] APPEND completed")
	d.want("APPEND INBOX ~{9+}\r\nA: b\r\n\r\nc ~{9+}\r\nA: b\r\n\r\n\x00", "OK [APPENDUID V 2:3] APPEND completed")
	d.want("APPEND INBOX ~{0+}\r\n", "NO a message cannot be empty")
	d.do("EXAMINE INBOX")
	d.want("FETCH 1 (BODY[1.MIME] BODY[1] BINARY[1] BINARY[2])", "* 1 FETCH (BODY[1.MIME] {62}Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"+
		" BODY[1] {16}AAoN/w0KZW5kDQo= BINARY[1] ~{11}"+data+" BINARY[2] ~{5}text\x00)", "OK FETCH completed")
	d.want("FETCH 1 BODY[2]", "* 1 FETCH (BODY[2] {5}text\x80)", "OK FETCH completed")
	d.want("FETCH 3 (RFC822.SIZE BINARY[])", "* 3 FETCH (RFC822.SIZE 9 BINARY[] ~{9}A: b\r\n\r\n\x00)", "OK FETCH completed")
}
