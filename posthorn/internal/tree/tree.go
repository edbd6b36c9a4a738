// Package tree brings the mail of a Maildir that stands elsewhere: Maildir++, or
// folders within folders, as it is or with the control files of Dovecot, Courier or
// this server. It changes nothing there.
package tree

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"posthorn/internal/courier"
	"posthorn/internal/dovecot"
	"posthorn/internal/durable"
	"posthorn/internal/mailbox"
	"posthorn/internal/statefile"
	"posthorn/internal/utf7"
	"posthorn/posthorn/internal/moving"
)

// Source brings the mail of the Maildir at a path.
type Source struct {
	root  string
	dir   *dovecot.Dir // of the folder listed last
	files map[string]string
}

// Open returns the Source of the Maildir at path.
func Open(path string) (*Source, error) {
	if fi, err := os.Stat(path); err != nil || !fi.IsDir() {
		return nil, cmp.Or(err, fmt.Errorf("%s: found a file, expected a folder", path))
	}
	return &Source{root: path}, nil
}

// Name implements moving.Source: messages are known wherever their Maildir is.
func (s *Source) Name() string { return "maildir" }

// Close implements moving.Source.
func (s *Source) Close() error {
	if s.dir == nil {
		return nil
	}
	err := unix.Close(s.dir.FD)
	s.dir = nil
	return err
}

// Folders implements moving.Source.
func (s *Source) Folders() ([]moving.Folder, error) {
	var folders []moving.Folder
	if err := s.below("", nil, &folders); err != nil {
		return nil, err
	}
	root, err := s.enter("")
	if err != nil {
		return nil, err
	}
	defer unix.Close(root.FD)
	names, err := subscriptions(root)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		i := slices.IndexFunc(folders, func(f moving.Folder) bool { return key(f) == name })
		if i < 0 {
			folders = append(folders, moving.Folder{Levels: levels(name), Raw: name, Missing: true})
			i = len(folders) - 1
		}
		folders[i].Subscribed = true
	}
	return folders, nil
}

// below finds the folders of the directory raw, which is at these levels: those of
// Maildir++ have a dot in front and one between levels.
func (s *Source) below(raw string, at []string, folders *[]moving.Folder) error {
	entries, err := os.ReadDir(filepath.Join(s.root, raw))
	if err != nil {
		return err
	}
	if isDir(entries, "cur") {
		f := moving.Folder{Levels: at, Raw: raw, Uses: s.uses(raw)}
		if raw == "" {
			f.Levels = []string{"INBOX"}
		}
		*folders = append(*folders, f)
	}
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || name == "cur" || name == "new" || name == "tmp" || name == mailbox.Attic || len(at) > 32 {
			continue
		}
		deeper := append(slices.Clone(at), readable(name))
		if name[0] == '.' {
			deeper = append(slices.Clone(at), levels(name[1:])...)
		}
		if err := s.below(filepath.Join(raw, name), deeper, folders); err != nil {
			return err
		}
	}
	return nil
}

func isDir(entries []os.DirEntry, name string) bool {
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.IsDir() && e.Name() == name })
}

// levels takes the levels of a name of Maildir++, or of a subscription, apart.
func levels(name string) (levels []string) {
	for level := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '.' || r == '/' }) {
		levels = append(levels, readable(level))
	}
	return levels
}

func readable(name string) string {
	if plain, err := utf7.Decode(name); err == nil {
		return plain
	}
	return strings.ToValidUTF8(name, string(utf8.RuneError))
}

// key is what a folder is called in subscriptions.
func key(f moving.Folder) string {
	if f.Raw == "" {
		return "INBOX"
	}
	return strings.TrimPrefix(f.Raw, ".")
}

// subscriptions are Dovecot's, else Courier's.
func subscriptions(root dovecot.Dir) ([]string, error) {
	s, err := dovecot.LoadSubscriptions(root)
	if err != nil || len(s.Names) > 0 {
		return s.Names, err
	}
	names, _, err := courier.ReadSubscribed(root)
	return names, err
}

// uses returns what this server noted that a folder is for.
func (s *Source) uses(raw string) []string {
	d, err := s.enter(raw)
	if err != nil {
		return nil
	}
	defer unix.Close(d.FD)
	state := statefile.New(d, nil)
	if _, err := state.Load(); err != nil {
		return nil
	}
	uses, _ := state.Get(statefile.Metadata, statefile.UseEntry)
	return strings.Fields(uses)
}

// enter opens a folder. The caller closes its FD.
func (s *Source) enter(raw string) (dovecot.Dir, error) {
	path := filepath.Join(s.root, raw)
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return dovecot.Dir{}, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return dovecot.Dir{Disk: new(durable.Disk), FD: fd, Path: path}, nil
}
