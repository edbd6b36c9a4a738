package mailbox

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/maildir"
	"posthorn/internal/picture"
)

// countNew counts the messages whose files stand in new/.
func (f *folder) countNew() (n int) {
	for i := range f.Records {
		if f.Records[i].State&picture.InNew != 0 {
			n++
		}
	}
	return n
}

// moveNew moves what stands in new/ to cur/. ok is false when another process
// was faster with some file, so that the folder has to be read again. A file
// that cannot be moved (its name has no room for flags, the disk is full or
// read-only) is read where it is.
func (f *folder) moveNew() (ok bool, err error) {
	if f.news == 0 {
		return true, nil
	}
	ok = true
	err = f.batch(func() error {
		for i := range f.Records {
			r := &f.Records[i]
			if r.State&picture.InNew == 0 {
				continue
			}
			switch err := f.moveOne(r); {
			case gone(err):
				f.dirty, ok = true, false
			case errors.Is(err, unix.EEXIST): // two files of one name: the next scan parts them
				f.dirty = true
			}
		}
		return nil
	})
	f.news = f.countNew()
	return ok, err
}

// moveOne moves r's file to cur/, with the flags it has.
func (f *folder) moveOne(r *picture.Record) error {
	info := f.Info(r)
	if info == "" {
		info = ":2,"
	}
	to := string(f.Base(r)) + info
	if err := f.rename(f.new, f.File(r), f.cur, to); err != nil {
		return err
	}
	f.ForgetInfo(r)
	r.State &^= picture.InNew
	f.SetInfo(r, []byte(info))
	return nil
}

// rename moves a message file over nothing, where the file system can tell.
func (f *folder) rename(fromDir int, from string, toDir int, to string) error {
	undo := f.expect(fromDir, from, toDir, to)
	err := f.dir.Disk.RenameNewAt(fromDir, from, toDir, to)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = f.dir.Disk.RenameAt(fromDir, from, toDir, to)
	}
	if err != nil {
		undo()
	}
	return err
}

// remove unlinks a message file.
func (f *folder) remove(dir int, name string) error {
	undo := f.expect(dir, name, -1, "")
	err := f.dir.Disk.RemoveAt(dir, name)
	if err != nil {
		undo()
	}
	return err
}

// correct gives the files of lying names the sizes they have, and their lines
// in the uidlist the new names. What cannot be corrected stays as it is: the
// true sizes are in memory.
func (f *folder) correct() {
	f.lies = false
	l, err := f.lock()
	if err != nil {
		return
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	err = f.list.Load(func() { f.dirty = true }, f.remember)
	if err != nil || f.dirty {
		f.list.Rewind() // the scan to come takes all of it in
		return
	}
	renamed := make(map[uint32]renaming)
	err = f.account(func() error { f.correctNames(renamed); return nil })
	if err == nil && len(renamed) > 0 {
		err = f.list.Rewrite(func(r *dovecot.Record) bool {
			if names, ok := renamed[r.UID]; ok {
				correctRecord(r, names.base)
			}
			return true
		})
	}
	if err != nil {
		f.misname(renamed)
		f.dirty = true
	}
}

// renaming is what a file of a lying name was called, and its base name now.
type renaming struct{ was, base string }

// misname gives files their old names again: the uidlist has these.
func (f *folder) misname(renamed map[uint32]renaming) {
	for uid, names := range renamed {
		r := f.Find(uid)
		where, info := f.where(r.State), f.Info(r)
		if f.rename(where, names.base+info, where, names.was+info) == nil {
			f.Picture.Rename(r, names.was)
		}
	}
}

// correctNames renames the files and notes their names by UID.
func (f *folder) correctNames(renamed map[uint32]renaming) {
	for i := range f.Records {
		r := &f.Records[i]
		if r.State&picture.Lying == 0 {
			continue
		}
		r.State &^= picture.Lying
		from, info := f.File(r), f.Info(r)
		n, err := maildir.ReadName(string(f.Base(r)))
		if err != nil || r.Size == picture.Unknown || r.VSize == picture.Unknown {
			continue
		}
		base := n.WithSizes(int64(r.Size), int64(r.VSize)).Base()
		if len(base)+len(info) > 255 {
			continue
		}
		where := f.where(r.State)
		if err := f.rename(where, from, where, base+info); err != nil {
			f.dirty = true
			continue
		}
		f.store.log.SizeCorrected(f.dir.Path, from, base+info)
		renamed[r.UID] = renaming{string(f.Base(r)), base}
		f.Picture.Rename(r, base)
	}
}

// correctRecord gives a line its new name. Its GUID stays what the old name
// was to Dovecot, and size fields are left out: they stand in the name.
func correctRecord(r *dovecot.Record, base string) {
	var fields [][]byte
	for field := range bytes.FieldsSeq(r.Fields) {
		if field[0] != 'S' && field[0] != 'W' {
			fields = append(fields, field)
		}
	}
	if _, ok := r.Field('G'); !ok {
		fields = append(fields, append([]byte{'G'}, r.Name...))
	}
	r.Fields, r.Name = bytes.Join(fields, []byte{' '}), []byte(base)
}
