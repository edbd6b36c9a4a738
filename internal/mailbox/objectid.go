package mailbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// idField begins the field of a copy's name that has the id of the message that
// it was copied from; idDigits follow.
const (
	idField  = ",E="
	idDigits = 24
)

// emailID returns the id of the message whose file has this base name. Nothing
// has to be kept for it: copies have it in their names, all others are the first
// with the unique part of theirs.
func emailID(base []byte) string {
	if _, rest, ok := bytes.Cut(base, []byte(idField)); ok {
		id, _, _ := bytes.Cut(rest, []byte{','})
		if _, err := hex.DecodeString(string(id)); err == nil && len(id) == idDigits {
			return string(id)
		}
	}
	sum := sha256.Sum256(unique(base))
	return hex.EncodeToString(sum[:idDigits/2])
}

// EmailID returns what a message and its copies are known by (RFC 8474 section
// 5.1). Errors: ErrExpunged.
func (v *View) EmailID(seq int) (string, error) {
	id := ""
	err := v.named(seq, func(base []byte) { id = "M" + emailID(base) })
	return id, err
}

// Saved returns when a message came into the folder (RFC 8514), zero where its
// file's name does not tell: it begins with the time, as names in a Maildir do,
// and copies get names of their own. Errors: ErrExpunged.
func (v *View) Saved(seq int) (t time.Time, err error) {
	err = v.named(seq, func(base []byte) {
		if seconds, rest := leadingNumber(base); 0 < seconds && seconds < maxSeconds && len(rest) > 0 && rest[0] == '.' {
			t = time.Unix(seconds, 0)
		}
	})
	return t, err
}

// maxSeconds is the beginning of the year 10000, which no date of IMAP can have.
const maxSeconds = 253402300800

// named calls use with the base name of message seq.
func (v *View) named(seq int, use func(base []byte)) error {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.Find(v.uid(seq))
	if r == nil || f.over != nil {
		return ErrExpunged
	}
	use(f.Base(r))
	return nil
}

// ID returns what the folder is known by, whatever its name (RFC 8474 section 4).
func (v *View) ID() string {
	v.folder.mu.Lock()
	defer v.folder.mu.Unlock()
	return v.folder.objectID()
}

// objectID is ID for a folder whose list was read. A list that another program
// wrote without an id of its own has a UIDVALIDITY that is nobody else's here.
func (f *folder) objectID() string {
	if id := f.list.GUID(); id != "" {
		return "F" + id
	}
	return fmt.Sprintf("V%d", f.list.UIDValidity())
}
