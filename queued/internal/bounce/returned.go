package bounce

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"unicode/utf8"
)

const (
	// maxHeader bounds what is returned of the message's header.
	maxHeader = 64 << 10
	// maxLine is the longest line of a message, without its end (RFC 5322 2.1.1).
	maxLine = 998
)

// returned is what a report returns of the message, and how.
type returned struct {
	kind     string // media type
	encoding string // "", 8bit, quoted-printable or base64
	content  io.Reader
}

// look chooses what is returned. Only base64 and quoted-printable carry long
// lines, and a message/rfc822 may have neither (RFC 2046 5.2.1): of such a message
// the header is returned.
func (r *Report) look(content io.ReadSeeker) (returned, error) {
	head, err := header(content)
	if err != nil {
		return returned{}, err
	}
	if r.Full {
		kind, err := r.whole(head, content)
		if err != nil || kind.kind != "" {
			return kind, err
		}
	}
	ret := returned{content: bytes.NewReader(head)}
	switch {
	case ascii(head) && !longLine(head):
		ret.kind = "text/rfc822-headers"
	case r.MessageUTF8 && utf8.Valid(head):
		ret.kind, ret.encoding = "message/global-headers", "quoted-printable" // RFC 6533 6.3 allows every encoding
		if r.UTF8 && !longLine(head) {
			ret.encoding = "8bit"
		}
	default: // RFC 6522 4
		ret.kind, ret.encoding = "text/rfc822-headers", "quoted-printable"
	}
	return ret, nil
}

// whole chooses how all of the message is returned; the zero returned says that
// it cannot be.
func (r *Report) whole(head []byte, content io.ReadSeeker) (returned, error) {
	eight, long, err := scan(content)
	if err != nil {
		return returned{}, err
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return returned{}, err
	}
	ret := returned{kind: "message/rfc822", content: content}
	switch {
	case !ascii(head) && r.MessageUTF8 && utf8.Valid(head):
		ret.kind, ret.encoding = "message/global", "base64" // RFC 6532 3.5
		if r.UTF8 && !long {
			ret.encoding = "8bit"
		}
	case long || !ascii(head) && !r.UTF8:
		return returned{}, nil
	case eight:
		ret.encoding = "8bit"
	}
	return ret, nil
}

// write writes the part.
func (ret returned) write(out *bufio.Writer, boundary string) error {
	fmt.Fprintf(out, "--%s\r\nContent-Type: %s\r\n", boundary, ret.kind)
	if ret.encoding != "" {
		fmt.Fprintf(out, "Content-Transfer-Encoding: %s\r\n", ret.encoding)
	}
	fmt.Fprintf(out, "\r\n")
	w := ret.encoder(out)
	if _, err := io.Copy(w, ret.content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_, err := out.WriteString("\r\n")
	return err
}

func (ret returned) encoder(out io.Writer) io.WriteCloser {
	switch ret.encoding {
	case "quoted-printable":
		return quotedprintable.NewWriter(out)
	case "base64":
		return base64.NewEncoder(base64.StdEncoding, &lines{w: out})
	}
	return plain{out}
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

// lines breaks base64 into lines (RFC 2045 6.8).
type lines struct {
	w io.Writer
	n int
}

func (l *lines) Write(p []byte) (int, error) {
	const width = 76
	for done := 0; done < len(p); {
		n := min(len(p)-done, width-l.n)
		if _, err := l.w.Write(p[done : done+n]); err != nil {
			return done, err
		}
		done += n
		if l.n += n; l.n == width {
			if _, err := io.WriteString(l.w, "\r\n"); err != nil {
				return done, err
			}
			l.n = 0
		}
	}
	return len(p), nil
}

// header reads up to the empty line and returns whole lines, ended by CRLF.
func header(content io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(content, maxHeader))
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(b, []byte("\r\n")) {
		return nil, nil
	}
	if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
		return b[:i+2], nil
	}
	if i := bytes.LastIndex(b, []byte("\r\n")); i >= 0 {
		return b[:i+2], nil
	}
	return nil, nil
}

// scan reads all of the message and reports whether it has bytes above 127, and
// lines longer than a message may have.
func scan(content io.ReadSeeker) (eight, long bool, err error) {
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return false, false, err
	}
	in := bufio.NewReaderSize(content, 4096)
	for {
		line, err := in.ReadSlice('\n')
		eight = eight || !ascii(line)
		long = long || len(bytes.TrimRight(line, "\r\n")) > maxLine
		switch {
		case errors.Is(err, io.EOF):
			return eight, long, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull): // a full buffer is a long line
			return eight, long, err
		}
	}
}

func longLine(b []byte) bool {
	for line := range bytes.SplitSeq(b, []byte("\r\n")) {
		if len(line) > maxLine {
			return true
		}
	}
	return false
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
