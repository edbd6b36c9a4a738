package password

import (
	"strings"
	"testing"
)

// stored are passwords made by others: libxcrypt, Python's hashlib and the
// reference implementation of argon2. All but the last stand for "secret".
var stored = []struct{ name, stored, password, kind string }{
	{"plain", "{PLAIN}secret", "secret", "PLAIN"},
	{"cleartext, small letters", "{cleartext}secret", "secret", "PLAIN"},
	{"sha512-crypt", "{SHA512-CRYPT}$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1", "secret", "crypt-6 rounds=5000"},
	{"sha512-crypt with rounds", "{CRYPT}$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/", "secret", "crypt-6 rounds=1000"},
	{"sha256-crypt", "{SHA256-CRYPT}$5$saltsalt$0IyaXrmV7.sGNS6tirgqHLqX/G.FBvgkYA.lpPdS5sA", "secret", "crypt-5 rounds=5000"},
	{"md5-crypt", "{MD5-CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//", "secret", "crypt-1"},
	{"md5 is md5-crypt", "{MD5}$1$saltsalt$9xy1btjgzLYfb7hivXtC//", "secret", "crypt-1"},
	{"bare", "$1$saltsalt$9xy1btjgzLYfb7hivXtC//", "secret", "crypt-1"},
	{"sha1-crypt", "$sha1$4000$saltsalt$UCopJwwa9QEEsnrT5XEIUJaMLX8G", "secret", "crypt-sha1 rounds=4000"},
	{"bcrypt 2y", "{BLF-CRYPT}$2y$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u", "secret", "bcrypt cost=10"},
	{"bcrypt 2b", "{CRYPT}$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret", "bcrypt cost=4"},
	{"bcrypt 2a", "$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "secret", "bcrypt cost=4"},
	{"bcrypt sees 72 bytes", "$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i", strings.Repeat("x", 80), "bcrypt cost=4"},
	{"yescrypt", "{CRYPT}$y$j9T$abcdefghijkl$XFQnRmFDoRnfefa6tLCdzcaB9xoGhmmkRgfG1lm0pK1", "secret", "yescrypt j9T"},
	{"yescrypt, small", "$y$j75$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01", "secret", "yescrypt j75"},
	{"sha", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", "SHA"},
	{"sha256", "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", "secret", "SHA256"},
	{"sha256 in hexadecimal", "{SHA256.hex}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b", "secret", "SHA256"},
	{"sha512", "{SHA512.b64}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/isg==", "secret", "SHA512"},
	{"plain md5", "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", "secret", "PLAIN-MD5"},
	{"ldap md5", "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "secret", "LDAP-MD5"},
	{"ssha", "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", "secret", "SSHA"},
	{"ssha in hexadecimal", "{SSHA.HEX}8152bc582f58c854f580cb101d3182813dec4afe73616c74", "secret", "SSHA"},
	{"ssha256", "{SSHA256}+E+iFJ27Yu1ODPH1UNKUmzOmUT06dwfghQJRHHnMsO5zYWx0", "secret", "SSHA256"},
	{"ssha512", "{SSHA512}E491yrR9AdCoE7rbOPYS3EZgSuZpVE65AD9xko08s6floNesY/Zpe9zMVvLix4S2FiQSJ99RIkNvhHomNO9uL3NhbHQ=", "secret", "SSHA512"},
	{"smd5", "{SMD5}mc0uWpXVVe5747A4pKhGJXNhbHQ=", "secret", "SMD5"},
	{"pbkdf2", "{PBKDF2}$1$saltsalt$5000$9d0487892cf650c51cd61d0b11d60b9c5114b27e", "secret", "PBKDF2 rounds=5000"},
	{"argon2id", "{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password", "argon2id m=65536,t=2,p=1 salt=8 key=32"},
}

func TestMatch(t *testing.T) {
	for _, tc := range stored {
		h, err := Parse(tc.stored)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if got := h.Kind(); got != tc.kind {
			t.Errorf("%s: got kind %q, want %q", tc.name, got, tc.kind)
		}
		if !h.Match(tc.password) {
			t.Errorf("%s: got no match for the right password", tc.name)
		}
		for _, wrong := range []string{"Secret", "secre", "x", tc.stored} {
			if h.Match(wrong) {
				t.Errorf("%s: got a match for the wrong password %q", tc.name, wrong)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const hash86 = "TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"
	const argonTail = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, tc := range []struct{ name, stored, want string }{
		{"empty", "", "expected $id$"},
		{"DES", "abNANd1rDfiNc", "DES"},
		{"unknown scheme", "{ROT13}frperg", "unknown scheme"},
		{"open scheme", "{PLAINsecret", "without }"},
		{"scheme and id differ", "{SHA512-CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//", "expected one of: 6"},
		{"gost-yescrypt", "$gy$j9T$abcdefghijkl$.JW80HgY3Fg0qDfJxXDW4AxCVw/xCLJxUnZqkB9XeE0", "expected one of"},
		{"the broken bcrypt 2x", "$2x$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "expected one of"},
		{"bcrypt, short", "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WI", "53 characters"},
		{"bcrypt, cost below what is computed", "$2y$03$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "expected 04"},
		{"bcrypt, dear", "$2y$16$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW", "too costly"},
		{"sha512-crypt, dear", "$6$rounds=900000000$saltsalt$" + hash86, "too costly"},
		{"sha512-crypt, few rounds", "$6$rounds=10$saltsalt$" + hash86, "at least 1000"},
		{"sha512-crypt, no number", "$6$rounds=1e9$saltsalt$" + hash86, "expected rounds=<number>"},
		{"sha512-crypt, long salt", "$6$saltsaltsaltsaltsalt$" + hash86, "bytes of salt"},
		{"sha512-crypt, short", "$6$saltsalt$TVLl", "characters of hash"},
		{"md5-crypt, short", "$1$saltsalt$9xy1", "characters of hash"},
		{"sha1-crypt, dear", "$sha1$4000000000$saltsalt$UCopJwwa9QEEsnrT5XEIUJaMLX8G", "too costly"},
		{"yescrypt, other flags", "$y$.9T$abcdefghijkl$XFQnRmFDoRnfefa6tLCdzcaB9xoGhmmkRgfG1lm0pK1", "expected $y$j"},
		{"yescrypt, dear", "$y$jFT$abcdefghijkl$XFQnRmFDoRnfefa6tLCdzcaB9xoGhmmkRgfG1lm0pK1", "too costly"},
		{"yescrypt, dearer", "$y$jzT$abcdefghijkl$XFQnRmFDoRnfefa6tLCdzcaB9xoGhmmkRgfG1lm0pK1", "expected N from"},
		{"argon2id, memory", "{ARGON2ID}$argon2id$v=19$m=4194304,t=1,p=1" + argonTail, "too costly"},
		{"argon2id, passes", "{ARGON2ID}$argon2id$v=19$m=65536,t=1000,p=1" + argonTail, "too costly"},
		{"argon2id, lanes", "{ARGON2ID}$argon2id$v=19$m=65536,t=1,p=200" + argonTail, "too costly"},
		{"argon2id, less memory than lanes", "{ARGON2ID}$argon2id$v=19$m=8,t=1,p=2" + argonTail, "at least 8"},
		{"argon2id, no version", "{ARGON2ID}$argon2id$m=65536,t=2,p=1" + argonTail, "v=19"},
		{"argon2id, passes twice", "{ARGON2ID}$argon2id$v=19$m=65536,t=2,t=900" + argonTail, "p=<number>"},
		{"argon2d", "$argon2d$v=19$m=65536,t=2,p=1" + argonTail, "expected one of"},
		{"sha, short", "{SHA}5en6", "expected 20"},
		{"ssha without salt", "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "more than 20"},
		{"bad encoding", "{SHA.ROT}5en6", "expected .HEX"},
		{"bad base64", "{SHA}????", "not base64"},
		{"encoding of no digest", "{PLAIN.HEX}736563726574", "behind a digest only"},
		{"plain, empty", "{PLAIN}", "empty password"},
		{"pbkdf2, dear", "{PBKDF2}$1$saltsalt$50000000$9d0487892cf650c51cd61d0b11d60b9c5114b27e", "too costly"},
		{"pbkdf2, other version", "{PBKDF2}$2$saltsalt$5000$9d04", "expected $1$"},
		{"long", "{PLAIN}" + strings.Repeat("x", 5000), "at most 2048"},
	} {
		h, err := Parse(tc.stored)
		if err == nil {
			t.Errorf("%s: got kind %s, want an error", tc.name, h.Kind())
			continue
		}
		if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %q, want it to say %q", tc.name, err, tc.want)
		}
		if strings.Contains(err.Error(), "CTFhFdXPJO1aFaMa") || strings.Contains(err.Error(), "TVLlQcbpFVof") {
			t.Errorf("%s: the hash stands in the error %q", tc.name, err)
		}
	}
}

func TestMake(t *testing.T) {
	const password = "correct horse bättery"
	one, err := Make(password)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := Make(password)
	if one == two {
		t.Error("got one string twice, want a new salt each time")
	}
	if want := "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$"; !strings.HasPrefix(one, want) || strings.ContainsAny(one, ": \n") {
		t.Errorf("got %q, want it to begin with %q and to fit into a passwd-file", one, want)
	}
	h, err := Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	if !h.Match(password) || h.Match(password+" ") {
		t.Error("got a hash that does not tell its password from another")
	}
	if d := Default(); d.Kind() != h.Kind() || d.Match(password) {
		t.Errorf("got the default %q, want the kind %q and no match", d.Kind(), h.Kind())
	}
}

func TestAcceptable(t *testing.T) {
	for _, bad := range []string{"", "a\x00b", "a\nb", "tab\there", "\x7f", "\xff\xfe", strings.Repeat("x", MaxLen+1)} {
		if Acceptable(bad) == nil {
			t.Errorf("%.20q: got no error", bad)
		}
		if s, err := Make(bad); err == nil {
			t.Errorf("Make(%.20q): got %q, want an error", bad, s)
		}
	}
	for _, good := range []string{"x", "zwölf Boxkämpfer", strings.Repeat("x", MaxLen)} {
		if err := Acceptable(good); err != nil {
			t.Errorf("%.20q: got %v", good, err)
		}
	}
}

func TestLocked(t *testing.T) {
	for s, want := range map[string]bool{"": true, "!": true, "*": true, "!!": true, "*LK*": true, "{CRYPT}!": true,
		"!$1$saltsalt$9xy1btjgzLYfb7hivXtC//": true, "{PLAIN}secret": false, "$1$saltsalt$9xy1btjgzLYfb7hivXtC//": false} {
		if got := Locked(s); got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}

// FuzzParse: whatever is accepted has a bounded cost and does not panic when
// it is compared.
func FuzzParse(f *testing.F) {
	for _, tc := range stored {
		f.Add(tc.stored)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := Parse(s)
		if err != nil {
			return
		}
		if h.Kind() == "" {
			t.Errorf("%q: got no kind", s)
		}
		if cheap(h.Kind()) {
			h.Match("x")
		}
	})
}

// cheap says whether thousands of such comparisons are quick.
func cheap(kind string) bool {
	return !strings.Contains(kind, "rounds") && !strings.HasPrefix(kind, "bcrypt") &&
		!strings.HasPrefix(kind, "yescrypt") && !strings.HasPrefix(kind, "argon2")
}
