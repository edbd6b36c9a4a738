package power

import (
	"bytes"
	"fmt"
	"net/smtp"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/power/disk"
	"posthorn/test/suite"
)

// letter is a message that a client sends, and where it has to be in the end.
type letter struct {
	name   string // no other letter has it
	from   string
	to     []string
	boxes  []string // whose owners get it
	remote int      // copies that the other host gets
	bounce string   // who is told that it could not be delivered
	lines  int      // of its text
}

const carl = "carl@" + instance.Domain

// letters go every way that mail can go.
func letters() []*letter {
	all := []*letter{
		{to: []string{suite.Ann}, boxes: []string{suite.Ann}},
		{to: []string{suite.Bob, carl, suite.Ann}, boxes: []string{suite.Ann, suite.Bob, carl}},
		{to: []string{"team@" + instance.Domain}, boxes: []string{suite.Ann, suite.Bob}, remote: 1},
		{to: []string{suite.Eve}, remote: 1},
		{to: []string{"550-no@" + instance.Foreign, suite.Bob}, boxes: []string{suite.Bob}, bounce: suite.Ann},
		{to: []string{suite.Bob}, boxes: []string{suite.Bob}, lines: 1500},
	}
	for n, l := range all {
		l.name = fmt.Sprintf("letter-%d.", n)
		l.from = suite.Ann
	}
	return all
}

// aliases lead to two boxes and to another host.
const aliases = "postmaster: " + suite.Ann + "\nteam: " + suite.Ann + ", " + suite.Bob + ", " + suite.Eve + "\n"

// text is the letter as its client sends it, with LF line ends.
func (l *letter) text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: <%s>\nTo: <%s>\nSubject: %s\n\n", l.from, l.to[0], l.name)
	for n := range max(l.lines, 3) {
		fmt.Fprintf(&b, "%s line %06d, which is no other's and not short either\n", l.name, n)
	}
	return b.Bytes()
}

// send sends the letter and notes in the record that its client has the
// answer.
func (l *letter) send(t *testing.T, addr, record string) {
	t.Helper()
	c, err := smtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Mail(l.from)
	for _, to := range l.to {
		if err == nil {
			err = c.Rcpt(to)
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", l.name, err)
	}
	w, err := c.Data()
	if err == nil {
		_, err = w.Write(bytes.ReplaceAll(l.text(), []byte("\n"), []byte("\r\n")))
	}
	if err == nil {
		err = w.Close() // reads the answer
	}
	if err == nil {
		err = disk.Append(record, "client", l.name)
	}
	if err != nil {
		t.Fatalf("%s: %v", l.name, err)
	}
	c.Quit()
}

// copies counts what the replay found of the letter.
type copies struct {
	boxes  map[string]int
	remote int
	bounce int
}

// find looks for a letter among what was found.
func (l *letter) find(f *found) copies {
	c := copies{boxes: map[string]int{}}
	for user, files := range f.boxes {
		for _, file := range files {
			switch {
			case !bytes.Contains(file, []byte("Subject: "+l.name)):
			case isBounce(file):
				c.bounce++
			default:
				c.boxes[user]++
			}
		}
	}
	for _, file := range f.remote {
		if bytes.Contains(file, []byte("Subject: "+l.name)) {
			c.remote++
		}
	}
	return c
}

func isBounce(file []byte) bool {
	return bytes.Contains(file, []byte("\nContent-Type: multipart/report"))
}

// whole reports whether a file is some letter as it was sent, or a whole
// report about one.
func whole(all []*letter, file []byte) bool {
	file = bytes.ReplaceAll(file, []byte("\r\n"), []byte("\n"))
	if isBounce(file) {
		_, rest, _ := strings.Cut(string(file), "boundary=")
		boundary, _, _ := strings.Cut(strings.TrimLeft(rest, `"`), "\n")
		boundary = strings.TrimRight(boundary, `";`)
		return strings.HasSuffix(strings.TrimRight(string(file), "\n"), "--"+boundary+"--")
	}
	for _, l := range all {
		head, ok := bytes.CutSuffix(file, l.text())
		if ok && bytes.HasPrefix(head, []byte("Return-Path:")) && !bytes.Contains(head, []byte{0}) {
			return true
		}
	}
	return false
}
