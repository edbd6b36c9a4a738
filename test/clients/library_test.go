package clients

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"posthorn/test/suite"
)

// script runs a program of testdata that works in bob's box and says that all
// is good in the end.
func (d *desk) script(interpreter, name string, args ...string) {
	d.t.Helper()
	root, err := suite.Root()
	if err != nil {
		d.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "test", "clients", "testdata", name))
	if err != nil {
		d.t.Fatal(err)
	}
	d.file(name, string(text))
	if out := d.run("", interpreter, append([]string{"%HOME%/" + name}, args...)...); !strings.HasSuffix(out, "all good\n") {
		d.t.Errorf("%s: got %s", name, out)
	}
}

// TestIMAPClient is perl's Mail::IMAPClient.
func TestIMAPClient(t *testing.T) {
	suite.Need(t, "perl")
	if _, err := suite.Command(t, "", "perl", "-MMail::IMAPClient", "-e", "1"); err != nil && os.Getenv("POSTHORN_TEST_ALL") == "" {
		t.Skip("needs Mail::IMAPClient: on Debian .ci/run names the package")
	}
	for _, tc := range []struct{ port, way string }{{"%imaps%", "ssl"}, {"%imap%", "starttls"}} {
		t.Run(tc.way, func(t *testing.T) {
			d := newDesk(t, "perl")
			d.script("perl", "imapclient.pl", tc.port, "%CA%", tc.way)
		})
	}
}
