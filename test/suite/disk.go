package suite

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Disk is a small file system of its own in place of a folder.
type Disk struct {
	Folder, Image string
	Kind          string // as mount(8) has it
}

// Mount puts a fresh file system of size bytes and about so many inodes over a
// folder, which keeps owner and mode, until the test ends. What stood in the
// folder is hidden. The test is skipped where it may not mount.
func Mount(t *testing.T, folder, kind string, size int64, inodes int) *Disk {
	t.Helper()
	d := &Disk{Folder: folder, Image: folder + ".img", Kind: kind}
	make := []string{"mkfs.ext4", "-q", "-m", "0", "-N", strconv.Itoa(inodes), d.Image}
	if kind == "btrfs" {
		make = []string{"mkfs.btrfs", "-q", d.Image}
	}
	Need(t, make[0])
	if err := errors.Join(os.WriteFile(d.Image, nil, 0o600), os.Truncate(d.Image, size)); err != nil {
		t.Fatal(err)
	}
	Must(t, "", make[0], make[1:]...)
	st, err := os.Stat(d.Folder)
	if err != nil {
		t.Fatal(err)
	}
	d.Attach(t)
	t.Cleanup(func() { unix.Unmount(d.Folder, unix.MNT_DETACH) })
	os.Remove(filepath.Join(d.Folder, "lost+found"))
	own := st.Sys().(*syscall.Stat_t)
	if err := errors.Join(os.Chown(d.Folder, int(own.Uid), int(own.Gid)), os.Chmod(d.Folder, st.Mode())); err != nil {
		t.Fatal(err)
	}
	return d
}

// Attach mounts the image, which is not mounted.
func (d *Disk) Attach(t *testing.T) {
	t.Helper()
	if out, err := Command(t, "", "mount", "-t", d.Kind, "-o", "loop", d.Image, d.Folder); err != nil {
		t.Skipf("needs root that may mount: %s", out)
	}
}

// Fill writes into f until nothing is left.
func Fill(f *os.File) {
	for block := make([]byte, 64<<10); len(block) >= 1; {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	f.Sync()
}
