package deflate

// maxExtra is how many extra bits a length or distance can have; more mean that
// there is no such symbol.
const maxExtra = 13

// lengthOf returns the shortest length that a symbol from 257 on stands for and how
// many extra bits follow (RFC 1951 section 3.2.5).
func lengthOf(symbol int) (length int, extra uint) {
	switch n := symbol - 257; {
	case n < 8:
		return n + 3, 0
	case n < 28:
		extra = uint(n/4 - 1)
		return (4+n%4)<<extra + 3, extra
	case n == 28:
		return maxMatch, 0
	}
	return 0, maxExtra + 1
}

// distanceOf is lengthOf for the symbols of distances.
func distanceOf(symbol int) (distance int, extra uint) {
	switch {
	case symbol < 4:
		return symbol + 1, 0
	case symbol < 30:
		extra = uint(symbol/2 - 1)
		return (2+symbol%2)<<extra + 1, extra
	}
	return 0, maxExtra + 1
}

// dynamic begins a block whose codes stand in front of it (section 3.2.7).
func (r *Reader) dynamic() status {
	counts, ok := r.bits.take(14)
	if !ok {
		return short
	}
	lits, fars, metas := int(counts&31)+257, int(counts>>5&31)+1, int(counts>>10)+4
	if lits > 286 || fars > 30 {
		return wrong
	}
	var meta [19]uint8
	for i := range metas {
		v, ok := r.bits.take(3)
		if !ok {
			return short
		}
		meta[metaOrder(i)] = uint8(v)
	}
	var c code
	if !c.set(meta[:], false) {
		return wrong
	}
	var lengths [286 + 30]uint8
	if st := r.lengths(&c, lengths[:lits+fars]); st != good {
		return st
	}
	// Without an end the block would never have one.
	if lengths[256] == 0 || !r.lit.set(lengths[:lits], false) || !r.far.set(lengths[lits:lits+fars], true) {
		return wrong
	}
	r.step = (*Reader).symbol
	return good
}

// metaOrder is the order in which the lengths of the code for lengths come.
func metaOrder(i int) int {
	return int("\x10\x11\x12\x00\x08\x07\x09\x06\x0a\x05\x0b\x04\x0c\x03\x0d\x02\x0e\x01\x0f"[i])
}

// lengths takes the lengths of all codes.
func (r *Reader) lengths(c *code, out []uint8) status {
	for i := 0; i < len(out); {
		symbol, st := c.symbol(&r.bits)
		if st != good {
			return st
		}
		if symbol < 16 {
			out[i] = uint8(symbol)
			i++
			continue
		}
		value, least, extra := uint8(0), 3, uint(3) // 17
		switch symbol {
		case 16:
			if i == 0 {
				return wrong
			}
			value, extra = out[i-1], 2
		case 18:
			least, extra = 11, 7
		}
		v, ok := r.bits.take(extra)
		if !ok {
			return short
		}
		n := least + int(v)
		if n > len(out)-i {
			return wrong
		}
		for range n {
			out[i] = value
			i++
		}
	}
	return good
}
