package mailbox

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
)

// maxRolls is how many names of folders are remembered: clients list them at the
// beginning of each session, and to look at a folder for its cur/ is most of it.
const maxRolls = 1 << 14

// Folders returns the names of all folders, INBOX first, then sorted. Parents
// that do not exist themselves are not in it (`Work` for `Work.2024`).
func (b *Box) Folders() ([]string, error) {
	seen, id, err := traceOf(b.root.FD, ".")
	if err != nil {
		return nil, fmt.Errorf("listing folders of %s: %w", b.root.Path, err)
	}
	if names, ok := b.store.rolls.get(id, seen); ok {
		return slices.Clone(names), nil
	}
	names, others, err := b.readFolders()
	if err != nil {
		return nil, fmt.Errorf("listing folders of %s: %w", b.root.Path, err)
	}
	// What is no folder yet becomes one without a change of the root.
	if !others && seen.old() {
		b.store.rolls.put(id, seen, slices.Clone(names), len(names))
	}
	return names, nil
}

// readFolders looks for folders; others reports whether there are directories with
// names of folders that are none.
func (b *Box) readFolders() (names []string, others bool, err error) {
	dir, err := os.Open("/proc/self/fd/" + strconv.Itoa(b.root.FD))
	if err != nil {
		return nil, false, err
	}
	defer dir.Close()
	names = []string{inbox}
	for {
		entries, err := dir.ReadDir(256)
		for _, e := range entries {
			name, ok := folderName(e.Name())
			switch {
			case !ok || !e.IsDir():
			case b.isMaildir(e.Name()):
				names = append(names, name)
			default:
				others = true
			}
		}
		if err == io.EOF {
			slices.Sort(names[1:])
			return names, others, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
}
