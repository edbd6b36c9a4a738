package bounce

import (
	"bufio"
	"bytes"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"time"
)

func (r *Report) subject() string {
	switch r.Kind {
	case Delay:
		return "Your message is delayed"
	case Success:
		return "Your message has arrived"
	case Double:
		return "Undelivered message, and its sender cannot be told"
	}
	return "Your message could not be delivered"
}

func (r *Report) introduction() string {
	switch r.Kind {
	case Delay:
		return "your message of %s has not been delivered to the recipients\r\nbelow yet. You need not send it again: attempts go on.\r\n"
	case Success:
		return "this is what became of your message of %s, as you asked.\r\n"
	case Double:
		return "a message of %s could not be delivered to the recipients below,\r\nand its sender cannot be told. Only its header is left, at the end.\r\n"
	}
	return "your message of %s could not be delivered to the recipients\r\nbelow. No more attempts will be made for them.\r\n"
}

// text writes the part for people; what is not ASCII in it is encoded unless the
// report is UTF-8.
func (r *Report) text(out *bufio.Writer) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	r.letter(w)
	w.Flush()
	if r.UTF8 || ascii(b.Bytes()) {
		r.part(out, "text/plain; charset=us-ascii", "text/plain; charset=utf-8")
		out.Write(b.Bytes())
	} else {
		fmt.Fprintf(out, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", r.boundary())
		qp := quotedprintable.NewWriter(out)
		qp.Write(b.Bytes())
		qp.Close()
	}
	fmt.Fprintf(out, "\r\n")
}

func (r *Report) letter(out *bufio.Writer) {
	fmt.Fprintf(out, "This is the mail server %s:\r\n\r\n", r.Hostname)
	fmt.Fprintf(out, r.introduction(), r.Arrived.Format(time.RFC1123Z))
	if r.Kind == Delay {
		fmt.Fprintf(out, "The last one is made by %s.\r\n", r.Until.Format(time.RFC1123Z))
	}
	for _, rcpt := range r.Rcpts {
		fmt.Fprintf(out, "\r\n<%s>", oneLine(rcpt.Original.String()))
		if rcpt.Actual != rcpt.Original.String() {
			fmt.Fprintf(out, " (by way of <%s>)", oneLine(rcpt.Actual))
		}
		fmt.Fprintf(out, ":\r\n")
		wrap(out, "    ", oneLine(rcpt.outcome()))
		if rcpt.Via != "" {
			wrap(out, "    ", "said by "+oneLine(rcpt.Via))
		}
	}
	fmt.Fprintf(out, "\r\nThe message has the id %s here.\r\n", r.About)
}

// outcome says what became of a recipient.
func (rcpt Rcpt) outcome() string {
	switch rcpt.Action {
	case Delivered:
		return "it is in the mailbox"
	case Relayed:
		return "it was handed to the next host, and no report of success will come from there"
	case Expanded:
		return "it was passed on to the addresses that this one stands for"
	}
	return rcpt.Verdict.Status + " " + rcpt.Verdict.Text
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
