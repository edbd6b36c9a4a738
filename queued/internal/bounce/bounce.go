// Package bounce writes delivery status notifications: a multipart/report
// (RFC 6522) of a text for people, a part for machines (RFC 3464) and the
// header of the message it is about.
package bounce

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/verdict"
)

// Kind says what a report tells.
type Kind int

// The kinds.
const (
	Failure Kind = iota + 1 // some recipients will not get the message
	Delay                   // some have not got it yet
	Double                  // a failure whose sender cannot be told; the postmaster is
)

// Rcpt is one recipient that a report is about.
type Rcpt struct {
	Original addr.Address // as the sender wrote it
	Final    string       // where it led
	Verdict  verdict.Verdict
	Via      string // the host that spoke, "name[address]", or ""
}

// Report is one notification.
type Report struct {
	Kind     Kind
	ID       string // of the notification
	Hostname string
	To       addr.Address
	Date     time.Time

	About   string       // id of the message
	Sender  addr.Address // its sender
	Arrived time.Time
	Until   time.Time // for Delay: when trying ends
	UTF8    bool      // its sender takes SMTPUTF8 mail (RFC 6531)
	Rcpts   []Rcpt
}

// maxHeader bounds what is returned of the message's header.
const maxHeader = 64 << 10

// Write writes the report with CRLF line ends; content begins with the
// message's header. The report is 7bit, or UTF-8 when r.UTF8.
func (r *Report) Write(w io.Writer, content io.Reader) error {
	out := bufio.NewWriter(w)
	r.header(out)
	r.text(out)
	r.status(out)
	if err := r.original(out, content); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	fmt.Fprintf(out, "--%s--\r\n", r.boundary())
	return out.Flush()
}

// boundary holds the new id, which the message cannot contain.
func (r *Report) boundary() string { return "=_" + r.ID }

func (r *Report) subject() string {
	switch r.Kind {
	case Delay:
		return "Your message is delayed"
	case Double:
		return "Undelivered message, and its sender cannot be told"
	}
	return "Your message could not be delivered"
}

func (r *Report) header(out *bufio.Writer) {
	fmt.Fprintf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", r.Hostname)
	fmt.Fprintf(out, "To: <%s>\r\n", r.address(r.To.String()))
	fmt.Fprintf(out, "Subject: %s\r\n", r.subject())
	fmt.Fprintf(out, "Date: %s\r\n", r.Date.Format(time.RFC1123Z))
	fmt.Fprintf(out, "Message-ID: <%s@%s>\r\n", r.ID, r.Hostname)
	fmt.Fprintf(out, "Auto-Submitted: auto-replied\r\n") // RFC 3834 5
	fmt.Fprintf(out, "MIME-Version: 1.0\r\n")
	fmt.Fprintf(out, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n", r.boundary())
	if r.UTF8 {
		fmt.Fprintf(out, "Content-Transfer-Encoding: 8bit\r\n")
	}
	fmt.Fprintf(out, "\r\n")
}

// part begins a part. RFC 6533 3 names the types for mail in UTF-8.
func (r *Report) part(out *bufio.Writer, ascii, global string) {
	fmt.Fprintf(out, "--%s\r\n", r.boundary())
	if r.UTF8 {
		fmt.Fprintf(out, "Content-Type: %s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", global)
		return
	}
	fmt.Fprintf(out, "Content-Type: %s\r\n\r\n", ascii)
}

func (r *Report) introduction() string {
	switch r.Kind {
	case Delay:
		return "your message of %s has not been delivered to the recipients\r\nbelow yet. You need not send it again: attempts go on.\r\n"
	case Double:
		return "a message of %s could not be delivered to the recipients below,\r\nand its sender cannot be told. Only its header is left, at the end.\r\n"
	}
	return "your message of %s could not be delivered to the recipients\r\nbelow. No more attempts will be made for them.\r\n"
}

func (r *Report) text(out *bufio.Writer) {
	r.part(out, "text/plain; charset=us-ascii", "text/plain; charset=utf-8")
	fmt.Fprintf(out, "This is the mail server %s:\r\n\r\n", r.Hostname)
	fmt.Fprintf(out, r.introduction(), r.Arrived.Format(time.RFC1123Z))
	if r.Kind == Delay {
		fmt.Fprintf(out, "The last one is made by %s.\r\n", r.Until.Format(time.RFC1123Z))
	}
	for _, rcpt := range r.Rcpts {
		fmt.Fprintf(out, "\r\n<%s>", r.address(rcpt.Original.String()))
		if rcpt.Final != rcpt.Original.String() {
			fmt.Fprintf(out, " (by way of <%s>)", r.address(rcpt.Final))
		}
		fmt.Fprintf(out, ":\r\n")
		wrap(out, "    ", r.clean(rcpt.Verdict.Status+" "+rcpt.Verdict.Text))
		if rcpt.Via != "" {
			wrap(out, "    ", "said by "+r.clean(rcpt.Via))
		}
	}
	fmt.Fprintf(out, "\r\nThe message has the id %s here.\r\n\r\n", r.About)
}

func (r *Report) status(out *bufio.Writer) {
	r.part(out, "message/delivery-status", "message/global-delivery-status")
	fmt.Fprintf(out, "Reporting-MTA: dns; %s\r\n", r.Hostname)
	fmt.Fprintf(out, "X-Posthorn-Id: %s\r\n", r.About)
	if !r.Sender.IsNull() {
		fmt.Fprintf(out, "X-Posthorn-Sender: %s\r\n", r.typed(r.Sender.String()))
	}
	fmt.Fprintf(out, "Arrival-Date: %s\r\n", r.Arrived.Format(time.RFC1123Z))
	for _, rcpt := range r.Rcpts {
		r.rcpt(out, rcpt)
	}
	fmt.Fprintf(out, "\r\n")
}

// rcpt writes the fields of one recipient (RFC 3464 2.3).
func (r *Report) rcpt(out *bufio.Writer, rcpt Rcpt) {
	action, class := "failed", "5"
	if r.Kind == Delay {
		action, class = "delayed", "4"
	}
	// No Original-Recipient: it is for what the sender gave as ORCPT.
	fmt.Fprintf(out, "\r\n")
	fmt.Fprintf(out, "Final-Recipient: %s\r\n", r.typed(rcpt.Final))
	fmt.Fprintf(out, "Action: %s\r\n", action)
	fmt.Fprintf(out, "Status: %s\r\n", status(rcpt.Verdict.Status, class))
	if rcpt.Via != "" {
		name, _, _ := strings.Cut(rcpt.Via, "[")
		fmt.Fprintf(out, "Remote-MTA: dns; %s\r\n", r.clean(cmp.Or(name, rcpt.Via))) // or an address literal
	}
	wrap(out, "", "Diagnostic-Code: "+diagnostic(r.clean(rcpt.Verdict.Text)))
	fmt.Fprintf(out, "Last-Attempt-Date: %s\r\n", r.Date.Format(time.RFC1123Z))
	if r.Kind == Delay {
		fmt.Fprintf(out, "Will-Retry-Until: %s\r\n", r.Until.Format(time.RFC1123Z))
	}
}

// status returns the code when it is one of the class that the action wants
// (RFC 3464 2.3.4), else the general one.
func status(code, class string) string {
	parts := strings.Split(code, ".")
	if len(parts) == 3 && parts[0] == class && digits(parts[1]) && digits(parts[2]) {
		return code
	}
	return class + ".0.0"
}

func digits(s string) bool {
	return len(s) >= 1 && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
}

// diagnostic gives a text its type: smtp for a reply of another server.
func diagnostic(text string) string {
	if len(text) > 4 && digits(text[:3]) && (text[3] == ' ' || text[3] == '-') {
		return "smtp; " + text
	}
	return "x-posthorn; " + text
}

// original writes the header of the message. One that is not ASCII, or has lines
// too long for 7bit (RFC 5322 2.1.1), is encoded unless the report may be UTF-8.
func (r *Report) original(out *bufio.Writer, content io.Reader) error {
	head, err := header(content)
	if err != nil {
		return err
	}
	if r.UTF8 {
		r.part(out, "", "message/global-headers")
		_, err = out.WriteString(head)
		return err
	}
	fmt.Fprintf(out, "--%s\r\nContent-Type: text/rfc822-headers\r\n", r.boundary())
	if ascii(head) && !longLine(head) {
		fmt.Fprintf(out, "\r\n%s", head)
		return nil
	}
	fmt.Fprintf(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n") // RFC 6522 4
	qp := quotedprintable.NewWriter(out)
	if _, err := io.WriteString(qp, head); err != nil {
		return err
	}
	if err := qp.Close(); err != nil {
		return err
	}
	_, err = out.WriteString("\r\n")
	return err
}

// header reads up to the empty line and returns whole lines, ended by CRLF.
func header(content io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(content, maxHeader))
	if err != nil {
		return "", err
	}
	s := string(b)
	if strings.HasPrefix(s, "\r\n") {
		return "", nil
	}
	if i := strings.Index(s, "\r\n\r\n"); i >= 0 {
		return s[:i+2], nil
	}
	if i := strings.LastIndex(s, "\r\n"); i >= 0 {
		return s[:i+2], nil
	}
	return "", nil
}

// typed writes an address with its type; one that is not ASCII has its own
// (RFC 6533 3).
func (r *Report) typed(a string) string {
	if ascii(a) {
		return "rfc822; " + a
	}
	return "utf-8; " + r.address(a)
}

// address writes an address so that it may stand in the report: in ASCII as
// utf-8-addr-xtext (RFC 6533 3).
func (r *Report) address(a string) string {
	if r.UTF8 || ascii(a) {
		return a
	}
	var b strings.Builder
	for _, c := range a {
		if c < 0x80 {
			b.WriteRune(c)
		} else {
			fmt.Fprintf(&b, "\\x{%X}", c)
		}
	}
	return b.String()
}

// clean makes foreign text fit for the report: one line, and ASCII unless the
// report is UTF-8.
func (r *Report) clean(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0:
			return ' '
		case c >= 0x80 && !r.UTF8:
			return '?'
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// maxLine is the longest line of a message, without its end.
const maxLine = 998

func longLine(s string) bool {
	for line := range strings.SplitSeq(s, "\r\n") {
		if len(line) > maxLine {
			return true
		}
	}
	return false
}

// wrap writes s in lines of moderate length (RFC 5322 2.1.1), each behind the
// first begun with a blank, as a folded field wants it.
func wrap(out *bufio.Writer, indent, s string) {
	const soft, hard = 76, 900
	line := indent
	for word := range strings.FieldsSeq(s) {
		for len(word) > hard {
			fmt.Fprintf(out, "%s%s\r\n", line, word[:hard])
			line, word = indent+" ", word[hard:]
		}
		switch {
		case line == indent:
			line += word
		case len(line)+1+len(word) > soft && strings.TrimSpace(line) != "":
			fmt.Fprintf(out, "%s\r\n", line)
			line = indent + " " + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintf(out, "%s\r\n", line)
}
