// Package decode undoes the encodings that MIME has for the content of parts (RFC
// 2045 section 6) and for words of header fields (RFC 2047). It has no state;
// everything may be used by many goroutines.
package decode
