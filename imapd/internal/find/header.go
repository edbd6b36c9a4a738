package find

import (
	"bytes"

	"posthorn/imapd/internal/charset"
	"posthorn/imapd/internal/decode"
	"posthorn/imapd/internal/mimepart"
)

// word is what all encoded words begin with (RFC 2047 section 2).
const word = "=?"

// inHeader reports whether a field of a header contains the needle, which has no
// line ends. The header is as it stands in a file.
func (n *needle) inHeader(h []byte) bool {
	simple := plain(h) && !bytes.Contains(h, []byte(word))
	if simple && !n.blanks {
		return n.ascii && n.inASCII(h)
	}
	for len(h) > 0 {
		end := fieldEnd(h)
		if n.inRaw(h[:end]) {
			return true
		}
		h = h[end:]
	}
	return false
}

// fieldEnd returns where the field that h begins with ends.
func fieldEnd(h []byte) int {
	for end := 0; ; {
		i := bytes.IndexByte(h[end:], '\n')
		if i < 0 {
			return len(h)
		}
		end += i + 1
		if end == len(h) || h[end] != ' ' && h[end] != '\t' {
			return end
		}
	}
}

// inRaw reports whether a field contains the needle. Where a field is folded there
// are blanks: what has none is not found there.
func (n *needle) inRaw(field []byte) bool {
	if !bytes.Contains(field, []byte(word)) {
		if n.ascii && n.inASCII(field) {
			return true
		}
		if plain(field) && (!n.ascii || !n.blanks || bytes.IndexByte(field, '\n') >= len(field)-1) {
			return false
		}
	}
	found, _ := mimepart.EachField(bytes.NewReader(field), mimepart.Range{End: int64(len(field))}, n.inField)
	return found
}

// inField reports whether an unfolded field contains the needle.
func (n *needle) inField(field string) bool { return n.inFolded(charset.Fold(decode.Words(field))) }
