package disk

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Tree is what stands in the folder that was taken in, at one moment.
type Tree struct {
	Nodes []Node // in the order of their paths
}

// Node is a name in a Tree.
type Node struct {
	Path    string // relative
	Folder  bool
	File    int // names of one file have the same
	Content []byte

	mode     uint32
	uid, gid int
}

// Hash is the same for equal trees.
type Hash [sha256.Size]byte

// fill adds what is in the folder.
func (t *Tree) fill(folder *inode, path string, names map[*inode]map[string]*inode, held map[*inode][]byte) {
	in, ok := names[folder]
	if !ok {
		in = folder.names
	}
	for name, i := range in {
		n := Node{filepath.Join(path, name), i.folder, i.number, i.content, i.mode, i.uid, i.gid}
		if content, ok := held[i]; ok {
			n.Content = content
		}
		t.Nodes = append(t.Nodes, n)
		if i.folder {
			t.fill(i, n.Path, names, held)
		}
	}
}

// Hash returns the tree's hash.
func (t *Tree) Hash() Hash {
	h := sha256.New()
	first := map[int]int{}
	for n, node := range t.Nodes {
		if _, ok := first[node.File]; !ok {
			first[node.File] = n
		}
		fmt.Fprintf(h, "%s\x00%v %d %d %d %d ", node.Path, node.Folder, first[node.File], node.mode, node.uid, node.gid)
		binary.Write(h, binary.LittleEndian, int64(len(node.Content)))
		h.Write(node.Content)
	}
	return Hash(h.Sum(nil))
}

// Write makes the tree in dir, which must be empty but for its folders that
// the tree has too. Owners are given only where that is allowed.
func (t *Tree) Write(dir string) error {
	made := map[int]string{}
	for _, n := range t.Nodes {
		if err := n.write(filepath.Join(dir, n.Path), made); err != nil {
			return err
		}
	}
	return nil
}

func (n Node) write(path string, made map[int]string) error {
	if n.Folder {
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return n.own(path)
	}
	if other, ok := made[n.File]; ok {
		return os.Link(other, path)
	}
	made[n.File] = path
	if err := os.WriteFile(path, n.Content, 0o600); err != nil {
		return err
	}
	return n.own(path)
}

// own gives the node its owner and mode.
func (n Node) own(path string) error {
	if os.Geteuid() == 0 {
		if err := os.Chown(path, n.uid, n.gid); err != nil {
			return err
		}
	}
	return syscall.Chmod(path, n.mode)
}

// Load takes in what stands below dir now, as durable, but for what skip
// names. A record goes on from there.
func Load(dir string, skip func(path string) bool) (*Disk, error) {
	d := &Disk{known: map[string]*inode{}, ended: map[*Step]int{}, syncs: map[*Step]int{}}
	folders := map[string]*inode{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != dir && skip(path) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		i, err := d.load(path, e)
		if err != nil {
			return err
		}
		if path == dir {
			d.root = i
		} else {
			folders[filepath.Dir(path)].names[e.Name()] = i
		}
		folders[path] = i
		return nil
	})
	return d, err
}

// load takes in one file or folder.
func (d *Disk) load(path string, e fs.DirEntry) (*inode, error) {
	info, err := e.Info()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil, fmt.Errorf("%s: found %v, expected a file or folder", path, info.Mode().Type())
	}
	st := info.Sys().(*syscall.Stat_t)
	id := fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	if i := d.known[id]; i != nil {
		return i, nil
	}
	i := d.add(e.IsDir(), st.Mode, int(st.Uid), int(st.Gid))
	if !i.folder {
		if i.content, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	d.known[id] = i
	return i, nil
}

// Mail returns the messages in the spool of the tree.
func (t *Tree) Mail() []Node {
	var in []Node
	for _, n := range t.Nodes {
		if !n.Folder && (strings.HasPrefix(n.Path, "spool/queue/") || strings.HasPrefix(n.Path, "spool/incoming/")) {
			in = append(in, n)
		}
	}
	return in
}
