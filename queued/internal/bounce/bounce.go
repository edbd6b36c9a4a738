// Package bounce writes delivery status notifications: a multipart/report
// (RFC 6522) of a text for people, a part for machines (RFC 3464, RFC 6533) and
// the message it is about, or its header.
package bounce

import (
	"bufio"
	"fmt"
	"io"
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
	Success                 // some have it
	Double                  // a failure whose sender cannot be told; the postmaster is
)

// Action is what was done for a recipient (RFC 3464 2.3.3).
type Action string

// The actions.
const (
	Failed    Action = "failed"
	Delayed   Action = "delayed"
	Delivered Action = "delivered"
	Relayed   Action = "relayed"  // to a host that reports no success
	Expanded  Action = "expanded" // to several other addresses
)

// Rcpt is one recipient that a report is about.
type Rcpt struct {
	Original addr.Address // as we were given it
	Orcpt    string       // the sender's ORCPT, "type;address", or ""
	Actual   string       // where it led
	Action   Action
	Verdict  verdict.Verdict
	Via      string    // the host that spoke, "name[address]", or ""
	At       time.Time // of the last attempt; zero when there was none
}

// Report is one notification. Prepare comes before Write.
type Report struct {
	Kind     Kind
	ID       string // of the notification
	Hostname string
	To       addr.Address
	Date     time.Time
	UTF8     bool // it is sent with SMTPUTF8 (RFC 6531); else all of it is ASCII

	About       string       // id of the message
	Envid       string       // its sender's ENVID, or ""
	Sender      addr.Address // its sender
	Arrived     time.Time
	Until       time.Time // for Delay: when trying ends
	MessageUTF8 bool      // it came with SMTPUTF8, so what is not ASCII in its header is UTF-8
	Full        bool      // return all of it, where that can be done
	Rcpts       []Rcpt

	returned returned
}

// Prepare looks through the message, which Write reads once more from its
// beginning.
func (r *Report) Prepare(content io.ReadSeeker) error {
	var err error
	if r.returned, err = r.look(content); err != nil {
		return fmt.Errorf("read the message for a report: %w", err)
	}
	return nil
}

// EightBit reports whether the report has bytes above 127.
func (r *Report) EightBit() bool { return r.UTF8 || r.returned.encoding == "8bit" }

// Write writes the report with CRLF line ends.
func (r *Report) Write(w io.Writer) error {
	out := bufio.NewWriter(w)
	r.header(out)
	r.text(out)
	r.status(out)
	if err := r.returned.write(out, r.boundary()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	fmt.Fprintf(out, "--%s--\r\n", r.boundary())
	return out.Flush()
}

// boundary holds the new id, which the message cannot contain.
func (r *Report) boundary() string { return "=_" + r.ID }

func (r *Report) header(out *bufio.Writer) {
	fmt.Fprintf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", r.Hostname)
	fmt.Fprintf(out, "To: <%s>\r\n", r.To)
	fmt.Fprintf(out, "Subject: %s\r\n", r.subject())
	fmt.Fprintf(out, "Date: %s\r\n", r.Date.Format(time.RFC1123Z))
	fmt.Fprintf(out, "Message-ID: <%s@%s>\r\n", r.ID, r.Hostname)
	fmt.Fprintf(out, "Auto-Submitted: auto-replied\r\n") // RFC 3834 5
	fmt.Fprintf(out, "MIME-Version: 1.0\r\n")
	fmt.Fprintf(out, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n", r.boundary())
	if r.EightBit() {
		fmt.Fprintf(out, "Content-Transfer-Encoding: 8bit\r\n")
	}
	fmt.Fprintf(out, "\r\n")
}

// part begins a part. RFC 6533 6 names the types for mail in UTF-8.
func (r *Report) part(out *bufio.Writer, ascii, global string) {
	fmt.Fprintf(out, "--%s\r\n", r.boundary())
	if r.UTF8 {
		fmt.Fprintf(out, "Content-Type: %s\r\nContent-Transfer-Encoding: 8bit\r\n\r\n", global)
		return
	}
	fmt.Fprintf(out, "Content-Type: %s\r\n\r\n", ascii)
}
