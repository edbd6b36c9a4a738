package dovecot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const keywordsName = "dovecot-keywords"

// MaxKeywords is how many keywords a folder can have: the letters a to z in
// the names of its files.
const MaxKeywords = 26

// maxKeyword bounds a keyword's length; Dovecot's limit is 50, other writers
// may have had a higher one.
const maxKeyword = 200

// Errors of keywords.
var (
	ErrKeywordsFull = errors.New("all 26 letters for keywords are taken")
	ErrKeyword      = errors.New("not a possible keyword")
)

// Keywords are a folder's keywords by letter: index 0 stands for the letter a.
// An empty name is a letter that is not taken; one that no client can be told is
// behind a backslash, so that nobody else gets its letter.
type Keywords [MaxKeywords]string

// Name returns the keyword of a letter, "" where there is none that can be told.
func (k *Keywords) Name(i int) string {
	if strings.HasPrefix(k[i], untold) {
		return ""
	}
	return k[i]
}

// untold begins what cannot be a keyword.
const untold = `\`

// LoadKeywords reads a folder's keywords. Lines without a letter are passed over; a
// missing file means none.
func LoadKeywords(d Dir) (Keywords, error) {
	content, err := d.Read(keywordsName, MaxKeywords*(maxKeyword+8))
	if err != nil {
		return Keywords{}, err
	}
	return ParseKeywords(content), nil
}

// ParseKeywords reads the lines of a dovecot-keywords file: `0 $Forwarded`.
func ParseKeywords(content []byte) (k Keywords) {
	for line := range bytes.SplitSeq(content, []byte{'\n'}) {
		number, name, ok := strings.Cut(string(line), " ")
		i, err := strconv.Atoi(number)
		if !ok || err != nil || i < 0 || i >= MaxKeywords || k[i] != "" {
			continue
		}
		if CheckKeyword(name) != nil || k.Index(name) >= 0 {
			name = untold + name
		}
		k[i] = name
	}
	return k
}

// CheckKeyword reports whether name can be written: an atom of RFC 3501 9, no
// backslash in front. Bytes above 127 are let through.
func CheckKeyword(name string) error {
	if name == "" || len(name) > maxKeyword {
		return ErrKeyword
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c == 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return ErrKeyword
		}
	}
	return nil
}

// Index returns the number of the keyword name, compared without case, or -1.
func (k *Keywords) Index(name string) int {
	for i, have := range k {
		if have != "" && strings.EqualFold(have, name) {
			return i
		}
	}
	return -1
}

// Add gives names the free letters they need. Errors: ErrKeywordsFull, ErrKeyword.
func (k *Keywords) Add(names []string) error {
	for _, name := range names {
		if err := CheckKeyword(name); err != nil {
			return fmt.Errorf("%.60q: %w", name, err)
		}
		if k.Index(name) >= 0 {
			continue
		}
		free := k.free()
		if free < 0 {
			return ErrKeywordsFull
		}
		k[free] = name
	}
	return nil
}

// free returns the first letter not taken, or -1.
func (k *Keywords) free() int {
	for i, name := range k {
		if name == "" {
			return i
		}
	}
	return -1
}

// Room reports whether another keyword can be added.
func (k *Keywords) Room() bool { return k.free() >= 0 }

// Save writes the folder's keywords. The caller holds UidlistLock and has
// loaded the keywords since it took it.
func (k *Keywords) Save(d Dir) error {
	var b []byte
	for i, name := range k {
		if name != "" {
			b = fmt.Appendf(b, "%d %s\n", i, strings.TrimPrefix(name, untold))
		}
	}
	err := d.Replace(keywordsName, func(f io.Writer) error {
		_, err := f.Write(b)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing keywords: %w", err)
	}
	return nil
}
