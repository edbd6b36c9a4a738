// Package wire reads IMAP commands and writes IMAP responses (RFC 3501
// sections 4, 6 and 9; RFC 7888 for literals that need no invitation).
//
// A Reader collects a command as a whole, byte for byte, with its literals
// where they stand; a Scanner then parses it from memory. So the parser never
// waits for the network, and what is refused is refused after it was read: a
// client that sends {5000+} goes on sending whatever the server thinks of it,
// and bytes left in the stream would run as commands. What cannot be read away
// within a bound ends the connection. The one literal that is not collected is
// the message of APPEND, which the caller streams.
//
// The packages of both halves of imapd use it: the login process with small
// limits, the session with larger ones. Nothing here is safe for concurrent
// use except Pool.
package wire
