package courier

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
	"posthorn/internal/durable"
)

// The files as Courier-IMAP 5.0.13 of Debian 12 wrote them, names shortened.
const (
	uiddb = "1 795364218 5\n1 1700000001.M1P1.h\n2 1700000002.M1P1.h\n3 1700000003.M1P1.h\n"
	list  = "bar\n$Junk\nfoo\n\n1700000001.M1P1.h:1 2\n1700000002.M1P1.h:0\n"
	sizes = "/3 4 1795364224\n1700000001.M1P1.h:2,S 31 1:1795364224:0\n1700000002.M1P1.h:2, 31 2:1795364224:0\n"
)

func TestParseUIDs(t *testing.T) {
	want := UIDs{795364218, 5, []Number{{1, "1700000001.M1P1.h"}, {2, "1700000002.M1P1.h"}, {3, "1700000003.M1P1.h"}}}
	for name, tc := range map[string]struct {
		content string
		want    UIDs
	}{
		"as Courier wrote it":   {uiddb, want},
		"cut":                   {uiddb[:len(uiddb)-1], UIDs{795364218, 5, want.Messages[:2]}},
		"no order, next is low": {"1 7 1\n3 c\n1 a\n", UIDs{7, 4, []Number{{1, "a"}, {3, "c"}}}},
		"twice":                 {"1 7 9\n1 a\n2 a\n1 b\n", UIDs{7, 9, []Number{{1, "a"}}}},
		"names that lead away":  {"1 7 9\n1 ../a\n2 .b\n3 x:2,\n4 \n5\n0 y\n-1 z\n", UIDs{7, 9, nil}},
		"other version":         {"2 7 9\n1 a\n", UIDs{}},
		"no UIDVALIDITY":        {"1 0 9\n1 a\n", UIDs{}},
		"header cut":            {"1 795364", UIDs{}},
		"empty":                 {"", UIDs{}},
		"a long line":           {"1 7 9\n1 " + strings.Repeat("x", 2000) + "\n2 b\n", UIDs{7, 9, []Number{{2, "b"}}}},
	} {
		if got := ParseUIDs([]byte(tc.content)); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %v, want %v", name, got, tc.want)
		}
	}
	if got := string(want.format()); got != uiddb {
		t.Errorf("got %q, want %q", got, uiddb)
	}
}

func TestParseUIDLs(t *testing.T) {
	for content, want := range map[string]string{
		sizes:                                 "[{1700000001.M1P1.h UID1-1795364224} {1700000002.M1P1.h UID2-1795364224}]",
		"/2 4 7\na:2,S 31 1:7\nb 2 2:9\n":     "[{a UID1-7} {b UID2-9}]",
		"/1 4\na 31 1\n":                      "[{a UID1}]",
		"/2 4 7\na b:2,S 31 1:0\n":            "[{a b UID1}]",
		"a 31\n":                              "[]",
		"/3 4 7\na 31 x:7:0\nb 31\n 31 1:7\n": "[]",
		"/3 4 7\na 3 0:7:0\n../b 3 1:7:0\n":   "[]",
		"":                                    "[]",
	} {
		if got := fmt.Sprint(ParseUIDLs([]byte(content))); got != want {
			t.Errorf("%q: got %s, want %s", content, got, want)
		}
	}
}

func TestKeywords(t *testing.T) {
	for content, want := range map[string]string{
		list:                           "map[1700000001.M1P1.h:[$Junk foo] 1700000002.M1P1.h:[bar]]",
		"bad word\nok\n\na:0 1 7 -1\n": "map[a:[ok]]",
		"ok\n\na\n../b:0\nc:0":         "map[]",
		"ok\na:0\n":                    "map[]",
		"\na:0\n":                      "map[]",
		"":                             "map[]",
	} {
		if got := fmt.Sprint(ParseKeywords([]byte(content))); got != want {
			t.Errorf("%q: got %s, want %s", content, got, want)
		}
	}
	back := formatKeywords(map[string][]string{"a": {"x", "y"}, "b": {"y"}})
	if want := "x\ny\n\na:0 1\nb:1\n"; string(back) != want {
		t.Errorf("got %q, want %q", back, want)
	}
}

// open opens a new folder with these files.
func open(t *testing.T, files map[string]string) dovecot.Dir {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return dovecot.Dir{Disk: new(durable.Disk), FD: fd, Path: dir}
}

// TestNewerKeywords: a message's own file counts before the list, the highest
// number before lower ones, none before all.
func TestNewerKeywords(t *testing.T) {
	d := open(t, map[string]string{
		"courierimapkeywords/:list":   "one\n\na:0\nb:0\nc:0\nd:0\n",
		"courierimapkeywords/.9.a":    "old\n",
		"courierimapkeywords/.10.a":   "two\n",
		"courierimapkeywords/.10.b":   "old\n",
		"courierimapkeywords/b":       "three\nfour\n",
		"courierimapkeywords/c":       "",
		"courierimapkeywords/.x.d":    "no number\n",
		"courierimapkeywords/.tmp.ab": "",
	})
	got, err := readKeywords(d)
	if want := "map[a:[two] b:[three four] d:[one]]"; fmt.Sprint(got) != want || err != nil {
		t.Errorf("got %v, %v, want %s", got, err, want)
	}
}

func TestParseSubscribed(t *testing.T) {
	got := ParseSubscribed([]byte("INBOX.Sent\nINBOX.Entwürfe.deep\nINBOX\nINBOX.R&AOk-sum&AOk-\nINBOX.R&D\nshared.x\nINBOX.\nINBOX.Sent\nINBOX.\x01\nINBOX.\xff\nINBOX.last"))
	if want := "[Sent Entw&APw-rfe.deep INBOX R&AOk-sum&AOk- R&-D last]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// TestTakenOnce: the same list is not there a second time, a newer one is.
func TestTakenOnce(t *testing.T) {
	d := open(t, map[string]string{uidsName: uiddb})
	for n, want := range []bool{true, false, false} {
		if got, err := Present(d); got != want || err != nil {
			t.Errorf("look %d: got %v, %v, want %v", n, got, err, want)
		}
		if err := Taken(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(d, uidsName, []byte(uiddb)); err != nil {
		t.Fatal(err)
	}
	if got, err := Present(d); !got || err != nil {
		t.Errorf("after Courier wrote it again: got %v, %v, want true", got, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{uiddb, list, sizes, "INBOX.a\n", "1 7 9\n1 a\n1 a\n", "/1 1\na 1 1\n", "a\n\nb:0 0\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		u := ParseUIDs(content)
		last := uint32(0)
		for _, m := range u.Messages {
			if m.UID <= last || m.UID >= u.Next || !dovecot.ValidName([]byte(m.Name)) {
				t.Fatalf("got %v in %v", m, u)
			}
			last = m.UID
		}
		if again := ParseUIDs(u.format()); u.UIDValidity != 0 && !reflect.DeepEqual(again, u) {
			t.Fatalf("got %v, written and read %v", u, again)
		}
		for _, l := range ParseUIDLs(content) {
			if !dovecot.ValidName([]byte(l.Name)) || len(l.Value) > 70 { // RFC 1939 7
				t.Fatalf("got %v", l)
			}
		}
		for name, words := range ParseKeywords(content) {
			if !dovecot.ValidName([]byte(name)) {
				t.Fatalf("got name %q", name)
			}
			for _, word := range words {
				if dovecot.CheckKeyword(word) != nil {
					t.Fatalf("got keyword %q", word)
				}
			}
		}
		ParseSubscribed(content)
	})
}
