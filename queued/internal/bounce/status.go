package bounce

import (
	"bufio"
	"cmp"
	"fmt"
	"strings"
	"time"

	"posthorn/internal/dsn"
)

// status writes the part for machines (RFC 3464 2).
func (r *Report) status(out *bufio.Writer) {
	r.part(out, "message/delivery-status", "message/global-delivery-status")
	if r.Envid != "" {
		fmt.Fprintf(out, "Original-Envelope-Id: %s\r\n", r.clean(r.Envid))
	}
	fmt.Fprintf(out, "Reporting-MTA: dns; %s\r\n", r.Hostname)
	fmt.Fprintf(out, "X-Posthorn-Id: %s\r\n", r.About)
	if !r.Sender.IsNull() {
		fmt.Fprintf(out, "X-Posthorn-Sender: %s\r\n", r.address(r.Sender.String()))
	}
	fmt.Fprintf(out, "Arrival-Date: %s\r\n", r.Arrived.Format(time.RFC1123Z))
	for _, rcpt := range r.Rcpts {
		r.rcpt(out, rcpt)
	}
	fmt.Fprintf(out, "\r\n")
}

// rcpt writes the fields of one recipient (RFC 3464 2.3).
func (r *Report) rcpt(out *bufio.Writer, rcpt Rcpt) {
	fmt.Fprintf(out, "\r\n")
	if rcpt.Orcpt != "" { // no other word of the sender's may stand there
		fmt.Fprintf(out, "Original-Recipient: %s\r\n", r.typed(rcpt.Orcpt))
	}
	// Final is what stood in the envelope when we took the message, whatever it led
	// to (RFC 3464 2.3.2, RFC 3461 6.3).
	fmt.Fprintf(out, "Final-Recipient: %s\r\n", r.address(rcpt.Original.String()))
	fmt.Fprintf(out, "Action: %s\r\n", rcpt.Action)
	fmt.Fprintf(out, "Status: %s\r\n", status(rcpt.Verdict.Status, rcpt.Action.class()))
	if rcpt.Via != "" {
		name, _, _ := strings.Cut(rcpt.Via, "[")
		fmt.Fprintf(out, "Remote-MTA: dns; %s\r\n", r.clean(cmp.Or(name, rcpt.Via))) // or an address literal
	}
	switch {
	case rcpt.Action == Relayed && !smtpReply(rcpt.Verdict.Text):
	case rcpt.Action == Failed, rcpt.Action == Delayed, rcpt.Action == Relayed: // RFC 3461 6.3
		wrap(out, "", "Diagnostic-Code: "+diagnostic(r.clean(rcpt.Verdict.Text)))
	}
	if !rcpt.At.IsZero() {
		fmt.Fprintf(out, "Last-Attempt-Date: %s\r\n", rcpt.At.Format(time.RFC1123Z))
	}
	if rcpt.Action == Delayed {
		fmt.Fprintf(out, "Will-Retry-Until: %s\r\n", r.Until.Format(time.RFC1123Z))
	}
	if rcpt.Actual != rcpt.Original.String() {
		fmt.Fprintf(out, "X-Actual-Recipient: %s\r\n", r.address(rcpt.Actual))
	}
}

// class is the first digit of an action's status (RFC 3464 2.3.4).
func (a Action) class() string {
	switch a {
	case Failed:
		return "5"
	case Delayed:
		return "4"
	}
	return "2"
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
	if smtpReply(text) {
		return "smtp; " + text
	}
	return "x-posthorn; " + text
}

func smtpReply(text string) bool {
	return len(text) > 4 && digits(text[:3]) && (text[3] == ' ' || text[3] == '-')
}

// address writes an address of ours with its type (RFC 6533 3).
func (r *Report) address(s string) string {
	if ascii([]byte(s)) {
		return r.typed("rfc822;" + s)
	}
	return r.typed("utf-8;" + s)
}

// typed writes "type;address" as a field has it (RFC 3464 2.3.1). One in UTF-8 is
// utf-8-addr-xtext where the report is ASCII (RFC 6533 3).
func (r *Report) typed(s string) string {
	kind, address, _ := strings.Cut(s, ";")
	if dsn.IsUTF8(kind) && !r.UTF8 {
		address = dsn.UTF8Xtext(address)
	}
	return kind + "; " + r.clean(address)
}

// clean makes foreign text fit for the report: one line, and ASCII unless the
// report is UTF-8.
func (r *Report) clean(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= 0x80 && !r.UTF8 {
			return '?'
		}
		return c
	}, oneLine(s))
}

// oneLine takes controls out of foreign text.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "?"))
}
