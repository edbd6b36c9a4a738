package index

// Sizes on the disk. The records stand behind the header, so none of them
// straddles two pages.
const (
	headerSize = 256
	recordSize = 64
)

// magic is the format and its version.
const magic = "PHX2"

// maxSlots bounds how many records a file is believed to have.
const maxSlots = 1 << 26

// Stamp tells whether a file changed. Time is in nanoseconds since 1970.
type Stamp struct {
	Inode      uint64
	Size, Time int64
}

// Header sums up a folder: it is all that a session needs to begin with.
type Header struct {
	Boot       uint64 // in which boot of the machine it was written
	generation uint64

	UIDValidity uint32
	UIDNext     uint32
	Slots       uint32 // records in the file, of messages that are gone too
	Exists      uint32
	Unseen      uint32
	FirstUnseen uint32 // sequence number; 0: none
	Deleted     uint32
	Last        uint32 // the highest UID of a message that is there
	Flags       HeaderFlag
	Size        int64  // sum of the messages' sizes with CRLF line ends; -1: some are unknown
	ModSeq      uint64 // the highest of all
	Forgotten   uint64 // records of messages that went up to this modseq may be missing

	Cur, New int64  // times of the folders, in nanoseconds, when all was known
	List     Stamp  // of dovecot-uidlist
	Words    uint64 // sums up what flags the records do not have
	Lines    uint32
	LastLine uint32 // the highest UID in it

	Columns [Columns]uint64 // which files the records' entries are in
	Folder  uint64          // whose index it is, where its place does not say
}

// HeaderFlag is a set of what is true of a folder.
type HeaderFlag uint32

// The flags of a Header.
const (
	Settled   HeaderFlag = 1 << iota // Cur, New and List stand for all that the records say
	SavedUIDL                        // some line of dovecot-uidlist has the UIDL of another server
	HasNew                           // some message's file stands in new/
)

// Same reports whether two headers say the same of a folder.
func (h Header) Same(other Header) bool {
	h.generation = other.generation
	return h == other
}

// fields visits the header's fields in their order on the disk.
func (h *Header) fields(c *coder) {
	c.u64(&h.Boot)
	c.u64(&h.generation)
	c.u32(&h.UIDValidity)
	c.u32(&h.UIDNext)
	c.u32(&h.Slots)
	c.u32(&h.Exists)
	c.u32(&h.Unseen)
	c.u32(&h.FirstUnseen)
	c.u32(&h.Deleted)
	c.u32(&h.Last)
	c.u32((*uint32)(&h.Flags))
	c.u32(&h.Lines)
	c.u32(&h.LastLine)
	c.u32(new(uint32)) // free
	c.u64(&h.Words)
	c.i64(&h.Size)
	c.u64(&h.ModSeq)
	c.u64(&h.Forgotten)
	c.i64(&h.Cur)
	c.i64(&h.New)
	c.u64(&h.List.Inode)
	c.i64(&h.List.Size)
	c.i64(&h.List.Time)
	for i := range h.Columns {
		c.u64(&h.Columns[i])
	}
	c.u64(&h.Folder)
}

// encode returns the header as it stands in the file.
func (h *Header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, magic)
	h.fields(&coder{b: b[len(magic):], put: true})
	seal(b)
	return b
}

// decodeHeader is encode the other way; ok is false for what encode did not make.
func decodeHeader(b []byte) (h Header, ok bool) {
	if len(b) != headerSize || string(b[:len(magic)]) != magic || !sealed(b) {
		return h, false
	}
	h.fields(&coder{b: b[len(magic):]})
	return h, h.Slots <= maxSlots && h.Exists <= h.Slots
}
