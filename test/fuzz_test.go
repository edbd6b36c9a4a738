package test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// foreign names the parsers of foreign bytes by their folders, with the fuzz
// targets that feed them. scripts/fuzz runs all that there are.
var foreign = map[string]string{
	"authd":                               "Attempt Passwd Resolve SASL",        // login sides, getent, aliases
	"deliver/internal/box":                "Decode",                             // requests to deliver-box
	"imapd/imap-session":                  "Session",                            // IMAP behind the login
	"imapd/internal/charset":              "Decode Fold",                        // words of messages and searches
	"imapd/internal/date":                 "Parse",                              // Date fields
	"imapd/internal/decode":               "Decode",                             // encodings of parts and words
	"imapd/internal/deflate":              "Reader",                             // what clients compress
	"imapd/internal/encode":               "Reader",                             // binary parts of what is filed
	"imapd/internal/event":                "Notify",                             // what IMAP clients are told of
	"imapd/internal/find":                 "Find",                               // messages that are searched
	"imapd/internal/gist":                 "Gist",                               // what is kept of a message
	"imapd/internal/layout":               "Layout",                             // where the text of a message lies
	"imapd/internal/mimepart":             "Parse",                              // their structure, addresses
	"imapd/internal/order":                "Base Facts Threads",                 // subjects, references
	"imapd/internal/preview":              "Of",                                 // messages in lists
	"imapd/internal/query":                "Batches Fetch List Search Sort URL", // arguments of IMAP
	"imapd/internal/scope":                "Sources",                            // mailboxes of IMAP
	"imapd/internal/wire":                 "Reader Scanner",                     // lines and literals
	"internal/addr":                       "Parse",                              // addresses, paths, domains
	"internal/attr":                       "Read",                               // requests over sockets
	"internal/conf":                       "Scan",                               // posthorn.conf
	"internal/courier":                    "Parse",                              // Courier's files
	"internal/directory":                  "Box",                                // authd's answers
	"internal/dnsx":                       "Answer ResolvConf",                  // name servers
	"internal/door":                       "Detail",                             // queued's answers
	"internal/dovecot":                    "LeftBehind SmallFiles Uidlist",      // Dovecot's files, locks
	"internal/dsn":                        "Parse",                              // RET ENVID NOTIFY ORCPT, xtext
	"internal/evlog":                      "Event",                              // strangers' words in the log
	"internal/guard":                      "Dialogue Dotted Params",             // SMTP and LMTP
	"internal/handover":                   "Decode",                             // deliver and queue-remote
	"internal/id":                         "Time",                               // ids
	"internal/index":                      "Column Index",                       // what a session finds on the disk
	"internal/login":                      "Reader",                             // IMAP and POP3 before the login
	"internal/picture":                    "Info",                               // what follows a base name
	"internal/mailbox":                    "FolderName ToLF",                    // names in a Maildir
	"internal/maildir":                    "ReadName ToLF",                      // the same
	"internal/message":                    "Header Lines",                       // headers, Received, line ends
	"internal/password":                   "Parse",                              // stored passwords
	"internal/quota":                      "Parse",                              // maildirsize
	"internal/screen":                     "Line",                               // what an administrator sees
	"internal/session":                    "Request",                            // hand-overs
	"internal/spool":                      "Append Read Record",                 // envelopes and records
	"internal/starter":                    "ParseAccount",                       // passwd
	"internal/statefile":                  "Parse",                              // posthorn-state
	"internal/tables":                     "Aliases Transport Users",            // tables
	"internal/tlsconf":                    "Parse",                              // keys
	"internal/utf7":                       "Decode",                             // names of mailboxes
	"pop3d/internal/pop3":                 "Parse",                              // POP3
	"pop3d/pop3-session":                  "Session",                            // behind the login
	"posthorn/internal/imap":              "Response",                           // other servers
	"posthorn/internal/mbox":              "Scan",                               // mbox files
	"posthorn/internal/moving":            "Place",                              // names of folders elsewhere
	"queued/internal/bounce":              "Report",                             // messages that come back
	"queued/queue-remote/internal/client": "Reply Stuffing",                     // other hosts
	"queued/queue-remote/internal/recode": "Recode",                             // messages to hosts without 8BITMIME
	"sendmail":                            "Options ParseList ReadLetter",       // callers of sendmail
}

// TestFuzzTargets holds the tree to the list above.
func TestFuzzTargets(t *testing.T) {
	found := map[string][]string{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(strings.TrimPrefix(file, "../")))
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil {
				if name, ok := strings.CutPrefix(fn.Name.Name, "Fuzz"); ok {
					found[folder] = append(found[folder], name)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, names := range found {
		slices.Sort(names)
		if got, want := strings.Join(names, " "), foreign[folder]; got != want {
			t.Errorf("%s: got the targets %q, want %q", folder, got, want)
		}
	}
	for folder := range foreign {
		if found[folder] == nil {
			t.Errorf("%s: got no fuzz target, want %q", folder, foreign[folder])
		}
	}
}
