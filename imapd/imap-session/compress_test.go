package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// squeezed is a connection of a client that compresses.
type squeezed struct {
	net.Conn
	w *flate.Writer
}

// Write sends p so that the server can read it.
func (s squeezed) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err == nil {
		err = s.w.Flush()
	}
	return n, err
}

// compress begins compression as in the example of RFC 4978 section 3.
func (d *dialogue) compress() {
	d.t.Helper()
	d.want("compress deflate", "OK DEFLATE active")
	w, err := flate.NewWriter(d.conn, flate.DefaultCompression)
	if err != nil {
		d.t.Fatal(err)
	}
	d.r = bufio.NewReader(flate.NewReader(d.r))
	d.conn = squeezed{d.conn, w}
}

func TestCompress(t *testing.T) {
	f := newFixture(t)
	d, other := f.dialogue(), f.dialogue()
	d.want("COMPRESS", "BAD missing argument")
	d.want("COMPRESS LZW", "BAD DEFLATE is the only compression")
	d.want("COMPRESS DEFLATE x", "BAD unexpected argument")
	d.want("NOOP", "OK NOOP completed")
	d.compress()
	d.want("NOOP", "OK NOOP completed")
	d.want("COMPRESS DEFLATE", "BAD [COMPRESSIONACTIVE] compression is active")
	long := "Subject: long\r\n\r\n" + strings.Repeat("all work and no play\r\n", 20_000)
	d.file("INBOX", "", long)
	d.do("SELECT INBOX")
	d.want("FETCH 1 BODY.PEEK[]", fmt.Sprintf("* 1 FETCH (BODY[] {%d}%s)", len(long), long), "OK FETCH completed")
	// Many commands in one piece, and a literal that waits.
	d.say("x1 NOOP\r\nx2 NOOP\r\nx3 STATUS {5}\r\n")
	for _, want := range []string{"x1 OK NOOP completed", "x2 OK NOOP completed", "+ OK"} {
		if got := d.line(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	d.say("INBOX (MESSAGES)\r\nx4 IDLE\r\n")
	for _, want := range []string{`* STATUS "INBOX" (MESSAGES 1)`, "x3 OK STATUS completed", "+ idling"} {
		if got := d.line(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	other.file("INBOX", "", simple)
	if got, want := d.line(), "* 2 EXISTS"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	d.line() // RECENT
	d.say("DONE\r\nx5 LOGOUT\r\n")
	for _, want := range []string{"x4 OK IDLE completed", "* BYE logging out", "x5 OK LOGOUT completed"} {
		if got := d.line(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestCompressAnnounces: what has to be told comes before the answer, in clear.
func TestCompressAnnounces(t *testing.T) {
	f := newFixture(t)
	d, other := f.dialogue(), f.dialogue()
	d.do("SELECT INBOX")
	other.file("INBOX", "", simple)
	d.want("COMPRESS DEFLATE", "* 1 EXISTS", "* 1 RECENT", "OK DEFLATE active")
}

// TestCompressNonsense: a client that goes on in clear is told so, compressed.
func TestCompressNonsense(t *testing.T) {
	f := newFixture(t)
	conn, ended := f.connect()
	io.WriteString(conn, "a COMPRESS DEFLATE\r\nb NOOP\r\nc LOGOUT\r\n")
	in := bufio.NewReader(conn)
	for range 2 {
		if _, err := in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	got, err := io.ReadAll(flate.NewReader(in))
	if want := "* BYE compressed data makes no sense\r\n"; string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	<-ended
}

// TestCompressPieces: a session that got a piece of which nothing can be decoded yet
// goes on waiting.
func TestCompressPieces(t *testing.T) {
	f := newFixture(t)
	d := f.dialogue()
	conn := d.conn
	d.want("COMPRESS DEFLATE", "OK DEFLATE active")
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestCompression)
	io.WriteString(w, "a NOOP\r\nb NOOP\r\n")
	w.Flush()
	in := bufio.NewReader(flate.NewReader(d.r))
	for _, c := range packed.Bytes() {
		conn.Write([]byte{c})
	}
	for _, want := range []string{"a OK NOOP completed\r\n", "b OK NOOP completed\r\n"} {
		if got, err := in.ReadString('\n'); got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}
