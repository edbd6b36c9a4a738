package client

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"posthorn/internal/verdict"
)

// Limits of one reply. RFC 5321 4.5.3.1.5 allows 512 bytes a line; servers go
// beyond it.
const (
	maxReplyLine  = 2048
	maxReplyLines = 256
	maxReplyBytes = 32 << 10
	maxReplyText  = 500 // of what is passed on as text
)

// ErrReply is wrapped by errors about replies that break the rules.
var ErrReply = errors.New("not an SMTP reply")

// Reply is a server's answer to one command.
type Reply struct {
	Code   int    // three digits, the first 2 to 5
	Status string // enhanced status code (RFC 2034), or ""
	// Lines hold the text behind the code, one element a line, with everything
	// but printable ASCII replaced by "?".
	Lines []string
}

// String returns the reply as one line of at most 500 bytes: the code and the
// text of all lines.
func (r Reply) String() string {
	s := fmt.Sprintf("%d %s", r.Code, strings.Join(r.Lines, " "))
	if len(s) > maxReplyText {
		s = s[:maxReplyText-3] + "..."
	}
	return strings.TrimSpace(s)
}

// class is the first digit.
func (r Reply) class() int { return r.Code / 100 }

// Verdict is what the reply means for a recipient: 2xx done, 4xx later, 5xx
// never (RFC 5321 4.2.1). Anything else has no place at the end of a command
// and is later.
func (r Reply) Verdict() verdict.Verdict {
	kind := verdict.Later
	switch r.class() {
	case 2:
		kind = verdict.Done
	case 5:
		kind = verdict.Never
	case 3:
		return unexpected(r)
	}
	status := r.Status
	if status == "" {
		status = fmt.Sprintf("%d.0.0", r.class())
	}
	return verdict.New(kind, status, r.String())
}

func unexpected(r Reply) verdict.Verdict {
	return verdict.New(verdict.Later, "4.5.0", "unexpected reply: "+r.String())
}

// rcptVerdict is Verdict for the reply to RCPT. A 552 is "too many recipients"
// from a server that follows the letter of RFC 821 and counts as temporary
// (RFC 5321 4.5.3.1.10), unless its status says something else.
func (r Reply) rcptVerdict() verdict.Verdict {
	if r.Code == 552 && (r.Status == "" || r.Status == "5.5.3") {
		return verdict.New(verdict.Later, "4.5.3", r.String())
	}
	return r.Verdict()
}

// readReply reads one reply, of one line or many (RFC 5321 4.2.1). A line may
// end in a bare LF.
func readReply(br *bufio.Reader) (Reply, error) {
	var r Reply
	for total := 0; ; {
		line, err := readLine(br)
		if err != nil {
			return Reply{}, err
		}
		total += len(line)
		if len(r.Lines) == maxReplyLines || total > maxReplyBytes {
			return Reply{}, fmt.Errorf("%w: longer than %d lines or %d bytes", ErrReply, maxReplyLines, maxReplyBytes)
		}
		last, err := r.add(line)
		if err != nil {
			return Reply{}, err
		}
		if last {
			r.Status = enhanced(r.Code, r.Lines[0])
			return r, nil
		}
	}
}

// readLine reads up to a LF and returns the line without its end. The bufio
// buffer is larger than the limit, so that the line never leaves it.
func readLine(br *bufio.Reader) (string, error) {
	line, err := br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || len(line) > maxReplyLine {
		return "", fmt.Errorf("%w: a line of more than %d bytes", ErrReply, maxReplyLine)
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return "", io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(line[:len(line)-1]), "\r"), nil
}

// add takes one line into the reply and says whether it is the last.
func (r *Reply) add(line string) (last bool, err error) {
	code, ok := codeOf(line)
	if !ok || (len(line) > 3 && line[3] != ' ' && line[3] != '-') {
		return false, fmt.Errorf("%w: %.60q", ErrReply, line)
	}
	if len(r.Lines) > 0 && code != r.Code {
		return false, fmt.Errorf("%w: code %d follows %d", ErrReply, code, r.Code)
	}
	r.Code = code
	text := ""
	if len(line) > 4 {
		text = printable(line[4:])
	}
	r.Lines = append(r.Lines, text)
	return len(line) == 3 || line[3] == ' ', nil
}

func codeOf(line string) (int, bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
		return 0, false
	}
	return int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0'), true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// printable keeps foreign bytes out of logs, bounces and protocols.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
}

// enhanced reads the status code of RFC 3463 at the start of a reply's text. It
// counts only when its class is that of the reply.
func enhanced(code int, text string) string {
	word, _, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || len(parts[0]) != 1 || int(parts[0][0]-'0') != code/100 {
		return ""
	}
	for _, p := range parts {
		if len(p) == 0 || len(p) > 3 || strings.IndexFunc(p, func(r rune) bool { return r < '0' || r > '9' }) >= 0 {
			return ""
		}
	}
	return word
}
