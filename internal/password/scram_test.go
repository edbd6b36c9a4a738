package password

import (
	"encoding/base64"
	"strings"
	"testing"
)

// pencil is the password of RFC 7677 3, as the salt and rounds there make it.
const pencil = "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

// TestKeysOfRFC7677 holds the keys to the example of section 3: the proof that
// its client sends, and the signature that its server answers.
func TestKeysOfRFC7677(t *testing.T) {
	const said = "n=user,r=rOprNGfwEbeRWgbNEkqO," +
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," +
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	proof, err := base64.StdEncoding.DecodeString("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
	if err != nil {
		t.Fatal(err)
	}
	h, err := Parse(pencil)
	if err != nil {
		t.Fatal(err)
	}
	k, ok := h.Keys()
	if !ok || !h.Match("pencil") || h.Match("pencil2") {
		t.Fatalf("got keys %v, and a wrong answer for a password", ok)
	}
	if !k.Proves(proof, said) {
		t.Error("got no proof, want that of the RFC taken")
	}
	if got, want := base64.StdEncoding.EncodeToString(k.Signature(said)), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="; got != want {
		t.Errorf("got the signature %s, want %s", got, want)
	}
	for i := range proof {
		proof[i] ^= 1
		if k.Proves(proof, said) {
			t.Errorf("got a proof with another byte %d", i)
		}
		proof[i] ^= 1
	}
	for _, wrong := range [][]byte{nil, proof[:31], append(proof, 0)} {
		if k.Proves(wrong, said) {
			t.Errorf("got a proof of %d bytes", len(wrong))
		}
	}
	if k.Proves(proof, said+" ") {
		t.Error("got a proof for something else")
	}
}

func TestKeysAreRefused(t *testing.T) {
	for _, tc := range []struct{ name, stored, want string }{
		{"too few fields", "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==", "expected rounds,salt"},
		{"no number", strings.Replace(pencil, "4096", "4e3", 1), "expected a number"},
		{"no rounds", strings.Replace(pencil, "4096", "0", 1), "expected a number"},
		{"dear", strings.Replace(pencil, "4096", "99999999", 1), "too costly"},
		{"no salt", strings.Replace(pencil, "W22ZaJ0SNY7soEsUEjb6gQ==", "", 1), "0 bytes of salt"},
		{"long salt", strings.Replace(pencil, "W22ZaJ0SNY7soEsUEjb6gQ==", strings.Repeat("AAAA", 22), 1), "66 bytes of salt"},
		{"short key", strings.Replace(pencil, "WG5d8oPm", "", 1), "a key of"},
		{"no base64", strings.Replace(pencil, "WG5d8oPm", "?G5d8oPm", 1), "not base64"},
	} {
		if _, err := Parse(tc.stored); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestMakeKeys(t *testing.T) {
	one, err := MakeKeys("secret")
	if err != nil {
		t.Fatal(err)
	}
	two, _ := MakeKeys("secret")
	if one == two {
		t.Error("got the same keys twice, want another salt each time")
	}
	if h, err := Parse(one); err != nil || !h.Match("secret") || h.Match("Secret") {
		t.Errorf("got %v, and a wrong answer for a password", err)
	}
	if _, err := MakeKeys("a\x00b"); err == nil {
		t.Error("got keys of a password with NUL")
	}
}

// TestPrepare has the examples of RFC 4013 3 that are not refused.
func TestPrepare(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"I\u00adX", "IX"}, {"user", "user"}, {"USER", "USER"}, {"\u00aa", "a"}, {"\u2168", "IX"},
		{"a\u00a0b\u3000c", "a b c"}, {"o\u0308", "\u00f6"},
	} {
		if got := prepare(tc.in); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.in, got, tc.want)
		}
	}
}

// TestNoKeys: who has no keys looks like somebody who has.
func TestNoKeys(t *testing.T) {
	h, _ := Parse(pencil)
	like, _ := h.Keys()
	a, again, b := NoKeys(like, "s", "zoe"), NoKeys(like, "s", "zoe"), NoKeys(like, "s", "zac")
	if string(a.Salt) != string(again.Salt) || string(a.Salt) == string(b.Salt) || len(a.Salt) != len(like.Salt) || a.Rounds != like.Rounds {
		t.Errorf("got %v, %v and %v, want one salt for each name", a, again, b)
	}
	if a.Stored == like.Stored || a.Stored == again.Stored || a.Server == like.Server {
		t.Error("got keys of somebody, want random ones")
	}
}
