package main

import "testing"

// TestMultiSearch follows the examples of RFC 7377 section 2.1.
func TestMultiSearch(t *testing.T) {
	d := newFixture(t).dialogue()
	for _, name := range []string{"folder1", "folder2", "folder2.banana", "folder2.peach", "folder2.salmon", "folder20"} {
		d.needs("CREATE " + name)
	}
	for _, name := range []string{"folder1", "folder1", "folder2", "folder2.banana", "folder2.salmon", "folder20", "INBOX"} {
		flags := ""
		if name == "folder2.salmon" {
			flags = `(\Seen)`
		}
		d.file(name, flags, simple)
	}
	d.file("folder2.salmon", `(\Seen)`, "Subject: about chad\r\n\r\nbody\r\n")
	found := func(tag, name, what string) string {
		return `* ESEARCH (TAG "` + tag + `" MAILBOX "` + name + `" UIDVALIDITY V) UID ` + what
	}
	d.n = 0
	d.want(`ESEARCH IN (mailboxes "folder1" subtree "folder2") unseen`,
		found("t1", "folder1", "ALL 1:2"), found("t1", "folder2", "ALL 1"), found("t1", "folder2.banana", "ALL 1"), "OK ESEARCH completed")
	d.want(`ESEARCH IN (mailboxes "folder1" subtree "folder2") subject "chad"`, found("t2", "folder2.salmon", "ALL 2"), "OK ESEARCH completed")
	d.want(`esearch in (mailboxes (inbox none "no such" folder1)) RETURN (COUNT MIN) all`,
		found("t3", "INBOX", "MIN 1 COUNT 1"), found("t3", "folder1", "MIN 1 COUNT 2"), "OK ESEARCH completed")
	d.want(`ESEARCH IN (subtree-one folder2 personal) RETURN (PARTIAL 2:3) ALL`,
		found("t4", "folder1", "PARTIAL (2:3 2)"), found("t4", "folder2.salmon", "PARTIAL (2:3 2)"), "OK ESEARCH completed")
	d.needs("SUBSCRIBE folder20", "SUBSCRIBE gone")
	d.n = 4
	d.want(`ESEARCH IN (subscribed) CHARSET UTF-8 SUBJECT one`, found("t5", "folder20", "ALL 1"), "OK ESEARCH completed")
	d.want("ESEARCH ALL", "BAD no mailbox is selected")
	d.want("ESEARCH IN (selected personal) ALL", "BAD no mailbox is selected")
	d.want("ESEARCH IN (selected-delayed) ALL", "BAD selected-delayed is for NOTIFY")

	d.needs("SELECT folder1", "STORE 2 +FLAGS (\\Deleted)", "EXPUNGE")
	d.file("folder1", "", simple)
	d.needs("NOOP")
	d.n = 10
	d.want("ESEARCH 2", found("t11", "folder1", "ALL 3"), "OK ESEARCH completed")
	d.want("ESEARCH IN (selected) RETURN (SAVE) 2", "OK ESEARCH completed")
	d.want("UID SEARCH $", "* SEARCH 3", "OK UID SEARCH completed")
	d.want("ESEARCH IN (inboxes mailboxes folder1) RETURN (MAX) ALL",
		found("t14", "INBOX", "MAX 1"), found("t14", "folder1", "MAX 3"),
		found("t14", "folder2", "MAX 1"), found("t14", "folder2.banana", "MAX 1"), found("t14", "folder2.salmon", "MAX 2"), found("t14", "folder20", "MAX 1"),
		"OK ESEARCH completed")
	for _, command := range []string{"ESEARCH IN (personal) RETURN (SAVE) ALL", "ESEARCH IN (selected personal) NOT 1", "ESEARCH IN (personal) UID 1,$"} {
		d.want(command, "BAD sequence numbers and saved results belong to the selected mailbox alone")
	}
	d.want("ESEARCH IN (selected selected) FLAGGED", "OK ESEARCH completed")
	d.want("ESEARCH IN (selected mailboxes (INBOX folder1)) UID *", found("t19", "folder1", "ALL 3"), found("t19", "INBOX", "ALL 1"), "OK ESEARCH completed")
	d.want("UID SEARCH RETURN () ALL", `* ESEARCH (TAG "t20") UID ALL 1,3`, "OK UID SEARCH completed")
}

// TestMultiSearchOfOthers: no mailbox is searched that the user may not read.
func TestMultiSearchOfOthers(t *testing.T) {
	v := newTown(t)
	bob := v.as("bob")
	for name, rights := range map[string]string{"open": "lr", "seen": "l", "read": "r", "own": ""} {
		bob.needs("CREATE " + name)
		bob.file(name, "", simple)
		if rights != "" {
			bob.needs("SETACL " + name + " ann " + rights)
		}
	}
	ann := v.as("ann")
	ann.file("INBOX", "", simple)
	ann.n = 0
	one := func(tag, name string) string {
		return `* ESEARCH (TAG "` + tag + `" MAILBOX "` + name + `" UIDVALIDITY V) UID ALL 1`
	}
	ann.want("ESEARCH IN (subtree Shared mailboxes Shared/BOB@x.example/seen) ALL", one("t1", "Shared/bob@x.example/open"), "OK ESEARCH completed")
	ann.want("ESEARCH IN (mailboxes (Shared/BOB@x.example/open Shared/bob@x.example/read Shared/bob@x.example/own)) ALL",
		one("t2", "Shared/bob@x.example/open"), "OK ESEARCH completed")
	ann.want("ESEARCH IN (personal) ALL", one("t3", "INBOX"), "OK ESEARCH completed")
	bob.needs("SETACL open ann l")
	ann.want("ESEARCH IN (subtree Shared) ALL", "OK ESEARCH completed")
}
