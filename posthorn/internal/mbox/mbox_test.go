package mbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"posthorn/internal/mailbox"
	"posthorn/posthorn/internal/moving"
)

// all returns what is in a file: date, flags and text of each message.
func all(t *testing.T, text string, q Quoting) (got []string, cut bool, err error) {
	t.Helper()
	cut, err = Scan(strings.NewReader(text), func(e Entry) error {
		flags, body, err := Letter(strings.NewReader(text), e, q)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(body)
		got = append(got, fmt.Sprintf("%s %d%q %q", e.Date.Format(time.RFC3339), flags.System, flags.Keywords, b))
		return err
	})
	return got, cut, err
}

const from = "From a@example.org Sat Feb  1 03:04:05 2020\n"

func TestRead(t *testing.T) {
	const date = "2020-02-01T03:04:05Z 0[] "
	for _, tt := range []struct {
		name, text string
		quoting    Quoting
		want       []string
		cut        bool
	}{
		{"nothing", "", RD, nil, false},
		{"two", from + "Subject: 1\n\none\n\n" + from + "Subject: 2\n\ntwo\n\n", RD, []string{date + `"Subject: 1\n\none\n"`, date + `"Subject: 2\n\ntwo\n"`}, false},
		{"CRLF", strings.ReplaceAll(from+"Subject: 1\n\none\n\n"+from+"\ntwo\n\n", "\n", "\r\n"), RD, []string{date + `"Subject: 1\r\n\r\none\r\n"`, date + `"\r\ntwo\r\n"`}, false},
		{"no empty line in front", from + "\none\n" + from + "two\n", RD, []string{date + `"\none\nFrom a@example.org Sat Feb  1 03:04:05 2020\ntwo\n"`}, false},
		{"no date", from + "\none\n\nFrom here to there\n", RD, []string{date + `"\none\n\nFrom here to there\n"`}, false},
		{"cut off", from + "\none\n\n" + from + "\ntw", RD, []string{date + `"\none\n"`, date + `"\ntw"`}, true},
		{"cut off in a From line", from + "\none\n\nFrom a@exam", RD, []string{date + `"\none\n\nFrom a@exam"`}, true},
		{"mboxrd", from + "\n>From x\n>>From y\n> From z\n>Fro\n", RD, []string{date + `"\nFrom x\n>From y\n> From z\n>Fro\n"`}, false},
		{"mboxo", from + "\n>From x\n>>From y\n", O, []string{date + `"\nFrom x\n>>From y\n"`}, false},
		{"none", from + "\n>From x\n>>From y\n", Plain, []string{date + `"\n>From x\n>>From y\n"`}, false},
		{"flags", from + "Status: RO\nX-Status: AFDT\nX-Keywords: a\n b\nX-UID: 7\nSubject: 1\nx-keywords: $Later Work\n\nStatus: text\n", RD,
			[]string{"2020-02-01T03:04:05Z " + fmt.Sprint(mailbox.Seen|mailbox.Answered|mailbox.Flagged|mailbox.Deleted|mailbox.Draft) + `["a" "$Later" "Work"] "Subject: 1\n\nStatus: text\n"`}, false},
		{"no body", from + "Status: R\n" + "\n" + from, RD, []string{"2020-02-01T03:04:05Z " + fmt.Sprint(mailbox.Seen) + `[] ""`, date + `""`}, false},
		{"a long line", from + "\n" + strings.Repeat("x", 200000) + "\n>From y\n", RD, []string{date + `"\n` + strings.Repeat("x", 200000) + `\nFrom y\n"`}, false},
	} {
		got, cut, err := all(t, tt.text, tt.quoting)
		if err != nil || strings.Join(got, "\n") != strings.Join(tt.want, "\n") || cut != tt.cut {
			t.Errorf("%s: got %.300q, %v, %v, want %.300q, %v", tt.name, got, cut, err, tt.want, tt.cut)
		}
	}
	for _, text := range []string{"Subject: no mbox\n", "\nFrom nobody\n", "\x00\x01", strings.Repeat("From ", 1000) + "\n"} {
		if got, _, err := all(t, text, RD); !errors.Is(err, ErrFormat) {
			t.Errorf("%.20q: got %q, %v, want %v", text, got, err, ErrFormat)
		}
	}
}

func TestFromDate(t *testing.T) {
	for line, want := range map[string]string{
		"From a@example.org Sat Feb  1 03:04:05 2020":                  "2020-02-01T03:04:05Z",
		"From - Sat Feb 01 03:04:05 2020":                              "2020-02-01T03:04:05Z",
		"From 1654@xxx Sat Feb 01 03:04:05 +0100 2020":                 "2020-02-01T02:04:05Z",
		"From a Sat Feb  1 03:04:05 2020 -0800":                        "2020-02-01T11:04:05Z",
		"From a Sat Feb  1 03:04 2020":                                 "2020-02-01T03:04:00Z",
		"From a Sat Feb  1 03:04:05 CET 2020":                          "2020-02-01T03:04:05Z",
		"From \"a Mon b\"@example.org Sat Feb  1 03:04:05 2020 remote": "2020-02-01T03:04:05Z",
		"From a Sat Feb 31 03:04:05 2020":                              "",
		"From Sat Feb 1":                                               "",
		"From a Sat ebM  1 03:04:05 2020":                              "",
		"From here on, all is well":                                    "",
	} {
		got, ok := fromDate(line)
		if ok != (want != "") || ok && got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: got %v, %v, want %s", line, got, ok, want)
		}
	}
}

// TestThereAndBack reads what was written.
func TestThereAndBack(t *testing.T) {
	texts := []string{"Subject: 1\r\nStatus: spoof\r\n\r\nFrom me\r\n>From you\r\n\r\n", "no header", "", "X-Keywords: no\n folded\nSubject: 2\n\n\n\nbody without end", "From me\nSubject: 3\n>From you\n"}
	want := []string{"Subject: 1\n\nFrom me\n>From you\n\n", "no header\n", "", "Subject: 2\n\n\n\nbody without end\n", "From me\nSubject: 3\n>From you\n"}
	var b bytes.Buffer
	w := NewWriter(&b)
	date := time.Date(2021, 12, 31, 23, 59, 58, 0, time.FixedZone("", 3600))
	flags := mailbox.Flags{System: mailbox.Seen | mailbox.Flagged, Keywords: []string{"$Later", "x"}}
	for _, text := range texts {
		if err := w.Add(date, flags, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	got, cut, err := all(t, b.String(), RD)
	if err != nil || cut || len(got) != len(want) {
		t.Fatalf("got %q, %v, %v\n%s", got, cut, err, b.String())
	}
	for i, text := range want {
		if want := fmt.Sprintf("2021-12-31T22:59:58Z %d%q %q", flags.System, flags.Keywords, text); got[i] != want {
			t.Errorf("got  %s\nwant %s", got[i], want)
		}
	}
}

func TestSource(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.MkdirAll(dir+"/Work.sbd", 0o700)
	write("Inbox", from+"\none\n\n"+from+"\none\n\n"+from+"\ntw")
	write("Inbox.msf", "index")
	write("Work.sbd/2024.mbox", "")
	write("note.txt", "no mail")
	os.Symlink("/etc/passwd", dir+"/link")
	s, err := Open(dir, RD)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	folders, err := s.Folders()
	if err != nil || fmt.Sprint(folders) != "[{[Inbox] Inbox [] false false} {[Work 2024] Work.sbd/2024.mbox [] false false} {[note.txt] note.txt [] false false}]" {
		t.Fatalf("got %v, %v", folders, err)
	}
	if _, err := s.List(folders[2]); !errors.Is(err, ErrFormat) {
		t.Errorf("got %v, want %v", err, ErrFormat)
	}
	l, err := s.List(folders[0])
	if err != nil || len(l.Items) != 3 || len(l.Notes) != 1 || l.Items[0].ID == l.Items[1].ID {
		t.Fatalf("got %+v, %v, want three messages of ids of their own", l, err)
	}
	var got []string
	for letter, err := range s.Fetch([]moving.Item{l.Items[2], l.Items[0]}) {
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(letter.Body)
		got = append(got, string(b))
	}
	if fmt.Sprintf("%q", got) != `["\ntw" "\none\n"]` {
		t.Errorf("got %q", got)
	}
	r, w, _ := os.Pipe()
	defer r.Close()
	defer w.Close()
	if _, err := OpenFile(r, RD); err == nil {
		t.Error("a pipe was taken")
	}
}

func FuzzScan(f *testing.F) {
	for _, seed := range []string{"", from, from + "Status: R\n\n>From x\n\n" + from + "\ntwo", "\r\n" + from + "X-Keywords: a b\r\n\r\n\r\n", "From a Sat Feb 31 03:04:05 2020\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := int64(0)
		_, err := Scan(strings.NewReader(text), func(e Entry) error {
			if e.Offset < last || e.Size < 0 || e.Offset+e.Size > int64(len(text)) {
				t.Fatalf("entry %+v behind %d of %d", e, last, len(text))
			}
			last = e.Offset + e.Size
			_, body, err := Letter(strings.NewReader(text), e, RD)
			if err != nil {
				return err
			}
			n, err := io.Copy(io.Discard, body)
			if n > e.Size {
				t.Fatalf("a message of %d octets became %d", e.Size, n)
			}
			return err
		})
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
	})
}
