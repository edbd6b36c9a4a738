package password

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// doveadm runs `doveadm pw` with args, or skips where there is none.
func doveadm(t *testing.T, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("doveadm")
	if err != nil {
		if os.Getenv("POSTHORN_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip("no doveadm here (Debian: dovecot-core)")
	}
	out, err := exec.Command(program, append([]string{"-O", "pw"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("doveadm pw %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestDovecotReadsOurs has Dovecot verify what Make makes.
func TestDovecotReadsOurs(t *testing.T) {
	const password = "zwölf Boxkämpfer: $1$"
	ours, err := Make(password)
	if err != nil {
		t.Fatal(err)
	}
	if got := doveadm(t, "-t", ours, "-p", password); !strings.HasSuffix(got, "(verified)") {
		t.Errorf("got %q, want it verified", got)
	}
}

// TestWeReadDovecots verifies what Dovecot makes, in each scheme.
func TestWeReadDovecots(t *testing.T) {
	const password = "zwölf Boxkämpfer: $1$"
	for _, scheme := range strings.Fields("PLAIN CLEAR CLEARTEXT CRYPT SHA512-CRYPT SHA256-CRYPT MD5-CRYPT MD5 BLF-CRYPT ARGON2ID ARGON2I PBKDF2 " +
		"SCRAM-SHA-256 SHA SHA1 SHA256 SHA512 PLAIN-MD5 LDAP-MD5 SSHA SSHA256 SSHA512 SMD5 SSHA.HEX SHA256.HEX SHA512.B64 PLAIN-MD5.BASE64") {
		theirs := doveadm(t, "-s", scheme, "-p", password)
		h, err := Parse(theirs)
		if err != nil {
			t.Errorf("%s: %v", scheme, err)
		} else if !h.Match(password) || h.Match(password+"x") {
			t.Errorf("%s: got the wrong answer for the right or the wrong password", scheme)
		}
	}
}

// TestDovecotReadsOurKeys has Dovecot verify what MakeKeys makes.
func TestDovecotReadsOurKeys(t *testing.T) {
	ours, err := MakeKeys("zwoelf Boxkaempfer: $1$")
	if err != nil {
		t.Fatal(err)
	}
	if got := doveadm(t, "-t", ours, "-p", "zwoelf Boxkaempfer: $1$"); !strings.HasSuffix(got, "(verified)") {
		t.Errorf("got %q, want it verified", got)
	}
}
