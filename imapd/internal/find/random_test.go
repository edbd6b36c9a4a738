package find

import (
	"encoding/base64"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// oddities makes messages of what is hard to take apart.
type oddities struct {
	*rand.Rand
}

func (o *oddities) pick(from ...string) string { return from[o.IntN(len(from))] }

func (o *oddities) words() string {
	var b strings.Builder
	for range o.IntN(12) {
		b.WriteString(o.pick("word", "Grüße", "e\u0301", "\xff", "\xc3", "ﬁ", " ", "\t", "\r\n", "\r\n ", "\r\n\t", "=?utf-8?q?K=C3=B6ln?=", "=?utf-8?b?w7w=?=",
			"=?x", "?=", "\x00", "\r", "=", "=\r\n", "=3D", "=C3=BC", "--b", "\u00a0", "\u3000", "ß", "İ", "ı", "K", "\x1b$B$3\x1b(B", ":", ";", "\"", "\\", "(", ")"))
	}
	return b.String()
}

func (o *oddities) entity(depth int) string {
	var b strings.Builder
	for range o.IntN(3) {
		b.WriteString(o.pick("Subject", "From", "X-Y", " ", "subject ") + ":" + o.words() + "\r\n")
	}
	charset := o.pick("utf-8", "iso-8859-1", "us-ascii", "iso-2022-jp", "utf-7", "utf-16", "koi8-r", "shift_jis", "gb18030", "unknown", "iso-2022-kr", "\"utf-8", "")
	encoding := o.pick("", "7bit", "binary", "base64", "quoted-printable", "x-none")
	if encoding != "" {
		b.WriteString("Content-Transfer-Encoding: " + encoding + "\r\n")
	}
	kind := o.IntN(6)
	if depth > 3 {
		kind = 5
	}
	switch kind {
	case 0, 1:
		bound := o.pick("b", "bb", "c", "b-", "--b")
		b.WriteString("Content-Type: multipart/" + o.pick("mixed", "digest") + "; boundary=\"" + bound + "\"\r\n" + o.pick("\r\n", "") + o.words())
		for range o.IntN(4) {
			b.WriteString(o.pick("\r\n", "") + "--" + bound + o.pick("", " ", "x") + o.pick("\r\n", "\r\n", "\r\n\r\n") + o.entity(depth+1))
		}
		b.WriteString(o.pick("\r\n--"+bound+"--\r\n", "", "\r\n--"+bound+"--") + o.words())
		return b.String()
	case 2:
		return b.String() + "Content-Type: message/" + o.pick("rfc822", "global", "delivery-status", "partial") + "\r\n\r\n" + o.entity(depth+1)
	case 3:
		b.WriteString("Content-Type: image/png\r\n")
	case 4:
		b.WriteString("Content-Type: text/html; charset=" + charset + "\r\n")
	}
	b.WriteString(o.pick("\r\n", "\r\n", ""))
	text := o.words() + o.words()
	if encoding == "base64" && o.IntN(2) == 0 {
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	b.WriteString(text)
	return b.String()
}

// loneCR is a line end with all that would be one in a file.
var loneCR = regexp.MustCompile("\r*\n")

// TestReaderRandom compares search by layout with search in the parts of messages.
func TestReaderRandom(t *testing.T) {
	o := &oddities{Rand: rand.New(rand.NewPCG(3, 4))}
	for range 5000 {
		message := crlf(loneCR.ReplaceAllString(o.entity(0), "\n")) // as no file can have it otherwise
		text := o.words()
		if o.IntN(2) == 0 && len(message) > 0 {
			at := o.IntN(len(message))
			text = message[at:min(len(message), at+1+o.IntN(8))]
		}
		compare(t, message, text)
	}
}
