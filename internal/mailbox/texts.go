package mailbox

import (
	"errors"
	"slices"

	"posthorn/internal/index"
)

// Column names one of the texts that the index can keep of a message. What stands
// in them is the session's matter; the texts of a UID never change.
type Column int

// The columns. A FETCH reads only the one that it needs.
const (
	Envelope  Column = iota // for FETCH
	Head                    // usual header fields
	Search                  // for SEARCH, SORT and THREAD
	Structure               // for FETCH, and to search the text of the message
)

// Texts are what the index keeps of a message, by column; nil for one that is not
// meant.
type Texts [index.Columns][]byte

// maxKept is how many bytes of texts are gathered before they are written.
const maxKept = 128 << 10

// texts are a folder's columns, and what is about to be written to them.
type texts struct {
	columns [index.Columns]*index.Column // nil: not open
	off     bool                         // they cannot be written
	kept    [index.Columns][]index.Entry
	size    int
	checked [index.Columns]int64 // how large a column may become before it is looked through
}

func (t *texts) close() {
	for i, c := range t.columns {
		if c != nil {
			c.Close()
			t.columns[i] = nil
		}
	}
}

// Kept returns the text that Keep kept of message seq, in the memory of buf if that
// has room; ok is false when there is none.
func (v *View) Kept(seq int, c Column, buf []byte) (text []byte, ok bool) {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	r := v.record(seq, v.uid(seq))
	if r == nil {
		return buf, false
	}
	if n := len(f.texts.kept[c]); n > 0 && f.texts.kept[c][n-1].UID == r.UID {
		return append(buf[:0], f.texts.kept[c][n-1].Text...), true // of a moment ago
	}
	if r.Texts[c] == 0 || f.column(int(c)) == nil {
		return buf, false
	}
	if text, ok = f.column(int(c)).Text(r.Texts[c], r.UID); !ok {
		r.Texts[c] = 0 // damaged: it is made again
		return buf, false
	}
	return append(buf[:0], text...), true
}

// Keep has the index keep texts of message seq. One that is too long, or cannot
// be written, is not kept.
func (v *View) Keep(seq int, t Texts) {
	f := v.folder
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.Find(v.uid(seq))
	long := slices.ContainsFunc(t[:], func(text []byte) bool { return len(text) > index.MaxEntry })
	if r == nil || f.texts.off || f.rest.off || long {
		return
	}
	for i, text := range t {
		if text == nil {
			continue
		}
		f.texts.kept[i] = append(f.texts.kept[i], index.Entry{UID: r.UID, Text: text})
		f.texts.size += len(text)
	}
	if f.texts.size > maxKept {
		f.writeTexts()
	}
}

// column returns an open column, nil when there is none.
func (f *folder) column(i int) *index.Column {
	if f.texts.columns[i] == nil && f.rest.file != nil {
		// An error means that there is none.
		_ = f.indexDir().Locked(func() (err error) {
			f.texts.columns[i], err = index.OpenColumn(f.indexDir(), i, f.rest.file.Header().Columns[i])
			return err
		})
	}
	return f.texts.columns[i]
}

// keepColumns has the folder go on with the columns of an index that another process
// wrote, now, after those of the index that was. Where it has none, our own goes on
// unless that was removed.
func (f *folder) keepColumns(was, now [index.Columns]uint64) {
	for i, c := range f.texts.columns {
		if c != nil {
			was[i] = c.ID()
		}
		if was[i] == now[i] || now[i] == 0 && c != nil && !c.Removed() {
			continue
		}
		if c != nil {
			c.Close()
			f.texts.columns[i] = nil
		}
		f.forgetTexts(i)
	}
}

// forgetTexts forgets where the texts of a column stand.
func (f *folder) forgetTexts(i int) {
	for j := range f.Records {
		if r := &f.Records[j]; r.Texts[i] != 0 {
			r.Texts[i] = 0
			f.Note(r)
		}
	}
}

// writeTexts writes what was kept.
func (f *folder) writeTexts() {
	if f.texts.size == 0 {
		return
	}
	kept := &f.texts.kept
	defer f.texts.drop()
	for i := range kept {
		if len(kept[i]) == 0 {
			continue
		}
		if f.column(i) == nil && !f.begin(i) {
			return
		}
		var places []uint32
		err := f.indexDir().Locked(func() (err error) {
			places, err = f.texts.columns[i].Append(kept[i])
			return err
		})
		if f.forgo(err) {
			f.texts.off = !errors.Is(err, index.ErrBusy)
			return
		}
		for j, e := range kept[i] {
			if r := f.Find(e.UID); r != nil {
				r.Texts[i] = places[j]
				f.Note(r)
			}
		}
		f.trim(i)
	}
}

// drop drops what was kept, and leaves room for as many.
func (t *texts) drop() {
	for i, entries := range t.kept {
		clear(entries)
		t.kept[i] = entries[:0]
	}
	t.size = 0
}

// spare is how much of a column may be of messages that are gone, beside half of
// it.
const spare = 1 << 20

// trim begins a column anew when most of it is of messages that are gone.
func (f *folder) trim(i int) {
	c := f.texts.columns[i]
	size, live := c.Size(), int64(0)
	if size <= max(f.texts.checked[i], spare) {
		return
	}
	for j := range f.Records {
		live += c.Length(f.Records[j].Texts[i])
	}
	if f.texts.checked[i] = 2 * size; size > 2*live+spare {
		f.texts.checked[i] = 0
		c.Close()
		f.texts.columns[i] = nil
		f.begin(i)
	}
}

// begin begins a column anew and reports whether it could. That the index is locked for
// long is no reason not to try again.
func (f *folder) begin(i int) bool {
	err := f.indexDir().Locked(func() (err error) {
		f.texts.columns[i], err = index.CreateColumn(f.indexDir(), i)
		return err
	})
	if err == nil {
		f.forgetTexts(i)
	}
	f.texts.off = f.forgo(err) && !errors.Is(err, index.ErrBusy)
	return err == nil
}
