package message

import "bytes"

// ToLF turns CRLF into LF, as Maildirs hold mail. Other CRs stay.
type ToLF struct {
	cr bool // the last byte was a CR, not written yet
}

// Append appends the converted form of src to dst. It never fails.
func (t *ToLF) Append(dst, src []byte) ([]byte, error) {
	for len(src) > 0 {
		if t.cr {
			t.cr = false
			if src[0] != '\n' {
				dst = append(dst, '\r')
			}
		}
		i := bytes.IndexByte(src, '\r')
		if i < 0 {
			return append(dst, src...), nil
		}
		dst, src, t.cr = append(dst, src[:i]...), src[i+1:], true
	}
	return dst, nil
}

// Finish appends a CR that ended the text.
func (t *ToLF) Finish(dst []byte) ([]byte, error) {
	if t.cr {
		t.cr = false
		dst = append(dst, '\r')
	}
	return dst, nil
}

// ToCRLF turns every LF that no CR precedes into CRLF, as mail is on the wire.
type ToCRLF struct {
	cr bool // the last byte was a CR
}

// Append appends the converted form of src to dst. It never fails.
func (t *ToCRLF) Append(dst, src []byte) ([]byte, error) {
	for len(src) > 0 {
		i := bytes.IndexByte(src, '\n')
		if i < 0 {
			t.cr = src[len(src)-1] == '\r'
			return append(dst, src...), nil
		}
		dst = append(dst, src[:i]...)
		if i > 0 && src[i-1] != '\r' || i == 0 && !t.cr {
			dst = append(dst, '\r')
		}
		dst, src, t.cr = append(dst, '\n'), src[i+1:], false
	}
	return dst, nil
}

// Finish is there for symmetry: nothing is held back.
func (t *ToCRLF) Finish(dst []byte) ([]byte, error) { return dst, nil }
