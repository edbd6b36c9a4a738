package index

import (
	"encoding/binary"
	"hash/crc32"
)

// coder moves fields from or to their places on the disk.
type coder struct {
	b   []byte
	at  int
	put bool
}

func (c *coder) u32(v *uint32) {
	if c.put {
		binary.LittleEndian.PutUint32(c.b[c.at:], *v)
	} else {
		*v = binary.LittleEndian.Uint32(c.b[c.at:])
	}
	c.at += 4
}

func (c *coder) u64(v *uint64) {
	if c.put {
		binary.LittleEndian.PutUint64(c.b[c.at:], *v)
	} else {
		*v = binary.LittleEndian.Uint64(c.b[c.at:])
	}
	c.at += 8
}

func (c *coder) i64(v *int64) {
	u := uint64(*v)
	c.u64(&u)
	*v = int64(u)
}

// sumSize is the length of the checksum at the end of a header, a record or an entry.
const sumSize = 4

// seal puts the checksum of what is in front of it at the end of b.
func seal(b []byte) {
	end := len(b) - sumSize
	binary.LittleEndian.PutUint32(b[end:], sum(b[:end]))
}

// sealed reports whether b is as seal left it.
func sealed(b []byte) bool {
	end := len(b) - sumSize
	return binary.LittleEndian.Uint32(b[end:]) == sum(b[:end])
}

// sum is CRC-32C, for which processors have an instruction.
func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
