// Package disk says what a power cut may leave on a disk: from a record of
// steps and a place in it, the trees that a POSIX file system may show
// afterwards.
//
// What it holds a file system to is little. A file has the content of its last
// sync that ended, and of what was written since, any part: nothing, all of it,
// only its length, holes. A folder has the names of its last sync that ended,
// and of the changes since, any subset; a rename is two changes, which a crash
// may part, but it does not take away what stood at its new name before. The
// sync of a file says nothing about its name, nor that of a folder about the
// files in it or about the folder's own name. A step that has begun and not
// ended was made or not.
//
// Of a Disk that is Whole more is asked: each rename is made or not, as
// journals make it, so that a file that is renamed is never lost; and the sync of
// one of its folders settles it in the other too.
package disk

import "slices"

// Disk is what is known of a disk at one place of a record. It is not safe for
// concurrent use.
type Disk struct {
	Whole bool // renames are made as a whole; set before the first Apply

	root  *inode
	known map[string]*inode // by device and inode number
	count int
	now   int           // events so far
	ended map[*Step]int // when
	syncs map[*Step]int // those that run: when they began
}

// inode is a file or a folder.
type inode struct {
	number   int // in the order of their making
	folder   bool
	mode     uint32
	uid, gid int

	content []byte  // of a file, at its last sync
	writes  []write // since then
	names   map[string]*inode
	changes []change // of a folder's names, since its last sync
}

// write is a write or truncate of a file.
type write struct {
	step *Step
	cut  bool // to at bytes
	at   int64
	data []byte
}

// change gives a name of a folder a new meaning; nil: none.
type change struct {
	step *Step
	at   int // when its step began
	name string
	to   *inode

	other     *inode // of a rename: the folder where it changes
	otherName string // another name
}

// Apply takes in the next event of the record.
func (d *Disk) Apply(e Event) {
	d.now++
	sync := e.Do == "sync" || e.Do == "syncdir"
	switch {
	case e.Do == Note || e.failed:
	case sync && !e.End:
		d.syncs[e.Step] = d.now
	case sync:
		d.sync(d.known[e.file], d.syncs[e.Step])
		delete(d.syncs, e.Step)
	case e.End:
		d.ended[e.Step] = d.now
	default:
		d.begin(e.Step)
	}
}

// begin takes in a step that may have been made from now on.
func (d *Disk) begin(s *Step) {
	switch s.Do {
	case "create", "mkdir":
		if s.ended { // or nobody knows what it made, and nothing followed
			d.name(s, s.dir, s.from(), d.made(s))
		}
	case "unnamed":
		d.made(s)
	case "write", "truncate":
		if f := d.known[s.file]; f != nil {
			f.writes = append(f.writes, write{s, s.Do == "truncate", s.at, s.data})
		}
	case "link":
		d.name(s, s.to, s.onto(), d.known[s.file])
	case "rename":
		d.rename(s)
	case "unlink", "rmdir":
		d.name(s, s.dir, s.from(), nil)
	}
}

func (d *Disk) made(s *Step) *inode {
	i := d.add(s.Do == "mkdir", s.mode, s.uid, s.gid)
	d.known[s.file] = i
	return i
}

func (d *Disk) add(folder bool, mode uint32, uid, gid int) *inode {
	d.count++
	i := &inode{number: d.count, folder: folder, mode: mode & 0o7777, uid: uid, gid: gid}
	if folder {
		i.names = map[string]*inode{}
	}
	return i
}

// name notes a change of a name. What is outside the trees that were taken in
// at the start is nobody's concern.
func (d *Disk) name(s *Step, folder, name string, to *inode) {
	if in := d.known[folder]; in != nil {
		in.changes = append(in.changes, change{step: s, at: d.now, name: name, to: to})
	}
}

// rename notes both changes, each with the other.
func (d *Disk) rename(s *Step) {
	d.name(s, s.to, s.onto(), d.known[s.file])
	d.name(s, s.dir, s.from(), nil)
	from, to := d.known[s.dir], d.known[s.to]
	if from == nil || to == nil {
		return
	}
	c := &from.changes[len(from.changes)-1]
	c.other, c.otherName = to, s.onto()
	n := len(to.changes) - 1
	if from == to {
		n--
	}
	to.changes[n].other, to.changes[n].otherName = from, s.from()
}

// sync makes durable what had ended when the sync began.
func (d *Disk) sync(i *inode, began int) {
	if i == nil {
		return
	}
	covers := func(s *Step) bool { return d.ended[s] > 0 && d.ended[s] < began }
	i.writes = slices.DeleteFunc(i.writes, func(w write) bool {
		if covers(w.step) {
			i.content = w.apply(i.content)
		}
		return covers(w.step)
	})
	last := map[string]int{}
	for _, c := range i.changes {
		if covers(c.step) {
			last[c.name] = c.at
		}
	}
	for name, at := range last {
		d.settle(i, name, at)
	}
}

// settle makes durable what a name of a folder meant at a moment.
func (d *Disk) settle(i *inode, name string, at int) {
	var done []change
	i.changes = slices.DeleteFunc(i.changes, func(c change) bool {
		old := c.name == name && c.at <= at
		if old {
			set(i.names, c.name, c.to)
			done = append(done, c)
		}
		return old
	})
	for _, c := range done {
		if d.Whole && c.other != nil {
			d.settle(c.other, c.otherName, c.at)
		}
	}
}

func set(names map[string]*inode, name string, to *inode) {
	if to == nil {
		delete(names, name)
	} else {
		names[name] = to
	}
}

// apply returns what content is after the write. It changes no byte of it.
func (w write) apply(content []byte) []byte {
	if w.cut {
		return resize(content, w.at)
	}
	out := resize(content, max(int64(len(content)), w.at+int64(len(w.data))))
	copy(out[w.at:], w.data)
	return out
}

// resize returns a copy of content with size bytes, zeros behind its end.
func resize(content []byte, size int64) []byte {
	out := make([]byte, size)
	copy(out, content)
	return out
}
