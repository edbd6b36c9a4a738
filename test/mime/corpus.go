// Package mime holds messages that are hard to take apart, each named for what
// is nasty in it, for the tests that compare what our IMAP says of them with
// what Dovecot says, and as seeds for the fuzz targets of parsers.
//
// The files of testdata hold many messages each. A line "=== name" begins one,
// which goes on to the next such line or the end of the file. Hexadecimal
// numbers in ‹› are bytes, and ‹-› at the end of a line takes its line end away.
// Lines end in LF, as files of a Maildir do.
//
// `go test ./test/mime -args -corpus FOLDER` compares over the files of a folder
// instead and lists all that differs.
package mime

import (
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// Message is a message as its file in a Maildir holds it.
type Message struct {
	Name string // what is nasty in it; no other message has it
	Text string
}

//go:embed testdata/*.txt
var files embed.FS

// Messages returns the whole corpus, always in the same order.
func Messages() ([]Message, error) {
	names, err := fs.Glob(files, "testdata/*.txt")
	if err != nil {
		return nil, err
	}
	var all []Message
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		list, err := split(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, list...)
	}
	return append(all, made()...), nil
}

const mark = "=== "

// split takes a file of messages apart.
func split(file string) ([]Message, error) {
	var all []Message
	for _, part := range strings.Split("\n"+strings.TrimSuffix(file, "\n"), "\n"+mark)[1:] {
		name, text, ok := strings.Cut(part, "\n")
		if ok {
			text += "\n"
		}
		text, err := unescape(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, Message{name, text})
	}
	return all, nil
}

var escape = regexp.MustCompile(`‹-›\n|‹[^›]*›`)

// unescape puts in the bytes that stand in ‹›.
func unescape(text string) (string, error) {
	var bad error
	out := escape.ReplaceAllStringFunc(text, func(s string) string {
		if s == "‹-›\n" {
			return ""
		}
		s = strings.TrimSuffix(strings.TrimPrefix(s, "‹"), "›")
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			bad = fmt.Errorf("found ‹%s›, expected bytes in hexadecimal or -", s)
		}
		return string(b)
	})
	return out, bad
}
