package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/durable"
	"posthorn/internal/mailbox"
)

// maildir makes a Maildir with three messages as Dovecot left it: its uidlist
// gives two of them UIDs, the third is new.
func maildir(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "Maildir")
	for name, text := range map[string]string{
		"cur/1700000000.M1P1.host:2,S":     "From: a\nSubject: x\n\nbody\n.dot\n",
		"cur/1700000001.M1P1.host,S=28:2,": "From: b\n\nno newline at end",
		"new/1700000002.M1P1.host":         "From: c\r\n\r\nwith CRLF\r\n",
		"tmp/1700000003.M1P1.host":         "From: d\n\nnot delivered yet\n",
		"dovecot-uidlist":                  "3 V1795355286 N3 Gab58141696f2026b4712000083ecc375\n1 W35 :1700000000.M1P1.host\n2 W28 :1700000001.M1P1.host,S=28\n",
	} {
		path := filepath.Join(root, name)
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func openStore(t *testing.T) *mailbox.Store {
	t.Helper()
	s := mailbox.New(mailbox.Options{Disk: new(durable.Disk), Node: "mx.example.org"})
	t.Cleanup(func() { s.Close() })
	return s
}

// rule is the default with what list says otherwise.
func rule(t *testing.T, list string) conf.POP3 {
	t.Helper()
	c, err := conf.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.POP3.With(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// visit runs one whole session over root's INBOX.
func visit(t *testing.T, store *mailbox.Store, root, in string) string {
	t.Helper()
	return visitBy(t, store, root, rule(t, ""), time.Now(), in)
}

// visitBy is visit by other rules and at another time.
func visitBy(t *testing.T, store *mailbox.Store, root string, by conf.POP3, now time.Time, in string) string {
	t.Helper()
	d, err := openDrop(store, root, by, now)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	out, err := talk(t, d, in)
	if err != nil && !errors.Is(err, io.EOF) { // the end without QUIT
		t.Errorf("%q: %v", in, err)
	}
	return out
}

func TestInbox(t *testing.T) {
	root, store := maildir(t), openStore(t)
	const (
		a = "From: a\r\nSubject: x\r\n\r\nbody\r\n..dot\r\n"
		b = "From: b\r\n\r\nno newline at end\r\n"
		c = "From: c\r\n\r\nwith CRLF\r\n"
	)
	// The UIDLs are those that Dovecot 2.3.19 printed for this uidlist.
	got := visit(t, store, root, "STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nRETR 2\r\nRETR 3\r\nTOP 1 1\r\nQUIT\r\n")
	want := "+OK logged in, 3 messages\r\n+OK 3 85\r\n+OK\r\n1 35\r\n2 28\r\n3 22\r\n.\r\n" +
		"+OK\r\n1 000000016b02f296\r\n2 000000026b02f296\r\n3 000000036b02f296\r\n.\r\n" +
		"+OK 35 octets\r\n" + a + ".\r\n+OK 28 octets\r\n" + b + ".\r\n+OK 22 octets\r\n" + c + ".\r\n" +
		"+OK\r\nFrom: a\r\nSubject: x\r\n\r\nbody\r\n.\r\n+OK bye, 0 messages deleted\r\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	seen, _ := filepath.Glob(root + "/cur/*:2,*S")
	if len(seen) != 3 {
		t.Errorf("read messages: got %q, want all three marked", seen)
	}
}

func TestDeletion(t *testing.T) {
	root, store := maildir(t), openStore(t)
	visit(t, store, root, "DELE 1\r\nDELE 2\r\n") // no QUIT
	if got := visit(t, store, root, "DELE 1\r\nDELE 3\r\nRSET\r\nDELE 2\r\nQUIT\r\n"); !strings.HasSuffix(got, "bye, 1 messages deleted\r\n") {
		t.Errorf("got %q", got)
	}
	got := visit(t, store, root, "UIDL\r\nQUIT\r\n")
	if !strings.Contains(got, "+OK\r\n1 000000016b02f296\r\n2 000000036b02f296\r\n.\r\n") {
		t.Errorf("got %q, want the second message gone and the others with their ids", got)
	}
	left, _ := filepath.Glob(root + "/cur/*")
	if len(left) != 2 {
		t.Errorf("got %q, want two files", left)
	}
}

func TestSecondSessionIsRefused(t *testing.T) {
	root, store := maildir(t), openStore(t)
	d, err := openDrop(store, root, rule(t, ""), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*mailbox.Store{"same process": store, "another store": openStore(t)} {
		if second, err := openDrop(s, root, rule(t, ""), time.Now()); !errors.Is(err, mailbox.ErrLocked) {
			t.Errorf("%s: got %v, %v, want %v", name, second, err, mailbox.ErrLocked)
		}
	}
	d.Close()
	visit(t, store, root, "QUIT\r\n")
}

// TestForeignRemoval: what somebody else removes fails alone.
func TestForeignRemoval(t *testing.T) {
	root, store := maildir(t), openStore(t)
	d, err := openDrop(store, root, rule(t, ""), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.Remove(root + "/cur/1700000000.M1P1.host:2,S"); err != nil {
		t.Fatal(err)
	}
	got, err := talk(t, d, "RETR 1\r\nRETR 2\r\nDELE 1\r\nDELE 2\r\nQUIT\r\n")
	want := "+OK logged in, 3 messages\r\n-ERR message 1 is gone\r\n+OK 28 octets\r\nFrom: b\r\n\r\nno newline at end\r\n.\r\n" +
		"+OK message 1 deleted\r\n+OK message 2 deleted\r\n+OK bye, 2 messages deleted\r\n"
	if got != want || err != nil {
		t.Errorf("got  %q, %v\nwant %q", got, err, want)
	}
}

func TestNewMessagesWait(t *testing.T) {
	root, store := maildir(t), openStore(t)
	d, err := openDrop(store, root, rule(t, ""), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/new/1700000009.M1P1.host", []byte("From: e\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := talk(t, d, "RETR 4\r\nSTAT\r\nQUIT\r\n"); !strings.Contains(got, "-ERR no such message, only 3 here\r\n+OK 3 85\r\n") {
		t.Errorf("got %q, %v", got, err)
	}
	d.Close()
	if got := visit(t, store, root, "STAT\r\nQUIT\r\n"); !strings.Contains(got, fmt.Sprintf("+OK 4 %d\r\n", 85+11)) {
		t.Errorf("afterwards: got %q", got)
	}
}

// TestSavedUIDL: what an earlier migration saved in the uidlist is shown, as
// Dovecot 2.3.19 does; what no answer could carry is not.
func TestSavedUIDL(t *testing.T) {
	root, store := maildir(t), openStore(t)
	lines := "3 V1795355286 N3 Gab58141696f2026b4712000083ecc375\n" +
		"1 PGmailId99 W35 :1700000000.M1P1.host\n2 P\x01 W28 :1700000001.M1P1.host,S=28\n"
	if err := os.WriteFile(root+"/dovecot-uidlist", []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "+OK\r\n1 GmailId99\r\n2 000000026b02f296\r\n3 000000036b02f296\r\n.\r\n"
	for range 2 { // the second session finds a list that we have written to
		if got := visit(t, store, root, "UIDL\r\nQUIT\r\n"); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestSavedOrder: messages come in the order that another server had, then those
// without a place, as Dovecot 2.3.19 does.
func TestSavedOrder(t *testing.T) {
	root, store := maildir(t), openStore(t)
	lines := "3 V1795355286 N3 Gab58141696f2026b4712000083ecc375\n" +
		"1 O7 W35 :1700000000.M1P1.host\n2 PGmailId99 O3 W28 :1700000001.M1P1.host,S=28\n"
	if err := os.WriteFile(root+"/dovecot-uidlist", []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "+OK\r\n1 GmailId99\r\n2 000000016b02f296\r\n3 000000036b02f296\r\n.\r\n+OK 28 octets\r\nFrom: b\r\n"
	if got := visit(t, store, root, "UIDL\r\nRETR 1\r\nDELE 2\r\nQUIT\r\n"); !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	left, _ := filepath.Glob(root + "/cur/*")
	if want := []string{root + "/cur/1700000001.M1P1.host,S=28:2,S", root + "/cur/1700000002.M1P1.host:2,"}; !slices.Equal(left, want) {
		t.Errorf("got %q left, want %q", left, want)
	}
}

// TestTemplates: names of files, which are in no memory, too.
func TestTemplates(t *testing.T) {
	root, store := maildir(t), openStore(t)
	for template, want := range map[string]string{
		"UID%u-%v": "1 UID1-1795355286\r\n2 UID2-1795355286\r\n3 UID3-1795355286\r\n",
		"%f":       "1 1700000000.M1P1.host\r\n2 1700000001.M1P1.host,S=28\r\n3 1700000002.M1P1.host\r\n",
	} {
		if got := visitBy(t, store, root, rule(t, "uidl="+template), time.Now(), "UIDL\r\nQUIT\r\n"); !strings.Contains(got, "+OK\r\n"+want+".\r\n") {
			t.Errorf("%s: got %q, want %q", template, got, want)
		}
	}
}

// TestRules: what becomes of messages that are fetched and deleted.
func TestRules(t *testing.T) {
	const flags = ":2,*"
	for _, tc := range []struct {
		name, rule, in string
		want           []string // flags, or gone, of the messages that Dovecot knew
		later          string   // STAT after 29 and 31 days
	}{
		{"marked", "", "RETR 2\r\nDELE 1\r\nQUIT\r\n", []string{"gone", "S"}, "+OK 2 50; +OK 2 50"},
		{"kept as they are", "fetched=keep", "RETR 2\r\nQUIT\r\n", []string{"S", ""}, "+OK 3 85; +OK 3 85"},
		{"hidden", "deleted=hide", "RETR 2\r\nDELE 1\r\nQUIT\r\n", []string{"Sa", "S"}, "+OK 2 50; +OK 2 50"},
		{"removed later", "fetched=30d", "RETR 2\r\nQUIT\r\n", []string{"S", "Sa"}, "+OK 3 85; +OK 2 57"},
		{"kept without a QUIT", "fetched=30d", "RETR 2\r\n", []string{"S", "S"}, "+OK 3 85; +OK 3 85"}, // who knows whether it arrived
		{"TOP is no fetching", "fetched=30d", "TOP 2 0\r\nQUIT\r\n", []string{"S", ""}, "+OK 3 85; +OK 3 85"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root, store := maildir(t), openStore(t)
			by := rule(t, tc.rule)
			visitBy(t, store, root, by, time.Now(), tc.in)
			var got []string
			for _, name := range []string{"1700000000.M1P1.host", "1700000001.M1P1.host,S=28"} {
				files, _ := filepath.Glob(root + "/cur/" + name + flags)
				if len(files) == 0 {
					got = append(got, "gone")
					continue
				}
				_, letters, _ := strings.Cut(files[0], ":2,")
				got = append(got, letters)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got the flags %q, want %q", got, tc.want)
			}
			var stats []string
			for _, days := range []int{29, 31} {
				out := visitBy(t, store, root, by, time.Now().AddDate(0, 0, days), "STAT\r\nQUIT\r\n")
				stats = append(stats, strings.Split(out, "\r\n")[1])
			}
			if got := strings.Join(stats, "; "); got != tc.later {
				t.Errorf("got %q later, want %q", got, tc.later)
			}
		})
	}
}
