// Package statefile reads and writes `posthorn-state`, the text file in each folder
// of a Maildir for what no file of Dovecot's can hold: keywords beyond the 26
// that have letters, METADATA, rights.
//
// A line is one fact:
//
//	posthorn-state 1
//	keywords 1763800000.0d4s.mx1 Project-X Customer-42
//	metadata /shared/comment Minutes, since 2019
//	acl anyone lr
//	-acl bob@example.org
//
// First comes its kind, then its key, the rest is the value. A later line of
// the same kind and key takes the place of an earlier one, and one with a '-'
// in front takes the fact away. '%' and control characters are written as %25
// and so on, in keys the space too. Lines that are not understood stay as they
// are, byte for byte; a last line without its line end never was.
//
// Reading needs no lock: the file only grows by whole lines, or is replaced by
// rename. Whoever writes holds the dotlock `posthorn-state.lock`, reads what
// others have written, appends and syncs; when most lines are out of date he
// writes a new file instead. So a crash leaves the old facts, or the new ones, or
// of several that were written together the first.
package statefile
