package tables

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Folders are what the processes of each owner of mail may write, by uid.
type Folders map[int][]string

// MailFolders returns the folders of the owners that the table path names now:
// for vmail root, and what virtual users have their mail in outside of it, for
// another uid its Maildirs, since a home holds what runs at its owner's next
// login. Without the right to read the table root is all; authd, whose table it
// is, tells what is wrong with it.
func MailFolders(path, domain, root string, vmail int) Folders {
	f := Folders{vmail: {root}}
	users, err := LoadUsers(path, domain, nil)
	if err != nil {
		return f
	}
	var outside []string
	for u := range users.All() {
		home, mail := u.Paths(root)
		switch {
		case u.UID >= 0 && u.UID != vmail:
			f[u.UID] = append(f[u.UID], mail)
		case !within(mail, root):
			outside = append(outside, mailFolder(home, mail))
		}
	}
	for uid, folders := range f {
		slices.Sort(folders)
		if f[uid] = slices.Compact(folders); len(f[uid]) > maxFolders {
			delete(f, uid) // a process for each Maildir then
		}
	}
	f[vmail] = append(f[vmail], collapse(outside)...)
	return f
}

// Of returns what the process may write that opens mail for uid: all folders of
// the uid where one of them holds mail, else mail alone, of which the table did
// not know.
func (f Folders) Of(uid int, mail string) []string {
	if slices.ContainsFunc(f[uid], func(folder string) bool { return within(mail, folder) }) {
		return f[uid]
	}
	return []string{filepath.Clean(mail)}
}

// mailFolder returns the folder that a process which opens mail must be able
// to write: the home, or what a Maildir outside of it lies in.
func mailFolder(home, mail string) string {
	folder := filepath.Dir(mail)
	if within(mail, home) {
		folder = home
	}
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		return filepath.Dir(folder) // it is made by the first delivery
	}
	return folder
}

func within(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return folder != "" && err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// maxFolders bounds the folders of one owner that are told apart.
const maxFolders = 200

// collapse returns each folder once; many are covered by their parents.
func collapse(folders []string) []string {
	slices.Sort(folders)
	folders = slices.Compact(folders)
	if len(folders) <= maxFolders {
		return folders
	}
	for i, f := range folders {
		folders[i] = filepath.Dir(f)
	}
	return collapse(folders)
}
