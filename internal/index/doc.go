// Package index keeps on the disk what a session has to know of a folder, so
// that a large folder is opened by reading a few hundred bytes: `posthorn.index`
// with a header and a fixed record for each message in the order of their UIDs,
// and append-only columns of longer texts.
//
// Nothing in these files is a truth. Each record, the header and each entry of a
// column has a checksum, which never covers itself; whatever is missing, cut
// off, changed or of another version reads as not there, and is made again from
// the messages' files. No write is synced. What the kernel may have written only
// in part before a power cut is told by the boot in which it was written.
//
// Several processes may use the files at a time: each reads and writes under a
// lock, and a generation in the header tells it that another has written since.
//
// All numbers are little-endian. A File and a Column belong to one goroutine at
// a time; a column may be read without the lock, beside those that append to it.
package index
