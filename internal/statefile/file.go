package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
)

// The names of the file and of its lock.
const (
	Name     = "posthorn-state"
	lockName = Name + ".lock"
)

// slack is how many lines may be out of date in a small file.
const slack = 100

// Errors of Update. Any other is a local problem and temporary.
var (
	ErrTooLong = errors.New("too long for " + Name)
	ErrFull    = errors.New(Name + " has no room left")
	ErrVersion = errors.New(Name + " is of another version")
)

// File is the state of one folder. It is safe for concurrent use, also by
// several Files of one folder. Nothing is open between two calls.
type File struct {
	dir    dovecot.Dir
	locker *dovecot.Locker

	mu    sync.Mutex
	seen  stamp
	named uint64 // the inode whose name is known to be durable
	sure  stamp  // a version that is known to be durable
	news  bool   // an Update has read what Load has not told of
	content
}

// stamp tells one version of the file from another.
type stamp struct {
	ino          uint64
	size         int64
	mtime, ctime unix.Timespec
}

// New returns the state of the folder dir, whose FD must stay open while it is
// used. Nothing is read yet.
func New(dir dovecot.Dir, locker *dovecot.Locker) *File {
	return &File{dir: dir, locker: locker, content: parse(nil)}
}

// Load takes in what others have written and reports whether that is anything.
// After an error what was known stays.
func (f *File) Load() (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed, err = f.load()
	changed, f.news = changed || f.news, false
	return changed, err
}

// Changed reports whether Load would find anything new.
func (f *File) Changed() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := f.look()
	return f.news || now != f.seen, err
}

func (f *File) load() (bool, error) {
	now, err := f.look()
	if err != nil || now == f.seen {
		return false, err
	}
	b, err := f.dir.Read(Name, maxFile+1)
	if err != nil {
		return false, err
	}
	if len(b) > maxFile {
		return false, fmt.Errorf("reading %s/%s: %w", f.dir.Path, Name, ErrFull)
	}
	f.content, f.seen = parse(b), now
	return true, nil
}

// look returns the file's stamp, zero where there is none.
func (f *File) look() (stamp, error) {
	var st unix.Stat_t
	for {
		switch err := unix.Fstatat(f.dir.FD, Name, &st, unix.AT_SYMLINK_NOFOLLOW); err {
		case nil:
			return stamp{st.Ino, st.Size, st.Mtim, st.Ctim}, nil
		case unix.ENOENT:
			return stamp{}, nil
		case unix.EINTR:
		default:
			return stamp{}, fmt.Errorf("looking at %s/%s: %w", f.dir.Path, Name, err)
		}
	}
}

// Get returns a fact as it was when Load or Update was last called.
func (f *File) Get(k Kind, key string) (value string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	value, ok = f.facts[k][key]
	return value, ok
}

// Len returns how many facts of a kind there are.
func (f *File) Len(k Kind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.facts[k])
}

// All returns the facts of a kind by their keys; the map is the caller's.
func (f *File) All(k Kind) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.facts[k])
}

// Words returns the keywords of messages that have no letter, by the keys of
// Keywords. What cannot be a keyword is left out.
func (f *File) Words() map[string][]string {
	words := make(map[string][]string)
	for key, value := range f.All(Keywords) {
		if list := SplitWords(value); len(list) > 0 {
			words[key] = list
		}
	}
	return words
}

// Damage returns whether the last line has no end, and how many lines were not
// understood that are not comments (#) or empty.
func (f *File) Damage() (torn bool, strange int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, line := range f.strange {
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' {
			strange++
		}
	}
	return f.torn, strange
}

// SplitWords returns the keywords in a value of Keywords.
func SplitWords(value string) []string {
	return slices.DeleteFunc(strings.Fields(value), func(name string) bool { return dovecot.CheckKeyword(name) != nil })
}

// Update has change read the facts, as they are at this moment, and write
// others. It holds the file's lock, and is durable when it returns nil; when
// change returns an error nothing is written. Errors: ErrTooLong, ErrFull,
// ErrVersion, dovecot.ErrLockTimeout.
func (f *File) Update(change func(*Changes) error) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, err := f.locker.Lock(f.dir, lockName)
	if err != nil {
		return err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	changed, err := f.load()
	f.news = f.news || changed
	if err != nil {
		return err
	}
	c := Changes{file: f}
	if err := change(&c); err != nil {
		return err
	}
	if len(c.facts) == 0 {
		return f.settle()
	}
	if !f.version {
		return ErrVersion
	}
	return f.write(c.facts)
}

// settle makes durable what was read: who wrote it may have failed to, or died
// before.
func (f *File) settle() error {
	if f.seen == (stamp{}) || f.seen == f.sure {
		return nil
	}
	if err := f.dir.Sync(Name); err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	f.sure, f.named = f.seen, f.seen.ino
	return nil
}

// Mend takes away a last line without its end, which never was a fact, and reports
// whether there was one. The other lines stay. Errors: as for Update.
func (f *File) Mend() (torn bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now, err := f.look(); err != nil || now == (stamp{}) {
		return false, err
	}
	l, err := f.locker.Lock(f.dir, lockName)
	if err != nil {
		return false, err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	changed, err := f.load()
	f.news = f.news || changed
	if err != nil || !f.torn || !f.version {
		return false, err
	}
	if err := f.replace(); err != nil {
		return false, fmt.Errorf("writing state: %w", err)
	}
	f.seen, err = f.look()
	f.named = f.seen.ino
	return true, err
}

// write adds facts to the file, or makes a new one.
func (f *File) write(facts []fact) error {
	var added []byte
	for _, one := range facts {
		if len(one.key) > MaxKey || len(one.value) > MaxValue {
			return ErrTooLong
		}
		added = one.appendTo(added)
	}
	before := f.seen
	f.seen = stamp{1, -1, unix.Timespec{}, unix.Timespec{}} // no file's: after an error it is read again
	for _, one := range facts {
		f.set(one)
	}
	live, err := f.live(), error(nil)
	switch lines := f.lines + len(facts); {
	case before == (stamp{}), f.torn, lines > 2*live+slack, f.size+int64(len(added)) > maxFile:
		err = f.replace()
	default:
		err = f.extend(before.ino, added)
		f.size, f.lines = f.size+int64(len(added)), lines
	}
	if err != nil {
		return fmt.Errorf("writing state: %w", err)
	}
	f.seen, err = f.look()
	f.sure, f.named = f.seen, f.seen.ino
	return err
}

// extend appends lines to the file that has the inode ino. Another process may
// have made it and died before its name was durable.
func (f *File) extend(ino uint64, lines []byte) error {
	if err := f.dir.Extend(Name, f.size, lines); err != nil || f.named == ino {
		return err
	}
	return f.dir.Disk.SyncDirAt(f.dir.FD, f.dir.Path)
}

// replace writes a new file of what is known.
func (f *File) replace() error {
	b := f.format()
	if len(b) > maxFile {
		return ErrFull
	}
	err := f.dir.Replace(Name, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
	f.size, f.lines, f.torn = int64(len(b)), f.live(), false
	return err
}

// format returns the file with each fact once.
func (f *File) format() []byte {
	b := []byte(head + version + "\n")
	for _, line := range f.strange {
		b = append(b, line...)
	}
	for _, k := range kinds() {
		m := f.facts[k]
		for _, key := range slices.Sorted(maps.Keys(m)) {
			b = fact{kind: k, key: key, value: m[key]}.appendTo(b)
		}
	}
	return b
}

// Changes is what an Update writes.
type Changes struct {
	file  *File
	facts []fact
}

// Get returns a fact as this Update leaves it.
func (c *Changes) Get(k Kind, key string) (value string, ok bool) {
	for _, one := range slices.Backward(c.facts) {
		if one.kind == k && one.key == key {
			return one.value, !one.gone
		}
	}
	value, ok = c.file.facts[k][key]
	return value, ok
}

// All returns the facts of a kind as this Update leaves them.
func (c *Changes) All(k Kind) map[string]string {
	all := maps.Clone(c.file.facts[k])
	if all == nil {
		all = make(map[string]string)
	}
	for _, one := range c.facts {
		switch {
		case one.kind != k:
		case one.gone:
			delete(all, one.key)
		default:
			all[one.key] = one.value
		}
	}
	return all
}

// Set writes a fact.
func (c *Changes) Set(k Kind, key, value string) {
	if old, ok := c.Get(k, key); !ok || old != value {
		c.facts = append(c.facts, fact{kind: k, key: key, value: value})
	}
}

// Drop takes a fact away.
func (c *Changes) Drop(k Kind, key string) {
	if _, ok := c.Get(k, key); ok {
		c.facts = append(c.facts, fact{kind: k, gone: true, key: key})
	}
}
