package guard

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"posthorn/internal/addr"
	"posthorn/internal/dsn"
)

// maxLine bounds a command line; the longest are those of AUTH (RFC 4954 4).
const maxLine = 12288

// errLine marks a line that is read to its end and is no command.
var errLine = errors.New("line holds what no command may")

// readLine reads a command line, without its end. It returns errLine for one
// that is answered 500, and another error when the dialogue is over.
func (c *Conn) readLine() (string, error) {
	var long []byte
	for {
		part, err := c.in.ReadSlice('\n')
		if long == nil && err == nil {
			return c.checkLine(part)
		}
		long = append(long, part...)
		switch {
		case len(long) > maxLine:
			c.send(500, line(500, "5.5.2", "line too long"))
			c.bye("4.7.0", "line too long")
			return "", io.EOF
		case err == nil:
			return c.checkLine(long)
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", io.EOF
		}
	}
}

// checkLine refuses controls and, unless configured, a line that ends in a bare
// LF (RFC 5321 2.3.8).
func (c *Conn) checkLine(b []byte) (string, error) {
	b = b[:len(b)-1]
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	} else if !c.limits.BareLF {
		return "", errLine
	}
	for _, x := range b {
		if x < ' ' && x != '\t' || x == 0x7f {
			return "", errLine
		}
	}
	return string(b), nil
}

// next reads one command. It is answered here, or w is fed with what go-smtp
// makes of it.
func (c *Conn) next(w *wire) {
	text, err := c.readLine()
	if c.over() {
		return
	}
	c.after = nil
	if c.sasl {
		w.feed = c.response(text, err)
		return
	}
	if c.stopped() { // what is pipelined behind is not begun
		c.bye("4.3.2", "shutting down")
		return
	}
	if c.busy() {
		c.bye("4.7.0", "too many commands")
		return
	}
	if err != nil {
		c.answer(500, "5.5.2", "lines are printable characters and end in CRLF")
		return
	}
	verb, arg, _ := strings.Cut(text, " ")
	if feed := c.command(strings.ToUpper(verb), strings.TrimSpace(arg)); feed != "" {
		w.feed = append(w.feed[:0], feed+"\r\n"...)
	}
}

// command checks a command and returns the line for go-smtp, or "" when it has
// been answered.
func (c *Conn) command(verb, arg string) (feed string) {
	switch verb {
	case "EHLO", "HELO", "LHLO":
		if (verb == "LHLO") == c.g.o.LMTP { // RFC 2033 4.1
			return c.cmdHello(verb, arg)
		}
		c.answer(500, "5.5.1", verb+" is for another protocol")
	case "MAIL":
		return c.cmdMail(arg)
	case "RCPT":
		return c.cmdRcpt(arg)
	case "DATA":
		return c.cmdData(arg)
	case "BDAT":
		return c.cmdBdat(arg)
	case "AUTH":
		return c.cmdAuth(arg)
	case "STARTTLS":
		c.cmdStartTLS(arg)
	case "VRFY":
		if c.g.o.Local == nil {
			return verb
		}
		c.verify(arg)
	case "RSET", "NOOP":
		return verb
	case "QUIT":
		c.after = func(_ int, r []byte) []byte {
			c.out = append(c.out, r...)
			c.end("quit")
			return nil
		}
		return verb
	case "HELP":
		c.answer(214, "2.0.0", "see RFC 5321")
	case "EXPN", "SEND", "SOML", "SAML", "TURN", "ETRN":
		c.answer(502, "5.5.1", verb+" is not implemented")
	case "GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT":
		// A browser was led here; the lines to come are its, not a client's.
		c.answer(500, "5.5.2", "this is not a web server")
		c.bye("4.7.0", "not an SMTP client")
	default:
		c.answer(500, "5.5.2", "command unknown")
	}
	return ""
}

// cmdHello: any printable word is taken, as many clients have no good name.
func (c *Conn) cmdHello(verb, arg string) string {
	name, _, _ := strings.Cut(arg, " ")
	if name == "" || len(name) > addr.MaxDomain || strings.ContainsFunc(name, notGraphic) {
		c.answer(501, "5.5.4", verb+" needs a domain or an address literal")
		return ""
	}
	c.after = func(code int, r []byte) []byte {
		if code == 250 {
			c.helo, c.esmtp = name, verb != "HELO"
			return c.helloReply(r)
		}
		return r
	}
	return verb + " " + name
}

func notGraphic(r rune) bool { return r <= ' ' || r > '~' }

// helloReply puts our name first (RFC 5321 4.1.1.1) and the limits in force
// behind the extensions that go-smtp announces (RFC 1870, RFC 9422).
func (c *Conn) helloReply(r []byte) []byte {
	if !c.esmtp {
		return []byte("250 " + c.g.o.Hostname + "\r\n")
	}
	lines := bytes.SplitAfter(r, []byte("\r\n"))
	out := []byte("250-" + c.g.o.Hostname + "\r\n")
	for _, l := range lines[1:] {
		if word, _, _ := strings.Cut(string(bytes.TrimSpace(l[min(4, len(l)):])), " "); word != "SIZE" && word != "" {
			out = append(append(out, "250-"...), l[4:]...)
		}
	}
	if l := c.g.o.Local; l != nil {
		out = append(out, "250-XORIGIN "+l.Origin()+"\r\n"...)
	}
	out = append(out, "250-LIMITS RCPTMAX="+itoa(int64(c.limits.Recipients))+"\r\n"...)
	return append(out, "250 SIZE "+itoa(c.limits.MessageSize)+"\r\n"...)
}

// cmdMail parses what go-smtp would misread: the path, and the size.
func (c *Conn) cmdMail(arg string) string {
	switch {
	case c.helo == "":
		c.answer(503, "5.5.1", "say EHLO first")
	case c.mail: // RFC 5321 4.1.4
		c.answer(503, "5.5.1", "a transaction is open, say RSET to end it")
	case c.g.o.RequireAuth && !c.authed && !c.secure:
		c.answer(530, "5.7.0", "say STARTTLS first")
	case c.g.o.RequireAuth && !c.authed:
		c.answer(530, "5.7.0", "authentication required")
	case c.count.messages >= maxMessages:
		c.bye("4.7.0", "too many messages in one session")
	default:
		return c.parseMail(arg)
	}
	return ""
}

func (c *Conn) parseMail(arg string) string {
	rest, ok := cutFold(arg, "FROM:")
	if !ok {
		c.answer(501, "5.5.4", "expected MAIL FROM:<address>")
		return ""
	}
	path := rest
	a, rest, err := c.parsePath(rest)
	if err == nil && a.Domain == "" && !a.IsNull() {
		err = addr.ErrNoAt // <Postmaster> is a recipient only
	}
	if err != nil {
		c.answer(501, "5.1.7", printable(err.Error()))
		return ""
	}
	p, err := parseParams(rest)
	if err != nil {
		c.answer(501, "5.5.4", printable(err.Error()))
		return ""
	}
	asked, kept, err := p.mail(c.g.o.DSN)
	switch {
	case err != nil:
		c.answer(501, "5.5.4", printable(err.Error()))
	case asked.Size > c.limits.MessageSize: // RFC 1870 6.1
		c.answer(552, "5.3.4", "message is larger than "+itoa(c.limits.MessageSize)+" bytes")
	case !asked.UTF8 && !ascii(path[:len(path)-len(rest)]): // RFC 6531 3.5
		c.answer(553, "5.6.7", "address needs SMTPUTF8")
	default:
		c.path, c.asked = a, asked
		c.after = c.mailReply
		return "MAIL FROM:" + placeholder(a) + kept.String()
	}
	return ""
}

// placeholder stands for a path where go-smtp only has to see that there is one.
func placeholder(a addr.Address) string {
	if a.IsNull() {
		return "<>"
	}
	return "<a@b>"
}

func (c *Conn) mailReply(code int, r []byte) []byte {
	switch code {
	case 250:
	case 500: // go-smtp's word for a parameter; RFC 5321 4.1.1.11 has a code for it
		return line(555, "5.5.4", "parameter not known")
	default:
		return r
	}
	c.mail, c.rcpts = true, 0
	return line(250, "2.1.0", "sender ok")
}

func (c *Conn) cmdRcpt(arg string) string {
	rest, ok := cutFold(arg, "TO:")
	switch {
	case !c.mail:
		c.answer(503, "5.5.1", "say MAIL first")
		return ""
	case !ok:
		c.answer(501, "5.5.4", "expected RCPT TO:<address>")
		return ""
	}
	path := rest
	a, rest, err := c.parsePath(rest)
	if err == nil && a.IsNull() {
		err = addr.ErrEmpty
	}
	if err != nil {
		c.answer(501, "5.1.3", printable(err.Error()))
		return ""
	}
	p, err := parseParams(rest)
	var reports dsn.Rcpt
	if err == nil {
		reports, p, err = p.rcpt(c.g.o.DSN, c.asked.UTF8)
	}
	switch {
	case err != nil:
		c.answer(501, "5.5.4", printable(err.Error()))
	case len(p) > 0: // RFC 5321 4.1.1.11
		c.answer(555, "5.5.4", "parameter not known")
	case !c.asked.UTF8 && !ascii(path[:len(path)-len(rest)]): // RFC 6531 3.5
		c.answer(553, "5.6.7", "address needs SMTPUTF8")
	case c.rcpts >= c.limits.Recipients:
		c.tooMany()
	default:
		c.path, c.reports = a, reports
		c.after = c.rcptReply
		return "RCPT TO:" + placeholder(a)
	}
	return ""
}

func (c *Conn) rcptReply(code int, r []byte) []byte {
	if code != 250 {
		return r
	}
	c.rcpts++
	return line(250, "2.1.5", "recipient ok")
}

// cmdStartTLS answers and goes on with a new dialogue over TLS (RFC 3207).
func (c *Conn) cmdStartTLS(arg string) {
	switch {
	case c.g.o.TLS == nil:
		c.answer(502, "5.5.1", "STARTTLS is not offered")
	case c.secure:
		c.answer(503, "5.5.1", "TLS is there already")
	case arg != "":
		c.answer(501, "5.5.4", "STARTTLS takes no argument")
	default:
		c.answer(220, "2.0.0", "go ahead")
		c.flush()
		c.forget()
		if c.over() || !c.handshake() {
			return
		}
		old := c.wire
		c.wire = &wire{c: c, silent: true}
		old.ended = true
		c.g.upgraded.give(c.wire)
	}
}

// forget drops what the client said in the clear; handshake drops what it
// pipelined.
func (c *Conn) forget() {
	c.reset()
	c.helo, c.esmtp, c.after = "", false, nil
}

// reset ends the transaction.
func (c *Conn) reset() {
	c.mail, c.rcpts, c.path, c.each = false, 0, addr.Address{}, nil
	c.session.Reset()
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// cutFold is strings.CutPrefix for keywords, which are case-insensitive.
func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}
