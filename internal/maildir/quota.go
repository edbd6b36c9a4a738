package maildir

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"posthorn/internal/durable"
)

// quota keeps an existing maildirsize current: one appended line
// "<bytes> <messages>" a delivery, as Maildir++ has it. A line that could not
// be written costs no message: readers of the file count again by themselves
// when it grows old or large.
func (b *batch) quota() {
	for _, t := range b.targets {
		if t.done && !t.earlier && t.err == nil {
			n, err := ReadName(t.file)
			if err == nil && n.Size >= 0 {
				_ = AddSize(b.disk, t.base, n.Size, 1)
			}
		}
	}
}

// room asks whether the message may be delivered where it is not yet.
func (b *batch) room() {
	if b.message.Room == nil {
		return
	}
	for _, t := range b.targets {
		if t.open() {
			t.err = b.message.Room(t.place, t.base)
		}
	}
}

// AddSize appends a change of size and number of messages to the maildirsize
// of the Maildir++ whose root folder is dirfd. Without such a file it does
// nothing: no file means that no quota is kept.
func AddSize(d *durable.Disk, dirfd int, bytes int64, messages int) error {
	fd, err := retry(func() (int, error) {
		return unix.Openat(dirfd, "maildirsize",
			unix.O_WRONLY|unix.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err == unix.ENOENT {
		return nil
	}
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "maildirsize")
	defer f.Close()
	line := strconv.FormatInt(bytes, 10) + " " + strconv.Itoa(messages) + "\n"
	_, err = d.Write(f, []byte(line))
	return err
}
