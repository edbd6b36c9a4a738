// Package survey looks through a Maildir++ and says what is there and what is
// wrong. It changes nothing and makes no file. A server may work in the Maildir
// meanwhile; what moves in between may then be reported as missing.
package survey

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/durable"
	"posthorn/internal/maildir"
	"posthorn/internal/statefile"
	"posthorn/internal/utf7"
)

// Finding is one thing that is wrong.
type Finding struct {
	Path        string
	Found, Want string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: found %s, expected %s", f.Path, f.Found, f.Want)
}

// Folder is what stands in one folder.
type Folder struct {
	Name              string // in UTF-8; INBOX for the root
	Path              string
	Messages, Unseen  int
	Bytes             int64 // of the files
	UIDValidity, Next uint32
	Keywords          int
}

// Survey is the result for one Maildir.
type Survey struct {
	Folders  []Folder // INBOX first, then by name
	Findings []Finding
}

// Maildir looks through the Maildir at path. It fails only when the root
// cannot be read; everything else becomes a Finding.
func Maildir(path string) (*Survey, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	root := dovecot.Dir{Disk: new(durable.Disk), FD: fd, Path: filepath.Clean(path)}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("stat %s: %w", path, err)
	}
	locker, err := dovecot.NewLocker()
	if err != nil {
		return nil, err
	}
	w := &walk{owner: st.Uid, locker: locker, now: time.Now()}
	if mode := st.Mode & 0o777; mode&0o007 != 0 || mode&0o700 != 0o700 {
		w.find(root.Path, "mode "+octal(mode), "0700, or one that is closed to others")
	}
	w.locks(root, "subscriptions.lock", "dovecot-uidvalidity.lock")
	w.folder(root, "INBOX")
	names, err := root.Names(".")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	for _, name := range names {
		w.below(root, name)
	}
	return &w.Survey, nil
}

// walk is a survey in the making.
type walk struct {
	Survey
	owner  uint32
	locker *dovecot.Locker
	now    time.Time
}

func (w *walk) find(path, found, want string) {
	w.Findings = append(w.Findings, Finding{path, found, want})
}

func octal(mode uint32) string { return "0" + strconv.FormatUint(uint64(mode), 8) }

// below looks at a name of the root that begins with a dot.
func (w *walk) below(root dovecot.Dir, name string) {
	path := root.Path + "/" + name
	mode, ok := w.file(root, name)
	if !ok || mode != unix.S_IFDIR || name == "." || name == ".." {
		return // others keep their own files there too
	}
	d, err := root.Sub(name)
	if err != nil {
		w.find(path, err.Error(), "a folder that its owner can read")
		return
	}
	defer unix.Close(d.FD)
	plain, err := utf7.Decode(strings.TrimPrefix(name, "."))
	if err != nil {
		w.find(path, "a name that is not modified UTF-7", "."+utf7.Encode(strings.TrimPrefix(name, ".")))
		plain = name
	}
	w.folder(d, plain)
}

// folder looks at one folder.
func (w *walk) folder(d dovecot.Dir, name string) {
	f := Folder{Name: name, Path: d.Path}
	bases := make(map[string]string)
	for _, sub := range []string{"cur", "new", "tmp"} {
		w.sub(d, sub, &f, bases)
	}
	w.list(d, &f, bases)
	w.locks(d, dovecot.UidlistLock)
	keywords, err := dovecot.LoadKeywords(d)
	if err != nil {
		w.find(d.Path+"/dovecot-keywords", err.Error(), "a file that its owner can read")
	}
	for _, word := range keywords {
		if word != "" {
			f.Keywords++
		}
	}
	w.state(d, &f, &keywords)
	w.Folders = append(w.Folders, f)
}

// state looks at posthorn-state.
func (w *walk) state(d dovecot.Dir, f *Folder, letters *dovecot.Keywords) {
	path := d.Path + "/" + statefile.Name
	state := statefile.New(d, nil)
	if _, err := state.Load(); err != nil {
		w.find(path, err.Error(), "a file that its owner can read")
		return
	}
	torn, strange := state.Damage()
	if torn {
		w.find(path, "a last line without its end", "whole lines")
	}
	if strange > 0 {
		w.find(path, strconv.Itoa(strange)+" lines that are not understood", "lines as posthorn-store(5) has them")
	}
	found := map[string]bool{}
	for _, words := range state.Words() {
		for _, word := range words {
			if letters.Index(word) < 0 {
				found[strings.ToLower(word)] = true
			}
		}
	}
	f.Keywords += len(found)
}

// sub looks at cur, new or tmp.
func (w *walk) sub(d dovecot.Dir, sub string, f *Folder, bases map[string]string) {
	path := d.Path + "/" + sub
	mode, ok := w.file(d, sub)
	if !ok || mode != unix.S_IFDIR {
		found := "nothing"
		if ok {
			found = "a file"
		}
		w.find(path, found, "a folder")
		return
	}
	dir, err := d.Sub(sub)
	if err != nil {
		w.find(path, err.Error(), "a folder that its owner can read")
		return
	}
	defer unix.Close(dir.FD)
	for name, err := range maildir.List(dir.FD) {
		switch {
		case err != nil:
			w.find(path, err.Error(), "a folder that can be read")
		case sub == "tmp":
			w.leftover(dir, string(name))
		default:
			w.message(dir, sub, string(name), f, bases)
		}
	}
}

// file looks at owner and mode of a name and returns its type; ok is false
// when it is not there.
func (w *walk) file(d dovecot.Dir, name string) (kind uint32, ok bool) {
	var st unix.Stat_t
	if unix.Fstatat(d.FD, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return 0, false
	}
	path, kind := d.Path+"/"+name, st.Mode&unix.S_IFMT
	if st.Uid != w.owner {
		w.find(path, fmt.Sprintf("owner %d", st.Uid), strconv.FormatUint(uint64(w.owner), 10)+" as for the Maildir")
	}
	need := uint32(0o600)
	if kind == unix.S_IFDIR {
		need = 0o700
	}
	mode := st.Mode & 0o777
	if kind != unix.S_IFLNK && (mode&need != need || mode&0o022 != 0 && kind == unix.S_IFREG || mode&0o002 != 0) {
		w.find(path, "mode "+octal(mode), octal(need))
	}
	return kind, true
}

// leftovers are older than this, as for whoever cleans tmp/.
const leftoverAge = 36 * time.Hour

func (w *walk) leftover(dir dovecot.Dir, name string) {
	var st unix.Stat_t
	if unix.Fstatat(dir.FD, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return
	}
	if age := w.now.Sub(time.Unix(st.Mtim.Unix())); age > leftoverAge && w.now.Sub(time.Unix(st.Ctim.Unix())) > leftoverAge {
		w.find(dir.Path+"/"+name, "a file of "+age.Round(time.Hour).String(), "none older than 36h")
	}
}
