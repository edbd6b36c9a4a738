// Package client speaks SMTP (RFC 5321) to a server that nobody has reason to
// trust: the client half of queue-remote.
//
// A Conn is one connection and one conversation, used by one goroutine. Every
// reply has to arrive whole before a deadline and within limits of line, count
// and sum; every write has a deadline; what cannot be read as a reply ends the
// connection and counts as a temporary failure.
//
// What goes out is either right or not sent: addresses are quoted by package
// addr, lines end in CRLF, a dot at the start of a line is doubled, so that
// only the end of the message looks like it. Addresses and headers in UTF-8
// need a server with SMTPUTF8 (RFC 6531); one without gets nothing and the
// recipient a 5.6.7. 8-bit text for a server without 8BITMIME (RFC 6152) is
// encoded by package recode, or refused with 5.6.3 where that cannot be done.
package client
