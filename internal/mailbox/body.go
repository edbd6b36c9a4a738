package mailbox

// Body is an open message, read with CRLF line ends whatever its file has. It
// is used by one goroutine at a time. Reading forward is cheapest.
type Body struct{}

// Size returns the message's size in octets, exactly what ReadAt gives.
func (b *Body) Size() int64 { return 0 }

// HeaderSize returns the size of the header with the empty line that ends it.
func (b *Body) HeaderSize() (int64, error) { return 0, errUnspecified }

// ReadAt implements io.ReaderAt over the message with CRLF line ends.
func (b *Body) ReadAt(p []byte, off int64) (int, error) { return 0, errUnspecified }

// Close closes the file.
func (b *Body) Close() error { return nil }
