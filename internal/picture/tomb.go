package picture

import (
	"cmp"
	"slices"
)

// maxTombs bounds how many messages that are gone are remembered: for a client
// that was away for longer the gone are all UIDs that are not there.
const maxTombs = 8192

// Tomb is a message that is gone.
type Tomb struct {
	UID uint32
	Mod uint64
}

// Bury notes that the messages of uids are gone; a UID of 0 is none.
func (p *Picture) Bury(uids []uint32) {
	mod := uint64(0)
	for _, uid := range uids {
		if uid == 0 {
			continue
		}
		if mod == 0 {
			mod = p.Next()
		}
		p.Changed = append(p.Changed, uid)
		p.Tombs = append(p.Tombs, Tomb{uid, mod})
	}
	if mod != 0 {
		p.SortTombs()
	}
}

// SortTombs puts the tombs in the order of UIDs, of each the latest, and forgets
// the oldest when there are many.
func (p *Picture) SortTombs() {
	slices.SortFunc(p.Tombs, func(a, b Tomb) int {
		return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(b.Mod, a.Mod))
	})
	p.Tombs = slices.CompactFunc(p.Tombs, func(a, b Tomb) bool { return a.UID == b.UID })
	if len(p.Tombs) <= maxTombs {
		return
	}
	mods := make([]uint64, len(p.Tombs))
	for i, t := range p.Tombs {
		mods[i] = t.Mod
	}
	slices.Sort(mods)
	p.Forgotten = max(p.Forgotten, mods[len(mods)-maxTombs/2])
	p.Tombs = slices.DeleteFunc(p.Tombs, func(t Tomb) bool { return t.Mod <= p.Forgotten })
}
