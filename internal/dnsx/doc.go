// Package dnsx asks the DNS for what mail needs: MX, addresses, TXT, TLSA and
// PTR. It is the only package that touches the DNS library, so that another one
// is a change of this folder alone.
//
// A Resolver is a stub: it asks recursive servers, taken from a list or from
// resolv.conf, over UDP with EDNS0 and over TCP when a reply is truncated, and
// goes to the next server when one fails. /etc/hosts and the name service
// switch are not consulted, with one exception: localhost is the loopback
// (RFC 6761 6.3).
//
// Every look-up tells apart what a mail server must not mix up: the records are
// there, the name is there without such records, there is no such name, or
// nobody could say. Only the last one is an error, and it always means "try
// again later".
package dnsx
