package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/internal/directory"
)

const rfcToken = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="

func TestTokensAreRead(t *testing.T) {
	for _, tc := range []struct {
		name, mechanism, text, user, token string
	}{
		// RFC 7628 4.1 and 4.3
		{"bearer", mechBearer, "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer " + rfcToken + "\x01\x01", "user@example.com", rfcToken},
		{"bearer without a user", mechBearer, "n,,\x01auth=Bearer a\x01\x01", "", "a"},
		{"y, and small letters", mechBearer, "y,,\x01auth=bearer a\x01\x01", "", "a"},
		{"escapes in the user", mechBearer, "n,a=a=3Db=2Cc,\x01auth=Bearer a\x01\x01", "a=b,c", "a"},
		{"no token", mechBearer, "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=\x01\x01", "", ""},
		{"an empty token", mechBearer, "n,,\x01auth=Bearer \x01\x01", "", ""},
		{"no pairs", mechBearer, "n,,\x01\x01", "", ""},
		{"an octet 1 alone", mechBearer, "\x01", "", ""},
		{"nothing", mechBearer, "", "", ""},
		{"one octet 1 at the end", mechBearer, "n,,\x01auth=Bearer a\x01", "", ""},
		{"another scheme", mechBearer, "n,,\x01auth=Basic a\x01\x01", "", ""},
		{"channel binding", mechBearer, "p=tls-exporter,,\x01auth=Bearer a\x01\x01", "", ""},
		{"an empty user", mechBearer, "n,a=,\x01auth=Bearer a\x01\x01", "", ""},
		{"no key of the user", mechBearer, "n,user,\x01auth=Bearer a\x01\x01", "", ""},
		{"two lines", mechBearer, "n,,\x01auth=Bearer a\nb\x01\x01", "", ""},
		{"two words", mechBearer, "n,,\x01auth=Bearer a b\x01\x01", "", ""},
		{"= inside", mechBearer, "n,,\x01auth=Bearer a=b\x01\x01", "", ""},
		{"xoauth2", mechXOAuth2, "user=someuser@example.com\x01auth=Bearer " + rfcToken + "\x01\x01", "someuser@example.com", rfcToken},
		{"xoauth2 without a user", mechXOAuth2, "user=\x01auth=Bearer a\x01\x01", "", ""},
		{"xoauth2 without a token", mechXOAuth2, "user=a\x01\x01", "", ""},
	} {
		read := parseBearer
		if tc.mechanism == mechXOAuth2 {
			read = parseXOAuth2
		}
		user, token, err := read(tc.text)
		if (err == nil) != (tc.token != "") || err == nil && (user != tc.user || token != tc.token) {
			t.Errorf("%s: got %q, %q, %v, want %q, %q", tc.name, user, token, err, tc.user, tc.token)
		}
	}
}

func TestTokens(t *testing.T) {
	s, svc, c := saslSite(t, "auth-failures 1000\ntoken-helper /bin/true\n")
	asked := 0
	svc.askToken = func(_ context.Context, token string) (string, error) {
		asked++
		if token == "down" {
			return "", errors.New("no route to host")
		}
		return map[string]string{"anns": "ann", "bobs": "bob@example.org", "zoes": "zoe", "lockeds": "locked", "closeds": "closed", "bads": "../x"}[token], nil
	}
	const invalid, no = `{"status":"invalid_token"}`, ` | ` + wrong
	for _, tc := range []struct{ name, mechanism, text, want, reason string }{
		{"a good one", mechBearer, "n,a=ann,\x01auth=Bearer anns\x01\x01", "ann@example.org", ""},
		{"with another mechanism", mechXOAuth2, "user=Ann@Example.org\x01auth=Bearer anns\x01\x01", "ann@example.org", ""},
		{"without a user", mechBearer, "n,,\x01auth=Bearer bobs\x01\x01", "bob@example.org", ""},
		{"somebody else's", mechXOAuth2, "user=ann\x01auth=Bearer bobs\x01\x01", invalid + no, "token"},
		{"nobody's", mechXOAuth2, "user=ann\x01auth=Bearer x\x01\x01", invalid + no, "token"},
		{"nobody's, without a user", mechBearer, "n,,\x01auth=Bearer x\x01\x01", invalid + no, "token"},
		{"of no user here", mechXOAuth2, "user=zoe\x01auth=Bearer zoes\x01\x01", invalid + no, "unknown"},
		{"of a locked user", mechXOAuth2, "user=locked\x01auth=Bearer lockeds\x01\x01", invalid + no, "unknown"},
		{"of one who may not log in", mechBearer, "n,,\x01auth=Bearer closeds\x01\x01", invalid + no, "closed"},
		{"of a name that cannot be", mechBearer, "n,,\x01auth=Bearer bads\x01\x01", invalid + no, "unknown"},
		{"helper down", mechBearer, "n,,\x01auth=Bearer down\x01\x01", "later 4.7.0 login is not possible at present, try again later", ""},
		{"senseless", mechBearer, "n,,", senseless, ""},
	} {
		before := len(s.log.String())
		if got := follow(t, c, begin(tc.mechanism, []byte(tc.text)), "\x01"); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
		if got := logged(s.log.String()[before:]); !strings.HasPrefix(got, tc.reason) || tc.reason != "" && got != tc.reason {
			t.Errorf("%s: got the reason %q, want %q", tc.name, got, tc.reason)
		}
	}
	before := asked
	if got := follow(t, c, begin(mechXOAuth2, []byte("user=ann\x01auth=Bearer anns\x01\x01"))); got != "ann@example.org" || asked != before {
		t.Errorf("a second time: got %q and asked %d times, want it remembered", got, asked-before)
	}
	if got := follow(t, c, begin(mechPlain, []byte("\x00ann\x00anns"))); got != wrong {
		t.Errorf("as a password: got %q, want %q", got, wrong)
	}
}

// TestTokensAreGuarded: who names nobody is stopped by his network, and stops
// nobody elsewhere.
func TestTokensAreGuarded(t *testing.T) {
	_, svc, c := saslSite(t, "auth-failures 3\ntoken-helper /bin/true\n")
	svc.askToken = func(_ context.Context, token string) (string, error) {
		return map[string]string{"anns": "ann"}[token], nil
	}
	try := func(from string, token string) string {
		step := begin(mechBearer, []byte("n,,\x01auth=Bearer "+token+"\x01\x01"))
		step.Client = step.Client.Next()
		if from == "elsewhere" {
			step.Client = home
		}
		return follow(t, c, step, "\x01")
	}
	for range 3 {
		try("here", "x")
	}
	if got := try("here", "anns"); !strings.HasSuffix(got, wrong) {
		t.Errorf("from the same network: got %q, want %q", got, wrong)
	}
	if got := try("elsewhere", "anns"); got != "ann@example.org" {
		t.Errorf("from another: got %q, want ann", got)
	}
}

func TestTokenHelper(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct{ name, script, user, fault string }{
		{"good", "read token; test \"$token\" = tok && echo ann@example.org", "ann@example.org", ""},
		{"refused", "exit 1", "", ""},
		{"refused with words", "echo ann; exit 1", "", ""},
		{"in trouble", "exit 2", "", "exit status 2"},
		{"silent", "exit 0", "", "expected one line"},
		{"no line end", "printf ann", "", "expected one line"},
		{"two lines", "echo ann; echo bob", "", "expected one line"},
		{"endless", "yes", "", "token helper"},
	} {
		program := filepath.Join(dir, tc.name)
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+tc.script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		user, err := runTokenHelper(t.Context(), program, "tok")
		if user != tc.user || (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
			t.Errorf("%s: got %q, %v, want %q, %q", tc.name, user, err, tc.user, tc.fault)
		}
	}
	if _, err := runTokenHelper(t.Context(), filepath.Join(dir, "none"), "tok"); err == nil {
		t.Error("no program: got no error")
	}
}

func TestExternal(t *testing.T) {
	s, _, c := saslSite(t, "auth-failures 1000\ntls-clients /etc/clients.pem\n")
	s.write(t, "users", "ann:"+md5Secret+"::::::certificate=ann@cert.example certificate=laptop-7\nbob:"+md5Secret+"::::::certificate=Bob@cert.example\n"+
		"locked:!::::::certificate=locked\nclosed:"+md5Secret+"::::::certificate=closed nologin\n")
	for _, tc := range []struct {
		name, wanted string
		certificate  []string
		want, reason string
	}{
		{"by an address", "", []string{"Ann@Cert.example"}, "ann@example.org", ""},
		{"by the common name", "", []string{"x@y", "laptop-7"}, "ann@example.org", ""},
		{"as oneself", "ANN", []string{"laptop-7"}, "ann@example.org", ""},
		{"as another", "bob", []string{"laptop-7"}, wrong, "certificate"},
		{"as the second of two", "bob", []string{"laptop-7", "bob@cert.example"}, "bob@example.org", ""},
		{"nobody's", "", []string{"ann@example.org"}, wrong, "certificate"},
		{"none", "", nil, wrong, "certificate"},
		{"of a locked user", "", []string{"locked"}, wrong, "unknown"},
		{"of one who may not log in", "", []string{"closed"}, wrong, "closed"},
	} {
		before := len(s.log.String())
		step := begin(mechExternal, []byte(tc.wanted))
		step.Certificate = tc.certificate
		if got := follow(t, c, step); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
		got := logged(s.log.String()[before:])
		if got != tc.reason {
			t.Errorf("%s: got the reason %q, want %q", tc.name, got, tc.reason)
		}
	}
	step := begin(mechExternal, nil)
	step.Certificate = []string{"laptop-7"}
	if got := follow(t, c, step, ""); got != " | ann@example.org" {
		t.Errorf("in two steps: got %q, want ann", got)
	}
	if got := (directory.Step{Certificate: []string{"a"}}).Usable([]string{mechExternal, mechScramPlus}); len(got) != 1 || got[0] != mechExternal {
		t.Errorf("usable with a certificate: got %v, want EXTERNAL", got)
	}
}
