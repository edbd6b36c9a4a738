package tree

import (
	"errors"

	"posthorn/internal/courier"
	"posthorn/internal/dovecot"
	"posthorn/internal/mailbox"
	"posthorn/internal/maildir"
	"posthorn/internal/statefile"
)

// knowledge is what control files say of a folder's messages, by base names.
type knowledge struct {
	validity, next uint32 // 0: no file has UIDs
	uids           map[string]uint32
	uidls          map[string]string
	letters        dovecot.Keywords
	words          map[string][]string // by unique parts
	courier        map[string][]string // keywords
}

// learn reads Dovecot's and our files, or Courier's where these are all there is.
func learn(d dovecot.Dir) (k *knowledge, err error) {
	k = &knowledge{uids: make(map[string]uint32), uidls: make(map[string]string)}
	list := dovecot.NewUidlist(d, 0)
	defer list.Close()
	err = list.Load(func() {}, func(r dovecot.Record) {
		k.uids[string(r.Name)] = r.UID
		if uidl, ok := r.Field('P'); ok {
			k.uidls[string(r.Name)] = string(uidl)
		}
	})
	switch {
	case err == nil:
		k.validity, k.next = list.UIDValidity(), list.Next()
	case !errors.Is(err, dovecot.ErrNoList):
		return nil, err
	default:
		if err := k.fromCourier(d); err != nil {
			return nil, err
		}
	}
	if k.letters, err = dovecot.LoadKeywords(d); err != nil {
		return nil, err
	}
	state := statefile.New(d, nil)
	if _, err := state.Load(); err != nil {
		return nil, err
	}
	k.words = state.Words()
	return k, nil
}

func (k *knowledge) fromCourier(d dovecot.Dir) error {
	old, err := courier.Read(d)
	if err != nil {
		return err
	}
	k.validity, k.next, k.courier = old.UIDValidity, old.Next, old.Keywords
	for _, m := range old.Messages {
		k.uids[m.Name] = m.UID
	}
	for _, u := range old.UIDLs {
		k.uidls[u.Name] = u.Value
	}
	return nil
}

// flags returns the flags of a message whose file is called n.
func (k *knowledge) flags(n maildir.Name, base string) (f mailbox.Flags) {
	for _, c := range []byte(n.Flags) {
		switch {
		case c == 'D':
			f.System |= mailbox.Draft
		case c == 'F':
			f.System |= mailbox.Flagged
		case c == 'P':
			f.Keywords = append(f.Keywords, "$Forwarded")
		case c == 'R':
			f.System |= mailbox.Answered
		case c == 'S':
			f.System |= mailbox.Seen
		case c == 'T':
			f.System |= mailbox.Deleted
		case 'a' <= c && c <= 'z' && k.letters.Name(int(c-'a')) != "":
			f.Keywords = append(f.Keywords, k.letters[c-'a'])
		}
	}
	f.Keywords = append(append(f.Keywords, k.words[n.Unique]...), k.courier[base]...)
	return f
}
