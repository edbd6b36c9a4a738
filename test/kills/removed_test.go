package kills

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"posthorn/test/instance"
)

var numberOf = regexp.MustCompile(`(?m)^X-Letter: (\d+)$`)

// removed returns the numbers of letters that are kept of what a user removed.
func removed(t *testing.T, i *instance.Instance, user string) map[int]bool {
	t.Helper()
	name, domain, _ := strings.Cut(user, "@")
	all := map[int]bool{}
	err := filepath.WalkDir(filepath.Join(i.Dir, "mail", domain, name, "Maildir", "posthorn-undelete"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Base(filepath.Dir(path)) != "cur" {
			return err
		}
		text, err := os.ReadFile(path)
		if m := numberOf.FindSubmatch(text); m != nil {
			n, _ := strconv.Atoi(string(m[1]))
			all[n] = true
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}

// nothingGone wants every letter that was filed in a mailbox, or among those that
// were removed.
func (w *worker) nothingGone(t *testing.T, removed map[int]bool) {
	t.Helper()
	kept := 0
	for _, n := range w.filed {
		switch {
		case w.boxes[0].mails[n] != nil || w.boxes[1].mails[n] != nil:
		case removed[n]:
			kept++
		default:
			t.Errorf("LOST: letter %d was filed, and is in no mailbox nor kept", n)
		}
	}
	t.Logf("%d letters filed, of which %d were removed and are kept", len(w.filed), kept)
}
