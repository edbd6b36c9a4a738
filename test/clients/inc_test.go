package clients

import (
	"strings"
	"testing"
)

// TestInc has nmh fetch by POP3 with each way to log in, keeping the mail and
// removing it.
func TestInc(t *testing.T) {
	const inc = "/usr/bin/mh/inc"
	for _, tc := range []struct{ name, switches string }{
		{"TLS", "-port %pop3s% -initialtls"},
		{"STLS", "-port %pop3% -tls"},
		{"TLS and PLAIN", "-port %pop3s% -initialtls -sasl -saslmech plain"},
		{"plain", "-port %pop3%"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := newDesk(t, inc)
			d.file("netrc", "machine localhost login %BOB% password %PASS%\n")
			d.file(".mh_profile", "Path: %HOME%/Mail\ncredentials: file:%HOME%/netrc\ninc: -host localhost -user %BOB% "+tc.switches+"\n")
			d.folder("Mail/inbox")
			d.mail("one", "two")
			d.run("", inc, "-notruncate")
			if got := body(d.only("Mail/inbox/1")); !strings.HasSuffix(got, "\n.a dot\n") {
				t.Errorf("the first message: got body %q", got)
			}
			if got := len(strings.Fields(d.box(""))); got != 2 {
				t.Errorf("got %d messages left, want the 2 that are kept", got)
			}
			d.run("", inc, "-truncate")
			d.wantBox("", "")
		})
	}
}
