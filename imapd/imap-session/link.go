package main

import (
	"net"
	"time"

	"posthorn/imapd/internal/deflate"
	"posthorn/imapd/internal/wire"
)

// link is the client's connection with a deadline for each step of a transfer.
// Before it waits for the client it sends what was answered: all commands that
// came together are answered in one write.
type link struct {
	net.Conn
	out      *wire.Writer
	progress time.Duration
	resting  bool // a deadline for the next read is set already

	unpack *deflate.Reader // of what the client compresses; nil if it does not
	pack   *deflate.Packers
}

// Read reads what the client says.
func (l *link) Read(p []byte) (int, error) {
	if err := l.out.Flush(); err != nil {
		return 0, err
	}
	if l.unpack != nil {
		return l.unpack.Read(p)
	}
	return l.read(p)
}

// read reads with the deadline of a transfer, unless the session rests.
func (l *link) read(p []byte) (int, error) {
	if !l.resting {
		if err := l.SetReadDeadline(time.Now().Add(l.progress)); err != nil {
			return 0, err
		}
	}
	return l.Conn.Read(p)
}

// Write writes what the client is told.
func (l *link) Write(p []byte) (int, error) {
	if l.unpack != nil {
		return l.writePacked(p)
	}
	return l.write(p)
}

// write writes with the deadline of a transfer.
func (l *link) write(p []byte) (int, error) {
	if err := l.SetWriteDeadline(time.Now().Add(l.progress)); err != nil {
		return 0, err
	}
	return l.Conn.Write(p)
}
