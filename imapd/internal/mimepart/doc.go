// Package mimepart finds the parts of a message: where their headers and bodies
// lie, how they nest, and what FETCH says of them (RFC 2045, RFC 2046, RFC 3501
// sections 6.4.5 and 7.4.2).
//
// It reads a message through an io.ReaderAt, in one pass and with a small
// buffer, and keeps offsets and the few header fields that ENVELOPE and
// BODYSTRUCTURE are made of. Line ends are CRLF. Parts, nesting and kept text
// are bounded: what lies beyond counts as the content of the last part within
// the bounds, so every message has a structure, whatever it holds.
package mimepart
