package deflate

import (
	"bytes"
	"compress/flate"
)

// Chunk is how much is compressed at once.
const Chunk = 31 << 10

// Overhead is by how much Pack can make a chunk larger.
const Overhead = 64

// Packers are the compressors of a process, about 1 MiB each. They are safe for
// concurrent use.
type Packers struct {
	free chan *packer
}

type packer struct {
	flate *flate.Writer // made by the first use
	out   bytes.Buffer
}

// NewPackers returns n compressors.
func NewPackers(n int) *Packers {
	p := &Packers{free: make(chan *packer, n)}
	for range n {
		p.free <- new(packer)
	}
	return p
}

// Pack appends src, at most a Chunk, to dst as blocks that end with a byte and need
// nothing that came before. It waits for a compressor that is free.
func (p *Packers) Pack(dst, src []byte) ([]byte, error) {
	c := <-p.free
	defer func() { p.free <- c }()
	return c.pack(dst, src)
}

func (c *packer) pack(dst, src []byte) (_ []byte, err error) {
	c.out.Reset()
	if c.flate == nil {
		c.flate, err = flate.NewWriter(&c.out, flate.BestSpeed)
	} else {
		c.flate.Reset(&c.out)
	}
	if err == nil {
		_, err = c.flate.Write(src)
	}
	if err == nil {
		err = c.flate.Flush()
	}
	return append(dst, c.out.Bytes()...), err
}
