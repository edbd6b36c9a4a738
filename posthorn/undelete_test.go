package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"posthorn/internal/conf"
	"posthorn/internal/mailbox"
)

// littered makes a Maildir from which messages and a mailbox were removed.
func littered(t *testing.T, path string) {
	t.Helper()
	store := mailbox.New(mailbox.Options{Node: "test"})
	defer store.Close()
	store.KeepRemoved(time.Hour)
	box, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	if err := errors.Join(box.Create("Work"), box.Create("Gone")); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct{ folder, subject string }{
		{"INBOX", "one"}, {"INBOX", "=?utf-8?q?zw=C3=B6lf=1B?="}, {"INBOX", "stays"}, {"Work", "three"}, {"Gone", "four"}, {"Gone", "five"},
	} {
		text := "From: ann@example.org\r\nSubject: " + m.subject + "\r\n\r\nText.\r\n"
		in := mailbox.Incoming{Reader: strings.NewReader(text), Size: int64(len(text)), Flags: mailbox.Flags{System: mailbox.Seen, Keywords: []string{"Blue"}}}
		if _, _, err := box.Append(m.folder, in); err != nil {
			t.Fatal(err)
		}
	}
	for folder, uids := range map[string][]uint32{"INBOX": {1, 2}, "Work": {1}} {
		v, err := box.Select(folder, false)
		if err == nil {
			err = v.Remove(uids)
		}
		if err != nil {
			t.Fatal(err)
		}
		v.Close()
	}
	if err := box.Delete("Gone"); err != nil {
		t.Fatal(err)
	}
}

// undeleted runs the command as the owner.
func undeleted(t *testing.T, file, path string, args ...string) string {
	t.Helper()
	u := &undeletion{}
	if _, err := u.parse(append(args, path), time.Now()); err != nil {
		t.Fatal(err)
	}
	out, err := asOwner(t, file, path, u.run)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return out
}

func stat(t *testing.T, file, path string) string {
	t.Helper()
	out, err := asOwner(t, file, path, statMailbox)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(` unseen=.*`).ReplaceAllString(out, "")
}

func TestUndelete(t *testing.T) {
	file, dir := instance(t, "")
	path := filepath.Join(dir, "Maildir")
	littered(t, path)
	before := stat(t, file, path)
	if out, err := asOwner(t, file, path, checkMailbox); err != nil {
		t.Errorf("check: got %v and %q", err, out)
	}
	list := undeleted(t, file, path)
	for _, want := range []string{"INBOX .* ann@example.org +one\n", "INBOX .* zwölf\\?\n", "Work .* three\n", "Gone .* four\n", "Gone .* five\n"} {
		if !regexp.MustCompile(want).MatchString(list) {
			t.Errorf("got the list\n%s\nwant a line with %q", list, want)
		}
	}
	if n := strings.Count(list, "\n"); n != 6 {
		t.Errorf("got %d lines, want 6:\n%s", n, list)
	}
	if got := undeleted(t, file, path, "-n", "-since", "2126-01-01"); strings.Count(got, "\n") != 1 {
		t.Errorf("since later: got %q, want nothing", got)
	}
	undeleted(t, file, path, "-n", "-all")
	if got := stat(t, file, path); got != before {
		t.Errorf("after lists: got\n%s, want\n%s", got, before)
	}
	one := regexp.MustCompile(`(?m)^(\S+) .* one$`).FindStringSubmatch(list)[1]
	u := &undeletion{}
	if _, err := u.parse([]string{"-to", "Found", path, one}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if out, err := asOwner(t, file, path, u.run); err != nil || out != "INBOX (to Found): messages given back: 1\n" {
		t.Errorf("one message: got %q, %v", out, err)
	}
	if _, err := asOwner(t, file, path, u.run); err == nil {
		t.Error("one message again: got nil, want an error")
	}
	if got, want := undeleted(t, file, path, "-folder", "Work"), "Work: messages given back: 1\n"; got != want {
		t.Errorf("a folder: got %q, want %q", got, want)
	}
	if got, want := undeleted(t, file, path, "-since", "1h"), "INBOX: messages given back: 1\nGone: is back with its messages, 2, as it was\n"; got != want {
		t.Errorf("of an hour: got %q, want %q", got, want)
	}
	want := "INBOX messages=2\nFound messages=1\nGone messages=2\nWork messages=1\n"
	if got := stat(t, file, path); got != want {
		t.Errorf("at the end: got\n%s, want\n%s", got, want)
	}
	if got := undeleted(t, file, path); strings.Count(got, "\n") != 1 {
		t.Errorf("at the end: got the list %q, want none", got)
	}
}

// TestUndeleteBeside has the name of a deleted mailbox taken by another.
func TestUndeleteBeside(t *testing.T) {
	file, dir := instance(t, "")
	path := filepath.Join(dir, "Maildir")
	littered(t, path)
	if err := os.MkdirAll(filepath.Join(path, ".Gone/cur"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, want := undeleted(t, file, path, "-folder", "Gone"), "Gone: messages given back: 2\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUndeleteWords(t *testing.T) {
	file, _ := instance(t, "")
	c, err := conf.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"-x", "ann"}, {"-since", "yesterday", "ann"}, {"-since", "-3h", "ann"}, {"-since", "99999d", "ann"}} {
		if err := undelete(&env{conf: c}, args); !errors.Is(err, errUsage) {
			t.Errorf("%q: got %v, want what is expected", args, err)
		}
	}
	if err := undelete(&env{conf: c, stdout: os.Stdout}, []string{"nobody"}); err == nil {
		t.Error("nobody: got nil, want an error")
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]string{
		"2026-11-20": "2026-11-20T00:00", "2026-11-20T14:30": "2026-11-20T14:30", "90m": "2026-11-23T10:30", "3d": "2026-11-20T12:00",
	} {
		if got, err := when(text, now); err != nil || got.Format("2006-01-02T15:04") != want {
			t.Errorf("%s: got %v, %v, want %s", text, got, err, want)
		}
	}
}
