package encode

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"posthorn/imapd/internal/mimepart"
)

// parts makes messages whose binary parts meet the ends of what is read at once.
type parts struct{ *rand.Rand }

func (r parts) pick(from ...string) string { return from[r.IntN(len(from))] }

func (r parts) entity(depth int) string {
	head := r.pick("", "Subject: x\r\n", "X: "+strings.Repeat("x", 4080+r.IntN(20))+"\r\n") + r.pick("Content-Transfer-Encoding: binary\r\n", "")
	switch kind := r.IntN(4); {
	case kind < 2 && depth < 3:
		bound := r.pick("b", "bb", "bbb", "c")
		text := head + "Content-Type: multipart/" + r.pick("mixed", "digest") + "; boundary=" + bound + "\r\n\r\n" + r.pick("", "--", "pre\r\n")
		for range r.IntN(4) {
			text += r.pick("\r\n", "\r\n", "") + "--" + bound + r.pick("", " ") + "\r\n" + r.entity(depth+1)
		}
		return text + r.pick("\r\n--"+bound+"--\r\n", "\r\n--"+bound+"--", "") + r.pick("", "post\r\n")
	case kind == 2:
		return head + "Content-Type: message/rfc822\r\n\r\n" + r.entity(depth+1)
	}
	text := head + "Content-Type: image/png\r\n\r\n"
	for range r.IntN(4) {
		text += r.pick("\x00", "\r", "\r\n", "\r\r\n", "--", "x\r\n", strings.Repeat("y", 4090+r.IntN(8)), strings.Repeat("\r", r.IntN(3)))
	}
	return text
}

// leaves returns the decoded content of all parts that have no parts.
func leaves(t *testing.T, msg []byte, p *mimepart.Part) (all [][]byte) {
	if p.Message != nil {
		return leaves(t, msg, p.Message)
	}
	for _, c := range p.Children {
		all = append(all, leaves(t, msg, c)...)
	}
	if len(p.Children) == 0 {
		all = append(all, content(t, msg, p))
	}
	return all
}

func last(b []byte) []byte { return b[max(0, len(b)-9):] }

// TestRandom holds that the parts of a message are the same before and after.
func TestRandom(t *testing.T) {
	r := parts{rand.New(rand.NewPCG(1, 2))}
	for range 4000 {
		in := []byte(r.entity(0))
		out, err := io.ReadAll(NewReader(bytes.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		was, err := mimepart.Parse(bytes.NewReader(in), int64(len(in)))
		if err != nil {
			t.Fatal(err)
		}
		is, err := mimepart.Parse(bytes.NewReader(out), int64(len(out)))
		if err != nil {
			t.Fatal(err)
		}
		got, want := leaves(t, out, is), leaves(t, in, was)
		if len(got) != len(want) {
			t.Fatalf("got %d parts, want %d of\n%q", len(got), len(want), in)
		}
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("got %d octets in part %d, want %d; content ends with %q, want %q, of a message of %d octets", len(got[i]), i, len(want[i]), last(got[i]), last(want[i]), len(in))
			}
		}
	}
}
