package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"posthorn/imapd/internal/seek"
)

// TestSearchOfMany looks for a text in so many messages that all processors do,
// while some of them are changed by others.
func TestSearchOfMany(t *testing.T) {
	f := newFixture(t)
	d := f.dialogue()
	const many = 400
	want := "* SEARCH"
	for i := range many {
		text, end := "nothing", "\n"
		if i%3 == 0 {
			text = "Grüße"
		}
		if i%5 == 0 {
			end = "\r\n"
		}
		if i%3 == 0 && i != 99 {
			want += fmt.Sprint(" ", i+1)
		}
		message := strings.Join([]string{"Subject: a", "MIME-Version: 1.0", "", text + " of a line", "and another", ""}, end)
		if i%7 == 0 {
			message = strings.ReplaceAll(message, "line\n", "line\r\n") // both ends in one file
		}
		name := filepath.Join(f.dir, "cur", fmt.Sprintf("%d.m%d.x:2,", 1700000000+i, i))
		if err := os.WriteFile(name, []byte(message), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.do("EXAMINE INBOX")
	d.do("SEARCH SUBJECT a")
	if err := os.Remove(filepath.Join(f.dir, "cur", "1700000099.m99.x:2,")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(f.dir, "cur", "1700000003.m3.x:2,"), filepath.Join(f.dir, "cur", "1700000003.m3.x:2,S")); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		if round == 2 {
			f.host.hands = seek.NewHands(0) // others have all
		}
		if got := d.do("SEARCH BODY {9+}\r\ngrüße o"); !slices.Contains(got, want) {
			t.Fatalf("got  %q\nwant %s", got, want)
		}
	}
	d.do("NOOP")
	d.want("SEARCH RETURN (MIN MAX) BODY gr", `* ESEARCH (TAG "t7") MIN 1 MAX 399`, "OK SEARCH completed")
}
