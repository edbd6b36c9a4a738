// Package handover is how queued hands messages on: to deliver over
// deliver.sock and to queue-remote over remote.sock. It holds what a request
// and an answer are, their form on the socket, and the clients; the servers
// are deliver's and queue-remote's own.
//
// A request carries a descriptor of the spool file, open for reading only; the
// message lies at Offset and has Size bytes with CRLF line ends. An answer
// speaks for each box or recipient of the request: who is not mentioned is
// later.
package handover
