package kills

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"posthorn/test/suite"
)

// spot is a place where a message of an id can be.
type spot struct {
	place string
	id    string // of the letter, for a returned one too
}

// copyOf is one file that holds a letter.
type copyOf struct {
	file   string
	at     time.Time // when it was written
	number int
	taken  bool // by the reader
}

// arrived is everything that is in boxes and abroad.
type arrived struct {
	copies map[spot][]copyOf
	faults []string // files that are not what was sent
}

// lookEverywhere reads all boxes, what the reader took, and the foreign host.
func lookEverywhere(f *fleet, r *reader) (*arrived, error) {
	a := &arrived{copies: map[spot][]copyOf{}}
	taken, err := r.files()
	if err != nil {
		return nil, err
	}
	for _, user := range []string{bob, carl, dora} {
		a.add(user, suite.BoxFiles(f.i, user, ""), false)
	}
	a.add(r.user, taken, true)
	a.add(returned, suite.BoxFiles(f.i, suite.Ann, ""), false)
	a.add(abroad, suite.SinkFiles(f.i), false)
	return a, nil
}

func (a *arrived) add(place string, files []string, taken bool) {
	for _, file := range files {
		if err := a.read(place, file, taken); err != nil {
			a.faults = append(a.faults, fmt.Sprintf("%s: %v", file, err))
		}
	}
}

var (
	numbered = regexp.MustCompile(`(?m)^X-Letter: (\d+)\r?$`)
	received = regexp.MustCompile(`\bid ([0-9a-z]{26})\b`)
)

func (a *arrived) read(place, file string, taken bool) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	m := numbered.FindSubmatchIndex(content)
	if m == nil {
		return fmt.Errorf("no letter: %.200q", content)
	}
	ids := received.FindAllSubmatch(content[:m[0]], -1)
	if len(ids) == 0 {
		return fmt.Errorf("no Received: %.200q", content)
	}
	c := copyOf{file: file, at: info.ModTime(), taken: taken}
	c.number, _ = strconv.Atoi(string(content[m[2]:m[3]]))
	id := string(ids[len(ids)-1][1])
	a.copies[spot{place, id}] = append(a.copies[spot{place, id}], c)
	return a.compare(place, id, file, content[m[0]:], c.number)
}

// compare wants the letter byte for byte, but for the line ends that a box has,
// and under its id in a box's file name.
func (a *arrived) compare(place, id, file string, got []byte, number int) error {
	want := strings.ReplaceAll(newLetter(number).text(), "\r\n", "\n")
	if place == returned { // a failure comes with the header
		want, _, _ = strings.Cut(want, "\n\n")
		if !strings.HasPrefix(string(got), want) {
			return fmt.Errorf("letter %d came back changed: %.300q", number, got)
		}
		return nil
	}
	if string(got) != want {
		return fmt.Errorf("letter %d changed: got %d bytes %.300q, want %d bytes", number, len(got), got, len(want))
	}
	if place != abroad && !strings.Contains(filepath.Base(file), "."+id+".") {
		return fmt.Errorf("letter %d has id %s", number, id)
	}
	return nil
}

// doubled are the messages that are in a place more than once.
func (a *arrived) doubled() map[spot][]copyOf {
	all := map[spot][]copyOf{}
	for s, copies := range a.copies {
		if len(copies) > 1 {
			all[s] = copies
		}
	}
	return all
}
