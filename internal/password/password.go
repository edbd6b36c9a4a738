// Package password reads, compares and makes stored passwords as they stand in
// a passwd-file: `{SCHEME}` in front of the value, in the manner of Dovecot,
// or a bare crypt(3) string.
//
// Reading checks form and cost, so that a hash that would take a minute or a
// gigabyte is an error when the file is loaded and not when somebody logs in.
// Comparing takes constant time for passwords of one length. Schemes:
//
//	PLAIN CLEAR CLEARTEXT                            the password itself
//	CRYPT SHA512-CRYPT SHA256-CRYPT MD5-CRYPT MD5    crypt(3): $6$ $5$ $1$ $y$ $2a$ $2b$ $2y$ $sha1$ $argon2…
//	BLF-CRYPT ARGON2ID ARGON2I PBKDF2
//	SCRAM-SHA-256                                    keys, for the mechanism of that name too
//	SHA SHA1 SHA256 SHA512 PLAIN-MD5 LDAP-MD5        one round of a digest, with .HEX .B64 .BASE64 behind the
//	SSHA SSHA256 SSHA512 SMD5                        name for the encoding; the second line is salted
package password

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// MaxLen bounds a password in bytes. The SHA-crypt schemes cost more for
// longer ones, so it is no more than crypt(3) takes.
const MaxLen = 512

// maxStored bounds a stored password with its scheme.
const maxStored = 2048

// Parameters of Make: argon2id of RFC 9106 4 with the memory that Dovecot and
// libsodium take by default.
const (
	makeTime    = 3
	makeMemory  = 64 * 1024 // KiB
	makeThreads = 1
	makeSalt    = 16
	makeKey     = 32
)

// Hash is a stored password in a form ready to be compared. It is safe for
// concurrent use.
type Hash struct {
	kind  string
	match func(password string) bool
	keys  *Keys // of SCRAM-SHA-256
}

// Parse reads a stored password. The error says what was found and what was
// expected and repeats nothing of the hash.
func Parse(stored string) (*Hash, error) {
	if len(stored) > maxStored {
		return nil, fmt.Errorf("found a stored password of %d bytes, expected at most %d", len(stored), maxStored)
	}
	scheme, value, err := split(stored)
	if err != nil {
		return nil, err
	}
	name, encoding, _ := strings.Cut(scheme, ".")
	if d, ok := digestOf(name); ok {
		return parseDigest(d, name, encoding, value)
	}
	if encoding != "" {
		return nil, fmt.Errorf("found the scheme {%s}, expected an encoding behind a digest only", scheme)
	}
	switch name {
	case "PLAIN", "CLEAR", "CLEARTEXT":
		return parsePlain(value)
	case "PBKDF2":
		return parsePBKDF2(value)
	case scramScheme:
		return parseKeys(value)
	}
	return parseCrypt(name, value)
}

// split takes the scheme, in capitals, from the front; without one it is
// CRYPT, as in Dovecot's passwd-file.
func split(stored string) (scheme, value string, err error) {
	if !strings.HasPrefix(stored, "{") {
		return "CRYPT", stored, nil
	}
	scheme, value, ok := strings.Cut(stored[1:], "}")
	if !ok || scheme == "" {
		return "", "", errors.New("found { without }, expected {SCHEME} in front of the hash")
	}
	return strings.ToUpper(scheme), value, nil
}

// Match says whether password is the stored one. It costs the same for every
// password of one length.
func (h *Hash) Match(password string) bool { return h.match(password) }

// Keys returns the keys of SCRAM-SHA-256 where the password is stored as these.
func (h *Hash) Keys() (Keys, bool) {
	if h.keys == nil {
		return Keys{}, false
	}
	return *h.keys, true
}

// Kind names scheme and cost: two hashes of one kind cost the same to compare.
func (h *Hash) Kind() string { return h.kind }

// Check returns what is wrong with a stored password. The marks that lock an
// account are right.
func Check(stored string) error {
	if Locked(stored) {
		return nil
	}
	_, err := Parse(stored)
	return err
}

// Locked says whether stored is one of the marks that no password matches:
// an empty field, or one that begins with ! or * as in shadow(5).
func Locked(stored string) bool {
	if strings.HasPrefix(stored, "{") {
		_, stored, _ = strings.Cut(stored, "}")
	}
	return stored == "" || stored[0] == '!' || stored[0] == '*'
}

// Acceptable returns why password cannot be one: it is empty, too long, not
// UTF-8, or holds NUL or another control character.
func Acceptable(password string) error {
	switch {
	case password == "":
		return errors.New("found an empty password, expected at least one character")
	case len(password) > MaxLen:
		return fmt.Errorf("found a password of %d bytes, expected at most %d", len(password), MaxLen)
	case !utf8.ValidString(password):
		return errors.New("found a password that is not UTF-8")
	case strings.ContainsFunc(password, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("found a control character in the password")
	}
	return nil
}

// Make returns password as {ARGON2ID}, with 64 MiB, 3 passes and 1 lane, in
// the form that Dovecot reads.
func Make(password string) (string, error) {
	if err := Acceptable(password); err != nil {
		return "", fmt.Errorf("making a password: %w", err)
	}
	salt := make([]byte, makeSalt)
	rand.Read(salt) // never fails: the runtime ends the program instead
	key := argon2.IDKey([]byte(password), salt, makeTime, makeMemory, makeThreads, makeKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("{ARGON2ID}$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		makeMemory, makeTime, makeThreads, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// Default returns a hash of Make's kind that stands for a user that there is
// not: its result means nothing, its cost does.
func Default() *Hash {
	salt := make([]byte, makeSalt)
	return &Hash{
		kind: argonKind("argon2id", makeMemory, makeTime, makeThreads, makeSalt, makeKey),
		match: func(password string) bool {
			argon2.IDKey([]byte(password), salt, makeTime, makeMemory, makeThreads, makeKey)
			return false
		},
	}
}
