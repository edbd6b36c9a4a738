package main

import (
	"net"
	"time"

	"posthorn/imapd/internal/wire"
)

// link is the client's connection with a deadline for each step of a transfer.
// Before it waits for the client it sends what was answered: all commands that
// came together are answered in one write.
type link struct {
	net.Conn
	out      *wire.Writer
	progress time.Duration
}

// Read reads with the deadline of a transfer.
func (l *link) Read(p []byte) (int, error) {
	if err := l.out.Flush(); err != nil {
		return 0, err
	}
	if err := l.SetReadDeadline(time.Now().Add(l.progress)); err != nil {
		return 0, err
	}
	return l.Conn.Read(p)
}

// Write writes with the deadline of a transfer.
func (l *link) Write(p []byte) (int, error) {
	if err := l.SetWriteDeadline(time.Now().Add(l.progress)); err != nil {
		return 0, err
	}
	return l.Conn.Write(p)
}
