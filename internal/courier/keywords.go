package courier

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"posthorn/internal/dovecot"
)

// Limits of keywords.
const (
	maxNames  = 1000     // in one folder
	maxUpdate = 16 << 10 // bytes of the file of one message
)

// listName is the file that holds the keywords of most messages; each other
// file in the folder is newer and holds those of the one message that it is
// named after, `.<number>.` in front: a higher number is newer, none is newest.
const listName = ":list"

// readKeywords returns the keywords of a folder's messages.
func readKeywords(d dovecot.Dir) (map[string][]string, error) {
	sub, err := d.Sub(keywordsName)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(sub.FD)
	content, err := sub.Read(listName, maxFile)
	if err != nil {
		return nil, err
	}
	all := ParseKeywords(content)
	names, err := sub.Names("")
	if err != nil {
		return nil, err
	}
	for _, u := range updates(names) {
		content, err := sub.Read(u.file, maxUpdate)
		if err != nil {
			return nil, err
		}
		all[u.message] = words(content)
	}
	maps.DeleteFunc(all, func(_ string, words []string) bool { return len(words) == 0 })
	return all, nil
}

// ParseKeywords reads a `:list`: the keywords, one a line, an empty line, then
// `<name>:<number> …` with the numbers of the message's keywords.
func ParseKeywords(content []byte) map[string][]string {
	all := make(map[string][]string)
	head, body, _ := bytes.Cut(content, []byte("\n\n"))
	var names []string
	for name := range strings.SplitSeq(string(head[:min(len(head), maxFile/16)]), "\n") {
		if len(names) < maxNames {
			names = append(names, name) // one that is none keeps its number
		}
	}
	for line := range lines(body) {
		message, numbers, ok := cutLast(string(line), ':')
		if !ok || !dovecot.ValidName([]byte(message)) {
			continue
		}
		var words []string
		for number := range strings.FieldsSeq(numbers) {
			n, err := strconv.Atoi(number)
			if err == nil && n >= 0 && n < len(names) {
				words = add(words, names[n])
			}
		}
		all[message] = words
	}
	return all
}

// words reads one message's file: a keyword a line.
func words(content []byte) (words []string) {
	for word := range strings.FieldsSeq(string(content)) {
		words = add(words, word)
	}
	return words
}

// add appends a keyword that can be one, once.
func add(words []string, word string) []string {
	if dovecot.CheckKeyword(word) != nil || len(words) >= maxNames || slices.Contains(words, word) {
		return words
	}
	return append(words, word)
}

// update is the file of one message.
type update struct {
	file, message string
	age           uint64 // the highest is the newest
}

// updates picks the files of messages, the oldest first.
func updates(names []string) (all []update) {
	for _, file := range names {
		u := update{file, file, 1<<64 - 1}
		if rest, ok := strings.CutPrefix(file, "."); ok {
			number, message, _ := strings.Cut(rest, ".")
			n, err := strconv.ParseUint(number, 10, 63)
			if err != nil {
				continue
			}
			u.message, u.age = message, n
		}
		if dovecot.ValidName([]byte(u.message)) {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(a, b update) int { return cmp.Compare(a.age, b.age) })
	return all
}

// writeKeywords makes all of them the `:list`, without newer files.
func writeKeywords(d dovecot.Dir, keywords map[string][]string) error {
	err := d.Disk.MkdirAt(d.FD, keywordsName, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	sub, err := d.Sub(keywordsName)
	if err != nil {
		return err
	}
	defer unix.Close(sub.FD)
	if err := write(sub, listName, formatKeywords(keywords)); err != nil {
		return err
	}
	old, err := sub.Names("")
	if err != nil {
		return err
	}
	for _, u := range updates(old) {
		if err := sub.Disk.RemoveAt(sub.FD, u.file); err != nil {
			return err
		}
	}
	return d.Disk.SyncDirAt(d.FD, d.Path)
}

// formatKeywords is ParseKeywords the other way.
func formatKeywords(keywords map[string][]string) (b []byte) {
	number := make(map[string]int)
	for _, message := range slices.Sorted(maps.Keys(keywords)) {
		for _, word := range keywords[message] {
			if _, ok := number[word]; !ok {
				number[word] = len(number)
				b = append(append(b, word...), '\n')
			}
		}
	}
	b = append(b, '\n')
	for _, message := range slices.Sorted(maps.Keys(keywords)) {
		numbers := make([]string, 0, len(keywords[message]))
		for _, word := range keywords[message] {
			numbers = append(numbers, strconv.Itoa(number[word]))
		}
		b = fmt.Appendf(b, "%s:%s\n", message, strings.Join(numbers, " "))
	}
	return b
}
