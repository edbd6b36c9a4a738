package main

import (
	"time"

	"posthorn/imapd/internal/deflate"
	"posthorn/imapd/internal/wire"
	"posthorn/internal/session"
)

// link is the client's connection with a deadline for each step of a transfer.
// Before it waits for the client it sends what was answered: all commands that
// came together are answered in one write.
type link struct {
	*session.Conn
	out      *wire.Writer
	progress time.Duration
	until    time.Time // when the block under way must have come
	got      int       // octets of it

	unpack *deflate.Reader // of what the client compresses; nil if it does not
	pack   *deflate.Packers
}

// wait waits for something to read. Of a client that compresses it reads what has
// come, and returns false when that is only the beginning of something.
func (l *link) wait(in *wire.Input) (bool, error) {
	if l.unpack != nil {
		if ready, err := l.unpack.Poll(); !ready || err != nil {
			return false, err
		}
	}
	return true, in.Wait()
}

// ready tells whether something was read that is not given out yet.
func (l *link) ready() bool { return l.unpack != nil && l.unpack.Ready() }

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

// block is what a client must send in the time of progress.
const block = 32 << 10

// begin gives the client its time for what comes next.
func (l *link) begin() { l.until, l.got = time.Now().Add(l.progress), 0 }

// read reads with the deadline of a transfer, which is put off by each block, not
// by each octet.
func (l *link) read(p []byte) (int, error) {
	if l.got >= block {
		l.begin()
	}
	if err := l.SetReadDeadline(l.until); err != nil {
		return 0, err
	}
	n, err := l.Conn.Read(p)
	l.got += n
	return n, err
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
