package main

import (
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// TestForeignClient does everyday work with a client library that is not ours.
func TestForeignClient(t *testing.T) {
	f := newFixture(t)
	news := make(chan uint32, 8)
	c := f.foreign(&imapclient.UnilateralDataHandler{Mailbox: func(m *imapclient.UnilateralDataMailbox) {
		if m.NumMessages != nil {
			news <- *m.NumMessages
		}
	}})
	check(t, c.Create("Entwürfe", nil).Wait())
	check(t, c.Subscribe("Entwürfe").Wait())
	uid := file(t, c, "INBOX", simple, imap.FlagSeen)
	file(t, c, "INBOX", "Subject: two\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\npart\r\n--b--\r\n", "$Work")

	folders, err := c.List("", "*", nil).Collect()
	check(t, err)
	if len(folders) != 2 || folders[1].Mailbox != "Entwürfe" {
		t.Errorf("got %+v", folders)
	}
	box, err := c.Select("INBOX", nil).Wait()
	check(t, err)
	if box.NumMessages != 2 || box.UIDNext != 3 || !slices.Contains(box.PermanentFlags, imap.FlagWildcard) {
		t.Errorf("got %+v", box)
	}
	foreignFetch(t, c, uid)

	found, err := c.UIDSearch(&imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, nil).Wait()
	check(t, err)
	if uids := found.AllUIDs(); !slices.Equal(uids, []imap.UID{2}) {
		t.Errorf("got %v", uids)
	}
	copied, err := c.Copy(imap.UIDSetNum(1, 2), "Entwürfe").Wait()
	check(t, err)
	if copied.SourceUIDs.String() != "1:2" || copied.DestUIDs.String() != "1:2" {
		t.Errorf("got %+v", copied)
	}
	check(t, c.Store(imap.UIDSetNum(uid), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close())
	gone, err := c.UIDExpunge(imap.UIDSetNum(uid)).Collect()
	check(t, err)
	if !slices.Equal(gone, []uint32{1}) {
		t.Errorf("got %v", gone)
	}
	foreignIdle(t, f, c, news)
	check(t, c.Logout().Wait())
}

// foreign connects the client library.
func (f *fixture) foreign(h *imapclient.UnilateralDataHandler) *imapclient.Client {
	f.t.Helper()
	conn, _ := f.connect()
	c := imapclient.New(conn, &imapclient.Options{UnilateralDataHandler: h})
	f.t.Cleanup(func() { c.Close() })
	check(f.t, c.WaitGreeting())
	return c
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, c *imapclient.Client, folder, msg string, flags ...imap.Flag) imap.UID {
	t.Helper()
	cmd := c.Append(folder, int64(len(msg)), &imap.AppendOptions{Flags: flags})
	if _, err := cmd.Write([]byte(msg)); err != nil {
		t.Fatal(err)
	}
	check(t, cmd.Close())
	data, err := cmd.Wait()
	check(t, err)
	return data.UID
}

func foreignFetch(t *testing.T, c *imapclient.Client, uid imap.UID) {
	t.Helper()
	whole := &imap.FetchItemBodySection{Peek: true}
	got, err := c.Fetch(imap.UIDSetNum(uid, 2), &imap.FetchOptions{
		UID: true, Flags: true, Envelope: true, InternalDate: true, RFC822Size: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true},
		BodySection:   []*imap.FetchItemBodySection{whole},
	}).Collect()
	check(t, err)
	if len(got) != 2 {
		t.Fatalf("got %d messages", len(got))
	}
	m := got[0]
	if m.Envelope.Subject != "one" || m.RFC822Size != int64(len(simple)) || string(m.FindBodySection(whole)) != simple ||
		!slices.Contains(m.Flags, imap.FlagSeen) || m.BodyStructure.MediaType() != "text/plain" {
		t.Errorf("got %+v", m)
	}
	if s := got[1].BodyStructure; s.MediaType() != "multipart/mixed" || len(s.(*imap.BodyStructureMultiPart).Children) != 1 {
		t.Errorf("got %+v", s)
	}
}

// foreignIdle sees what another session files.
func foreignIdle(t *testing.T, f *fixture, c *imapclient.Client, news chan uint32) {
	t.Helper()
	idle, err := c.Idle()
	check(t, err)
	file(t, f.foreign(nil), "INBOX", simple)
	for n := range news {
		if n == 2 {
			break
		}
	}
	check(t, idle.Close())
	check(t, idle.Wait())
}
