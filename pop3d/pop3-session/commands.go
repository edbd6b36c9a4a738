package main

import (
	"errors"
	"io"
	"strconv"

	"posthorn/internal/mailbox"
	"posthorn/pop3d/internal/pop3"
)

// size returns message n's size. A message that is gone before its size was
// ever asked for counts as none: it was never announced.
func (t *transaction) size(n int) (int64, error) {
	if t.sizes[n-1] != unknown {
		return t.sizes[n-1], nil
	}
	size, err := t.drop.Size(n)
	if errors.Is(err, mailbox.ErrExpunged) {
		size, err = gone, nil
	}
	if err == nil {
		t.sizes[n-1] = size
	}
	return size, err
}

// listed calls f with each message that is not deleted, in order.
func (t *transaction) listed(f func(n int, size int64)) error {
	for n := 1; n <= len(t.sizes); n++ {
		if t.deleted[n-1] {
			continue
		}
		size, err := t.size(n)
		if err != nil {
			return err
		}
		if size != gone {
			f(n, size)
		}
	}
	return nil
}

// stat is STAT: the number and the octets of the messages (RFC 1939 5).
func (t *transaction) stat() {
	count, total := 0, int64(0)
	if err := t.listed(func(_ int, size int64) { count++; total += size }); err != nil {
		t.trouble()
		return
	}
	t.reply("+OK %d %d", count, total)
}

// trouble answers a command that failed for a reason of ours.
func (t *transaction) trouble() {
	t.reply("-ERR [SYS/TEMP] mailbox cannot be read right now")
}

// one returns the number of an existing message from the n numbers of cmd, or
// answers and returns nil.
func (t *transaction) one(cmd pop3.Command, n int) []int {
	nums, err := cmd.Numbers(n)
	switch {
	case err != nil:
		t.reply("-ERR %s needs %d numbers", cmd.Verb, n)
		return nil
	case nums[0] < 1 || nums[0] > len(t.sizes):
		t.reply("-ERR no such message, only %d here", len(t.sizes))
		return nil
	case t.deleted[nums[0]-1]:
		t.reply("-ERR message %d is deleted already", nums[0])
		return nil
	}
	return nums
}

// list is LIST, of one message or all.
func (t *transaction) list(cmd pop3.Command) {
	if cmd.Arg != "" {
		nums := t.one(cmd, 1)
		if nums == nil {
			return
		}
		switch size, err := t.size(nums[0]); {
		case err != nil:
			t.trouble()
		case size == gone:
			t.reply("-ERR message %d is gone", nums[0])
		default:
			t.reply("+OK %d %d", nums[0], size)
		}
		return
	}
	mark := len(t.out)
	t.reply("+OK")
	if err := t.listed(t.scan); err != nil {
		t.out = t.out[:mark]
		t.trouble()
		return
	}
	t.reply(".")
}

// scan adds the scan listing of one message.
func (t *transaction) scan(n int, size int64) {
	t.out = append(strconv.AppendInt(t.out, int64(n), 10), ' ')
	t.out = append(strconv.AppendInt(t.out, size, 10), '\r', '\n')
}

// uidl is UIDL, of one message or all (RFC 1939 7).
func (t *transaction) uidl(cmd pop3.Command) {
	if cmd.Arg != "" {
		if nums := t.one(cmd, 1); nums != nil {
			t.out = append(t.out, "+OK "...)
			t.uniqueID(nums[0])
		}
		return
	}
	t.reply("+OK")
	for n := 1; n <= len(t.sizes); n++ {
		if !t.deleted[n-1] && t.sizes[n-1] != gone {
			t.uniqueID(n)
		}
	}
	t.reply(".")
}

// uniqueID adds the line of one message.
func (t *transaction) uniqueID(n int) {
	t.out = append(strconv.AppendInt(t.out, int64(n), 10), ' ')
	t.out = append(t.drop.AppendUIDL(t.out, n), '\r', '\n')
}

// dele is DELE: a mark, until QUIT.
func (t *transaction) dele(cmd pop3.Command) {
	nums := t.one(cmd, 1)
	if nums == nil {
		return
	}
	t.deleted[nums[0]-1] = true
	t.reply("+OK message %d deleted", nums[0])
}

// openBody opens message n, or answers and returns nil.
func (t *transaction) openBody(n int) body {
	b, err := t.drop.Open(n)
	switch {
	case errors.Is(err, mailbox.ErrExpunged):
		t.reply("-ERR message %d is gone", n)
		return nil
	case err != nil:
		t.reply("-ERR [SYS/TEMP] message %d cannot be read right now", n)
		return nil
	}
	return b
}

// retr is RETR. An error after the +OK ends the session, for the client must
// not take half a message for a whole one.
func (t *transaction) retr(cmd pop3.Command) error {
	nums := t.one(cmd, 1)
	if nums == nil {
		return nil
	}
	b := t.openBody(nums[0])
	if b == nil {
		return nil
	}
	defer b.Close()
	size := b.Size()
	t.sizes[nums[0]-1] = size // what the name of the file said may have been wrong
	t.reply("+OK %d octets", size)
	w := stuffer{t: t, bol: true}
	if err := t.copy(&w, b, 0, size); err != nil {
		return err
	}
	w.end()
	t.seen[nums[0]-1] = true
	t.retrieved++
	t.sent += size
	return nil
}

// top is TOP: the header, the empty line, and as many lines of the text
// (RFC 1939 7).
func (t *transaction) top(cmd pop3.Command) error {
	nums := t.one(cmd, 2)
	if nums == nil {
		return nil
	}
	b := t.openBody(nums[0])
	if b == nil {
		return nil
	}
	defer b.Close()
	header, err := b.HeaderSize()
	if err != nil {
		t.reply("-ERR [SYS/TEMP] message %d cannot be read right now", nums[0])
		return nil
	}
	t.reply("+OK")
	w := stuffer{t: t, bol: true}
	if err := t.copy(&w, b, 0, header); err != nil {
		return err
	}
	w.counted, w.lines = true, nums[1]
	if err := t.copy(&w, b, header, b.Size()); err != nil && err != errEnough {
		return err
	}
	w.end()
	return nil
}

// copy writes the octets from..to of b to w, and sends them as they fill up.
func (t *transaction) copy(w *stuffer, b body, from, to int64) error {
	if t.chunk == nil {
		t.chunk = make([]byte, full)
	}
	for from < to {
		p := t.chunk[:min(int64(len(t.chunk)), to-from)]
		n, err := b.ReadAt(p, from)
		if n < len(p) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		from += int64(n)
		if err := w.write(p); err != nil {
			return err
		}
		if len(t.out) >= full {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}
