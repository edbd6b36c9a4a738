// Package stamp tells one version of a file from another by what stat(2) says of
// it.
package stamp

import (
	"os"
	"strconv"
	"syscall"
	"time"
)

// settle is how long after a change a file may change again unseen: the clock
// of a file system ticks.
const settle = 50 * time.Millisecond

// Stamp is one version of a file, or that there is none. Two that are equal are of
// the same version if the first of them was settled. The zero Stamp is no file's.
type Stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
	missing      bool
	settled      bool
}

// Of returns the stamp of the file at path, following links. One that cannot be
// looked at is as one that is missing, and never settled.
func Of(path string) Stamp {
	var st syscall.Stat_t // without the garbage of os.Stat: this runs at each request
	switch err := syscall.Stat(path, &st); err {
	case nil:
		return ofStat(&st)
	case syscall.ENOENT:
		return Missing()
	}
	return Stamp{missing: true}
}

// Missing returns the stamp of a file that is not there.
func Missing() Stamp { return Stamp{missing: true, settled: true} }

// OfInfo returns the stamp of the file that info describes.
func OfInfo(info os.FileInfo) Stamp {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Stamp{size: info.Size()}
	}
	return ofStat(st)
}

func ofStat(st *syscall.Stat_t) Stamp {
	return Stamp{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim,
		settled: time.Since(time.Unix(st.Ctim.Unix())) > settle}
}

// Like reports whether two stamps look the same, settled or not.
func (s Stamp) Like(other Stamp) bool {
	s.settled, other.settled = true, true
	return s == other
}

// IsMissing reports whether there was no file.
func (s Stamp) IsMissing() bool { return s.missing }

// Settled reports whether nothing can have changed since without another stamp.
func (s Stamp) Settled() bool { return s.settled }

// String writes a settled stamp as a word that is the same for the same version
// only, and any other as "". Another process of this host may compare it with its
// own.
func (s Stamp) String() string { return string(s.Append(nil)) }

// Append appends what String returns.
func (s Stamp) Append(b []byte) []byte {
	switch {
	case !s.settled:
		return b
	case s.missing:
		return append(b, "missing"...)
	}
	b = strconv.AppendUint(b, s.dev, 16)
	for _, n := range [...]int64{int64(s.ino), s.size, s.mtime.Sec, s.mtime.Nsec, s.ctime.Sec, s.ctime.Nsec} {
		b = strconv.AppendInt(append(b, '.'), n, 16)
	}
	return b
}
