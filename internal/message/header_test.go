package message

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

func TestHeader(t *testing.T) {
	cases := []struct {
		name, in, want  string // ^ in want: the header's end, where Extra adds
		received        int
		date, from, mid bool
	}{
		{"usual", "From: a\r\nDate: b\r\nmessage-id: <c>\r\n\r\nbody: x\r\n", "From: a\r\nDate: b\r\nmessage-id: <c>\r\n^\r\nbody: x\r\n", 0, true, true, true},
		{"received", "Received: a\r\n\tb\r\nRECEIVED: c\r\n\r\nReceived: d\r\n", "Received: a\r\n\tb\r\nRECEIVED: c\r\n^\r\nReceived: d\r\n", 2, false, false, false},
		{"folded Date is none", "Subject: a\r\n Date: b\r\n\r\n", "Subject: a\r\n Date: b\r\n^\r\n", 0, false, false, false},
		{"blank before colon", "Date : b\r\n\r\n", "Date : b\r\n^\r\n", 0, true, false, false},
		{"no header", "\r\nDate: b\r\n", "^\r\nDate: b\r\n", 0, false, false, false},
		{"only body", "hello world\r\nDate: b\r\n", "^\r\nhello world\r\nDate: b\r\n", 0, false, false, false},
		{"starts folded", " x\r\nDate: b\r\n", "^\r\n x\r\nDate: b\r\n", 0, false, false, false},
		{"one word", "hello\r\n", "^\r\nhello\r\n", 0, false, false, false},
		{"colon first", ": x\r\n", "^\r\n: x\r\n", 0, false, false, false},
		{"eight bit name", "D\xe4te: x\r\n", "^\r\nD\xe4te: x\r\n", 0, false, false, false},
		{"mbox line", "From a@x Thu Jan 01 10:00:00 2026\r\nDate: b\r\n\r\n", "^\r\nFrom a@x Thu Jan 01 10:00:00 2026\r\nDate: b\r\n\r\n", 0, false, false, false},
		{"body without empty line", "Date: b\r\nhello\r\n", "Date: b\r\n^\r\nhello\r\n", 0, true, false, false},
		{"ends in the header", "Date: b\r\n", "Date: b\r\n^", 0, true, false, false},
		{"nothing", "", "^", 0, false, false, false},
		{"endless name", strings.Repeat("a", 2000) + ":\r\n", "^\r\n" + strings.Repeat("a", 2000) + ":\r\n", 0, false, false, false},
	}
	for _, c := range cases {
		for n := 1; n <= len(c.in)+1; n++ {
			h := &Header{Extra: func(*Header) []byte { return []byte("^") }}
			got, err := through(h, c.in, n)
			if err != nil || got != c.want {
				t.Fatalf("%s, pieces of %d: got %q, %v, want %q", c.name, n, got, err, c.want)
			}
			if h.Received != c.received || h.HasDate != c.date || h.HasFrom != c.from || h.HasMessageID != c.mid {
				t.Fatalf("%s, pieces of %d: got %+v", c.name, n, h)
			}
		}
	}
}

func TestHeaderSize(t *testing.T) {
	text := "A: b\r\n" + strings.Repeat("C: d\r\n", 20) + "\r\n" + strings.Repeat("x", 1000)
	if _, err := through(&Header{Max: 100}, text, 7); !errors.Is(err, ErrHeaderSize) {
		t.Errorf("got %v, want %v", err, ErrHeaderSize)
	}
	if _, err := through(&Header{Max: 200}, text, 7); err != nil {
		t.Errorf("got %v, want none: the body does not count", err)
	}
	h := &Header{}
	if _, err := through(h, strings.Repeat("a", MaxHeader), 4096); err != nil || cap(h.held) > 2*maxName {
		t.Errorf("endless name: got %v and %d bytes held, want at most %d", err, cap(h.held), maxName)
	}
}

func ExampleTrace_Append() {
	t := Trace{
		Helo:   "client.example.net",
		Client: netip.MustParseAddr("192.0.2.7"),
		Host:   "mx.example.org",
		With:   Protocol(true, false, true, true),
		TLS:    "TLS1.3 TLS_AES_128_GCM_SHA256",
		ID:     "01h455vb4pex5vsknk084sn02q",
		For:    "ann@example.org",
		Time:   time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC),
	}
	fmt.Print(strings.ReplaceAll(string(t.Append(nil)), "\r", ""))
	// Output:
	// Received: from client.example.net ([192.0.2.7])
	// 	by mx.example.org with ESMTPSA id 01h455vb4pex5vsknk084sn02q
	// 	(TLS1.3 TLS_AES_128_GCM_SHA256)
	// 	for <ann@example.org>;
	// 	Sun, 22 Nov 2026 13:00:00 +0000
}

func TestTraceForeignBytes(t *testing.T) {
	for helo, want := range map[string]string{
		"":                          "unknown",
		"a b\r\nX: y":               "a?b??X:?y",
		"[127.0.0.1]":               "[127.0.0.1]",
		"x) by evil":                "x??by?evil",
		strings.Repeat("a", 100000): strings.Repeat("a", 255),
	} {
		if got := heloWord(helo); got != want {
			t.Errorf("%.20q: got %q, want %q", helo, got, want)
		}
	}
	for ip, want := range map[string]string{"::ffff:192.0.2.1": "[192.0.2.1]", "2001:db8::1": "[IPv6:2001:db8::1]", "fe80::1%eth0": "[IPv6:fe80::1]"} {
		if got := literal(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s: got %s, want %s", ip, got, want)
		}
	}
	if got := string(Trace{Helo: "localhost", Local: "uid:1000"}.Append(nil)); !strings.HasPrefix(got, "Received: from localhost (uid:1000)\r\n") {
		t.Errorf("a process of this host: got %q", got)
	}
	if got := literal(netip.Addr{}); got != "unknown" {
		t.Errorf("no address: got %q", got)
	}
}

func TestProtocol(t *testing.T) {
	cases := []struct {
		esmtp, utf8, tls, auth bool
		want                   string
	}{
		{false, false, false, false, "SMTP"},
		{true, false, false, false, "ESMTP"},
		{true, false, true, false, "ESMTPS"},
		{true, false, false, true, "ESMTPA"},
		{true, false, true, true, "ESMTPSA"},
		{true, true, false, false, "UTF8SMTP"},
		{true, true, true, true, "UTF8SMTPSA"},
	}
	for _, c := range cases {
		if got := Protocol(c.esmtp, c.utf8, c.tls, c.auth); got != c.want {
			t.Errorf("%v %v %v %v: got %s, want %s", c.esmtp, c.utf8, c.tls, c.auth, got, c.want)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add("Received: a\r\nDate: b\r\n\r\nx\r\n", byte(1))
	f.Add("hello\r\n", byte(0))
	f.Add(" folded\r\n", byte(3))
	f.Fuzz(func(t *testing.T, text string, n byte) {
		clean, _ := through(&Lines{Normalize: true}, text, 10)
		got, err := fuzzBoth(t, func() stage {
			return &Header{Extra: func(h *Header) []byte { return []byte("X-Mark: x\r\n") }}
		}, clean, n)
		if err != nil {
			return
		}
		if strings.Replace(got, "X-Mark: x\r\n", "", 1) != clean && strings.Replace(got, "X-Mark: x\r\n\r\n", "", 1) != clean {
			t.Fatalf("%q: got %q: more changed than was added", clean, got)
		}
		// Whatever stands after our lines, they are the message's header.
		r := textproto.NewReader(bufio.NewReader(strings.NewReader("Received: ours\r\n" + got[:strings.Index(got, "X-Mark: x\r\n")] + "\r\n")))
		if h, err := r.ReadMIMEHeader(); err == nil && h.Get("Received") == "" {
			t.Errorf("%q: the trace line in front is lost in %q", clean, got)
		}
	})
}
