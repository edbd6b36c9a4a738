package disk

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
)

// Kind says how a state came to be.
type Kind string

// The kinds of states at a place of the record.
const (
	Kept   Kind = "all kept"      // every step that began was made
	Lost   Kind = "all lost"      // only what was synced
	Less   Kind = "one lost"      // all kept but one name, or one file's bytes
	More   Kind = "one kept"      // all lost but one name, or one file's bytes
	Data   Kind = "data lost"     // all names kept, no byte that was not synced
	Random Kind = "pseudo-random" // some of all of it
)

// choice is one thing that a crash decides: what a name means, or what a file
// holds.
type choice struct {
	folder *inode // of a name
	name   string
	means  []*inode // the last is the newest, the first what was synced
	since  []int    // when each began to be meant, last
	pairs  []change // the renames among the name's changes
	file   *inode   // or a file
	holds  [][]byte // likewise
}

func (c *choice) options() int { return len(c.means) + len(c.holds) }

// decision is an option for each choice.
type decision []int

// States returns the trees that a power cut may leave at this place: all kept,
// all lost, each single deviation from these, all unsynced bytes lost with all
// names kept, and so many pseudo-random ones. Equal trees may come twice.
func (d *Disk) States(random int, rnd *rand.Rand) iter.Seq2[Kind, *Tree] {
	choices := d.choices()
	whole := d.whole(choices)
	lost, kept, data := make(decision, len(choices)), make(decision, len(choices)), make(decision, len(choices))
	for i, c := range choices {
		kept[i] = c.options() - 1
		data[i] = kept[i]
		if c.file != nil {
			data[i] = 0
		}
	}
	return func(yield func(Kind, *Tree) bool) {
		show := func(k Kind, how decision) bool { return yield(k, d.tree(choices, whole(how, k != Less))) }
		if !show(Kept, kept) || !show(Lost, lost) || !show(Data, data) ||
			!deviate(choices, kept, func(how decision) bool { return show(Less, how) }) ||
			!deviate(choices, lost, func(how decision) bool { return show(More, how) }) {
			return
		}
		how := make(decision, len(choices))
		for range random {
			for i, c := range choices {
				how[i] = rnd.IntN(c.options())
			}
			if !show(Random, how) {
				return
			}
		}
	}
}

// deviate shows from with each other option of one choice.
func deviate(choices []choice, from decision, show func(decision) bool) bool {
	how := slices.Clone(from)
	for i, c := range choices {
		for option := range c.options() {
			if how[i] = option; option != from[i] && !show(how) {
				return false
			}
		}
		how[i] = from[i]
	}
	return true
}

// nameIn is a name of a folder.
type nameIn struct {
	folder *inode
	name   string
}

// whole returns what changes a decision so that each rename is made or not: up
// says that one in doubt is made.
func (d *Disk) whole(choices []choice) func(how decision, up bool) decision {
	at := map[nameIn]int{}
	for n, c := range choices {
		if c.file == nil {
			at[nameIn{c.folder, c.name}] = n
		}
	}
	return func(how decision, up bool) decision {
		if !d.Whole {
			return how
		}
		how = slices.Clone(how)
		for changed := true; changed; {
			changed = false
			for n, c := range choices {
				for _, p := range c.pairs {
					if k, ok := at[nameIn{p.other, p.otherName}]; ok && choices[k].agree(&how[k], p.at, c.since[how[n]] >= p.at, up) {
						changed = true
					}
				}
			}
		}
		return how
	}
}

// agree changes the option *is, where it says of a rename at that moment
// something else than made and up allows it.
func (c *choice) agree(is *int, at int, made, up bool) bool {
	if made != up || (c.since[*is] >= at) == made {
		return false
	}
	best := -1
	for n, since := range c.since {
		if (since >= at) == made && (best < 0 || (since < c.since[best]) == made) {
			best = n
		}
	}
	if best < 0 {
		return false
	}
	*is = best
	return true
}

// choices returns all that is not settled and can be seen.
func (d *Disk) choices() []choice {
	var all []choice
	d.root.visit(map[*inode]bool{}, func(i *inode) {
		if i.folder {
			all = append(all, i.unsettledNames()...)
		} else if holds := i.unsettledBytes(); len(holds) > 1 {
			all = append(all, choice{file: i, holds: holds})
		}
	})
	return all
}

// visit shows every inode that some decision leads to.
func (i *inode) visit(seen map[*inode]bool, show func(*inode)) {
	if i == nil || seen[i] {
		return
	}
	seen[i] = true
	show(i)
	for _, name := range slices.Sorted(maps.Keys(i.names)) {
		i.names[name].visit(seen, show)
	}
	for _, c := range i.changes {
		c.to.visit(seen, show)
	}
}

// unsettledNames returns what the folder's names may mean, where that is not
// clear.
func (i *inode) unsettledNames() []choice {
	var all []choice
	at := map[string]int{}
	for _, c := range i.changes {
		n, ok := at[c.name]
		if !ok {
			n = len(all)
			at[c.name] = n
			all = append(all, choice{folder: i, name: c.name, means: []*inode{i.names[c.name]}, since: []int{0}})
		}
		// The newest meaning stands last, and each only once, but that what
		// was synced stands first.
		means, since := all[n].means, all[n].since
		if k := slices.Index(means[1:], c.to); k >= 0 {
			means, since = slices.Delete(means, k+1, k+2), slices.Delete(since, k+1, k+2)
		}
		all[n].means, all[n].since = append(means, c.to), append(since, c.at)
		if c.other != nil {
			all[n].pairs = append(all[n].pairs, c)
		}
	}
	return slices.DeleteFunc(all, func(c choice) bool {
		return !slices.ContainsFunc(c.means, func(i *inode) bool { return i != c.means[0] })
	})
}

// unsettledBytes returns what the file may hold.
func (i *inode) unsettledBytes() [][]byte {
	whole := i.content
	var all [][]byte
	for n, w := range i.writes {
		before := whole
		whole = w.apply(whole)
		all = append(all, before, i.without(n))
		if half := len(w.data) / 2; half > 0 {
			torn := write{at: w.at, data: w.data[:half]}
			all = append(all, torn.apply(before))
		}
	}
	if len(i.writes) > 0 {
		hole := holed(i.content, whole)
		all = append(all, resize(i.content, int64(len(whole))), hole, whole)
	}
	return distinct(i.content, all)
}

// without returns the content with all writes but the bytes of one.
func (i *inode) without(n int) []byte {
	content := i.content
	for k, w := range i.writes {
		if k != n {
			content = w.apply(content)
		} else if !w.cut {
			content = resize(content, max(int64(len(content)), w.at+int64(len(w.data))))
		}
	}
	return content
}

// holed returns whole without the first half of what is new in it: the old
// bytes stand there, and zeros where there were none.
func holed(old, whole []byte) []byte {
	out := slices.Clone(whole)
	from := 0
	for from < min(len(old), len(whole)) && old[from] == whole[from] {
		from++
	}
	hole := out[from : from+(len(out)-from)/2]
	clear(hole)
	copy(hole, old[min(from, len(old)):])
	return out
}

// distinct returns first, the others once each, and the last one last.
func distinct(first []byte, all [][]byte) [][]byte {
	out := [][]byte{first}
	if len(all) == 0 {
		return out
	}
	last := all[len(all)-1]
	for _, c := range all {
		if !bytes.Equal(c, last) && !slices.ContainsFunc(out, func(o []byte) bool { return bytes.Equal(o, c) }) {
			out = append(out, c)
		}
	}
	return append(out, last)
}

// tree is what a decision leaves.
func (d *Disk) tree(choices []choice, how decision) *Tree {
	t := &Tree{}
	held := map[*inode][]byte{}
	names := map[*inode]map[string]*inode{}
	for n, c := range choices {
		if c.file != nil {
			held[c.file] = c.holds[how[n]]
			continue
		}
		if names[c.folder] == nil {
			names[c.folder] = maps.Clone(c.folder.names)
		}
		set(names[c.folder], c.name, c.means[how[n]])
	}
	t.fill(d.root, "", names, held)
	slices.SortFunc(t.Nodes, func(a, b Node) int { return cmp.Compare(a.Path, b.Path) })
	return t
}
