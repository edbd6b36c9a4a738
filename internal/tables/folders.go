package tables

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// MailFolders returns the folders that the processes under vmail's uid may
// write: root, and what virtual users have their mail in outside of it, as the
// table path is now. Without the right to read the table root is all; authd,
// whose table it is, tells what is wrong with it.
func MailFolders(path, domain, root string, vmail int) []string {
	users, err := LoadUsers(path, domain, nil)
	if err != nil {
		return []string{root}
	}
	var outside []string
	for u := range users.All() {
		if u.UID >= 0 && u.UID != vmail {
			continue
		}
		if home, mail := u.Paths(root); !within(mail, root) {
			outside = append(outside, mailFolder(home, mail))
		}
	}
	return append([]string{root}, collapse(outside)...)
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

// maxFolders bounds the folders outside of root that are told apart.
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
