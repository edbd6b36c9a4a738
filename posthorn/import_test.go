package main

import (
	"os"
	"path/filepath"
	"testing"

	"posthorn/internal/conf"
)

// TestWhoseMail: import logs in as the user of the address, and asks for the mail of
// who stands behind -as.
func TestWhoseMail(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args           []string
		user, as, name string
	}{
		{nil, "carl", "", "imap://carl@192.0.2.1:993"},
		{[]string{"-as", "zoe"}, "carl", "zoe", "imap://zoe@192.0.2.1:993"},
	} {
		w, err := importWords(append(tt.args, "-password-file", secret, "ann", "imaps://carl@192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		a, err := remote(&env{conf: new(conf.Config)}, w)
		if err != nil || a.User != tt.user || a.As != tt.as || a.Password != "pw" || a.Name() != tt.name {
			t.Errorf("%q: got %q as %q at %s, %v, want %q as %q at %s", tt.args, a.User, a.As, a.Name(), err, tt.user, tt.as, tt.name)
		}
	}
}
