package main

import (
	"errors"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"posthorn/internal/attr"
	"posthorn/internal/verdict"
)

// minHeld is the least memory that LMTP may use for messages under way.
const minHeld = 64 << 20

// holder keeps messages that come by LMTP until their boxes have them: in files
// without a name in memory, for deliver may write nowhere but in Maildirs, and a
// message that was not answered yet need not last. It is safe for concurrent use.
type holder struct{ used atomic.Int64 }

// held is one message, written once. Close frees it.
type held struct {
	from *holder
	file *os.File
	size int64
	most int64 // bytes of all messages together
}

// hold begins a message. There is room for some of the largest size, which a
// reload may change.
func (h *holder) hold(messageSize int64) (*held, error) {
	// A host may insist on the seal (vm.memfd_noexec), a kernel before 6.3 not know it.
	fd, err := unix.MemfdCreate("posthorn-lmtp", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate("posthorn-lmtp", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return &held{from: h, file: os.NewFile(uintptr(fd), "posthorn-lmtp"), most: max(minHeld, 2*messageSize)}, nil
}

// Write appends to the message. Where there is no room for more it is later.
func (m *held) Write(p []byte) (int, error) {
	n := int64(len(p))
	m.size += n
	if m.from.used.Add(n) > m.most {
		return 0, verdict.Fail(verdict.Later, "4.3.1", "too many messages at a time, try again later", nil)
	}
	return m.file.Write(p)
}

// readOnly opens the message for reading. The caller closes it.
func (m *held) readOnly() (*os.File, error) { return attr.ReadOnly(m.file) }

// Close gives the memory back once nobody reads the message any more.
func (m *held) Close() error {
	m.from.used.Add(-m.size)
	return m.file.Close()
}
