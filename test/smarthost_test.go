package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/instance"
	"posthorn/test/suite"
)

// TestSmarthost sends through a host that wants TLS with a name that can be
// checked, and a login.
func TestSmarthost(t *testing.T) {
	suite.Need(t, "swaks")
	trust, err := os.MkdirTemp("", "posthorn-trust") // queue-remote is another user when the test is root
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(trust)
	os.Chmod(trust, 0o755)
	ca, secret := filepath.Join(trust, "ca.pem"), filepath.Join(trust, "secret")
	addr, dir := suite.Sink(t, "-starttls", "-name", "relay.test", "-ca", ca, "-login", "me:opensesame")
	os.Chmod(ca, 0o644)
	os.WriteFile(secret, []byte("me:opensesame\n"), 0o640)
	if os.Geteuid() == 0 {
		os.Chown(secret, 0, instance.UIDs["queued"])
	}
	_, port, _ := strings.Cut(addr, ":")
	i := suite.Server(t, instance.Options{
		Zone: "relay.test. 60 IN A 127.0.0.1\n",
		Conf: fmt.Sprintf("smarthost default [relay.test]:%s login=@%s tls=require ca=%s\n", port, secret, ca),
	})
	submit(t, i, "x@far.test", "y@further.test")
	var envelope []byte
	suite.Eventually(t, "the smarthost has the message", func() bool {
		names, _ := filepath.Glob(filepath.Join(dir, "*.msg"))
		if len(names) != 1 {
			return false
		}
		envelope, _ = os.ReadFile(strings.TrimSuffix(names[0], ".msg") + ".env")
		return true
	})
	for _, want := range []string{"rcpt=x@far.test", "rcpt=y@further.test", "auth=me", "tls=true"} {
		if !strings.Contains(string(envelope), want) {
			t.Errorf("got %s, want %s in it", envelope, want)
		}
	}
	if _, err := i.WaitLog(suite.Limit, func(l string) bool {
		return strings.HasPrefix(l, "queue-remote: sent ") && strings.Contains(l, "+verified")
	}); err != nil {
		t.Errorf("no line tells that the certificate was checked: %v", err)
	}
}
