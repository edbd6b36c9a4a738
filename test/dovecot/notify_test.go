package dovecot

import (
	"regexp"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

var changing = regexp.MustCompile(`(UIDVALIDITY|HIGHESTMODSEQ) \d+`)

// hears waits for what is said without being asked for; what Dovecot does in several
// steps may be told in as many.
func (s *session) hears(want string) {
	s.t.Helper()
	got := ""
	for range 10 {
		if got = changing.ReplaceAllString(s.line(), "$1 V"); got == want {
			return
		}
	}
	s.t.Fatalf("got %q at last, want %s", got, want)
}

// TestNotifiedOfDovecot: a client of ours that gives no command hears of what Dovecot
// does to the Maildir.
func TestNotifiedOfDovecot(t *testing.T) {
	i := suite.Server(t, instance.Options{Conf: "mail-shared yes\n"})
	us := ours(t, i)
	us.do("NOTIFY SET (personal (MailboxName SubscriptionChange MessageNew MessageExpunge FlagChange))")
	them := newPeer(t, bobs(i)).imap(t)
	them.do("CREATE %s", drafts)
	us.hears(`* LIST (\HasNoChildren) "." "` + drafts + `"`)
	them.do("SUBSCRIBE %s", drafts)
	us.hears(`* LIST (\HasNoChildren \Subscribed) "." "` + drafts + `"`)
	them.file(drafts, "", message(1))
	us.hears(`* STATUS "` + drafts + `" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY V UNSEEN 1 HIGHESTMODSEQ V)`)
	them.do("SELECT %s", drafts)
	them.do(`STORE 1 +FLAGS (\Seen \Deleted)`)
	us.hears(`* STATUS "` + drafts + `" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY V UNSEEN 0 HIGHESTMODSEQ V)`)
	them.do("EXPUNGE")
	us.hears(`* STATUS "` + drafts + `" (MESSAGES 0 UIDNEXT 2 UIDVALIDITY V UNSEEN 0 HIGHESTMODSEQ V)`)
	them.do("UNSELECT")
	them.do("RENAME %s Other", drafts)
	us.hears(`* LIST (\HasNoChildren) "." "Other" ("OLDNAME" ("` + drafts + `"))`)
	them.do("DELETE Other")
	us.hears(`* LIST (\NonExistent \HasNoChildren) "." "Other"`)
	us.do("NOOP")
}
