// Package message is what the daemons do to the text of a message while it
// streams past: trace lines, line ends, the header fields that decide
// something.
//
// Nothing here holds a message. Each stage is a small value with an Append
// method that takes the next bytes in any division and appends what becomes of
// them to a buffer of the caller, and a Finish method for the end. A
// stage serves one message and one goroutine.
package message
