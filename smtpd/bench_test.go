package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"
	"unsafe"

	"posthorn/internal/conf"
	"posthorn/internal/spool"
)

// sieve is a queue that takes messages and keeps none.
type sieve struct{ *mailbag }

func (s sieve) Submit(_ context.Context, d *spool.Draft) error { return d.Finish() }

// BenchmarkConnection takes one message of 4 KiB a connection, from a client that waits
// for each reply.
func BenchmarkConnection(b *testing.B) {
	addr := benchRig(b)
	text := text(4096)
	b.ReportAllocs()
	for b.Loop() {
		d := dialogue{b: b, conn: dial(b, addr)}
		d.say("", "EHLO client.test\r\n")
		d.message(text)
		d.say("QUIT\r\n")
		d.conn.Close()
	}
}

// BenchmarkMessage is the same with one connection for all.
func BenchmarkMessage(b *testing.B) { benchMessages(b, 4096) }

// BenchmarkLarge takes messages of 10 MiB.
func BenchmarkLarge(b *testing.B) { benchMessages(b, 10<<20) }

func benchMessages(b *testing.B, size int) {
	d := dialogue{b: b, conn: dial(b, benchRig(b))}
	defer d.conn.Close()
	d.say("", "EHLO client.test\r\n")
	text := text(size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		d.message(text)
	}
}

// benchRig is smtpd with a queue that keeps nothing.
func benchRig(b *testing.B) (addr string) {
	r := start(b, func(c *conf.Config) { c.MessageSize = 20 << 20 })
	r.s.intake = sieve{r.bag}
	return r.addr["smtp"]
}

// text is a message of that size, as it stands behind DATA.
func text(size int) string {
	const line = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod\r\n"
	head := "From: <sender@client.test>\r\nSubject: test\r\n\r\n"
	return head + strings.Repeat(line, (size-len(head))/len(line)) + ".\r\n"
}

// dialogue is a client that costs little itself.
type dialogue struct {
	b    *testing.B
	conn net.Conn
	buf  [1024]byte
}

func dial(b *testing.B, addr string) net.Conn {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

// say sends each of the texts and waits for its reply.
func (d *dialogue) say(texts ...string) {
	for _, s := range texts {
		if _, err := d.conn.Write(unsafe.Slice(unsafe.StringData(s), len(s))); err != nil { // no copy of 10 MiB
			d.b.Fatal(err)
		}
		n, err := d.conn.Read(d.buf[:]) // a reply comes as one
		if err != nil || d.buf[0] > '3' || !bytes.HasSuffix(d.buf[:n], []byte("\r\n")) {
			d.b.Fatalf("got %q, %v, want a good reply", d.buf[:n], err)
		}
	}
}

func (d *dialogue) message(text string) {
	d.say("MAIL FROM:<bob@far.test>\r\n", "RCPT TO:<ann@here.test>\r\n", "DATA\r\n", text)
}
