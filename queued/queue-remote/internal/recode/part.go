package recode

import (
	"bytes"
	"mime"
	"strings"
)

// kind says what the body of a part is made of.
type kind int

const (
	leaf     kind = iota
	several       // multipart
	enclosed      // a message
)

// part is what the header of one part says about its body.
type part struct {
	index     int // in the order of the headers
	byDefault string
	kind      kind
	media     string // lower-case type, "" when it cannot be read
	encoding  string // lower-case Content-Transfer-Encoding, "7bit" when absent
	boundary  string
	digest    bool
	signed    bool
}

// read takes what matters out of the header.
func (p *part) read(h *header) {
	types, encodings := h.fields("content-type"), h.fields("content-transfer-encoding")
	if len(types) > 1 || len(encodings) > 1 {
		// Which one counts is anybody's guess: a part that is taken for another
		// one could be changed where it must not be.
		p.media, p.encoding = "", "ambiguous"
		return
	}
	p.encoding = "7bit"
	if len(encodings) == 1 {
		p.encoding = strings.ToLower(strings.TrimSpace(encodings[0]))
	}
	value := p.byDefault
	if len(types) == 1 {
		value = types[0]
	}
	media, params, err := mime.ParseMediaType(value)
	if err != nil || !strings.Contains(media, "/") {
		return // It stays without a type: a body that cannot be changed.
	}
	p.media = media
	identity := p.encoding == "7bit" || p.encoding == "8bit" || p.encoding == "binary"
	b := params["boundary"]
	switch {
	case strings.HasPrefix(media, "multipart/") && identity && b != "" && len(b) <= maxBoundary:
		p.kind, p.boundary = several, b
		p.digest, p.signed = media == "multipart/digest", media == "multipart/signed"
	case media == "message/rfc822" && identity:
		p.kind = enclosed
	}
}

// mayChange says why a body with 8-bit bytes cannot be encoded, or nil.
func (p *part) mayChange(sealed bool) error {
	switch {
	case sealed:
		return cannot("8-bit text under a signature")
	case p.media == "" || strings.HasPrefix(p.media, "multipart/") || strings.HasPrefix(p.media, "message/"):
		// RFC 2045 6.4 allows no encoding of composite types.
		return cannot("8-bit text in a part of type %.60q", p.media)
	case p.encoding != "7bit" && p.encoding != "8bit" && p.encoding != "binary":
		return cannot("8-bit text in a part with the encoding %.60q", p.encoding)
	}
	return nil
}

// form is the encoding that the part gets.
func (p *part) form() string {
	if strings.HasPrefix(p.media, "text/") {
		return "quoted-printable"
	}
	return "base64"
}

// header is the raw header of one part, without the empty line.
type header struct{ raw []byte }

// each calls f with every field, its continuation lines included.
func (h *header) each(f func(name string, field []byte)) {
	for rest := h.raw; len(rest) > 0; {
		n := fieldEnd(rest)
		name, _, ok := bytes.Cut(rest[:n], []byte(":"))
		if !ok {
			name = nil
		}
		f(strings.ToLower(strings.TrimRight(string(name), " \t")), rest[:n])
		rest = rest[n:]
	}
}

// fieldEnd is the length of the first field (RFC 5322 2.2.3).
func fieldEnd(b []byte) int {
	for i := 0; ; {
		j := bytes.IndexByte(b[i:], '\n')
		if j < 0 {
			return len(b)
		}
		i += j + 1
		if i == len(b) || b[i] != ' ' && b[i] != '\t' {
			return i
		}
	}
}

// fields returns the values of a field, unfolded.
func (h *header) fields(name string) []string {
	var list []string
	h.each(func(n string, field []byte) {
		if n == name {
			_, value, _ := bytes.Cut(field, []byte(":"))
			s := strings.NewReplacer("\r\n", "", "\n", "").Replace(string(value))
			list = append(list, strings.TrimSpace(s))
		}
	})
	return list
}

// write appends the header with the fields that have to change. form is the
// encoding that the body gets, "" for none; top is for the message's own header.
func (h *header) write(out []byte, p *part, form string, top bool) []byte {
	encoding := form
	if form == "" && p.kind != leaf && p.encoding != "7bit" {
		encoding = "7bit" // RFC 2045 6.4: all that lies inside is 7-bit now.
	}
	written, typed, mime := encoding == "", false, !top
	h.each(func(name string, field []byte) {
		typed = typed || name == "content-type"
		mime = mime || name == "mime-version"
		if name == "content-transfer-encoding" && encoding != "" {
			out, written = appendField(out, "Content-Transfer-Encoding", encoding), true
			return
		}
		out = append(out, field...)
	})
	if !mime {
		out = appendField(out, "MIME-Version", "1.0")
	}
	if form != "" && !typed && p.index == 0 {
		// What the bytes mean, nobody said (RFC 1428 3).
		out = appendField(out, "Content-Type", "text/plain; charset=unknown-8bit")
	}
	if !written {
		out = appendField(out, "Content-Transfer-Encoding", encoding)
	}
	return out
}

func appendField(out []byte, name, value string) []byte {
	return append(out, name+": "+value+"\r\n"...)
}

// delimiter says whether a line is one of a multipart that is open, the
// innermost first (RFC 2046 5.1.1), and whether it is its last.
func (w *walker) delimiter(line []byte) (i int, last, ok bool) {
	if !bytes.HasPrefix(line, []byte("--")) {
		return 0, false, false
	}
	s := string(bytes.TrimRight(line[2:], " \t\r\n"))
	for i := len(w.levels) - 1; i >= 0; i-- {
		if rest, ok := strings.CutPrefix(s, w.levels[i].boundary); ok && (rest == "" || rest == "--") {
			return i, rest == "--", true
		}
	}
	return 0, false, false
}

func has8Bit(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// appendASCII replaces 8-bit bytes, in text that no reader of mail shows.
func appendASCII(out, b []byte) []byte {
	for _, c := range b {
		if c >= 0x80 {
			c = '?'
		}
		out = append(out, c)
	}
	return out
}

// cutEOL takes the line end off.
func cutEOL(b []byte) (line []byte, eol bool) {
	if line, ok := bytes.CutSuffix(b, []byte("\r\n")); ok {
		return line, true
	}
	return bytes.CutSuffix(b, []byte("\n"))
}
