// Package preview makes the text that a list of messages shows beside a subject
// (RFC 8970): the beginning of what the message says, in one line.
//
// Of a part only the first 256 KiB are read. It has no state; everything may be
// used by many goroutines.
package preview

import (
	"html"
	"io"
	"strings"
	"unicode"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/decode"
	"posthorn/imapd/internal/mimepart"
)

const (
	maxText = 200       // characters of a preview (RFC 8970 section 3.3)
	maxRead = 256 << 10 // of a part, without its encoding
)

// Of returns the preview of a message, "" if it has no text that can be shown.
// Errors are those of reading.
func Of(src io.ReaderAt, message *mimepart.Part) (string, error) {
	text, err := of(src, message)
	return string(text), err
}

func of(src io.ReaderAt, p *mimepart.Part) ([]rune, error) {
	switch {
	case p.Is("multipart", "encrypted"):
		return nil, nil
	case p.Is("multipart", "alternative"):
		for _, c := range p.Children { // the plainest comes first (RFC 2046 section 5.1.4)
			if c.Is("text", "plain") {
				if text, err := of(src, c); len(text) > 0 || err != nil {
					return text, err
				}
			}
		}
	case p.Message != nil || attached(p):
		return nil, nil
	case p.Is("text", "plain"):
		return plain(src, p)
	case p.Is("text", "html"):
		return markup(src, p)
	}
	for _, c := range p.Children {
		if text, err := of(src, c); len(text) > 0 || err != nil {
			return text, err
		}
	}
	return nil, nil
}

// attached reports whether a part is not to be shown with the message (RFC 2183
// section 2.2).
func attached(p *mimepart.Part) bool {
	v, _ := p.Field("content-disposition")
	v, _, _ = strings.Cut(v, ";")
	return strings.EqualFold(strings.TrimSpace(v), "attachment")
}

// plain returns a text without what it quotes, or with it if there is nothing
// else.
func plain(src io.ReaderAt, p *mimepart.Part) ([]rune, error) {
	text, err := read(src, p)
	if err != nil {
		return nil, err
	}
	var own strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimRight(line, "\r\n") == "-- " { // a signature (RFC 3676 section 4.3)
			break
		}
		if !strings.HasPrefix(line, ">") {
			own.WriteString(line)
		}
	}
	if out := squeeze(own.String()); len(out) > 0 {
		return out, nil
	}
	return squeeze(text), nil
}

func markup(src io.ReaderAt, p *mimepart.Part) ([]rune, error) {
	text, err := read(src, p)
	return squeeze(html.UnescapeString(strip(text))), err
}

// read returns the beginning of a part in UTF-8.
func read(src io.ReaderAt, p *mimepart.Part) (string, error) {
	r, ok := decode.NewReader(p.Encoding(), io.NewSectionReader(src, p.Body.Off, p.Body.Len()))
	if !ok {
		return "", nil
	}
	b, err := io.ReadAll(io.LimitReader(r, maxRead))
	if err != nil {
		return "", err
	}
	// What does not follow its charset is shown as far as it does.
	text, _ := io.ReadAll(charset.NewReader(strings.TrimSpace(p.Param("charset")), strings.NewReader(string(b))))
	return strings.ToValidUTF8(string(text), "\uFFFD"), nil
}

// squeeze returns the beginning of s in one line, without what is not seen.
func squeeze(s string) []rune {
	out := make([]rune, 0, maxText)
	blank := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			blank = len(out) > 0
			continue
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u034F': // the joiner that mailings are padded with
			continue
		}
		if blank && len(out) < maxText-1 {
			out = append(out, ' ')
		} else if blank {
			break
		}
		blank = false
		if out = append(out, r); len(out) == maxText {
			break
		}
	}
	return out
}
