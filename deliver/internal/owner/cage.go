package owner

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"posthorn/deliver/internal/box"
	"posthorn/internal/durable"
	"posthorn/internal/maildir"
	"posthorn/internal/priv"
)

// landlockTCP is the first ABI that keeps a process from TCP as well; with less
// deliver's own start has logged what is missing.
const landlockTCP = 4

// errOutside means that a request needs what this process cannot reach.
var errOutside = errors.New("outside the folders of this process")

// cage is what the process may still write.
type cage struct {
	roots    []string // the owner's folders
	landlock string

	mu      sync.Mutex
	folders []string // those of roots that were there at the first request
}

// enter confines the process to the owner's folders at its first request, whose
// Maildirs are made before, and checks that later ones name no others. A folder
// that was missing then got no rule: it is outside until the next process.
func (c *cage) enter(boxes []box.Box) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.folders != nil {
		return holds(c.folders, boxes)
	}
	if err := holds(c.roots, boxes); err != nil {
		return err
	}
	for _, b := range boxes {
		if slices.Contains(c.roots, filepath.Clean(b.Place.Path)) {
			// A failure shows again in the delivery, for this box alone.
			_ = maildir.Make(new(durable.Disk), b.Place)
		}
	}
	folders := []string{}
	for _, r := range c.roots {
		if _, err := os.Stat(r); err == nil {
			folders = append(folders, r)
		}
	}
	if err := c.confine(folders); err != nil {
		return fmt.Errorf("confine: %w", err)
	}
	c.folders = folders
	return nil
}

// holds returns errOutside unless every box lies in one of folders.
func holds(folders []string, boxes []box.Box) error {
	for _, b := range boxes {
		if !slices.ContainsFunc(folders, func(f string) bool { return box.Within(f, b.Place.Path) }) {
			return errOutside
		}
	}
	return nil
}

func (c *cage) confine(folders []string) error {
	if err := priv.NoNewPrivs(); err != nil {
		return err
	}
	if c.landlock != "no" {
		abi, err := priv.Confine(priv.Rules{Write: folders})
		if err != nil {
			return err
		}
		if abi < landlockTCP && c.landlock == "require" {
			return fmt.Errorf("the kernel has Landlock ABI %d, expected %d", abi, landlockTCP)
		}
	}
	return priv.Hide()
}
