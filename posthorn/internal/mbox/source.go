package mbox

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/posthorn/internal/moving"
)

// Source brings the mail of an mbox file, or of all those in a folder. Messages are
// known by what is in them.
type Source struct {
	root    string
	quoting Quoting
	stdin   *os.File // in place of root
	dir     bool
	file    *os.File // the one listed last
	entries []Entry
}

// Open opens the file or folder at path.
func Open(path string, q Quoting) (*Source, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return &Source{root: path, quoting: q, dir: fi.IsDir()}, nil
}

// OpenFile takes an open file, which it closes.
func OpenFile(f *os.File, q Quoting) (*Source, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, errors.New("found a pipe or terminal on standard input, expected a file: it is read twice")
	}
	return &Source{root: "-", quoting: q, stdin: f}, nil
}

// Name implements moving.Source: messages are known wherever their file is.
func (s *Source) Name() string { return "mbox" }

// Close implements moving.Source.
func (s *Source) Close() error {
	if s.file != nil {
		return s.file.Close()
	}
	return nil
}

// Folders implements moving.Source: a single file is INBOX, in a folder the name of
// each is that of its file, without `.mbox`; a folder `X.sbd` has those below X.
func (s *Source) Folders() ([]moving.Folder, error) {
	if !s.dir {
		return []moving.Folder{{Levels: []string{"INBOX"}, Raw: ""}}, nil
	}
	var folders []moving.Folder
	err := filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		switch {
		case path == s.root:
		case name[0] == '.' && d.IsDir():
			return fs.SkipDir
		case name[0] == '.' || !d.Type().IsRegular() || strings.HasSuffix(name, ".msf"): // an index of Thunderbird's
		default:
			raw, err := filepath.Rel(s.root, path)
			if err != nil {
				return err
			}
			folders = append(folders, moving.Folder{Levels: levels(raw), Raw: raw})
		}
		return nil
	})
	return folders, err
}

func levels(raw string) (names []string) {
	all := strings.Split(raw, "/")
	for i, name := range all {
		if i == len(all)-1 {
			name = strings.TrimSuffix(name, ".mbox")
		} else {
			name = strings.TrimSuffix(name, ".sbd")
		}
		names = append(names, name)
	}
	return names
}

// List implements moving.Source.
func (s *Source) List(f moving.Folder) (*moving.Listing, error) {
	if err := s.open(f); err != nil {
		return nil, err
	}
	s.entries = nil
	l, copies, all := &moving.Listing{}, map[string]int{}, sha256.New()
	cut, err := Scan(io.NewSectionReader(s.file, 0, 1<<62), func(e Entry) error {
		flags, body, err := Letter(s.file, e, s.quoting)
		if err != nil {
			return err
		}
		sum := sha256.New()
		size, err := io.Copy(sum, body)
		if err != nil {
			return err
		}
		content := hex.EncodeToString(sum.Sum(nil))
		id := moving.ID(0, "mbox", content, fmt.Sprint(copies[content]))
		copies[content]++
		io.WriteString(all, id)
		s.entries = append(s.entries, e)
		l.Items = append(l.Items, moving.Item{Number: uint32(len(s.entries)), ID: id, Size: size, Flags: flags, Date: e.Date})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if cut {
		l.Notes = append(l.Notes, "the file ends within a line: its last message may be cut off")
	}
	l.Token = hex.EncodeToString(all.Sum(nil)[:16])
	return l, nil
}

// open opens the file of f, never through a symbolic link below the root.
func (s *Source) open(f moving.Folder) (err error) {
	if s.stdin != nil {
		s.file = s.stdin
		return nil
	}
	if err := s.Close(); err != nil {
		return err
	}
	s.file = nil
	if !s.dir {
		s.file, err = os.Open(s.root)
	} else {
		s.file, err = os.OpenFile(filepath.Join(s.root, f.Raw), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	}
	if err != nil {
		s.file = nil
	}
	return err
}

// Fetch implements moving.Source.
func (s *Source) Fetch(items []moving.Item) iter.Seq2[moving.Letter, error] {
	return func(yield func(moving.Letter, error) bool) {
		for item := range slices.Values(items) {
			_, body, err := Letter(s.file, s.entries[item.Number-1], s.quoting)
			if !yield(moving.Letter{Item: item, Body: body}, err) {
				return
			}
		}
	}
}
