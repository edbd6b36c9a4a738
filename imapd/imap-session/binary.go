package main

import (
	"bytes"
	"io"

	"posthorn/imapd/internal/decode"
	"posthorn/imapd/internal/mimepart"
	"posthorn/imapd/internal/query"
	"posthorn/imapd/internal/wire"
)

// content is a part without its encoding (RFC 3516 section 4.2), or a piece of it.
type content struct {
	at       mimepart.Range // in the message
	encoding string
	sizeOnly bool
	offset   int64 // of the piece, in decoded octets
	size     int64
	nul      bool // there is one in it
}

// content finds what a BINARY or BINARY.SIZE asks for. A message, and a part that
// has parts, has no encoding of its own (RFC 2045 section 6.4). nil: there is no
// such part, whose size is 0.
func (p *parts) content(q query.Section) (*content, error) {
	c := &content{at: mimepart.Range{Off: 0, End: p.size}, encoding: "binary", sizeOnly: q.Kind == query.DecodedSize}
	if len(q.Path) > 0 {
		part := p.root.Find(q.Path)
		if part == nil && !c.sizeOnly {
			return nil, nil
		}
		if part == nil {
			part = &mimepart.Part{}
		}
		c.at = part.Body
		if part.Message == nil && !part.Is("multipart", "") {
			c.encoding = part.Encoding()
		}
	}
	if _, ok := decode.NewReader(c.encoding, nil); !ok {
		return nil, no("[UNKNOWN-CTE] encoding of a part is not known")
	}
	most := c.at.Len()
	if q.Partial {
		c.offset, most = q.Piece()
	}
	return c, c.measure(c.reader(p.src, most))
}

// reader returns the decoded piece, of at most so many octets.
func (c *content) reader(src io.ReaderAt, most int64) io.Reader {
	r, _ := decode.NewReader(c.encoding, io.NewSectionReader(src, c.at.Off, c.at.Len()))
	_, _ = io.CopyN(io.Discard, r, c.offset) // what fails here fails in the next read too
	return io.LimitReader(r, most)
}

// measure finds the size of the piece, and whether it holds NUL.
func (c *content) measure(r io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		c.size += int64(n)
		c.nul = c.nul || bytes.IndexByte(buf[:n], 0) >= 0
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// write writes the piece; as a literal8 only if it has to be (RFC 3516 section
// 4.3).
func (c *content) write(w *wire.Writer, src io.ReaderAt) {
	if c.sizeOnly {
		w.Num(uint64(c.size))
		return
	}
	if c.nul {
		w.Raw("~")
	}
	w.Literal(c.size)
	w.CopyN(c.reader(src, c.size), c.size)
}
