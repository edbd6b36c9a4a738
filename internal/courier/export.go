package courier

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/maildir"
)

// Export writes Courier's files of one folder from those that we and Dovecot
// use; its dotlock is held meanwhile. The list of POP3 stays as it is: what
// stands in it is still right, and the rest is new to Courier. more are keywords
// of messages, by the part of their files' names up to the first comma, beyond
// those that have letters. Errors: dovecot.ErrNoList.
func Export(k *dovecot.Locker, d dovecot.Dir, more map[string][]string) error {
	l, err := k.Lock(d, dovecot.UidlistLock)
	if err != nil {
		return err
	}
	defer l.Release() // a lock that was taken away cannot be helped any more
	uids, err := listed(d)
	if err != nil {
		return err
	}
	keywords, err := lettered(d, more)
	if err != nil {
		return fmt.Errorf("reading keywords: %w", err)
	}
	if err := claim(d, uids); err != nil {
		return fmt.Errorf("moving messages to cur: %w", err)
	}
	if err := write(d, uidsName, uids.format()); err != nil {
		return err
	}
	return writeKeywords(d, keywords)
}

// claim moves the messages that have a UID from new/ to cur/: to what it finds
// in new/ Courier gives another one, whatever its list says.
func claim(d dovecot.Dir, uids UIDs) error {
	fresh, err := d.Sub("new")
	if err != nil {
		return err
	}
	defer unix.Close(fresh.FD)
	cur, err := d.Sub("cur")
	if err != nil {
		return err
	}
	defer unix.Close(cur.FD)
	moved := false
	for _, m := range uids.Messages {
		if have, err := fresh.Has(m.Name); err != nil || !have {
			continue
		}
		if err := d.Disk.RenameNewAt(fresh.FD, m.Name, cur.FD, m.Name+":2,"); err != nil {
			return err
		}
		moved = true
	}
	if !moved {
		return nil
	}
	return d.Disk.SyncDirAt(cur.FD, cur.Path)
}

// listed returns the UIDs of the uidlist.
func listed(d dovecot.Dir) (u UIDs, err error) {
	list := dovecot.NewUidlist(d, 0)
	defer list.Close()
	err = list.Load(func() {}, func(r dovecot.Record) {
		u.Messages = append(u.Messages, Number{r.UID, string(r.Name)})
	})
	if err != nil {
		return UIDs{}, fmt.Errorf("reading uidlist: %w", err)
	}
	u.UIDValidity, u.Next = list.UIDValidity(), list.Next()
	return u, nil
}

// lettered returns the keywords whose letters stand in the names of cur/, and
// more.
func lettered(d dovecot.Dir, more map[string][]string) (map[string][]string, error) {
	keywords, err := dovecot.LoadKeywords(d)
	if err != nil {
		return nil, err
	}
	cur, err := d.Sub("cur")
	if err != nil {
		return nil, err
	}
	defer unix.Close(cur.FD)
	all := make(map[string][]string)
	for name, err := range maildir.List(cur.FD) {
		if err != nil {
			return nil, err
		}
		base, flags, ok := strings.Cut(string(name), ":2,")
		if !ok || !dovecot.ValidName([]byte(base)) {
			continue
		}
		for _, c := range []byte(flags) {
			if 'a' <= c && c <= 'z' && keywords[c-'a'] != "" {
				all[base] = append(all[base], keywords[c-'a'])
			}
		}
		unique, _, _ := strings.Cut(base, ",")
		if words := more[unique]; words != nil {
			all[base] = append(all[base], words...)
		}
	}
	return all, nil
}

// ExportSubscribed writes the subscriptions of the Maildir whose root is root.
func ExportSubscribed(root dovecot.Dir) error {
	s, err := dovecot.LoadSubscriptions(root)
	if err != nil {
		return err
	}
	if len(s.Names) == 0 {
		if have, err := root.Has(subscribedName); err != nil || !have {
			return err
		}
	}
	return write(root, subscribedName, formatSubscribed(s.Names))
}
