package mailbox

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// inbox is the folder that every box has: the Maildir's root itself.
const inbox = "INBOX"

// maxFolderName is the longest name of a folder on the disk, with its dot.
const maxFolderName = 255

// diskName returns the directory of a folder below the Maildir's root: "." for
// INBOX, which has no case (RFC 3501 5.1), `.Work.2024` for any other.
func diskName(name string) (string, error) {
	if strings.EqualFold(name, inbox) {
		return ".", nil
	}
	if !validFolder(name) {
		return "", ErrBadName
	}
	disk := "." + EncodeUTF7(name)
	if len(disk) > maxFolderName {
		return "", ErrBadName
	}
	return disk, nil
}

// validFolder reports whether name can be a folder: valid UTF-8 without
// control characters, no empty level, nothing that leads elsewhere.
func validFolder(name string) bool {
	if name == "" || len(name) > 4*maxFolderName || name[0] == '~' || !utf8.ValidString(name) {
		return false
	}
	for level := range strings.SplitSeq(name, ".") {
		if level == "" {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' })
}

// folderName is diskName the other way; ok is false for a directory that is no
// folder, or that our own name for it would not find again.
func folderName(disk string) (name string, ok bool) {
	encoded, ok := strings.CutPrefix(disk, ".")
	if !ok {
		return "", false
	}
	name, err := DecodeUTF7(encoded)
	if err != nil || strings.EqualFold(name, inbox) {
		return "", false
	}
	back, err := diskName(name)
	return name, err == nil && back == disk
}

var errUTF7 = errors.New("not modified UTF-7")

// utf7Encoding is the base64 of RFC 3501 5.1.3: a comma for the slash.
func utf7Encoding() *base64.Encoding {
	return base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
		WithPadding(base64.NoPadding).Strict()
}

// EncodeUTF7 returns s in modified UTF-7 (RFC 3501 5.1.3).
func EncodeUTF7(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexFunc(s, func(r rune) bool { return !direct(r) })
		if i != 0 {
			if i < 0 {
				i = len(s)
			}
			b.WriteString(strings.ReplaceAll(s[:i], "&", "&-"))
			s = s[i:]
			continue
		}
		if i = strings.IndexFunc(s, direct); i < 0 {
			i = len(s)
		}
		b.WriteString("&" + encodeRun(s[:i]) + "-")
		s = s[i:]
	}
	return b.String()
}

// direct reports whether r stands for itself.
func direct(r rune) bool { return ' ' <= r && r <= '~' }

func encodeRun(s string) string {
	var raw []byte
	for _, u := range utf16.Encode([]rune(s)) {
		raw = append(raw, byte(u>>8), byte(u))
	}
	return utf7Encoding().EncodeToString(raw)
}

// DecodeUTF7 is EncodeUTF7 the other way. What EncodeUTF7 would have written
// in another way is an error.
func DecodeUTF7(s string) (string, error) {
	var b strings.Builder
	for rest := s; rest != ""; {
		before, after, found := strings.Cut(rest, "&")
		b.WriteString(before)
		if !found {
			break
		}
		run, after, ok := strings.Cut(after, "-")
		if !ok {
			return "", errUTF7
		}
		text, err := decodeRun(run)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		rest = after
	}
	if EncodeUTF7(b.String()) != s {
		return "", errUTF7
	}
	return b.String(), nil
}

func decodeRun(run string) (string, error) {
	if run == "" {
		return "&", nil
	}
	raw, err := utf7Encoding().DecodeString(run)
	if err != nil || len(raw)%2 != 0 {
		return "", errUTF7
	}
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i < len(raw); i += 2 {
		units = append(units, uint16(raw[i])<<8|uint16(raw[i+1]))
	}
	return string(utf16.Decode(units)), nil
}
