// Package guard stands between the network and go-smtp's Server.
//
// go-smtp dispatches commands, keeps the order of a dialogue and writes the
// replies. It is given a connection of ours, on which it sees one command line
// at a time, only lines that this package has checked, and never a byte of a
// message. TLS ends below that connection, with STARTTLS too, so everything
// said here holds on every port, before and after STARTTLS. What is cured:
//
//   - A read that fails inside a message ends the connection; what comes later is
//     never taken for commands.
//   - The end of a message is CRLF.CRLF and nothing else, wherever it stands in
//     the stream; it is looked for once, here.
//   - Each read has a deadline of its own, and the whole session has one.
//   - Paths are parsed by package addr from the line as it came; go-smtp gets a
//     placeholder instead. Quoted local parts, <Postmaster> and source routes
//     mean what RFC 5321 says, everything else is refused.
//   - A command line has at most 12,288 bytes (RFC 4954 4) and ends the
//     connection beyond; lines of a message may have any length.
//   - A second MAIL and commands out of order get 503, STARTTLSfoo is unknown,
//     EHLO is answered with our name, replies to pipelined commands go out
//     together.
//   - An error that nobody classified is a 451 and not a 554, and its text stays
//     here; the reply to a message can carry its id.
//   - Connections are limited in all and by client, commands and messages by
//     connection; errors make the replies slower and then end it; a stop does
//     not wait for idle clients.
//   - With LMTP (RFC 2033) each recipient has its own reply to the message, also
//     one that is named twice.
//   - BDAT is read here: go-smtp sees a DATA. A malformed one ends the connection,
//     for the chunk behind it cannot be told from commands.
//
// go-smtp runs each connection in a goroutine of its own, in which our Read and
// Write are called outside its recover: so they have one, which closes that
// connection only.
package guard
