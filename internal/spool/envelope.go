package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"posthorn/internal/addr"
	"posthorn/internal/attr"
	"posthorn/internal/dsn"
	"posthorn/internal/id"
)

// Proto is the first line's value: the version of the file format.
const Proto = "posthorn-message/1"

// MaxRcpts is the most recipients that one envelope holds.
const MaxRcpts = 8000

// sizeDigits is the fixed width of the message's size, which is filled in when
// the message has ended.
const sizeDigits = 16

// ErrFormat marks a file that is no message of this format: trying again does
// not help.
var ErrFormat = errors.New("not a spool file")

// Envelope is what is known of a message before its first byte.
type Envelope struct {
	ID     string
	Time   time.Time // of arrival, to the microsecond
	Size   int64     // bytes of the message, CRLF line ends
	Origin string    // smtp submission relay bounce local
	From   addr.Address
	Auth   string // login of the client, or ""
	Client string // the client's address as text, or ""
	Helo   string
	Body   string // 7bit or 8bitmime
	UTF8   bool   // SMTPUTF8 was asked for (RFC 6531)
	dsn.Mail
	Rcpts []Rcpt
}

// Rcpt is a recipient, with the reports that were asked for it.
type Rcpt struct {
	addr.Address
	dsn.Rcpt
}

// Room counts what recipients take up in an envelope. The zero Room is that of
// an empty one.
type Room struct{ rcpts, lines, bytes int }

// What all of the recipients may take up, so that a list holds the other lines too.
const (
	maxRcptLines = attr.MaxAttrs - 100
	maxRcptBytes = attr.MaxBytes - 64<<10
)

// Add reports whether r fits in, and counts it if it does.
func (m *Room) Add(r Rcpt) bool {
	n := Room{m.rcpts + 1, m.lines + 1, m.bytes + len("rcpt=\n") + 2*len(r.Local) + len(r.Domain) + 3}
	if r.Orcpt != "" {
		n.lines, n.bytes = n.lines+1, n.bytes+len("orcpt=\n")+len(r.Orcpt)
	}
	if r.Notify != 0 {
		n.lines, n.bytes = n.lines+1, n.bytes+len("notify=success,failure,delay\n")
	}
	if n.rcpts > MaxRcpts || n.lines > maxRcptLines || n.bytes > maxRcptBytes {
		return false
	}
	*m = n
	return true
}

// head names the first lines, in their only order. What was asked for the message
// follows, and then the recipients, each with what was asked for it.
var head = [...]string{"proto", "id", "time", "size", "origin", "from", "auth", "client", "helo", "body", "utf8"}

// encode returns the envelope's lines with their empty line, in room if they fit
// there, and the place of the size's digits.
func (e *Envelope) encode(room []byte) (b []byte, sizeAt int64, err error) {
	if err := e.check(); err != nil {
		return nil, 0, err
	}
	l := make(attr.List, 0, len(head)+2+3*len(e.Rcpts))
	l = append(l, attr.List{
		{Name: "proto", Value: Proto},
		{Name: "id", Value: e.ID},
		{Name: "time", Value: strconv.FormatInt(e.Time.UnixMicro(), 10)},
		{Name: "size", Value: formatSize(e.Size)},
		{Name: "origin", Value: e.Origin},
		{Name: "from", Value: e.From.String()},
		{Name: "auth", Value: e.Auth},
		{Name: "client", Value: e.Client},
		{Name: "helo", Value: e.Helo},
		{Name: "body", Value: e.Body},
		{Name: "utf8", Value: yesNo(e.UTF8)},
	}...)
	e.Mail.Add(&l)
	for _, r := range e.Rcpts {
		l.Add("rcpt", r.String())
		r.Rcpt.Add(&l)
	}
	b, err = attr.Append(room[:0], l)
	if err != nil {
		return nil, 0, fmt.Errorf("write envelope: %w", err)
	}
	return b, int64(bytes.Index(b, []byte("\nsize=")) + len("\nsize=")), nil
}

// check refuses an envelope that parseEnvelope would refuse.
func (e *Envelope) check() error {
	switch {
	case !id.Valid(e.ID):
		return fmt.Errorf("envelope: %.40q: %w", e.ID, id.ErrForm)
	case e.Size < 0 || len(formatSize(e.Size)) != sizeDigits:
		return fmt.Errorf("envelope: found size %d", e.Size)
	case !validOrigin(e.Origin):
		return fmt.Errorf("envelope: found origin %.40q", e.Origin)
	case !validBody(e.Body):
		return fmt.Errorf("envelope: found body %.40q, expected 7bit or 8bitmime", e.Body)
	case len(e.Rcpts) == 0 || len(e.Rcpts) > MaxRcpts:
		return fmt.Errorf("envelope: found %d recipients, expected 1 to %d", len(e.Rcpts), MaxRcpts)
	}
	var room Room
	for i, r := range e.Rcpts {
		if !room.Add(r) {
			return fmt.Errorf("envelope: found no room for recipient %d of %d", i, len(e.Rcpts))
		}
	}
	return nil
}

func formatSize(n int64) string { return fmt.Sprintf("%0*d", sizeDigits, n) }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func validBody(s string) bool { return s == "7bit" || s == "8bitmime" }

func validOrigin(s string) bool {
	switch s {
	case "smtp", "submission", "relay", "bounce", "local":
		return true
	}
	return false
}

// readEnvelope reads the envelope in front of r and returns where the message
// begins. A file that is no message gives ErrFormat.
func readEnvelope(r io.ReaderAt) (Envelope, int64, error) {
	block, err := readHead(r)
	if err != nil {
		return Envelope{}, 0, err
	}
	e, err := parseEnvelope(block)
	if err != nil {
		return Envelope{}, 0, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return e, int64(len(block)), nil
}

// readHead reads up to the first empty line and with it, in growing steps.
func readHead(r io.ReaderAt) ([]byte, error) {
	for size := 4096; size <= attr.MaxBytes; size *= 8 {
		buf := make([]byte, size)
		n, err := r.ReadAt(buf, 0)
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read envelope: %w", err)
		}
		if i := bytes.Index(buf[:n], []byte("\n\n")); i >= 0 {
			return buf[:i+2], nil
		}
		if err == io.EOF {
			return nil, fmt.Errorf("%w: the envelope has no end", ErrFormat)
		}
	}
	return nil, fmt.Errorf("%w: the envelope is longer than %d bytes", ErrFormat, attr.MaxBytes)
}

// parseEnvelope reads the lines that encode wrote: each of them, in order, and
// nothing else.
func parseEnvelope(block []byte) (Envelope, error) {
	l, err := attr.Parse(block)
	if err != nil {
		return Envelope{}, err
	}
	if len(l) <= len(head) {
		return Envelope{}, fmt.Errorf("found %d lines, expected at least %d", len(l), len(head)+1)
	}
	for i, name := range head {
		if l[i].Name != name {
			return Envelope{}, fmt.Errorf("line %d: found %.40q, expected %s", i+1, l[i].Name, name)
		}
	}
	e := Envelope{ID: l[1].Value, Origin: l[4].Value, Auth: l[6].Value, Client: l[7].Value, Helo: l[8].Value, Body: l[9].Value}
	if err := e.parseHead(l); err != nil {
		return Envelope{}, err
	}
	if err := e.parseRcpts(l[len(head):]); err != nil {
		return Envelope{}, err
	}
	return e, e.check()
}

// parseHead reads the values that are no plain text.
func (e *Envelope) parseHead(l attr.List) error {
	if l[0].Value != Proto {
		return fmt.Errorf("found proto %.40q, expected %s", l[0].Value, Proto)
	}
	micros, err := strconv.ParseInt(l[2].Value, 10, 64)
	if err != nil {
		return fmt.Errorf("time: found %.40q", l[2].Value)
	}
	e.Time = time.UnixMicro(micros)
	size, err := strconv.ParseUint(l[3].Value, 10, 63)
	if err != nil || len(l[3].Value) != sizeDigits {
		return fmt.Errorf("size: found %.40q, expected %d digits", l[3].Value, sizeDigits)
	}
	e.Size = int64(size)
	if e.From, err = addr.ParseOrNull(l[5].Value); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	switch l[10].Value {
	case "yes":
		e.UTF8 = true
	case "no":
	default:
		return fmt.Errorf("utf8: found %.40q, expected yes or no", l[10].Value)
	}
	return nil
}

// parseRcpts reads the lines behind the head.
func (e *Envelope) parseRcpts(l attr.List) error {
	e.Rcpts = make([]Rcpt, 0, len(l))
	for _, a := range l {
		if a.Name == "rcpt" {
			r, err := addr.Parse(a.Value)
			if err != nil {
				return fmt.Errorf("rcpt: %w", err)
			}
			e.Rcpts = append(e.Rcpts, Rcpt{Address: r})
			continue
		}
		take := e.Mail.Take
		if n := len(e.Rcpts); n > 0 {
			take = e.Rcpts[n-1].Take
		}
		if ok, err := take(a); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("found %.40q, expected rcpt", a.Name)
		}
	}
	return nil
}
