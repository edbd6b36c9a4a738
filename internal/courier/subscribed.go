package courier

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"posthorn/internal/dovecot"
	"posthorn/internal/utf7"
)

// maxSubscribed bounds the file of subscriptions.
const maxSubscribed = 4 << 20

// inbox is the name of the Maildir's root, and begins all other names.
const inbox = "INBOX"

// ReadSubscribed returns the folders that were subscribed to in the Maildir
// whose root is root, in modified UTF-7 with '.' between levels. ok is false
// where there is no such file.
func ReadSubscribed(root dovecot.Dir) (names []string, ok bool, err error) {
	if ok, err = root.Has(subscribedName); err != nil || !ok {
		return nil, false, err
	}
	content, err := root.Read(subscribedName, maxSubscribed)
	if err != nil {
		return nil, false, fmt.Errorf("reading Courier's subscriptions: %w", err)
	}
	return ParseSubscribed(content), true, nil
}

// ParseSubscribed reads a `courierimapsubscribed`: a folder a line, `INBOX.`
// in front; what is in other namespaces (shared folders) is left out.
func ParseSubscribed(content []byte) (names []string) {
	seen := make(map[string]bool)
	for line := range lines(append(content, '\n')) {
		name, below := strings.CutPrefix(string(line), inbox+".")
		if !below && name != inbox {
			continue
		}
		name, ok := FolderName(name)
		if ok && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// FolderName returns a folder's name in modified UTF-7: Courier has had names
// in UTF-8 since its version 5, before that they were in modified UTF-7.
func FolderName(name string) (encoded string, ok bool) {
	if _, err := utf7.Decode(name); err == nil {
		return name, name != ""
	}
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", false
	}
	return utf7.Encode(name), true
}

// formatSubscribed is ParseSubscribed the other way.
func formatSubscribed(names []string) (b []byte) {
	for _, name := range names {
		if name != inbox {
			name = inbox + "." + name
		}
		b = append(append(b, name...), '\n')
	}
	return b
}
