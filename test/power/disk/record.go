package disk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// line is a line of the record that a build with the tag prove writes:
// internal/durable/prove.go says what its fields are.
type line struct {
	Step, Who, Do, Path, To, Dir, ToDir, File string
	At                                        int64
	Data                                      []byte
	Mode, UID, GID                            uint32
	Error                                     string
}

// Note is what a line says that is no step: an answer that a client has read,
// a message that another host has taken. It stands in the order of the steps.
const Note = "note"

// Step is one step on its way: it begins at one place of the record and has
// ended at a later one.
type Step struct {
	Who      string // the program
	Do       string // what it does: durable.Op, or Note
	Path, To string // absolute; of a Note its text
	dir, to  string // the folders of Path and To
	file     string // what the step works on, or has made
	at       int64
	data     []byte
	mode     uint32
	uid, gid int
	failed   bool
	ended    bool
}

// Event is a place of the record: a step begins, or has ended.
type Event struct {
	*Step
	End bool
}

// Failed reports whether the step made nothing.
func (e Event) Failed() bool { return e.failed }

func (e Event) String() string {
	when := "before"
	if e.End {
		when = "after"
	}
	text := fmt.Sprintf("%s %s %s %s", when, e.Who, e.Do, e.Path)
	if e.To != "" {
		text += " -> " + e.To
	}
	return text
}

// Read takes in a record. A Note is one event, which has ended.
func Read(r io.Reader) ([]Event, error) {
	open := map[string]*Step{}
	var all []Event
	in := bufio.NewScanner(r)
	in.Buffer(nil, 64<<20)
	for n := 1; in.Scan(); n++ {
		var l line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("record: line %d: %w", n, err)
		}
		switch s := open[l.Step]; {
		case l.Do == Note:
			all = append(all, Event{&Step{Who: l.Who, Do: Note, Path: l.Path}, true})
		case l.Do != "":
			s = l.step()
			open[l.Step] = s
			all = append(all, Event{s, false})
		case s == nil:
			return nil, fmt.Errorf("record: line %d: found the end of step %q, which has no beginning", n, l.Step)
		default:
			delete(open, l.Step)
			s.end(l)
			all = append(all, Event{s, true})
		}
	}
	return all, in.Err()
}

// Idle reports whether every step of the record has ended.
func Idle(record []byte) bool {
	events, err := Read(bytes.NewReader(record))
	return err == nil && !slices.ContainsFunc(events, func(e Event) bool { return e.Do != Note && !e.ended })
}

func (l line) step() *Step {
	return &Step{Who: l.Who, Do: l.Do, Path: l.Path, To: l.To, dir: l.Dir, to: l.ToDir, file: l.File, at: l.At, data: l.Data}
}

func (s *Step) end(l line) {
	s.failed, s.ended = l.Error != "", true
	if s.file == "" {
		s.file, s.mode, s.uid, s.gid = l.File, l.Mode, int(l.UID), int(l.GID)
	}
}

// from and onto are the last parts of the step's names.
func (s *Step) from() string { return filepath.Base(s.Path) }
func (s *Step) onto() string { return filepath.Base(s.To) }

// Append adds a Note to the record in the file path.
func Append(path, who, text string) error {
	b, err := json.Marshal(struct{ Who, Do, Path string }{who, Note, text})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n')) // in one piece between those of other processes
	return errors.Join(err, f.Close())
}
