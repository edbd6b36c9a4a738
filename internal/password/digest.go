package password

import (
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// digest is one round of a hash function, as LDAP servers store it.
type digest struct {
	new      func() hash.Hash
	salted   bool   // the salt stands behind the sum
	encoding string // what the name means without a suffix
}

// digestOf returns the digest scheme called name.
func digestOf(name string) (digest, bool) {
	switch name {
	case "SHA", "SHA1":
		return digest{sha1.New, false, "B64"}, true
	case "SHA256":
		return digest{sha256.New, false, "B64"}, true
	case "SHA512":
		return digest{sha512.New, false, "B64"}, true
	case "PLAIN-MD5":
		return digest{md5.New, false, "HEX"}, true
	case "LDAP-MD5":
		return digest{md5.New, false, "B64"}, true
	case "SSHA":
		return digest{sha1.New, true, "B64"}, true
	case "SSHA256":
		return digest{sha256.New, true, "B64"}, true
	case "SSHA512":
		return digest{sha512.New, true, "B64"}, true
	case "SMD5":
		return digest{md5.New, true, "B64"}, true
	}
	return digest{}, false
}

func parseDigest(d digest, name, encoding, value string) (*Hash, error) {
	if encoding == "" {
		encoding = d.encoding
	}
	raw, err := decode(encoding, value)
	if err != nil {
		return nil, fmt.Errorf("{%s}: %w", name, err)
	}
	size := d.new().Size()
	switch {
	case !d.salted && len(raw) != size:
		return nil, fmt.Errorf("{%s}: found %d bytes, expected %d", name, len(raw), size)
	case d.salted && len(raw) <= size:
		return nil, fmt.Errorf("{%s}: found %d bytes, expected more than %d: the sum and its salt", name, len(raw), size)
	}
	sum, salt := raw[:size], raw[size:]
	return &Hash{kind: name, match: func(password string) bool {
		h := d.new()
		h.Write([]byte(password))
		h.Write(salt)
		return subtle.ConstantTimeCompare(h.Sum(nil), sum) == 1
	}}, nil
}

func decode(encoding, value string) ([]byte, error) {
	switch encoding {
	case "HEX":
		raw, err := hex.DecodeString(value)
		if err != nil {
			return nil, errors.New("found something that is not hexadecimal")
		}
		return raw, nil
	case "B64", "BASE64":
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
		if err != nil {
			return nil, errors.New("found something that is not base64")
		}
		return raw, nil
	}
	return nil, fmt.Errorf("found the encoding .%s, expected .HEX, .B64 or .BASE64", encoding)
}

// parsePlain keeps a sum of the password, so that comparing takes the same
// time whatever the lengths.
func parsePlain(value string) (*Hash, error) {
	if err := Acceptable(value); err != nil {
		return nil, fmt.Errorf("{PLAIN}: %w", err)
	}
	want := sha256.Sum256([]byte(value))
	return &Hash{kind: "PLAIN", match: func(password string) bool {
		got := sha256.Sum256([]byte(password))
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}}, nil
}

// parsePBKDF2 reads Dovecot's own form, $1$salt$rounds$hex of HMAC-SHA1; the
// salt is used as it is written.
func parsePBKDF2(value string) (*Hash, error) {
	parts := strings.Split(value, "$")
	if len(parts) != 5 || parts[0] != "" || parts[1] != "1" || parts[2] == "" {
		return nil, errors.New("{PBKDF2}: expected $1$salt$rounds$hash")
	}
	rounds, err := strconv.Atoi(parts[3])
	if err != nil || rounds < 1 {
		return nil, fmt.Errorf("{PBKDF2}: found the rounds %.20q, expected a number", parts[3])
	}
	if err := within("{PBKDF2}", "rounds", rounds, maxPBKDF2); err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(parts[4])
	if err != nil || len(key) != sha1.Size {
		return nil, fmt.Errorf("{PBKDF2}: expected %d bytes of hexadecimal as the hash", sha1.Size)
	}
	return &Hash{kind: fmt.Sprintf("PBKDF2 rounds=%d", rounds), match: func(password string) bool {
		got, err := pbkdf2.Key(sha1.New, password, []byte(parts[2]), rounds, len(key))
		return err == nil && subtle.ConstantTimeCompare(got, key) == 1
	}}, nil
}
