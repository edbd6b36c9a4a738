package mailbox

import "bytes"

// front is how much of a file is read to find the header of its message.
const front = 16 << 10

// Header returns the header of message seq with the empty line that ends it and CRLF
// line ends, in the memory of buf if that has room. It reads no more than the front of
// the file; ok is false for a header that does not end there. Errors: ErrExpunged.
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
	if cap(b.in) < front {
		b.in = make([]byte, block)
	}
	n, err := file.First(b.in[:front])
	if err != nil {
		return nil, false, err
	}
	end, ok := headerEnd(b.in[:n])
	if !ok {
		return buf[:0], false, nil
	}
	header, _ = appendCRLF(buf[:0], b.in[:end], false)
	return header, true, nil
}

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
