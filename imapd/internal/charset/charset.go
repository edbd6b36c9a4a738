// Package charset turns text of the charsets that clients and messages name
// into UTF-8. It has no state; everything may be used by many goroutines.
package charset

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// Names returns the charsets that a client is told of, by the names preferred
// in MIME. Lookup knows more, and other names for these.
func Names() []string {
	return []string{
		"US-ASCII", "UTF-8",
		"ISO-8859-1", "ISO-8859-2", "ISO-8859-3", "ISO-8859-4", "ISO-8859-5", "ISO-8859-6", "ISO-8859-7",
		"ISO-8859-8", "ISO-8859-9", "ISO-8859-10", "ISO-8859-13", "ISO-8859-14", "ISO-8859-15", "ISO-8859-16",
		"windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255",
		"windows-1256", "windows-1257", "windows-1258", "KOI8-R", "KOI8-U",
		"Shift_JIS", "EUC-JP", "ISO-2022-JP", "EUC-KR", "GBK", "GB18030", "Big5",
	}
}

// Lookup returns the encoding that a name stands for, in any case: one of the
// IANA registry, or one that browsers know and mail uses (cp1252, gb2312). ok is
// false for a charset that is not known. For UTF-8 and US-ASCII the encoding is
// nil: their text stands as it is.
func Lookup(name string) (e encoding.Encoding, ok bool) {
	switch strings.ToUpper(name) {
	case "UTF-8", "UTF8", "US-ASCII", "ASCII":
		return nil, true
	case "UTF-7", "UNICODE-1-1-UTF-7":
		return utf7{}, true
	case "ISO-2022-KR":
		return iso2022kr{}, true
	case "UTF-32":
		return utf32.UTF32(utf32.BigEndian, utf32.UseBOM), true
	case "TIS-620":
		return charmap.Windows874, true // it holds all of it
	}
	e, err := ianaindex.MIME.Encoding(name)
	if err != nil || e == nil {
		e, err = htmlindex.Get(name)
	}
	return e, err == nil && e != encoding.Replacement
}

// Extends reports whether text of US-ASCII alone is the same in the charset name,
// wherever it stands, or the charset is not known.
func Extends(name string) bool {
	e, ok := Lookup(name)
	if !ok || e == nil {
		return true
	}
	all := make([]byte, utf8.RuneSelf)
	for i := range all {
		all[i] = byte(i)
	}
	text, err := e.NewDecoder().Bytes(all)
	return err == nil && bytes.Equal(text, all)
}

// Decode returns text of the charset name in UTF-8; ok is false when the
// charset is not known or the text does not follow it.
func Decode(name, text string) (decoded string, ok bool) {
	e, ok := Lookup(name)
	if !ok {
		return "", false
	}
	if e != nil {
		var err error
		text, err = e.NewDecoder().String(text)
		return text, err == nil && !strings.ContainsRune(text, utf8.RuneError)
	}
	return text, utf8.ValidString(text)
}

// NewReader returns the text of r, which is of the charset name, in UTF-8; text
// of a charset that is not known stands as it is.
func NewReader(name string, r io.Reader) io.Reader {
	if e, ok := Lookup(name); ok && e != nil {
		return transform.NewReader(r, e.NewDecoder())
	}
	return r
}
