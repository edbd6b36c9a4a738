// Package spool keeps messages between the 250 and their last verdict.
//
// A message is one file: the envelope as name=value lines, an empty line, the
// message, and behind it one line for each thing that became known since:
// where it goes, verdicts, the next try, notices. Lines are only ever appended;
// nothing is rewritten in place.
//
// smtpd holds the maker's end (Incoming, Draft), queued the keeper's end
// (Spool, Message). Every state in which a crash can leave the files, who moves
// them on and where a duplicate is possible stands in doc/spool.md; the order
// of steps in this package is that table.
package spool
