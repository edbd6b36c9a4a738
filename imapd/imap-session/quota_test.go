package main

import (
	"strings"
	"testing"

	"posthorn/internal/conf"
)

// limited starts a session whose mailboxes have limits.
func limited(f *fixture, q conf.Quota) *dialogue {
	f.quota = q
	return f.dialogue()
}

// TestQuota is made after the examples of RFC 9208 section 4.
func TestQuota(t *testing.T) {
	d := limited(newFixture(t), conf.Quota{Storage: 4096, Messages: 4, Mailboxes: 3})
	d.want("GETQUOTAROOT INBOX", `* QUOTAROOT "INBOX" ""`, `* QUOTA "" (STORAGE 0 4 MESSAGE 0 4 MAILBOX 1 3)`, "OK GETQUOTAROOT completed")
	d.file("INBOX", "", simple)
	d.file("INBOX", `(\Deleted)`, "Subject: a\r\n\r\n"+strings.Repeat("x", 1400)+"\r\n")
	d.want(`GETQUOTA ""`, `* QUOTA "" (STORAGE 2 4 MESSAGE 2 4 MAILBOX 1 3)`, "OK GETQUOTA completed")
	d.want("STATUS INBOX (DELETED DELETED-STORAGE)", `* STATUS "INBOX" (DELETED 1 DELETED-STORAGE 1416)`, "OK STATUS completed")
	d.want("CREATE Sent", "OK CREATE completed")
	d.want("CREATE Trash", "OK CREATE completed")
	d.want("CREATE More", "NO [OVERQUOTA] no room left for this user's mail")
	d.want("GETQUOTAROOT none", `* QUOTAROOT "none" ""`, `* QUOTA "" (STORAGE 2 4 MESSAGE 2 4 MAILBOX 3 3)`, "OK GETQUOTAROOT completed")
	large := strings.Repeat("x", 3000) + "\r\n"
	d.want("APPEND Sent {3002+}\r\n"+large, "NO [OVERQUOTA] no room left for this user's mail")
	d.do("SELECT INBOX")
	d.want("COPY 1:2 Sent", "OK [COPYUID V 1:2 1:2] COPY completed")
	d.want("COPY 1 Sent", "NO [OVERQUOTA] no room left for this user's mail")
	d.want("APPEND Sent {3+}\r\nx\r\n", "NO [OVERQUOTA] no room left for this user's mail")
	d.want("APPEND Sent {3}", "NO [OVERQUOTA] no room left for this user's mail") // it is not asked for
	d.want("MOVE 2 Trash", "* OK [COPYUID V 2 1] copied", "* 2 EXPUNGE", "* 1 RECENT", "OK MOVE completed")
	d.do("SELECT Trash")
	d.do("STORE 1 +FLAGS (\\Deleted)")
	d.do("EXPUNGE")
	d.want(`GETQUOTA ""`, `* QUOTA "" (STORAGE 2 4 MESSAGE 3 4 MAILBOX 3 3)`, "OK GETQUOTA completed")
	d.file("INBOX", "", simple)
	d.want("GETQUOTA other", "NO [NONEXISTENT] no such quota root")
	d.want("GETQUOTA", "BAD missing argument")
	d.want(`SETQUOTA "" (STORAGE 9)`, "BAD unknown command")
}

// TestQuotaRename: messages that INBOX loses by RENAME need no room.
func TestQuotaRename(t *testing.T) {
	d := limited(newFixture(t), conf.Quota{Messages: 1})
	d.file("INBOX", "", simple)
	d.want("RENAME INBOX Old", "OK RENAME completed")
	d.want("STATUS Old (MESSAGES)", `* STATUS "Old" (MESSAGES 1)`, "OK STATUS completed")
	d.want("STATUS INBOX (MESSAGES)", `* STATUS "INBOX" (MESSAGES 0)`, "OK STATUS completed")
}

func TestMailboxQuota(t *testing.T) {
	d := limited(newFixture(t), conf.Quota{Mailboxes: 2})
	d.file("INBOX", "", simple)
	d.want(`GETQUOTA ""`, `* QUOTA "" (MAILBOX 1 2)`, "OK GETQUOTA completed")
}

func TestNoQuota(t *testing.T) {
	d := newFixture(t).dialogue()
	d.want("GETQUOTAROOT INBOX", `* QUOTAROOT "INBOX" ""`, `* QUOTA "" ()`, "OK GETQUOTAROOT completed")
}

// TestQuotaReplace: of a replacement only what is larger needs room (RFC 8508 section
// 3.4).
func TestQuotaReplace(t *testing.T) {
	d := limited(newFixture(t), conf.Quota{Storage: 200, Messages: 1})
	d.file("INBOX", "", "Subject: draft\r\n\r\n"+strings.Repeat("x", 100)+"\r\n")
	d.do("SELECT INBOX")
	draft := func(n int) string { return literal("Subject: draft\r\n\r\n" + strings.Repeat("y", n) + "\r\n") }
	d.want("APPEND INBOX "+draft(1), "NO [OVERQUOTA] no room left for this user's mail")
	d.want("REPLACE 1 INBOX "+draft(150), "* OK [APPENDUID V 2] replacement is filed", "* 1 EXPUNGE", "* 1 EXISTS", "* 1 RECENT", "OK REPLACE completed")
	d.want("REPLACE 1 INBOX "+draft(250), "NO [OVERQUOTA] no room left for this user's mail")
	d.want("REPLACE 1 INBOX "+draft(10), "* OK [APPENDUID V 3] replacement is filed", "* 1 EXPUNGE", "* 1 EXISTS", "* 1 RECENT", "OK REPLACE completed")
}
