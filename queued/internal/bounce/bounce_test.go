package bounce

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/verdict"
)

var arrived = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func report() *Report {
	return &Report{
		Kind: Failure, ID: "06hnotice000000000000000000", Hostname: "mx.test",
		To: addr.Address{Local: "ann", Domain: "test"}, Date: arrived.Add(time.Hour),
		About: "06habout00000000000000000000", Sender: addr.Address{Local: "ann", Domain: "test"},
		Arrived: arrived, Until: arrived.Add(5 * 24 * time.Hour),
		Rcpts: []Rcpt{
			{Original: addr.Address{Local: "bob", Domain: "b.example"}, Actual: "bob@b.example", Action: Failed, At: arrived.Add(time.Minute),
				Verdict: verdict.New(verdict.Never, "5.1.1", "550 5.1.1 no such user"), Via: "mx.b.example[192.0.2.1]"},
			{Original: addr.Address{Local: "list", Domain: "test"}, Actual: "carl@c.example", Action: Failed, Verdict: verdict.New(verdict.Never, "5.4.7", "too old")},
		},
	}
}

const original = "Subject: hi\r\nFrom: ann@test\r\n\r\nsecret body\r\n"

// parts writes the report and takes it apart as a mail reader does.
func parts(t *testing.T, r *Report, content string) (mail.Header, []string, []string) {
	t.Helper()
	var b bytes.Buffer
	if err := r.Prepare(strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") {
		t.Error("a line does not end with CRLF")
	}
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > 998 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
	if !r.EightBit() && !ascii([]byte(text)) {
		t.Error("not ASCII")
	}
	m, err := mail.ReadMessage(&b)
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("got %s %v, %v", kind, params, err)
	}
	var types, bodies []string
	for mr := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			return m.Header, types, bodies
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		switch p.Header.Get("Content-Transfer-Encoding") {
		case "quoted-printable":
			body, err = io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		case "base64":
			body, err = io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body)))
		}
		if err != nil {
			t.Fatal(err)
		}
		types, bodies = append(types, p.Header.Get("Content-Type")), append(bodies, string(body))
	}
}

// groups reads the fields of a delivery-status part.
func groups(t *testing.T, body string) []textproto.MIMEHeader {
	t.Helper()
	var all []textproto.MIMEHeader
	for block := range strings.SplitSeq(strings.TrimSpace(body), "\r\n\r\n") {
		h, err := textproto.NewReader(bufio.NewReader(strings.NewReader(block + "\r\n\r\n"))).ReadMIMEHeader()
		if err != nil {
			t.Fatalf("%q: %v", block, err)
		}
		all = append(all, h)
	}
	return all
}

func TestFailure(t *testing.T) {
	h, types, bodies := parts(t, report(), original)
	if h.Get("Auto-Submitted") == "" || h.Get("To") != "<ann@test>" {
		t.Errorf("header: got %v", h)
	}
	if len(types) != 3 || types[1] != "message/delivery-status" || types[2] != "text/rfc822-headers" {
		t.Fatalf("got parts %q", types)
	}
	literal := report()
	literal.Rcpts[0].Via = "[192.0.2.1]"
	if _, _, b := parts(t, literal, original); groups(t, b[1])[1].Get("Remote-MTA") != "dns; [192.0.2.1]" {
		t.Errorf("a host without a name: got %s", b[1])
	}
	g := groups(t, bodies[1])
	if len(g) != 3 || g[0].Get("Reporting-MTA") != "dns; mx.test" || g[0].Get("Arrival-Date") == "" {
		t.Fatalf("got %v", g)
	}
	for _, c := range []struct {
		n           int
		name, value string
	}{
		{1, "Final-Recipient", "rfc822; bob@b.example"}, {1, "Original-Recipient", ""}, {1, "Action", "failed"},
		{1, "Status", "5.1.1"}, {1, "Remote-MTA", "dns; mx.b.example"}, {1, "Diagnostic-Code", "smtp; 550 5.1.1 no such user"},
		{2, "Final-Recipient", "rfc822; list@test"}, {2, "Original-Recipient", ""},
		{1, "X-Actual-Recipient", ""}, {2, "X-Actual-Recipient", "rfc822; carl@c.example"},
		{2, "Diagnostic-Code", "x-posthorn; too old"}, {2, "Remote-MTA", ""},
		{1, "Last-Attempt-Date", "Sun, 22 Nov 2026 10:01:00 +0000"}, {2, "Last-Attempt-Date", ""}, {0, "Original-Envelope-Id", ""},
	} {
		if got := g[c.n].Get(c.name); got != c.value {
			t.Errorf("recipient %d: %s: got %q, want %q", c.n, c.name, got, c.value)
		}
	}
	if want := "Subject: hi\r\nFrom: ann@test\r\n"; !strings.HasPrefix(bodies[2]+"\r\n", want) || strings.Contains(bodies[2], "secret") {
		t.Errorf("returned: got %q, want the header alone", bodies[2])
	}
	for _, want := range []string{"<bob@b.example>", "<list@test> (by way of <carl@c.example>)", report().About} {
		if !strings.Contains(bodies[0], want) {
			t.Errorf("text: %q is missing in %s", want, bodies[0])
		}
	}
}

func TestDelay(t *testing.T) {
	r := report()
	r.Kind = Delay
	r.Rcpts = r.Rcpts[:1]
	r.Rcpts[0].Action = Delayed
	r.Rcpts[0].Verdict = verdict.New(verdict.Later, "4.4.1", "no answer")
	_, _, bodies := parts(t, r, original)
	g := groups(t, bodies[1])[1]
	if g.Get("Action") != "delayed" || g.Get("Status") != "4.4.1" || g.Get("Will-Retry-Until") == "" {
		t.Errorf("got %v", g)
	}
}

func TestWhatWasAskedComesBack(t *testing.T) {
	r := report()
	r.Kind, r.Envid = Success, "QQ 314159"
	r.Rcpts[0].Orcpt, r.Rcpts[1].Orcpt = "rfc822;b+c@old.example", "x400;/s=carl/"
	r.Rcpts[0].Action, r.Rcpts[1].Action = Relayed, Expanded
	r.Rcpts[0].Verdict, r.Rcpts[1].Verdict = verdict.New(verdict.Done, "2.1.5", "250 2.1.5 ok"), verdict.Of(nil)
	h, _, bodies := parts(t, r, original)
	if h.Get("Subject") != "Your message has arrived" {
		t.Errorf("got the subject %q", h.Get("Subject"))
	}
	g := groups(t, bodies[1])
	for _, c := range []struct {
		n           int
		name, value string
	}{
		{0, "Original-Envelope-Id", "QQ 314159"}, {1, "Original-Recipient", "rfc822; b+c@old.example"}, {2, "Original-Recipient", "x400; /s=carl/"},
		{1, "Action", "relayed"}, {2, "Action", "expanded"}, {1, "Status", "2.1.5"}, {2, "Status", "2.0.0"},
		{1, "Remote-MTA", "dns; mx.b.example"}, {1, "Diagnostic-Code", "smtp; 250 2.1.5 ok"}, {2, "Diagnostic-Code", ""}, {2, "Will-Retry-Until", ""},
	} {
		if got := g[c.n].Get(c.name); got != c.value {
			t.Errorf("group %d: %s: got %q, want %q", c.n, c.name, got, c.value)
		}
	}
}

func TestUTF8(t *testing.T) {
	r := report()
	r.UTF8, r.MessageUTF8 = true, true
	r.To = addr.Address{Local: "änn", Domain: "test"}
	r.Rcpts[0].Original = addr.Address{Local: "jürgen", Domain: "b.example"}
	r.Rcpts[0].Actual, r.Rcpts[0].Orcpt = "jürgen@b.example", "utf-8;jü+rgen@b.example"
	h, types, bodies := parts(t, r, "Subject: grün\r\n\r\n")
	if types[1] != "message/global-delivery-status" || types[2] != "message/global-headers" || h.Get("To") != "<änn@test>" {
		t.Errorf("got parts %q to %s", types, h.Get("To"))
	}
	g := groups(t, bodies[1])[1]
	if got := g.Get("Final-Recipient") + " " + g.Get("Original-Recipient"); got != "utf-8; jürgen@b.example utf-8; jü+rgen@b.example" {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(bodies[2], "grün") || !strings.Contains(bodies[0], "<jürgen@b.example>") {
		t.Errorf("got %q", bodies)
	}

	r = report() // the same for a sender whose host may know nothing of it
	r.MessageUTF8 = true
	r.Rcpts[0].Original = addr.Address{Local: "jürgen", Domain: "b.example"}
	r.Rcpts[0].Actual, r.Rcpts[0].Orcpt = "jürgen@b.example", "utf-8;jü+rgen@b.example"
	_, types, bodies = parts(t, r, "Subject: grün\r\n\r\n")
	if types[1] != "message/delivery-status" || types[2] != "message/global-headers" {
		t.Errorf("in ASCII: got parts %q", types)
	}
	g = groups(t, bodies[1])[1]
	if got := g.Get("Final-Recipient") + " " + g.Get("Original-Recipient"); got != `utf-8; j\x{FC}rgen@b.example utf-8; j\x{FC}\x{2B}rgen@b.example` {
		t.Errorf("in ASCII: got %q", got)
	}
	if !strings.Contains(bodies[2], "grün") || !strings.Contains(bodies[0], "<jürgen@b.example>") {
		t.Errorf("in ASCII: got %q", bodies)
	}

	r.MessageUTF8 = false // a header that is neither ASCII nor said to be UTF-8
	_, types, bodies = parts(t, r, "Subject: gr\xfcn\r\n\r\n")
	if types[2] != "text/rfc822-headers" || !strings.Contains(bodies[2], "gr\xfcn") {
		t.Errorf("other bytes: got %q, header %q", types, bodies[2])
	}
}

func TestFull(t *testing.T) {
	long := "Subject: x\r\n\r\n" + strings.Repeat("x", 5000) + "\r\n"
	for _, c := range []struct {
		name, content     string
		utf8, messageUTF8 bool
		kind              string
		whole, eight      bool
	}{
		{"ASCII", original, false, false, "message/rfc822", true, false},
		{"an 8-bit body", "Subject: x\r\n\r\ngr\xfcn\r\n", false, false, "message/rfc822", true, true},
		{"an 8-bit header", "Subject: gr\xfcn\r\n\r\nx\r\n", false, false, "text/rfc822-headers", false, false},
		{"a long line", long, false, false, "text/rfc822-headers", false, false},
		{"UTF-8 for one who takes it", "Subject: grün\r\n\r\ngrün\r\n", true, true, "message/global", true, true},
		{"UTF-8 for one who may not", "Subject: grün\r\n\r\n" + strings.Repeat("grün\r\n", 100), false, true, "message/global", true, false},
		{"UTF-8 in a long line", "Subject: grün\r\n\r\n" + long, false, true, "message/global", true, false},
		{"no line end", "Subject: x\r\n\r\nx", false, false, "message/rfc822", true, false},
		{"empty", "", false, false, "message/rfc822", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := report()
			r.Full, r.UTF8, r.MessageUTF8 = true, c.utf8, c.messageUTF8
			_, types, bodies := parts(t, r, c.content)
			if types[2] != c.kind || r.EightBit() != c.eight {
				t.Errorf("got %s, 8-bit %t, want %s, %t", types[2], r.EightBit(), c.kind, c.eight)
			}
			if got := bodies[2] == c.content || bodies[2] == c.content+"\r\n"; got != c.whole {
				t.Errorf("all of it: got %t, want %t: %q", got, c.whole, bodies[2])
			}
		})
	}
}

func TestForeignTextCannotForgeFields(t *testing.T) {
	r := report()
	r.Rcpts[0].Verdict.Text = "550 no\r\nAction: delivered\r\n\r\n--" + r.boundary() + "\x00ü " + strings.Repeat("x", 5000)
	r.Rcpts[0].Via = "mx\r\nX: y[1]"
	_, types, bodies := parts(t, r, original)
	g := groups(t, bodies[1])
	if len(types) != 3 || len(g) != 3 || g[1].Get("Action") != "failed" || g[1].Get("X") != "" {
		t.Errorf("got %q and %v", types, g)
	}
}

func TestOddOriginals(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"empty":         {"", ""},
		"no header":     {"\r\nbody\r\n", ""},
		"no body":       {"A: b\r\n", "A: b"},
		"no line end":   {"A: b", ""},
		"a long line":   {"A: " + strings.Repeat("b", 5000) + "\r\n\r\nx\r\n", "A: " + strings.Repeat("b", 5000)},
		"a long header": {strings.Repeat("A: "+strings.Repeat("b", 900)+"\r\n", 200), "A: bbb"},
	} {
		_, _, bodies := parts(t, report(), c.content)
		if !strings.HasPrefix(bodies[2], c.want) || len(bodies[2]) > maxHeader {
			t.Errorf("%s: got %d bytes, %.40q, want %q", name, len(bodies[2]), bodies[2], c.want)
		}
	}
}

func TestStatusOfTheRightClass(t *testing.T) {
	for _, c := range []struct{ code, class, want string }{
		{"5.1.1", "5", "5.1.1"}, {"4.4.1", "5", "5.0.0"}, {"", "4", "4.0.0"}, {"5.1", "5", "5.0.0"}, {"5.x.1", "5", "5.0.0"}, {"5.1.1\r\n", "5", "5.0.0"},
	} {
		if got := status(c.code, c.class); got != c.want {
			t.Errorf("%q: got %s, want %s", c.code, got, c.want)
		}
	}
}

// FuzzReport: whatever the message, and whatever other hosts said of it, a report
// can be taken apart, and only our own fields are in it.
func FuzzReport(f *testing.F) {
	f.Add(original, "550 5.1.1 no such user", "mx.b.example[192.0.2.1]", false)
	f.Add("A: b\r\n c\r\n\r\n--=_06hnotice000000000000000000--\r\nü\x00", "550 no\r\nAction: delivered\r\n\r\n", "x\r\nX: y", true)
	f.Add("no end", "", "", true)
	f.Fuzz(func(t *testing.T, content, said, via string, full bool) {
		if strings.Contains(content, report().boundary()) { // an id that nobody knew before
			return
		}
		r := report()
		r.Full, r.MessageUTF8 = full, full
		r.Rcpts[0].Verdict.Text, r.Rcpts[0].Via = said, via
		_, types, bodies := parts(t, r, strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(content, "\r", ""), "\n", "\r\n"), "\x00", " "))
		if len(types) != 3 {
			t.Fatalf("got the parts %q", types)
		}
		g := groups(t, bodies[1])
		if len(g) != 3 || g[1].Get("Action") != "failed" || g[2].Get("Action") != "failed" || g[1].Get("Final-Recipient") != "rfc822; bob@b.example" {
			t.Errorf("got the fields %v", g)
		}
	})
}
