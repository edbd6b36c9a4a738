// Package order puts messages into the order of SORT (RFC 5256, RFC 5957) and into
// the threads of THREAD.
//
// A Sorter and Threads are given one message after another and keep of each only
// what they compare. They are used by one goroutine. Texts compare by
// i;unicode-casemap (RFC 5256 section 7).
package order
