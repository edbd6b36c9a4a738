package message

import (
	"errors"
	"io"

	"posthorn/internal/verdict"
)

// headSize is room for most headers; others get more.
const headSize = 1024

// Intake is what a message from outside passes through on its way in: line ends,
// header, and the count of hosts that have had it. It serves one message.
type Intake struct {
	Lines       Lines
	Header      Header
	MaxReceived int // Received fields above which the message is in a loop

	dst    io.Writer
	failed error // what passing a piece came to
	out    []byte
}

// Copy copies the message that src holds to dst. An error of dst comes back as
// it is; everything else is a verdict: never 5.6.0, 5.3.4 or 5.4.6 on the
// message, what src itself gave as its verdict, or later 4.4.2 where src broke
// off.
func (i *Intake) Copy(dst io.Writer, src io.Reader) error {
	i.dst = dst
	_, err := io.Copy(pass{i}, src)
	switch {
	case i.failed != nil:
		return i.failed
	case err != nil:
		return brokenOff(err)
	}
	return i.finish()
}

// pass is where the pieces of a message go.
type pass struct{ i *Intake }

func (p pass) Write(b []byte) (int, error) {
	clean, err := p.i.Lines.Pass(b)
	if err != nil {
		p.i.failed = badLine(err)
	} else {
		p.i.failed = p.i.put(clean)
	}
	return len(b), p.i.failed
}

// finish passes on what the message's end calls for.
func (i *Intake) finish() error {
	last, err := i.Lines.Finish(nil)
	if err != nil {
		return badLine(err)
	}
	if err := i.put(last); err != nil {
		return err
	}
	last, err = i.Header.Finish(nil)
	if err != nil {
		return badHeader(err)
	}
	_, err = i.dst.Write(last)
	return err
}

func badLine(err error) error {
	return verdict.Fail(verdict.Never, "5.6.0", "message has a "+err.Error(), nil)
}

func badHeader(err error) error { return verdict.Fail(verdict.Never, "5.3.4", err.Error(), nil) }

// brokenOff is the verdict on a message that did not come to its end, unless
// who read it has given one: the client's doing, and not ours.
func brokenOff(err error) error {
	if v := (*verdict.Error)(nil); errors.As(err, &v) {
		return err
	}
	return verdict.Fail(verdict.Later, "4.4.2", "the message did not come to its end", err) // RFC 3463 3.5
}

// put writes the next bytes, with what the header makes of them.
func (i *Intake) put(b []byte) (err error) {
	if !i.Header.Done() {
		if b, err = i.head(b); err != nil {
			return err
		}
	}
	_, err = i.dst.Write(b)
	return err
}

// head writes what belongs to the header and returns the rest.
func (i *Intake) head(b []byte) (body []byte, err error) {
	if i.out == nil {
		i.out = make([]byte, 0, headSize)
	}
	i.out, body, err = i.Header.Take(i.out[:0], b)
	if err != nil {
		return nil, badHeader(err)
	}
	if i.Header.Received > i.MaxReceived { // RFC 5321 6.3
		return nil, verdict.Fail(verdict.Never, "5.4.6", "message is in a loop: too many Received fields", nil)
	}
	_, err = i.dst.Write(i.out)
	return body, err
}
