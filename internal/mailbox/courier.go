package mailbox

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"posthorn/internal/courier"
	"posthorn/internal/dovecot"
	"posthorn/internal/maildir"
	"posthorn/internal/statefile"
	"posthorn/internal/utf7"
)

// takeOver takes in, before anything is opened in it, a box that comes from
// Courier: its subscriptions, and folders that are named in UTF-8.
func (b *Box) takeOver() error {
	have, err := b.root.Has(dovecot.UidlistName)
	if err != nil || have {
		return err
	}
	names, ok, err := courier.ReadSubscribed(b.root)
	if err != nil {
		return err
	}
	if ok {
		if err := b.store.locker.FirstSubscriptions(b.root, names); err != nil {
			return err
		}
	}
	if !ok {
		if ok, err = courier.Present(b.root); err != nil || !ok {
			return err
		}
	}
	return b.renameFolders()
}

// renameFolders gives the folders whose names are in UTF-8, as Courier has had
// them since its version 5, the names that we and Dovecot look for. One that
// is there already under both stays.
func (b *Box) renameFolders() error {
	names, err := b.root.Names(".")
	if err != nil {
		return err
	}
	for _, disk := range names {
		name := strings.TrimPrefix(disk, ".")
		if _, err := utf7.Decode(name); err == nil || !b.isMaildir(disk) {
			continue
		}
		encoded, ok := courier.FolderName(name)
		if _, valid := folderName("." + encoded); !ok || !valid {
			continue
		}
		err := b.root.Disk.RenameNewAt(b.root.FD, disk, b.root.FD, "."+encoded)
		if err != nil && !errors.Is(err, os.ErrExist) && !gone(err) { // gone: another session was faster
			return err
		}
	}
	return b.root.Disk.SyncDirAt(b.root.FD, b.root.Path)
}

// takeOver takes in, once, what Courier knew of a folder that has no uidlist
// yet: its UIDVALIDITY and UIDs, the keywords and what POP3 clients know messages
// by. Where we or Dovecot have been since, those files count, and Courier's are
// too old for good.
func (f *folder) takeOver() error {
	if ok, err := courier.Present(f.dir); err != nil || !ok {
		return err
	}
	l, err := f.lock()
	if err != nil {
		return err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	if ok, err := courier.Present(f.dir); err != nil || !ok {
		return err // another process did
	}
	for _, name := range []string{dovecot.UidlistName, "dovecot.index"} {
		if have, err := f.dir.Has(name); err != nil {
			return err
		} else if have {
			return courier.Taken(f.dir)
		}
	}
	return f.fromCourier()
}

// fromCourier is takeOver once it is clear that Courier's lists count; the caller
// holds the dotlock.
func (f *folder) fromCourier() error {
	old, err := courier.Read(f.dir)
	if err != nil {
		return err
	}
	files, err := f.files()
	if err != nil {
		return err
	}
	// The keywords come first: with the uidlist all is taken over.
	left, err := f.adoptKeywords(old.Keywords, files)
	if err != nil {
		return err
	}
	n, err := f.adoptUIDs(old, files)
	if err != nil {
		return err
	}
	f.store.log.CourierAdopted(f.dir.Path, n, left)
	return courier.Taken(f.dir)
}

// place is where a message's file stands, and how it is called there.
type place struct {
	dir  int
	name string
}

// files lists the folder by base name.
func (f *folder) files() (map[string]place, error) {
	files := make(map[string]place)
	for _, dir := range []int{f.new, f.cur} {
		for name, err := range maildir.List(dir) {
			if err != nil {
				return nil, err
			}
			base, _ := cutInfo(name)
			files[string(base)] = place{dir, string(name)}
		}
	}
	return files, nil
}

// adoptKeywords writes the keywords of messages into the names of their files,
// and those that get no letter into posthorn-state. It returns how many these
// are: those of the fewest messages.
func (f *folder) adoptKeywords(words map[string][]string, files map[string]place) (left int, err error) {
	keywords, err := dovecot.LoadKeywords(f.dir)
	if err != nil {
		return 0, err
	}
	uses := make(map[string]int)
	for base, list := range words {
		if _, ok := files[base]; ok {
			for _, word := range list {
				uses[word]++
			}
		}
	}
	if len(uses) == 0 {
		return 0, nil
	}
	most := slices.SortedFunc(maps.Keys(uses), func(a, b string) int {
		return cmp.Or(cmp.Compare(uses[b], uses[a]), cmp.Compare(a, b))
	})
	for _, word := range most {
		switch err := keywords.Add([]string{word}); {
		case errors.Is(err, dovecot.ErrKeywordsFull):
			left++
		case err != nil:
			return 0, err
		}
	}
	if err := keywords.Save(f.dir); err != nil {
		return 0, err
	}
	for base, list := range words {
		if at, ok := files[base]; ok {
			if err := f.letter(at, base, list, &keywords); err != nil {
				return 0, err
			}
		}
	}
	if left > 0 {
		if err := f.adoptWords(words, files, &keywords); err != nil {
			return 0, err
		}
	}
	return left, f.syncNames(true, true)
}

// adoptWords writes those keywords of messages that have no letter.
func (f *folder) adoptWords(words map[string][]string, files map[string]place, keywords *dovecot.Keywords) error {
	err := f.state.Update(func(c *statefile.Changes) error {
		for base, list := range words {
			if _, ok := files[base]; !ok {
				continue
			}
			rest := slices.DeleteFunc(slices.Clone(list), func(word string) bool { return keywords.Index(word) >= 0 })
			if len(rest) > 0 {
				writeWords(c, string(unique([]byte(base))), rest)
			}
		}
		return nil
	})
	for key, list := range f.state.Words() {
		f.words.set(key, list)
	}
	return err
}

// letter adds the letters of a message's keywords to the name of its file. A
// file in new/ goes to cur/: only there names have letters.
func (f *folder) letter(at place, base string, words []string, keywords *dovecot.Keywords) error {
	info := at.name[len(base):]
	flags, ok := strings.CutPrefix(info, ":2,")
	if !ok && info != "" {
		return nil // of a kind that we do not know
	}
	for _, word := range words {
		if i := keywords.Index(word); i >= 0 {
			flags += string(rune('a' + i))
		}
	}
	name := base + ":2," + maildir.SortFlags(flags)
	if name == at.name {
		return nil
	}
	err := f.rename(at.dir, at.name, f.cur, name)
	if gone(err) || errors.Is(err, unix.ENAMETOOLONG) {
		return nil
	}
	return err
}

// adoptUIDs makes the uidlist from Courier's lists and returns how many
// messages kept their UIDs. Messages that only POP3 clients know come behind.
func (f *folder) adoptUIDs(old courier.Folder, files map[string]place) (kept int, err error) {
	uidvalidity, next := old.UIDValidity, max(old.Next, 1)
	if uidvalidity == 0 {
		if uidvalidity, err = f.newUIDValidity(); err != nil {
			return 0, err
		}
	}
	uidls := make(map[string]string, len(old.UIDLs))
	for _, u := range old.UIDLs {
		uidls[u.Name] = u.Value
	}
	var recs []dovecot.Record
	enter := func(uid uint32, name string) {
		if _, ok := files[name]; !ok {
			return
		}
		r := dovecot.Record{UID: uid, Name: []byte(name)}
		if value := uidls[name]; value != "" {
			r.Fields = []byte("P" + value)
		}
		recs = append(recs, r)
		delete(files, name)
	}
	for _, m := range old.Messages {
		enter(m.UID, m.Name)
	}
	kept = len(recs)
	for _, u := range old.UIDLs {
		if _, ok := files[u.Name]; ok && next < dovecot.MaxUID {
			enter(next, u.Name)
			next++
		}
	}
	return kept, f.list.Create(uidvalidity, next, recs)
}

// newUIDValidity returns one that was never given in this box.
func (f *folder) newUIDValidity() (uint32, error) {
	root, err := f.boxRoot()
	if err != nil {
		return 0, err
	}
	defer unix.Close(root.FD)
	return f.store.locker.NewUIDValidity(root, time.Now())
}
