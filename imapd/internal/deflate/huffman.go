package deflate

// maxBits is the longest code (RFC 1951 section 3.2.7).
const maxBits = 15

// code is a canonical Huffman code (RFC 1951 section 3.2.2).
type code struct {
	count   [maxBits + 1]uint16 // codes of each length
	symbols []uint16            // in the order of their codes
}

// set makes the code from the lengths of its symbols' codes, 0 for those that have
// none. It reports whether they are a code: complete, or a single code of one bit
// (section 3.2.7), or, if empty is true, none at all.
func (c *code) set(lengths []uint8, empty bool) bool {
	c.count = [maxBits + 1]uint16{}
	used := 0
	for _, n := range lengths {
		c.count[n]++
		if n > 0 {
			used++
		}
	}
	c.count[0] = 0
	var next [maxBits + 2]uint16
	left := 1 // codes that are free
	for n := 1; n <= maxBits; n++ {
		left = left<<1 - int(c.count[n])
		if left < 0 {
			return false
		}
		next[n+1] = next[n] + c.count[n]
	}
	c.symbols = append(c.symbols[:0], make([]uint16, used)...)
	for symbol, n := range lengths {
		if n > 0 {
			c.symbols[next[n]] = uint16(symbol)
			next[n]++
		}
	}
	return left == 0 || used == 1 && c.count[1] == 1 || used == 0 && empty
}

// symbol takes a code from bits.
func (c *code) symbol(b *bits) (uint16, status) {
	first, index, code := 0, 0, 0
	for n := uint(1); n <= maxBits; n++ {
		bit, ok := b.take(1)
		if !ok {
			return 0, short
		}
		code |= int(bit)
		count := int(c.count[n])
		if code-count < first {
			return c.symbols[index+code-first], good
		}
		index += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, wrong
}

// bits takes bits from what has come.
type bits struct {
	in   []byte
	pos  int
	held uint32 // bits of the byte before pos
	n    uint   // how many
}

// take returns the next n bits, at most 16; ok is false when they have not come.
func (b *bits) take(n uint) (v uint32, ok bool) {
	for b.n < n {
		if b.pos == len(b.in) {
			return 0, false
		}
		b.held |= uint32(b.in[b.pos]) << b.n
		b.pos++
		b.n += 8
	}
	v = b.held & (1<<n - 1)
	b.held >>= n
	b.n -= n
	return v, true
}

// align drops the bits up to the next byte.
func (b *bits) align() {
	b.held >>= b.n % 8
	b.n -= b.n % 8
}
