package owner

import (
	"errors"
	"fmt"
	"sync"

	"posthorn/deliver/internal/box"
	"posthorn/internal/durable"
	"posthorn/internal/maildir"
	"posthorn/internal/priv"
)

// landlockTCP is the first ABI that keeps a process from TCP as well; with less
// deliver's own start has logged what is missing.
const landlockTCP = 4

// errOutside means that a request needs what this process can reach no more.
var errOutside = errors.New("outside the folders of the first request")

// cage is what the process may still write.
type cage struct {
	roots    []string // folders of virtual users, for vmail only
	landlock string

	mu      sync.Mutex
	folders map[string]bool // nil before the first request
}

// enter confines the process to the Maildirs of its first request, which are
// made before, and checks that later ones name no others.
func (c *cage) enter(boxes []box.Box) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.folders != nil {
		for _, b := range boxes {
			if !c.folders[c.folder(b.Place)] {
				return errOutside
			}
		}
		return nil
	}
	folders := map[string]bool{}
	for _, b := range boxes {
		folder := c.folder(b.Place)
		folders[folder] = true
		if folder == b.Place.Path {
			// A failure shows again in the delivery, for this box alone.
			_ = maildir.Make(new(durable.Disk), b.Place)
		}
	}
	for _, r := range c.roots {
		folders[r] = true
	}
	if err := c.confine(folders); err != nil {
		return fmt.Errorf("confine: %w", err)
	}
	c.folders = folders
	return nil
}

// folder returns the folder that a delivery to p needs.
func (c *cage) folder(p maildir.Place) string {
	for _, r := range c.roots {
		if box.Within(r, p.Path) {
			return r
		}
	}
	return p.Path
}

func (c *cage) confine(folders map[string]bool) error {
	if err := priv.NoNewPrivs(); err != nil {
		return err
	}
	if c.landlock != "no" {
		rules := priv.Rules{}
		for f := range folders {
			rules.Write = append(rules.Write, f)
		}
		abi, err := priv.Confine(rules)
		if err != nil {
			return err
		}
		if abi < landlockTCP && c.landlock == "require" {
			return fmt.Errorf("the kernel has Landlock ABI %d, expected %d", abi, landlockTCP)
		}
	}
	return priv.Hide()
}
