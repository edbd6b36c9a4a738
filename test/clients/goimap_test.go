package clients

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// goimap logs bob in with go-imap's client; told gets the number of messages
// that the server tells of its own accord.
func (d *desk) goimap(way string, told chan<- uint32) *imapclient.Client {
	d.t.Helper()
	pool := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(d.home, "ca.pem"))
	if err != nil || !pool.AppendCertsFromPEM(text) {
		d.t.Fatalf("read the certificate: %v", err)
	}
	o := &imapclient.Options{TLSConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(data *imapclient.UnilateralDataMailbox) {
			if told != nil && data.NumMessages != nil {
				told <- *data.NumMessages
			}
		}}}
	var c *imapclient.Client
	switch way {
	case "tls":
		c, err = imapclient.DialTLS(d.Addr["imaps"], o)
	case "starttls":
		c, err = imapclient.DialStartTLS(d.Addr["imap"], o)
	case "plain":
		c, err = imapclient.DialInsecure(d.Addr["imap"], o)
	}
	if err != nil {
		d.t.Fatalf("%s: %v", way, err)
	}
	d.t.Cleanup(func() { c.Close() })
	d.ok("login", c.Login(suite.Bob, instance.Password).Wait())
	return c
}

// ok ends the test when a command failed.
func (d *desk) ok(what string, err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatalf("%s: %v", what, err)
	}
}

// append puts a message into a mailbox and returns its UID.
func (d *desk) append(c *imapclient.Client, mailbox, subject string, flags ...imap.Flag) imap.UID {
	d.t.Helper()
	text := "From: bob\r\nSubject: " + subject + "\r\n\r\nText of " + subject + ".\r\n"
	a := c.Append(mailbox, int64(len(text)), &imap.AppendOptions{Flags: flags, Time: time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC)})
	_, err := a.Write([]byte(text))
	d.ok("append", errors.Join(err, a.Close()))
	data, err := a.Wait()
	d.ok("append", err)
	return data.UID
}

// same compares what a command told.
func same[T comparable](d *desk, what string, got, want T) {
	d.t.Helper()
	if got != want {
		d.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestGoIMAP(t *testing.T) {
	for _, way := range []string{"tls", "starttls", "plain"} {
		t.Run(way, func(t *testing.T) {
			d := newDesk(t)
			c := d.goimap(way, nil)
			d.goimapFolders(c)
			d.goimapMessages(c)
			d.ok("logout", c.Logout().Wait())
		})
	}
}

// goimapFolders makes, lists, renames and removes folders.
func (d *desk) goimapFolders(c *imapclient.Client) {
	d.t.Helper()
	for _, name := range []string{"Work", "Work.2026", "Später"} {
		d.ok("create", c.Create(name, nil).Wait())
	}
	d.ok("subscribe", c.Subscribe("Work").Wait())
	same(d, "list", d.listed(c, "*"), "INBOX Später Work Work.2026")
	same(d, "list of the top", d.listed(c, "%"), "INBOX Später Work")
	subscriptions, err := os.ReadFile(filepath.Join(d.Dir, "mail", instance.Domain, "bob", "Maildir", "subscriptions"))
	d.ok("read the subscriptions", err)
	same(d, "subscribed", strings.HasSuffix(string(subscriptions), "\nWork\n"), true)
	if err := c.Create("Work", nil).Wait(); err == nil {
		d.t.Error("create of what is there: got OK, want NO")
	}
	d.ok("rename", c.Rename("Work", "Archive", nil).Wait())
	same(d, "list after the rename", d.listed(c, "*"), "Archive Archive.2026 INBOX Später")
	d.ok("delete", c.Delete("Später").Wait())
	same(d, "list after the removal", d.listed(c, "*"), "Archive Archive.2026 INBOX")
	d.ok("unsubscribe", c.Unsubscribe("Work").Wait())
	ns, err := c.Namespace().Wait()
	d.ok("namespace", err)
	same(d, "namespaces", len(ns.Personal), 1)
}

// listed returns the names that match.
func (d *desk) listed(c *imapclient.Client, pattern string) string {
	d.t.Helper()
	all, err := c.List("", pattern, nil).Collect()
	d.ok("list", err)
	var names []string
	for _, l := range all {
		names = append(names, l.Mailbox)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// goimapMessages appends, finds, flags, copies, moves and removes messages.
func (d *desk) goimapMessages(c *imapclient.Client) {
	d.t.Helper()
	one := d.append(c, "Archive", "one")
	two := d.append(c, "Archive", "two", imap.FlagFlagged, "$Work")
	three := d.append(c, "Archive", "three", imap.FlagSeen)
	status, err := c.Status("Archive", &imap.StatusOptions{NumMessages: true, NumUnseen: true, UIDNext: true}).Wait()
	d.ok("status", err)
	same(d, "messages", *status.NumMessages, 3)
	same(d, "unseen", *status.NumUnseen, 2)
	box, err := c.Select("Archive", nil).Wait()
	d.ok("select", err)
	same(d, "exists", box.NumMessages, 3)

	found, err := c.UIDSearch(&imap.SearchCriteria{Flag: []imap.Flag{"$Work"}, Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "TWO"}}}, nil).Wait()
	d.ok("search", err)
	same(d, "found", found.AllUIDs()[0], two)
	section := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierText, Peek: true}
	got, err := c.Fetch(imap.UIDSetNum(one), &imap.FetchOptions{Envelope: true, InternalDate: true, RFC822Size: true, BodyStructure: &imap.FetchItemBodyStructure{Extended: true},
		BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	d.ok("fetch", err)
	same(d, "subject", got[0].Envelope.Subject, "one")
	same(d, "date", got[0].InternalDate.Unix(), time.Date(2026, 10, 1, 10, 0, 0, 0, time.UTC).Unix())
	same(d, "type", got[0].BodyStructure.MediaType(), "text/plain")
	same(d, "text", string(got[0].FindBodySection(section)), "Text of one.\r\n")

	stored, err := c.Store(imap.UIDSetNum(one), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Collect()
	d.ok("store", err)
	same(d, "stored", slices.Contains(stored[0].Flags, imap.FlagDeleted), true)
	copied, err := c.Copy(imap.UIDSetNum(two), "INBOX").Wait()
	d.ok("copy", err)
	same(d, "COPYUID", copied.SourceUIDs.String(), imap.UIDSetNum(two).String())
	moved, err := c.Move(imap.UIDSetNum(three), "Archive.2026").Wait()
	d.ok("move", err)
	same(d, "move's COPYUID", moved.SourceUIDs.(imap.UIDSet).String(), imap.UIDSetNum(three).String())
	gone, err := c.UIDExpunge(imap.UIDSetNum(one, two)).Collect()
	d.ok("expunge", err)
	same(d, "expunged", len(gone), 1)
	d.ok("unselect", c.Unselect().Wait())
	d.wantBox(".Archive", "two:Fa")
	d.wantBox(".Archive.2026", "three:S")
	d.wantBox("", "two:Fa")
}

// TestGoIMAPIdle: a client that idles is told of mail.
func TestGoIMAPIdle(t *testing.T) {
	d := newDesk(t)
	told := make(chan uint32, 64) // more than there can be
	c := d.goimap("tls", told)
	_, err := c.Select("INBOX", nil).Wait()
	d.ok("select", err)
	idle, err := c.Idle()
	d.ok("idle", err)
	d.mail("one", "two")
	for limit, n := time.After(suite.Limit), uint32(0); n != 2; {
		select {
		case n = <-told:
		case <-limit:
			t.Fatal("the idle client was not told of two messages")
		}
	}
	d.ok("done", errors.Join(idle.Close(), idle.Wait()))
	text, err := c.Fetch(imap.SeqSetNum(2), &imap.FetchOptions{Envelope: true}).Collect()
	d.ok("fetch", err)
	same(d, "subject", text[0].Envelope.Subject, "two")
}
