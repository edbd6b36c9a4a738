package password

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/md5crypt"
	"github.com/go-crypt/crypt/algorithm/scrypt"
	"github.com/go-crypt/crypt/algorithm/sha1crypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
)

// The dearest hash that is accepted: about two seconds, or 256 MiB, of one
// processor. A dearer one would let whoever knocks use up the machine.
const (
	maxMemory    = 256 * 1024     // KiB of one argon2 or yescrypt computation
	maxArgonWork = 32 * 64 * 1024 // KiB times passes
	maxLanes     = 16             // argon2
	maxBcrypt    = 15             // logarithm of the rounds
	minBcrypt    = 4              // below it the library silently takes another
	maxSHARounds = 2_000_000      // SHA-crypt
	minSHARounds = 1000           // below it crypt(3) silently takes another
	maxPBKDF2    = 5_000_000      // rounds
	bcryptLen    = 72             // bytes of a password that bcrypt looks at
	maxSHASalt   = 16             // bytes of a salt that SHA-crypt looks at
	maxMD5Salt   = 8              // bytes of a salt that MD5-crypt looks at
	itoa64       = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// schemeIDs says which crypt(3) identifiers a scheme may hold.
func schemeIDs(scheme string) (ids string, ok bool) {
	switch scheme {
	case "CRYPT":
		return "6 5 1 y 2a 2b 2y sha1 argon2id argon2i", true
	case "SHA512-CRYPT":
		return "6", true
	case "SHA256-CRYPT":
		return "5", true
	case "MD5-CRYPT", "MD5":
		return "1", true
	case "BLF-CRYPT":
		return "2a 2b 2y", true
	case "ARGON2ID":
		return "argon2id", true
	case "ARGON2I":
		return "argon2i", true
	}
	return "", false
}

// parseCrypt reads $id$…, the form of crypt(3).
func parseCrypt(scheme, value string) (*Hash, error) {
	ids, ok := schemeIDs(scheme)
	if !ok {
		return nil, fmt.Errorf("found the unknown scheme {%.40s}, expected one such as {ARGON2ID}, {BLF-CRYPT}, {SHA512-CRYPT} or {CRYPT}", scheme)
	}
	parts := strings.Split(value, "$")
	if len(parts) < 4 || parts[0] != "" {
		return nil, fmt.Errorf("{%s}: expected $id$…$hash (DES hashes are not supported)", scheme)
	}
	id := parts[1]
	if !strings.Contains(" "+ids+" ", " "+id+" ") {
		return nil, fmt.Errorf("{%s}: found $%.20s$, expected one of: %s", scheme, id, ids)
	}
	h, err := parseID(id, parts[2:], value)
	if err != nil {
		return nil, fmt.Errorf("{%s}: %w", scheme, err)
	}
	return h, nil
}

// parseID checks what stands behind $id$ and hands the whole to the decoder of
// that one scheme.
func parseID(id string, parts []string, value string) (*Hash, error) {
	switch id {
	case "6":
		return parseSHA(id, parts, value, 86, shacrypt.DecodeVariant(shacrypt.VariantSHA512))
	case "5":
		return parseSHA(id, parts, value, 43, shacrypt.DecodeVariant(shacrypt.VariantSHA256))
	case "1":
		return parseMD5(parts, value)
	case "sha1":
		return parseSHA1(parts, value)
	case "y":
		return parseYescrypt(parts, value)
	case "argon2id":
		return parseArgon(id, parts, value, argon2.DecodeVariant(argon2.VariantID))
	case "argon2i":
		return parseArgon(id, parts, value, argon2.DecodeVariant(argon2.VariantI))
	}
	return parseBcrypt(parts, value)
}

// decoded returns the Hash of a value whose form and cost were checked.
func decoded(kind, value string, decode algorithm.DecodeFunc) (*Hash, error) {
	d, err := decode(value)
	if err != nil {
		return nil, errors.New("found a hash that cannot be decoded")
	}
	return &Hash{kind: kind, match: func(password string) bool {
		ok, err := d.MatchAdvanced(password)
		return err == nil && ok
	}}, nil
}

// within returns an error for a cost that no login may take.
func within(scheme, what string, found, most int) error {
	if found <= most {
		return nil
	}
	return fmt.Errorf("%s: too costly: found %s=%d, expected at most %d", scheme, what, found, most)
}

// named reads name=number.
func named(name, s string) (int, error) {
	digits, ok := strings.CutPrefix(s, name+"=")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > 1<<30 {
		return 0, fmt.Errorf("found %.40q, expected %s=<number>", s, name)
	}
	return n, nil
}

// inAlphabet says whether s is crypt(3)'s base64 of between low and high
// characters.
func inAlphabet(s string, low, high int) bool {
	return len(s) >= low && len(s) <= high && strings.Trim(s, itoa64) == ""
}

func parseSHA(id string, parts []string, value string, size int, decode algorithm.DecodeFunc) (*Hash, error) {
	rounds := 5000 // what crypt(3) takes when none are written
	if len(parts) == 3 {
		n, err := named("rounds", parts[0])
		if err != nil {
			return nil, err
		}
		if n < minSHARounds {
			return nil, fmt.Errorf("found rounds=%d, expected at least %d", n, minSHARounds)
		}
		rounds, parts = n, parts[1:]
	}
	if err := within("SHA-crypt", "rounds", rounds, maxSHARounds); err != nil {
		return nil, err
	}
	if len(parts) != 2 || len(parts[0]) > maxSHASalt || !inAlphabet(parts[1], size, size) {
		return nil, fmt.Errorf("expected $%s$[rounds=N$]salt$hash with at most %d bytes of salt and %d characters of hash", id, maxSHASalt, size)
	}
	return decoded(fmt.Sprintf("crypt-%s rounds=%d", id, rounds), value, decode)
}

func parseMD5(parts []string, value string) (*Hash, error) {
	if len(parts) != 2 || len(parts[0]) > maxMD5Salt || !inAlphabet(parts[1], 22, 22) {
		return nil, fmt.Errorf("expected $1$salt$hash with at most %d bytes of salt and 22 characters of hash", maxMD5Salt)
	}
	return decoded("crypt-1", value, md5crypt.DecodeVariant(md5crypt.VariantStandard))
}

func parseSHA1(parts []string, value string) (*Hash, error) {
	if len(parts) != 3 || !inAlphabet(parts[1], 1, 64) || !inAlphabet(parts[2], 28, 28) {
		return nil, errors.New("expected $sha1$rounds$salt$hash with 28 characters of hash")
	}
	rounds, err := strconv.Atoi(parts[0])
	if err != nil || rounds < 1 {
		return nil, fmt.Errorf("found the rounds %.20q, expected a number", parts[0])
	}
	if err := within("sha1-crypt", "rounds", rounds, maxPBKDF2); err != nil {
		return nil, err
	}
	return decoded(fmt.Sprintf("crypt-sha1 rounds=%d", rounds), value, sha1crypt.Decode)
}

// parseYescrypt takes the settings that libxcrypt makes, j and one character
// each for N and r; the decoder knows no others.
func parseYescrypt(parts []string, value string) (*Hash, error) {
	if len(parts) != 3 || len(parts[0]) != 3 || parts[0][0] != 'j' {
		return nil, errors.New("expected $y$j<N><r>$salt$hash")
	}
	n, r := strings.IndexByte(itoa64, parts[0][1])+1, strings.IndexByte(itoa64, parts[0][2])+1
	if n < 10 || n > 18 || r < 1 || r > 32 {
		return nil, fmt.Errorf("found the setting %q, expected N from 1024 to 262144 and r from 1 to 32", parts[0])
	}
	if err := within("yescrypt", "KiB", r<<n/8, maxMemory); err != nil {
		return nil, err
	}
	if !inAlphabet(parts[1], 1, 86) || !inAlphabet(parts[2], 43, 43) {
		return nil, errors.New("expected at most 86 characters of salt and 43 of hash")
	}
	return decoded("yescrypt "+parts[0], value, scrypt.DecodeVariant(scrypt.VariantYescrypt))
}

func parseBcrypt(parts []string, value string) (*Hash, error) {
	if len(parts) != 2 || len(parts[0]) != 2 || !inAlphabet(parts[1], 53, 53) {
		return nil, errors.New("expected $2y$NN$ and 53 characters of salt and hash")
	}
	cost, err := strconv.Atoi(parts[0])
	if err != nil || cost < minBcrypt {
		return nil, fmt.Errorf("found the cost %q, expected %02d to %d", parts[0], minBcrypt, maxBcrypt)
	}
	if err := within("bcrypt", "cost", cost, maxBcrypt); err != nil {
		return nil, err
	}
	h, err := decoded(fmt.Sprintf("bcrypt cost=%d", cost), value, bcrypt.DecodeVariant(bcrypt.VariantStandard))
	if err != nil {
		return nil, err
	}
	// crypt(3) ignores what stands behind; the decoder refuses to compare.
	return &Hash{kind: h.kind, match: func(password string) bool {
		return h.match(password[:min(len(password), bcryptLen)])
	}}, nil
}

func argonKind(id string, m, t, p, salt, key int) string {
	return fmt.Sprintf("%s m=%d,t=%d,p=%d salt=%d key=%d", id, m, t, p, salt, key)
}

func parseArgon(id string, parts []string, value string, decode algorithm.DecodeFunc) (*Hash, error) {
	if len(parts) != 4 || parts[0] != "v=19" {
		return nil, fmt.Errorf("expected $%s$v=19$m=N,t=N,p=N$salt$hash", id)
	}
	m, t, p, err := argonCost(parts[1])
	if err != nil {
		return nil, err
	}
	salt, err := decode64(parts[2], 8, 64)
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	key, err := decode64(parts[3], 16, 128)
	if err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	return decoded(argonKind(id, m, t, p, salt, key), value, decode)
}

func argonCost(s string) (m, t, p int, err error) {
	fields := strings.Split(s, ",")
	if len(fields) != 3 {
		return 0, 0, 0, fmt.Errorf("found %.40q, expected m=N,t=N,p=N", s)
	}
	m, merr := named("m", fields[0])
	t, terr := named("t", fields[1])
	p, perr := named("p", fields[2])
	if err := errors.Join(merr, terr, perr); err != nil {
		return 0, 0, 0, err
	}
	if m < 8*p { // RFC 9106 3.1
		return 0, 0, 0, fmt.Errorf("found m=%d, expected at least 8 for each of %d lanes", m, p)
	}
	return m, t, p, errors.Join(within("argon2", "p", p, maxLanes), within("argon2", "m", m, maxMemory),
		within("argon2", "m*t", m*t, maxArgonWork))
}

// decode64 returns how many bytes the unpadded base64 s stands for.
func decode64(s string, low, high int) (int, error) {
	raw, err := decode("B64", s)
	if err != nil {
		return 0, err
	}
	if strings.Contains(s, "=") || len(raw) < low || len(raw) > high {
		return 0, fmt.Errorf("found %d bytes, expected %d to %d without padding", len(raw), low, high)
	}
	return len(raw), nil
}
