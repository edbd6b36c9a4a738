package survey

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/maildir"
)

// message looks at one file of cur or new.
func (w *walk) message(dir dovecot.Dir, sub, name string, f *Folder, bases map[string]string) {
	path := dir.Path + "/" + name
	kind, ok := w.file(dir, name)
	if !ok {
		return // renamed or removed since
	}
	if kind != unix.S_IFREG {
		w.find(path, "no regular file", "messages only")
		return
	}
	base, info, _ := strings.Cut(name, ":")
	if other, ok := bases[base]; ok {
		w.find(path, "the name of "+other, "one name for each message")
	}
	bases[base] = sub + "/" + name
	if !goodInfo(sub, info) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) || base == "" {
		w.find(path, "a name that no mail program makes", "flags as in `:2,FS`, in cur only")
	}
	f.Messages++
	if sub == "new" || !strings.Contains(info, "S") {
		f.Unseen++
	}
	f.Bytes += w.sizes(dir, name)
}

// goodInfo reports whether flags are such as Maildir has them.
func goodInfo(sub, info string) bool {
	flags, two := strings.CutPrefix(info, "2,")
	if info == "" {
		return true
	}
	return sub == "cur" && two && maildir.SortFlags(flags) == flags
}

// sizes compares a file with what its name says of it, and returns its size.
func (w *walk) sizes(dir dovecot.Dir, name string) int64 {
	path := dir.Path + "/" + name
	size, virtual, err := count(dir.FD, name)
	if err != nil {
		if !os.IsNotExist(err) {
			w.find(path, err.Error(), "a file that its owner can read")
		}
		return 0
	}
	n, err := maildir.ReadName(name)
	if err != nil {
		return size
	}
	if n.Size >= 0 && n.Size != size {
		w.find(path, fmt.Sprintf("%d bytes", size), fmt.Sprintf("%d as S= says", n.Size))
	}
	if n.Virtual >= 0 && n.Virtual != virtual {
		w.find(path, fmt.Sprintf("%d bytes with CRLF line ends", virtual), fmt.Sprintf("%d as W= says", n.Virtual))
	}
	return size
}

// count returns the size of a file, and what it is with CRLF line ends.
func count(dirfd int, name string) (size, virtual int64, err error) {
	fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, err
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	buf, last := make([]byte, 64<<10), byte(0)
	for {
		n, err := file.Read(buf)
		p := buf[:n]
		size += int64(n)
		virtual += int64(n + bytes.Count(p, []byte{'\n'}) - bytes.Count(p, []byte("\r\n")))
		if n > 0 {
			if last == '\r' && p[0] == '\n' {
				virtual--
			}
			last = p[n-1]
		}
		if err == io.EOF {
			return size, virtual, nil
		}
		if err != nil {
			return 0, 0, err
		}
	}
}
