package index

// Record is one message.
type Record struct {
	UID     uint32
	Flags   uint32 // as the caller writes flags
	Size    uint32 // of the file
	Virtual uint32 // with CRLF line ends
	Date    int64  // internal date, seconds since 1970
	ModSeq  uint64
	Name    uint32 // where the file's name stands in dovecot-uidlist
	NameLen uint32
	State   uint32          // as the caller writes it; Gone is the package's
	Entries [Columns]uint32 // where the columns have the message's texts; 0: nowhere
}

// Gone in a record's State says that the message was removed, at ModSeq.
const Gone uint32 = 1 << 31

// fields visits the record's fields in their order on the disk.
func (r *Record) fields(c *coder) {
	c.u32(&r.UID)
	c.u32(&r.Flags)
	c.u32(&r.Size)
	c.u32(&r.Virtual)
	c.i64(&r.Date)
	c.u64(&r.ModSeq)
	c.u32(&r.Name)
	c.u32(&r.NameLen)
	c.u32(&r.State)
	for i := range r.Entries {
		c.u32(&r.Entries[i])
	}
}

// append appends the record as it stands in the file.
func (r *Record) append(b []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, recordSize)...)
	r.fields(&coder{b: b[at:], put: true})
	seal(b[at:])
	return b
}

// decodeRecord is append the other way; ok is false for what append did not make.
func decodeRecord(b []byte) (r Record, ok bool) {
	if len(b) != recordSize || !sealed(b) {
		return r, false
	}
	r.fields(&coder{b: b})
	return r, r.UID != 0
}
