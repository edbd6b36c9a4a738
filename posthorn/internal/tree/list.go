package tree

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/maildir"
	"posthorn/posthorn/internal/moving"
)

// List implements moving.Source.
func (s *Source) List(f moving.Folder) (*moving.Listing, error) {
	if err := s.Close(); err != nil {
		return nil, err
	}
	d, err := s.enter(f.Raw)
	if err != nil {
		return nil, err
	}
	s.dir, s.files = &d, make(map[string]string)
	known, err := learn(d)
	if err != nil {
		return nil, err
	}
	l := &moving.Listing{UIDValidity: known.validity, UIDNext: known.next}
	var bases []string
	for _, sub := range []string{"new", "cur"} {
		strange, err := s.names(sub, &bases)
		if err != nil {
			return nil, err
		}
		if strange > 0 {
			l.Notes = append(l.Notes, fmt.Sprintf("%d files of %s are no messages", strange, sub))
		}
	}
	for _, base := range bases {
		item, err := s.item(base, known)
		if err != nil {
			l.Notes = append(l.Notes, fmt.Sprintf("%s: %v", base, err))
			l.Unlisted++
			continue
		}
		l.Items = append(l.Items, item)
	}
	number(l, known)
	return l, nil
}

// number puts the messages in order, and gives them numbers where there are no UIDs
// at all.
func number(l *moving.Listing, k *knowledge) {
	slices.SortStableFunc(l.Items, func(a, b moving.Item) int {
		if a.Number == 0 || b.Number == 0 { // those without a UID came last
			return cmp.Or(cmp.Compare(b.Number, a.Number), a.Date.Compare(b.Date))
		}
		return cmp.Compare(a.Number, b.Number)
	})
	if k.validity != 0 {
		l.Token = strconv.FormatUint(uint64(k.validity), 10)
		return
	}
	all := sha256.New()
	for i := range l.Items {
		l.Items[i].Number = uint32(i + 1)
		io.WriteString(all, l.Items[i].ID)
	}
	l.Token = hex.EncodeToString(all.Sum(nil)[:16])
}

// names notes the files of cur or new by their base names; strange are what cannot
// be messages.
func (s *Source) names(sub string, bases *[]string) (strange int, err error) {
	d, err := s.dir.Sub(sub)
	if errors.Is(err, unix.ENOENT) {
		return 0, nil // copies of Maildirs often lack empty folders
	}
	if err != nil {
		return 0, err
	}
	defer unix.Close(d.FD)
	for name, err := range maildir.List(d.FD) {
		if err != nil {
			return strange, err
		}
		if _, err := maildir.ReadName(string(name)); err != nil {
			strange++
			continue
		}
		base, _, _ := strings.Cut(string(name), ":")
		if _, ok := s.files[base]; !ok {
			*bases = append(*bases, base)
		}
		s.files[base] = sub + "/" + string(name)
	}
	return strange, nil
}

// item returns what is known of a message by its file.
func (s *Source) item(base string, k *knowledge) (moving.Item, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(s.dir.FD, s.files[base], &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return moving.Item{}, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return moving.Item{}, errors.New("not a regular file")
	}
	n, err := maildir.ReadName(filepath.Base(s.files[base]))
	if err != nil {
		return moving.Item{}, err
	}
	when := time.Unix(st.Mtim.Unix())
	return moving.Item{
		Number: k.uids[base], UIDL: k.uidls[base], Size: max(n.Virtual, st.Size), Date: when, Flags: k.flags(n, base),
		Ref: base, ID: moving.ID(0, "maildir", n.Unique, strconv.FormatInt(st.Size, 10), strconv.FormatInt(when.Unix(), 10)),
	}, nil
}

// Fetch implements moving.Source.
func (s *Source) Fetch(items []moving.Item) iter.Seq2[moving.Letter, error] {
	return func(yield func(moving.Letter, error) bool) {
		for _, item := range items {
			file, err := s.file(item.Ref)
			if !yield(moving.Letter{Item: item, Body: &body{file}}, err) {
				file.Close()
				return
			}
			file.Close()
		}
	}
}

// file opens a message, never through a symbolic link. One whose flags changed since
// it was listed is looked for.
func (s *Source) file(base string) (*os.File, error) {
	for again := false; ; again = true {
		name := s.files[base]
		fd, err := unix.Openat(s.dir.FD, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		if again || err != unix.ENOENT {
			return nil, &os.PathError{Op: "open", Path: s.dir.Path + "/" + name, Err: err}
		}
		for _, sub := range []string{"new", "cur"} {
			if _, err := s.names(sub, new([]string)); err != nil {
				return nil, err
			}
		}
	}
}

// body makes what goes wrong with a file the matter of its message.
type body struct{ file *os.File }

func (b *body) Read(p []byte) (int, error) {
	n, err := b.file.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", moving.ErrUnread, err)
	}
	return n, err
}
