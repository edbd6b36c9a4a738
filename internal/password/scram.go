package password

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	scramScheme = "SCRAM-SHA-256"
	// scramRounds is what MakeKeys takes. The client computes them, at each login;
	// RFC 7677 4 wants 4,096 at least.
	scramRounds  = 32768
	maxScramSalt = 64
)

// Keys are what a server keeps of a password for SCRAM-SHA-256 (RFC 5802 3, RFC
// 7677): enough to check who knows the password, and not enough to log in
// elsewhere. They are not changed once made.
type Keys struct {
	Salt           []byte
	Rounds         int
	Stored, Server [sha256.Size]byte
}

// MakeKeys returns password as {SCRAM-SHA-256}, in the form that Dovecot reads.
func MakeKeys(password string) (string, error) {
	if err := Acceptable(password); err != nil {
		return "", fmt.Errorf("making a password: %w", err)
	}
	salt := make([]byte, makeSalt)
	rand.Read(salt) // never fails: the runtime ends the program instead
	k, err := derive(password, salt, scramRounds)
	if err != nil {
		return "", fmt.Errorf("making a password: %w", err)
	}
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("{%s}%d,%s,%s,%s", scramScheme, k.Rounds, b64(k.Salt), b64(k.Stored[:]), b64(k.Server[:])), nil
}

// NoKeys stand for a user who has none: like has their rounds and the length of
// their salt, and secret, with the name, decides what the salt is. No proof fits
// them.
func NoKeys(like Keys, secret, name string) Keys {
	salt := Sum([]byte(secret), name)
	rand.Read(like.Stored[:])
	rand.Read(like.Server[:])
	like.Salt = salt[:min(len(like.Salt), len(salt))]
	return like
}

// UsualKeys have the costs of MakeKeys, and no proof fits them.
func UsualKeys() Keys { return Keys{Salt: make([]byte, makeSalt), Rounds: scramRounds} }

// derive computes the keys of a password (RFC 5802 3).
func derive(password string, salt []byte, rounds int) (Keys, error) {
	salted, err := pbkdf2.Key(sha256.New, prepare(password), salt, rounds, sha256.Size)
	if err != nil {
		return Keys{}, err
	}
	client := Sum(salted, "Client Key")
	return Keys{Salt: salt, Rounds: rounds, Stored: sha256.Sum256(client[:]), Server: Sum(salted, "Server Key")}, nil
}

// Proves says whether proof is a client's for what both sides said (RFC 5802 3,
// AuthMessage): it holds the client key, of which Stored is the sum. It takes
// constant time.
func (k Keys) Proves(proof []byte, said string) bool {
	signature := Sum(k.Stored[:], said)
	if len(proof) != len(signature) {
		return false
	}
	var client [sha256.Size]byte
	subtle.XORBytes(client[:], proof, signature[:])
	sum := sha256.Sum256(client[:])
	return subtle.ConstantTimeCompare(sum[:], k.Stored[:]) == 1
}

// Signature shows the client that the server has the keys (RFC 5802 3,
// ServerSignature).
func (k Keys) Signature(said string) []byte {
	sum := Sum(k.Server[:], said)
	return sum[:]
}

// Sum is HMAC with SHA-256.
func Sum(key []byte, text string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	h.Sum(sum[:0])
	return sum
}

// parseKeys reads rounds,salt,stored key,server key.
func parseKeys(value string) (*Hash, error) {
	k, err := readKeys(value)
	if err != nil {
		return nil, fmt.Errorf("{%s}: %w", scramScheme, err)
	}
	return &Hash{kind: fmt.Sprintf("%s rounds=%d", scramScheme, k.Rounds), keys: &k, match: func(password string) bool {
		got, err := derive(password, k.Salt, k.Rounds)
		return err == nil && subtle.ConstantTimeCompare(got.Stored[:], k.Stored[:]) == 1
	}}, nil
}

func readKeys(value string) (k Keys, err error) {
	parts := strings.Split(value, ",")
	if len(parts) != 4 {
		return k, errors.New("expected rounds,salt,stored key,server key")
	}
	if k.Rounds, err = strconv.Atoi(parts[0]); err != nil || k.Rounds < 1 {
		return k, fmt.Errorf("found the rounds %.20q, expected a number", parts[0])
	}
	if k.Rounds > maxPBKDF2 {
		return k, fmt.Errorf("too costly: found rounds=%d, expected at most %d", k.Rounds, maxPBKDF2)
	}
	if k.Salt, err = decode("B64", parts[1]); err != nil {
		return k, err
	}
	if len(k.Salt) == 0 || len(k.Salt) > maxScramSalt {
		return k, fmt.Errorf("found %d bytes of salt, expected 1 to %d", len(k.Salt), maxScramSalt)
	}
	for i, key := range []*[sha256.Size]byte{&k.Stored, &k.Server} {
		raw, err := decode("B64", parts[2+i])
		if err != nil {
			return k, err
		}
		if len(raw) != len(key) {
			return k, fmt.Errorf("found a key of %d bytes, expected %d", len(raw), len(key))
		}
		copy(key[:], raw)
	}
	return k, nil
}

// prepare is SASLprep (RFC 4013 2) as far as it changes a password: what is
// prohibited there a client refuses to send, or sends as it is.
func prepare(password string) string {
	mapped := strings.Map(func(r rune) rune {
		switch {
		case r == 0x200b || r != ' ' && unicode.Is(unicode.Zs, r): // RFC 3454 C.1.2
			return ' '
		case nothing(r):
			return -1
		}
		return r
	}, password)
	return norm.NFKC.String(mapped)
}

// nothing says whether RFC 3454 B.1 maps r to nothing.
func nothing(r rune) bool {
	switch r {
	case 0x00ad, 0x034f, 0x1806, 0x200c, 0x200d, 0x2060, 0xfeff:
		return true
	}
	return r >= 0x180b && r <= 0x180d || r >= 0xfe00 && r <= 0xfe0f
}
