package main

import (
	"fmt"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// TestForeignRev2 has a client library that is not ours use IMAP4rev2, and what
// it includes.
func TestForeignRev2(t *testing.T) {
	c := newFixture(t).foreign(nil)
	_, err := c.Enable(imap.CapIMAP4rev2, imap.CapUTF8Accept).Wait()
	check(t, err)
	check(t, c.Create("Entwürfe.日本語", &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{imap.MailboxAttrDrafts}}).Wait())
	check(t, c.Subscribe("Entwürfe.日本語").Wait())
	for range 3 {
		file(t, c, "Entwürfe.日本語", "Subject: grün\r\n\r\nx\r\n", imap.FlagSeen)
	}
	foreignLists(t, c)

	box, err := c.Select("Entwürfe.日本語", nil).Wait()
	check(t, err)
	if box.NumMessages != 3 || box.List == nil || box.List.Mailbox != "Entwürfe.日本語" {
		t.Errorf("got %+v", box)
	}
	found, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "GRÜN"}}},
		&imap.SearchOptions{ReturnMin: true, ReturnMax: true, ReturnCount: true, ReturnAll: true}).Wait()
	check(t, err)
	if got, want := fmt.Sprint(found.Min, found.Max, found.Count, found.All), "1 3 3 1:3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	messages, err := c.Fetch(imap.UIDSetNum(2), &imap.FetchOptions{UID: true, Envelope: true}).Collect()
	check(t, err)
	if len(messages) != 1 || messages[0].Envelope.Subject != "grün" {
		t.Errorf("got %+v", messages)
	}
}

// foreignLists looks at mailboxes.
func foreignLists(t *testing.T, c *imapclient.Client) {
	t.Helper()
	lists, err := c.List("", "%", &imap.ListOptions{SelectSubscribed: true, SelectRecursiveMatch: true}).Collect()
	check(t, err)
	if len(lists) != 1 || lists[0].Mailbox != "Entwürfe" || lists[0].ChildInfo == nil || !lists[0].ChildInfo.Subscribed {
		t.Errorf("got %+v", lists)
	}
	lists, err = c.List("", "*", &imap.ListOptions{SelectSpecialUse: true, ReturnStatus: &imap.StatusOptions{NumMessages: true, Size: true, NumDeleted: true, AppendLimit: true}}).Collect()
	check(t, err)
	if len(lists) != 1 || lists[0].Status == nil {
		t.Fatalf("got %+v", lists)
	}
	s := lists[0].Status
	if got, want := fmt.Sprint(*s.NumMessages, *s.Size, *s.NumDeleted, *s.AppendLimit), "3 63 0 1048576"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
