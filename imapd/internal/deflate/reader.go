package deflate

import (
	"bytes"
	"errors"
	"io"
)

// ErrData is returned for what is not compressed data.
var ErrData = errors.New("compressed data makes no sense")

// Sizes of a Reader.
const (
	windowSize = 32 << 10 // how far back a distance reaches (RFC 1951 section 2)
	firstSize  = 4 << 10  // the window of one that has read little
	inputSize  = 4 << 10  // what is read at once
	maxMatch   = 258
)

// status says how an attempt at the next piece of the data ended.
type status int

const (
	good  status = iota
	short        // not all of its bits have come
	wrong
)

// Reader undoes compression. It holds a window of 32 KiB at most, and input only
// while that is not used up. It is used by one goroutine.
type Reader struct {
	src  io.Reader
	bits bits
	err  error

	window []byte // a ring; its size is a power of two
	total  int64  // bytes decoded
	given  int64  // of these, bytes given out

	step   func(*Reader) status // what comes next
	last   bool                 // the block is the last
	stored int                  // bytes left of a stored block
	lit    code                 // bytes and lengths
	far    code                 // distances
}

// NewReader returns a Reader of src behind what was read of it already.
func NewReader(src io.Reader, already []byte) *Reader {
	return &Reader{src: src, bits: bits{in: already}, step: (*Reader).header, window: make([]byte, firstSize)}
}

// Read returns what was decoded, and reads from the source only when there is
// nothing. After the last block it is io.EOF.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for !r.Ready() {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	if r.given == r.total {
		return 0, r.err
	}
	n := 0
	for n < len(p) && r.given < r.total {
		at := r.at(r.given)
		k := copy(p[n:], r.window[at:min(len(r.window), at+int(r.total-r.given))])
		n += k
		r.given += int64(k)
	}
	return n, nil
}

// Poll reads once from the source, unless Read need not, and reports whether it
// need not then: what has come may be only the end of what was given out.
func (r *Reader) Poll() (bool, error) {
	if !r.Ready() {
		if err := r.fill(); err != nil {
			return false, err
		}
	}
	return r.Ready(), nil
}

// Ready decodes what has come and reports whether Read has something to give out,
// or an error, without reading from the source.
func (r *Reader) Ready() bool {
	for r.err == nil && int(r.total-r.given) <= len(r.window)-maxMatch {
		mark := r.bits
		switch r.step(r) {
		case short:
			r.bits = mark
			r.release()
			return r.given < r.total
		case wrong:
			r.err = ErrData
		}
	}
	return r.given < r.total || r.err != nil
}

// release keeps of the input only what is not used up.
func (r *Reader) release() {
	r.bits.in, r.bits.pos = bytes.Clone(r.bits.in[r.bits.pos:]), 0
}

// at returns where in the window the byte is that was decoded as the n-th.
func (r *Reader) at(n int64) int { return int(n & int64(len(r.window)-1)) }

// fill reads more from the source behind what is not used up, which is less than
// a block's header.
func (r *Reader) fill() error {
	in := make([]byte, len(r.bits.in)+inputSize)
	n := copy(in, r.bits.in)
	k, err := r.src.Read(in[n:])
	if k > 0 {
		r.bits.in = in[:n+k]
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// header begins a block (RFC 1951 section 3.2.3).
func (r *Reader) header() status {
	if r.last {
		r.err = io.EOF
		return good
	}
	h, ok := r.bits.take(3)
	if !ok {
		return short
	}
	result := wrong
	switch h >> 1 {
	case 0:
		result = r.storedHeader()
	case 1:
		result = r.fixed()
	case 2:
		result = r.dynamic()
	}
	if result == good {
		r.last = h&1 == 1
	}
	return result
}

// storedHeader begins a block that is not compressed (section 3.2.4).
func (r *Reader) storedHeader() status {
	r.bits.align()
	n, ok := r.bits.take(16)
	if !ok {
		return short
	}
	inverse, ok := r.bits.take(16)
	switch {
	case !ok:
		return short
	case n != ^inverse&0xffff:
		return wrong
	}
	r.stored, r.step = int(n), (*Reader).storedBytes
	return good
}

// storedBytes takes bytes of such a block.
func (r *Reader) storedBytes() status {
	if r.stored == 0 {
		r.step = (*Reader).header
		return good
	}
	v, ok := r.bits.take(8)
	if !ok {
		return short
	}
	r.put(byte(v))
	r.stored--
	return good
}

// fixed begins a block with the codes of section 3.2.6.
func (r *Reader) fixed() status {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	r.lit.set(lengths[:], false)
	for i := range 32 {
		lengths[i] = 5
	}
	r.far.set(lengths[:32], false)
	r.step = (*Reader).symbol
	return good
}

// put decodes one byte.
func (r *Reader) put(c byte) {
	if int64(len(r.window)) == r.total && r.total < windowSize {
		r.window = append(r.window, make([]byte, len(r.window))...)
	}
	r.window[r.at(r.total)] = c
	r.total++
}

// symbol takes a byte, a match or the end of the block.
func (r *Reader) symbol() status {
	symbol, st := r.lit.symbol(&r.bits)
	switch {
	case st != good:
		return st
	case symbol < 256:
		r.put(byte(symbol))
		return good
	case symbol == 256:
		r.step = (*Reader).header
		return good
	}
	return r.match(int(symbol))
}

// match takes the rest of a length and its distance (section 3.2.5).
func (r *Reader) match(symbol int) status {
	length, extra := lengthOf(symbol)
	if extra > maxExtra {
		return wrong
	}
	v, ok := r.bits.take(extra)
	if !ok {
		return short
	}
	length += int(v)
	far, st := r.far.symbol(&r.bits)
	if st != good {
		return st
	}
	dist, extra := distanceOf(int(far))
	if extra > maxExtra {
		return wrong
	}
	if v, ok = r.bits.take(extra); !ok {
		return short
	}
	dist += int(v)
	if int64(dist) > min(r.total, windowSize) {
		return wrong
	}
	for range length {
		r.put(r.window[r.at(r.total-int64(dist))])
	}
	return good
}
