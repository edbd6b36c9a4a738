// Smtpd takes mail in: from other servers on port 25 (service smtp), from users
// on 587 (submission) and 465 (submissions), from programs of this host over
// submit.sock.
//
// It asks authd who a recipient is, whether a password is right and whose a
// sender's address is, and hands each message to queued, which answers when the
// message is durable. A message streams into an unnamed file of spool/incoming
// as it comes; smtpd never holds one. When queued does not answer, the message is
// kept in that folder, as durable, and queued collects it. Its first word to
// queued is a probe with an empty file: a refusal means that modes, groups or
// confinement keep mail out, and ends smtpd with 100 rather than with a 451 under
// load.
//
// # Who may send what
//
// A local recipient is taken from everybody, if authd knows it, and so is any in
// a relay-domain. Others are taken from clients of relay-from on port 25 and from
// users who have logged in, and from nobody else: the domain of the address as package addr parsed it decides,
// no other character of it. The submission services take nothing without a
// login, and a user only sends from addresses that are his, or the null address.
// AUTH is offered by the submission services, over TLS.
//
// Every process of this host may send from any address to anybody over
// submit.sock, as it always could by sendmail(1); the kernel says which uid it
// has, and that stands in the Received field, the envelope and the log. Only the
// daemons themselves are refused, so that one that was taken over sends nothing.
// Recipients there are not asked for before the message is taken, addresses may
// lack their domain, and what is no proper line end is put right.
//
// # The protocol
//
// The dialogue is go-smtp's behind the guard (package guard), which says what it
// cures. What is left of go-smtp's faults:
//
//   - An idle connection costs about 17 KiB: 8 of its buffers, ours and a stack.
//   - A reply to DATA is written when the whole message was judged; there is no
//     reply per recipient (LMTP) on these services.
//
// Line ends: what is not CRLF, and NUL, is refused with 554 5.6.0, or put right
// (bare-newline normalize); in both cases only CRLF.CRLF ends a message. A message
// that ends without a line end, which BDAT makes possible, gets one. A line that
// can be no header field ends the header, and gets the missing empty line in
// front.
//
// What the sender asks of reports (DSN, RFC 3461) and SMTPUTF8 (RFC 6531) go into
// the envelope; queued and queue-remote do what is asked. Without SMTPUTF8 an
// address in a command is ASCII; the header is not looked at.
//
// The parameter BODY of the envelope repeats what the client declared; mail that
// is eight-bit in spite of it is found by whoever sends it on.
package main
