package wire

import "sync"

// bufferSize is the size of every buffer of a Pool. RFC 8446 section 5.1
// allows TLS records of 16 KiB: two of them leave in one write.
const bufferSize = 32 << 10

// Pool lends the read and write buffers of active sessions, so that an idle
// one holds none. It is safe for concurrent use; one serves a whole process.
type Pool struct{ p sync.Pool }

// NewPool returns an empty pool.
func NewPool() *Pool {
	return &Pool{sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}}
}

func (p *Pool) get() []byte { return *p.p.Get().(*[]byte) }

func (p *Pool) put(b []byte) {
	b = b[:bufferSize]
	p.p.Put(&b)
}
