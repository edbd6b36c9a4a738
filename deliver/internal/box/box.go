// Package box puts a message into boxes of one uid. deliver does it in its own
// process where that has the uid, and has deliver-box do it elsewhere; both use
// this package, and the request between them is here too.
package box

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/addr"
	"posthorn/internal/conf"
	"posthorn/internal/durable"
	"posthorn/internal/maildir"
	"posthorn/internal/quota"
	"posthorn/internal/verdict"
)

// Box is one box to deliver to.
type Box struct {
	Name  string
	Rcpt  string // the address for which it gets the message
	Place maildir.Place
	Quota conf.Quota
}

// Job is one message for boxes that belong to one uid.
type Job struct {
	ID           string
	Try          int
	Time         time.Time
	From         addr.Address
	Offset, Size int64 // where the message lies in its file, with CRLF line ends
	Boxes        []Box
}

// Result is what became of a box. An error that carries no verdict is later.
type Result struct {
	File string
	Err  error
}

// Place returns where a Maildir is, by the folder that may be trusted on the
// way to it: mail-root, else the home, else what the administrator wrote.
func Place(mailRoot, home, mail string) maildir.Place {
	for _, root := range []string{mailRoot, home} {
		if Within(root, mail) {
			return maildir.Place{Root: root, Path: mail}
		}
	}
	return maildir.Place{Root: filepath.Dir(mail), Path: mail}
}

// Within reports whether path lies in the folder root or is it, by its name.
func Within(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return root != "" && err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// Deliverer delivers in this process, with its rights. It is safe for
// concurrent use.
type Deliverer struct {
	disk     *durable.Disk
	delivery *maildir.Delivery
}

// New returns a Deliverer that writes node into file names.
func New(disk *durable.Disk, node string) *Deliverer {
	return &Deliverer{disk, maildir.NewDelivery(disk, node)}
}

// Deliver delivers the message that lies in f, which has passed CheckFile, and
// returns a result for each box. f stays the caller's and is read by position
// only.
func (d *Deliverer) Deliver(j Job, f *os.File) []Result {
	results := make([]Result, len(j.Boxes))
	places := make([]maildir.Place, len(j.Boxes))
	for i, b := range j.Boxes {
		places[i] = b.Place
	}
	delivered := d.delivery.Deliver(places, maildir.Message{
		ID: j.ID, Time: j.Time, Try: j.Try, Header: header(j),
		Body: io.NewSectionReader(f, j.Offset, j.Size), Size: j.Size,
		Room: func(p maildir.Place, dirfd int) error { return d.room(j, p, dirfd) },
	})
	for i, r := range delivered {
		results[i] = Result{r.File, r.Err}
	}
	return results
}

// room returns nil if a box has room for the message. A full one may have room
// later.
func (d *Deliverer) room(j Job, p maildir.Place, dirfd int) error {
	i := slices.IndexFunc(j.Boxes, func(b Box) bool { return b.Place == p })
	if i < 0 {
		return nil
	}
	q := quota.Box{Disk: d.disk, FD: dirfd, Limit: j.Boxes[i].Quota}
	err := q.Room(quota.Usage{Bytes: j.Size, Messages: 1})
	if errors.Is(err, quota.ErrOver) {
		return verdict.Fail(verdict.Later, "4.2.2", "the mailbox is full", nil)
	}
	return err
}

// header returns what final delivery puts in front: Return-Path always (RFC
// 5321 4.4), Delivered-To where the message goes to one box, for several share
// one file.
func header(j Job) []byte {
	h := "Return-Path: <" + j.From.String() + ">\n"
	if len(j.Boxes) == 1 && plain(j.Boxes[0].Rcpt) {
		h += "Delivered-To: " + j.Boxes[0].Rcpt + "\n"
	}
	return []byte(h)
}

// plain keeps what could end a header line out of it.
func plain(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// CheckFile holds a received descriptor to the protocol: a regular file, open
// for reading only, that holds the message it is said to hold.
func CheckFile(f *os.File, offset, size int64) error {
	if f == nil {
		return fmt.Errorf("found no descriptor, expected the message's")
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var st unix.Stat_t
	var flags int
	var serr, ferr error
	if err := raw.Control(func(fd uintptr) {
		serr = unix.Fstat(int(fd), &st)
		flags, ferr = unix.FcntlInt(fd, unix.F_GETFL, 0)
	}); err != nil {
		return err
	}
	switch {
	case serr != nil || ferr != nil:
		return fmt.Errorf("look at descriptor: %v, %v", serr, ferr)
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("found a descriptor of mode %#o, expected a regular file's", st.Mode)
	case flags&unix.O_ACCMODE != unix.O_RDONLY || flags&unix.O_PATH != 0:
		return fmt.Errorf("found a descriptor with flags %#x, expected one for reading only", flags)
	case offset < 0 || size < 0 || offset > st.Size || size > st.Size-offset:
		return fmt.Errorf("found a file of %d bytes, expected %d from %d on", st.Size, size, offset)
	}
	return nil
}
