package message

import (
	"errors"
	"io"

	"posthorn/internal/verdict"
)

// readSize is how much of a message is in memory at a time.
const readSize = 4096

// Intake is what a message from outside passes through on its way in: line ends,
// header, and the count of hosts that have had it. It serves one message.
type Intake struct {
	Lines       Lines
	Header      Header
	MaxReceived int // Received fields above which the message is in a loop

	clean, out []byte
}

// Copy copies the message that src holds to dst. An error of dst comes back as
// it is; everything else is a verdict: never 5.6.0, 5.3.4 or 5.4.6 on the
// message, what src itself gave as its verdict, or later 4.4.2 where src broke
// off.
func (i *Intake) Copy(dst io.Writer, src io.Reader) error {
	buf := make([]byte, readSize)
	for {
		n, rerr := src.Read(buf)
		if err := i.pass(dst, buf[:n], errors.Is(rerr, io.EOF)); err != nil {
			return err
		}
		switch {
		case errors.Is(rerr, io.EOF):
			return nil
		case rerr != nil:
			return brokenOff(rerr)
		}
	}
}

// brokenOff is the verdict on a message that did not come to its end, unless
// who read it has given one: the client's doing, and not ours.
func brokenOff(err error) error {
	if v := (*verdict.Error)(nil); errors.As(err, &v) {
		return err
	}
	return verdict.Fail(verdict.Later, "4.4.2", "the message did not come to its end", err) // RFC 3463 3.5
}

// pass takes the next bytes, and with last the message's end.
func (i *Intake) pass(dst io.Writer, b []byte, last bool) (err error) {
	if i.clean, err = i.Lines.Append(i.clean[:0], b); err == nil && last {
		i.clean, err = i.Lines.Finish(i.clean)
	}
	if err != nil {
		return verdict.Fail(verdict.Never, "5.6.0", "message has a "+err.Error(), nil)
	}
	if i.out, err = i.Header.Append(i.out[:0], i.clean); err == nil && last {
		i.out, err = i.Header.Finish(i.out)
	}
	if err != nil {
		return verdict.Fail(verdict.Never, "5.3.4", err.Error(), nil)
	}
	if i.Header.Received > i.MaxReceived { // RFC 5321 6.3
		return verdict.Fail(verdict.Never, "5.4.6", "message is in a loop: too many Received fields", nil)
	}
	_, err = dst.Write(i.out)
	return err
}
