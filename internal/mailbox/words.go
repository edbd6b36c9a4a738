package mailbox

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"posthorn/internal/picture"
	"posthorn/internal/statefile"
)

// maxWords bounds how many keywords without a letter a folder can have.
const maxWords = 1000

// words are the keywords of a folder's messages that have no letter. They stand
// in posthorn-state under the unique part of a message file's name: so a message
// keeps them whatever becomes of its UID, and they are there before it is.
type words struct {
	of  map[string][]string // by the unique part of the name
	all []string            // those that are known, as they were first spelt
	at  map[string]int      // where they stand in all, by their small letters
	sum uint64              // tells two states of them apart: names of files do not
}

// unique returns the part of a base name that stays when its sizes are corrected.
func unique(base []byte) []byte {
	if i := bytes.IndexByte(base, ','); i >= 0 {
		return base[:i]
	}
	return base
}

// set gives a message its words.
func (w *words) set(key string, list []string) {
	w.sum += digest(key, list) - digest(key, w.of[key])
	if len(list) == 0 {
		delete(w.of, key)
		return
	}
	if w.of == nil {
		w.of = make(map[string][]string)
	}
	w.of[key] = list
	for _, name := range list {
		if w.word(name) >= 0 {
			continue
		}
		if w.at == nil {
			w.at = make(map[string]int)
		}
		w.at[strings.ToLower(name)] = len(w.all)
		w.all = append(w.all, name)
	}
}

// digest stands for one message's words in words.sum.
func digest(key string, list []string) uint64 {
	if len(list) == 0 {
		return 0
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s", key, strings.Join(list, " "))
	return h.Sum64()
}

// word returns where name stands in all, or -1.
func (w *words) word(name string) int {
	if i, ok := w.at[strings.ToLower(name)]; ok {
		return i
	}
	return -1
}

// loadWords reads posthorn-state when it changed.
func (f *folder) loadWords() error {
	changed, err := f.state.Load()
	if err != nil || !changed {
		return err
	}
	old := f.words.of
	f.words.of, f.words.sum = nil, 0
	for key, list := range f.state.Words() {
		f.words.set(key, list)
	}
	if len(old) == 0 && len(f.words.of) == 0 {
		return nil
	}
	for i := range f.Records {
		r := &f.Records[i]
		if !slices.Equal(old[string(unique(f.Base(r)))], f.wordsOf(r)) {
			f.Touch(r)
		}
	}
	return nil
}

// wordsOf returns the words of a message.
func (f *folder) wordsOf(r *picture.Record) []string {
	if len(f.words.of) == 0 {
		return nil
	}
	return f.words.of[string(unique(f.Base(r)))]
}

// flagsOf returns a message's flags as sessions see them.
func (f *folder) flagsOf(r *picture.Record) Flags {
	flags := flagsOf(r.Flags, f.keywords)
	for _, name := range f.wordsOf(r) {
		if i := f.keywords.Index(name); i < 0 || r.Flags&(1<<(picture.KeywordShift+i)) == 0 {
			flags.Keywords = append(flags.Keywords, name)
		}
	}
	return flags
}

// unlettered returns those of names that have no letter.
func (f *folder) unlettered(names []string) (words []string) {
	for _, name := range names {
		if f.keywords.Index(name) < 0 {
			words = append(words, name)
		}
	}
	return words
}

// roomForWords reports with ErrKeywords that there cannot be so many words.
func (f *folder) roomForWords(names []string) error {
	more := len(f.words.all)
	for _, name := range names {
		if f.word(name) < 0 {
			more++
		}
	}
	if len(names) > 0 && more > maxWords {
		return ErrKeywords
	}
	return nil
}

// changeWords returns a message's words after op.
func (f *folder) changeWords(list []string, op Op, names []string) []string {
	var out []string
	if op != Replace {
		out = slices.Clone(list)
	}
	for _, name := range names {
		at := slices.IndexFunc(out, func(have string) bool { return strings.EqualFold(have, name) })
		switch {
		case op == Remove && at >= 0:
			out = slices.Delete(out, at, at+1)
		case op != Remove && at < 0:
			if i := f.word(name); i >= 0 {
				name = f.words.all[i]
			}
			out = append(out, name)
		}
	}
	return out
}

// storeWords changes the words of messages, durably. For Remove, names are all
// that are to go: a word may have got a letter since.
func (f *folder) storeWords(uids []uint32, op Op, names []string) error {
	if len(f.words.of) == 0 && (op == Remove || len(names) == 0) {
		return nil
	}
	set := make(map[string][]string)
	err := f.state.Update(func(c *statefile.Changes) error {
		for _, uid := range uids {
			r := f.Find(uid)
			if r == nil {
				continue
			}
			key := string(unique(f.Base(r)))
			was, _ := c.Get(statefile.Keywords, key)
			list := f.changeWords(statefile.SplitWords(was), op, names)
			writeWords(c, key, list)
			set[key] = list
		}
		return nil
	})
	if err != nil {
		return wordsError(err)
	}
	for _, uid := range uids {
		r := f.Find(uid)
		if r == nil {
			continue
		}
		key := string(unique(f.Base(r)))
		if list := set[key]; !slices.Equal(f.words.of[key], list) {
			f.words.set(key, list)
			f.Touch(r)
		}
	}
	return nil
}

// writeWords has an Update write a message's words.
func writeWords(c *statefile.Changes, key string, list []string) {
	if len(list) == 0 {
		c.Drop(statefile.Keywords, key)
		return
	}
	c.Set(statefile.Keywords, key, strings.Join(list, " "))
}

// wordsError tells a limit from a local problem.
func wordsError(err error) error {
	if errors.Is(err, statefile.ErrTooLong) || errors.Is(err, statefile.ErrFull) {
		return ErrKeywords
	}
	return err
}

// fileWords writes the words of drafts, durably, before they have their names in
// the folder.
func (f *folder) fileWords(drafts []*draft) error {
	if !slices.ContainsFunc(drafts, func(d *draft) bool { return d.words != nil }) {
		return nil
	}
	err := f.state.Update(func(c *statefile.Changes) error {
		for _, d := range drafts {
			writeWords(c, d.unique(), d.words)
		}
		return nil
	})
	if err != nil {
		return wordsError(err)
	}
	for _, d := range drafts {
		f.words.set(d.unique(), d.words)
	}
	return nil
}

// unique is the key of a draft's words.
func (d *draft) unique() string { return string(unique([]byte(d.base))) }

// dropWords takes away, once they are many, the words of messages that are gone.
// These are gone for good before: a power cut that brings a message back must find
// its words. What cannot be written now harms nobody.
func (f *folder) dropWords() {
	if len(f.words.of) <= 2*len(f.Records)+uidStep || f.dirty || f.store.opt.Shared {
		return
	}
	keys := f.strayWords()
	if f.syncNames(true, true) != nil {
		return
	}
	err := f.state.Update(func(c *statefile.Changes) error {
		for _, key := range keys {
			c.Drop(statefile.Keywords, key)
		}
		return nil
	})
	if err != nil {
		return
	}
	for _, key := range keys {
		f.words.set(key, nil)
	}
}

// strayWords returns the keys of which there is no message.
func (f *folder) strayWords() (keys []string) {
	there := make(map[string]bool, len(f.Records))
	for i := range f.Records {
		there[string(unique(f.Base(&f.Records[i])))] = true
	}
	for key := range f.words.of {
		if !there[key] {
			keys = append(keys, key)
		}
	}
	return keys
}
