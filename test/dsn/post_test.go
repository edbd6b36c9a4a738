// Package dsn tests from end to end that what a sender asks of reports is done
// (RFC 3461), and that mail in UTF-8 goes everywhere it can (RFC 6531).
package dsn

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

const (
	jürgen = "jürgen@" + instance.Domain
	plain  = "plain.test"  // its host knows neither DSN nor SMTPUTF8
	dsn    = "dsn.test"    // DSN only
	global = "bücher.test" // both
)

// post is a server among three other hosts.
type post struct {
	t *testing.T
	*instance.Instance
	dirs map[string]string // what the hosts took, by domain
	log  *buffer
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Split(b.b.String(), "\n")
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{t: t, dirs: map[string]string{}, log: &buffer{}}
	var transport strings.Builder
	for domain, flags := range map[string][]string{plain: nil, dsn: {"-dsn"}, global: {"-dsn", "-smtputf8"}} {
		addr, dir := suite.Sink(t, flags...)
		p.dirs[domain] = dir
		_, port, _ := strings.Cut(addr, ":")
		fmt.Fprintf(&transport, "%s smtp:[127.0.0.1]:%s\n", domain, port)
	}
	p.Instance = suite.Server(t, instance.Options{
		Users: []string{suite.Ann, suite.Bob, jürgen},
		Files: map[string]string{
			"transport": transport.String(),
			"aliases": "postmaster: bob\none: bob\nteam: bob, far@" + plain + "\nbroken: bob, 550-gone@" + plain +
				"\nfür-alle: bob\nweiß: far@" + plain + "\ninfo@häuser.test: bob\n",
		},
		Conf: "relay-from 127.0.0.0/8\nretry 1s\ndelay-warning 1s\nbounce-size 10K\ndomain xn--huser-gra.test\n",
		Log:  p.log,
	})
	return p
}

// dialogue says lines to a service, each of which is answered by a line that
// begins with what stands behind its tab, and returns the last reply.
func (p *post) dialogue(script string) (last string) {
	p.t.Helper()
	nc, err := net.Dial("tcp", p.Addr["smtp"])
	if err != nil {
		p.t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(suite.Limit))
	c := textproto.NewConn(nc)
	if _, _, err := c.ReadResponse(220); err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.SplitSeq("EHLO client.test\t250\n"+strings.TrimRight(script, "\n"), "\n") {
		say, want, _ := strings.Cut(line, "\t")
		fmt.Fprintf(nc, "%s\r\n", strings.ReplaceAll(say, "¶", "\r\n"))
		code, text, err := c.ReadResponse(0)
		if last = fmt.Sprint(code, " ", text); !strings.HasPrefix(last, want) {
			p.t.Fatalf("%q: got %q, %v, want %s", say, last, err, want)
		}
	}
	return last
}

// send sends a message and returns its id. from and each of rcpts are paths with
// parameters, without brackets: "a@b.test RET=FULL".
func (p *post) send(from, text string, rcpts ...string) string {
	p.t.Helper()
	script := "MAIL FROM:" + path(from) + "\t250\n"
	for _, r := range rcpts {
		script += "RCPT TO:" + path(r) + "\t250\n"
	}
	reply := p.dialogue(script + "DATA\t354\n" + text + "¶.\t250")
	return strings.Fields(reply)[2]
}

func path(s string) string {
	address, params, found := strings.Cut(s, " ")
	if found {
		params = " " + params
	}
	return "<" + address + ">" + params
}

// event waits for a line of the log about a message.
func (p *post) event(name, id string) {
	p.t.Helper()
	prefix := "queued: " + name + " id=" + id + " "
	if _, err := p.WaitLog(suite.Limit, func(l string) bool { return strings.HasPrefix(l, prefix) }); err != nil {
		p.t.Fatalf("%s of %s: %v", name, id, err)
	}
}

// reports returns all reports about a message that has left the queue, or of which
// one is expected, when they have arrived in the box of a user.
func (p *post) reports(id, user string) []report {
	p.t.Helper()
	var all []report
	for _, line := range p.log.lines() {
		if !strings.HasPrefix(line, "queued: notified id="+id+" ") {
			continue
		}
		notice := instance.Value(line, "notice")
		if instance.Value(line, "kind") == "" || notice == "" {
			p.t.Fatalf("got the line %q", line)
		}
		all = append(all, parse(p.t, p.file(user, notice)))
	}
	return all
}

// file waits for a message in a box.
func (p *post) file(user, id string) string {
	p.t.Helper()
	var found string
	suite.Eventually(p.t, "message "+id+" in the box of "+user, func() bool {
		for _, f := range suite.BoxFiles(p.Instance, user, "") {
			if strings.Contains(filepath.Base(f), "."+id+".") {
				found = f
			}
		}
		return found != ""
	})
	b, err := os.ReadFile(found)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// taken returns what a host was told, and the message, for a recipient that it has
// taken.
func (p *post) taken(domain, rcpt string) (env []string, text string) {
	p.t.Helper()
	suite.Eventually(p.t, rcpt+" gets mail at "+domain, func() bool {
		names, _ := filepath.Glob(filepath.Join(p.dirs[domain], "*.msg"))
		for _, name := range names {
			b, err := os.ReadFile(strings.TrimSuffix(name, ".msg") + ".env")
			if err != nil || !strings.Contains(string(b), "\nrcpt="+rcpt+"\n") {
				continue
			}
			m, err := os.ReadFile(name)
			env, text = strings.Split(strings.TrimSpace(string(b)), "\n"), string(m)
			return err == nil
		}
		return false
	})
	return env, text
}

// report is a delivery status notification, taken apart.
type report struct {
	raw     string
	header  mail.Header
	types   [3]string
	returns string
	message textproto.MIMEHeader // the group of the message (RFC 3464 2.2)
	rcpts   map[string]textproto.MIMEHeader
}

func parse(t *testing.T, raw string) report {
	t.Helper()
	r := report{raw: raw, rcpts: map[string]textproto.MIMEHeader{}}
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	r.header = m.Header
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("got %s %v, %v", kind, params, err)
	}
	mr := multipart.NewReader(m.Body, params["boundary"])
	for n := range 3 {
		part, err := mr.NextRawPart()
		if err != nil {
			t.Fatalf("part %d: %v in\n%s", n+1, err, raw)
		}
		body := decoded(t, part)
		switch r.types[n], _, _ = strings.Cut(part.Header.Get("Content-Type"), ";"); n {
		case 1:
			r.status(t, body)
		case 2:
			r.returns = body
		}
	}
	if _, err := mr.NextRawPart(); err != io.EOF {
		t.Errorf("got %v behind the third part, want the end", err)
	}
	return r
}

func decoded(t *testing.T, part *multipart.Part) string {
	t.Helper()
	var in io.Reader = part
	switch part.Header.Get("Content-Transfer-Encoding") {
	case "quoted-printable":
		in = quotedprintable.NewReader(part)
	case "base64":
		in = base64.NewDecoder(base64.StdEncoding, part)
	}
	body, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// status reads the groups of fields (RFC 3464 2.1).
func (r *report) status(t *testing.T, body string) {
	t.Helper()
	in := textproto.NewReader(bufio.NewReader(strings.NewReader(strings.TrimRight(strings.ReplaceAll(body, "\r\n", "\n"), "\n") + "\n\n")))
	for {
		h, err := in.ReadMIMEHeader()
		if len(h) == 0 && err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, body)
		}
		if r.message == nil {
			r.message = h
			continue
		}
		r.rcpts[h.Get("Final-Recipient")] = h
	}
}

// actions lists what became of each recipient, "to", and where he leads elsewhere
// of "to by way of actual".
func actions(reports []report) map[string]string {
	all := map[string]string{}
	for _, r := range reports {
		for rcpt, h := range r.rcpts {
			if actual := h.Get("X-Actual-Recipient"); actual != "" {
				rcpt += " by way of " + strings.TrimPrefix(actual, "rfc822; ")
			}
			all[strings.TrimPrefix(rcpt, "rfc822; ")] = h.Get("Action") + " " + h.Get("Status")[:1]
		}
	}
	return all
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}
