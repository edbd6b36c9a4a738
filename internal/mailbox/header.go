package mailbox

import (
	"bytes"
	"slices"
)

// front is how much of a file is read to find the header of its message: most are
// shorter. One that is not is looked for in the first block.
const front = 8 << 10

// Header returns the header of message seq with the empty line that ends it and CRLF
// line ends, in the memory of buf if that has room. It reads no more than 32 KiB of the
// file; ok is false for a header that does not end there. Errors: ErrExpunged.
func (v *View) Header(seq int, buf []byte) (header []byte, ok bool, err error) {
	file, err := v.File(seq)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	b, ok := v.folder.store.blocks.Get().(*blocks)
	if !ok {
		b = new(blocks)
	}
	defer v.folder.store.blocks.Put(b)
	if cap(b.in) < block {
		b.in = make([]byte, block)
	}
	end := 0
	for _, size := range []int{front, block} {
		n, err := file.First(b.in[:size])
		if err != nil {
			return nil, false, err
		}
		if end, ok = headerEnd(b.in[:n]); ok || n < size {
			break
		}
	}
	if !ok {
		return buf[:0], false, nil
	}
	header, _ = appendCRLF(slices.Grow(buf[:0], end+end/usualLine), b.in[:end], false)
	return header, true, nil
}

// usualLine is how long lines of headers are as a rule, at least.
const usualLine = 16

// headerEnd returns where the header ends that b begins with, behind its empty line; ok
// is false when b has none.
func headerEnd(b []byte) (end int, ok bool) {
	for {
		i := bytes.IndexByte(b[end:], '\n')
		if i < 0 {
			return 0, false
		}
		empty := i == 0 || i == 1 && b[end] == '\r'
		if end += i + 1; empty {
			return end, true
		}
	}
}
